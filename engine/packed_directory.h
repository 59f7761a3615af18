// The first part of a packed cache file: what lies where behind it.
//
//   magic "TINYPACK", version u32, zero u32, bytes of the file u64, bytes of the directory u64, its
//   fingerprint u64; then the directory: identity (length u32, text), number of entries u32, per entry recipe
//   u64, place u64, rows i64, cols i64, number of strips u32, per strip type u32 and rows i64; little-endian.
//   Data begins at the next multiple of 4096, entries at multiples of 64.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>

#include "engine/packed_cache.h"

namespace tinyllm {

constexpr std::uint32_t kPackedVersion = 1;

/// Whether rows of a type can be there at all, and how many bytes they then take; 0: they cannot.
using StripBytes = std::function<std::size_t(DType type, std::int64_t rows, std::int64_t cols)>;

/// Bytes of an entry's data; 0 for one that cannot be.
std::size_t packed_entry_bytes(const PackedEntry& entry, const StripBytes& strip_bytes);

/// The file's bytes before the data. Gives every entry its place.
std::string write_packed_directory(const std::string& identity, std::span<PackedEntry* const> entries,
                                   const StripBytes& strip_bytes);

/// The entries of a file, by recipe. Every length and place is checked. Throws Error(corrupt) saying what is
/// wrong, without the file's name.
std::map<std::uint64_t, PackedEntry> read_packed_directory(std::span<const std::byte> file,
                                                           const std::string& identity,
                                                           const StripBytes& strip_bytes);

}  // namespace tinyllm
