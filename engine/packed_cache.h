// Packed weights in a file, so that a second start maps them instead of packing again. docs/files.md has the
// format, docs/adr/0003-packed-cache.md the reasons.
//
// A file is found by what the weights are and how this machine packs them. Whatever is wrong with it, it is
// as if there were none: weights are packed, and it is written anew.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/fingerprint.h"
#include "engine/mapped_file.h"
#include "engine/tensor_source.h"
#include "kernels/backend.h"

namespace tinyllm {

/// A weight of the file.
struct PackedEntry {
    std::uint64_t recipe = 0;  // of what it was made, and how
    std::uint64_t at = 0;      // bytes from the file's begin, a multiple of 64
    std::int64_t rows = 0;     // of a vector: its elements
    std::int64_t cols = 0;     // of a vector: 1
    struct Part {
        DType type = DType::f32;
        std::int64_t rows = 0;
    };
    std::vector<Part> strips;  // of a vector: none
};

class PackedCache {
  public:
    /// The file in `folder` for the tensors of `source`, rounded to `type` if there is one, as `backend`
    /// packs them. A backend without a layout of its own has no cache.
    PackedCache(const std::string& folder, const TensorSource& source, std::optional<DType> type,
                const Backend& backend);

    /// The weights made by `recipe`; an empty matrix or null if the file does not have them.
    Matrix matrix(const Fingerprint& recipe, std::int64_t rows, std::int64_t cols);
    const float* vector(const Fingerprint& recipe, std::int64_t n);

    /// To be written by save(); the memory of `values` must live until then.
    void keep(const Fingerprint& recipe, const Matrix& matrix);
    void keep(const Fingerprint& recipe, std::span<const float> values);

    /// Writes all weights, if some were packed. Whoever comes first writes; the others let it be.
    void save();

    /// What holds the vectors and matrices given out; null if none were.
    std::shared_ptr<const void> memory() const { return given_ ? map_ : nullptr; }
    /// The file, once weights came from it and none were packed.
    std::string used_file() const { return given_ && !fresh_ ? path_ : ""; }
    /// What went wrong with the file, for a user to read.
    const std::vector<std::string>& warnings() const { return warnings_; }

  private:
    struct Kept {
        PackedEntry entry;
        const std::byte* data = nullptr;
        std::size_t bytes = 0;
        std::shared_ptr<const void> memory = nullptr;
    };
    void open();
    const PackedEntry* find(const Fingerprint& recipe) const;
    std::size_t bytes_of(const PackedEntry& entry) const;
    void keep(Kept kept);
    void write(int fd);

    const Backend& backend_;
    std::string path_;      // empty: no cache
    std::string identity_;  // of the directory: layout, source, file times
    std::shared_ptr<const MappedFile> map_;
    std::map<std::uint64_t, PackedEntry> entries_;  // of map_, by recipe
    std::vector<Kept> kept_;
    bool given_ = false, fresh_ = false;
    std::vector<std::string> warnings_;
};

}  // namespace tinyllm
