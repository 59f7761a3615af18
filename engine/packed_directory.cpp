#include "engine/packed_directory.h"

#include <algorithm>
#include <cstring>

#include "engine/fail.h"

namespace tinyllm {
namespace {

constexpr char kMagic[8] = {'T', 'I', 'N', 'Y', 'P', 'A', 'C', 'K'};
constexpr std::size_t kHeadBytes = 40;
constexpr std::size_t kDataAlignment = 4096;
constexpr std::size_t kEntryAlignment = 64;
constexpr std::int64_t kMostSize = std::int64_t{1} << 28;  // rows or columns; their product fits with room

std::size_t rounded_up(std::size_t n, std::size_t step) {
    return (n + step - 1) / step * step;
}

template <typename T>
void put(std::string& out, T value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::string head_of(std::uint64_t file_bytes, std::string_view directory) {
    std::string head(kMagic, sizeof kMagic);
    put(head, kPackedVersion);
    put(head, std::uint32_t{0});
    put(head, file_bytes);
    put(head, static_cast<std::uint64_t>(directory.size()));
    put(head, Fingerprint().add(file_bytes).add(directory).value());
    return head;
}

class Reader {
  public:
    explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}
    template <typename T>
    T take() {
        T value;
        std::memcpy(&value, take(sizeof value).data(), sizeof value);
        return value;
    }
    std::span<const std::byte> take(std::size_t n) {
        if (n > bytes_.size()) fail(ErrorKind::corrupt, "its directory ends too early");
        const std::span<const std::byte> part = bytes_.first(n);
        bytes_ = bytes_.subspan(n);
        return part;
    }
    bool at_end() const { return bytes_.empty(); }

  private:
    std::span<const std::byte> bytes_;
};

PackedEntry read_entry(Reader& reader) {
    PackedEntry entry;
    entry.recipe = reader.take<std::uint64_t>();
    entry.at = reader.take<std::uint64_t>();
    entry.rows = reader.take<std::int64_t>();
    entry.cols = reader.take<std::int64_t>();
    const auto n_strips = reader.take<std::uint32_t>();
    for (std::uint32_t i = 0; i < n_strips; ++i) {
        const auto type = reader.take<std::uint32_t>();
        const auto rows = reader.take<std::int64_t>();
        const auto& known = all_dtypes();
        if (std::ranges::count(known, static_cast<DType>(type)) == 0)
            fail(ErrorKind::corrupt, "it names a type {}", type);
        entry.strips.push_back({static_cast<DType>(type), rows});
    }
    return entry;
}

}  // namespace

std::size_t packed_entry_bytes(const PackedEntry& entry, const StripBytes& strip_bytes) {
    const auto possible = [](std::int64_t n) { return n > 0 && n <= kMostSize; };
    if (!possible(entry.rows) || !possible(entry.cols)) return 0;
    if (entry.strips.empty())
        return entry.cols == 1 ? static_cast<std::size_t>(entry.rows) * sizeof(float) : 0;
    std::size_t bytes = 0;
    std::int64_t rows = 0;
    for (const PackedEntry::Part& strip : entry.strips) {
        const std::size_t part = possible(strip.rows) ? strip_bytes(strip.type, strip.rows, entry.cols) : 0;
        if (part == 0) return 0;
        bytes += part;
        rows += strip.rows;
        if (rows > entry.rows) return 0;
    }
    return rows == entry.rows ? bytes : 0;
}

std::string write_packed_directory(const std::string& identity, std::span<PackedEntry* const> entries,
                                   const StripBytes& strip_bytes) {
    std::size_t directory_bytes = 8 + identity.size();
    for (const PackedEntry* entry : entries) directory_bytes += 36 + 12 * entry->strips.size();
    std::size_t at = rounded_up(kHeadBytes + directory_bytes, kDataAlignment);
    const std::size_t data_begin = at;
    std::string directory;
    put(directory, static_cast<std::uint32_t>(identity.size()));
    directory += identity;
    put(directory, static_cast<std::uint32_t>(entries.size()));
    for (PackedEntry* entry : entries) {
        entry->at = at;
        at += rounded_up(packed_entry_bytes(*entry, strip_bytes), kEntryAlignment);
        put(directory, entry->recipe);
        put(directory, entry->at);
        put(directory, entry->rows);
        put(directory, entry->cols);
        put(directory, static_cast<std::uint32_t>(entry->strips.size()));
        for (const PackedEntry::Part& strip : entry->strips) {
            put(directory, static_cast<std::uint32_t>(strip.type));
            put(directory, strip.rows);
        }
    }
    std::string out = head_of(at, directory) + directory;
    out.resize(data_begin);
    return out;
}

std::map<std::uint64_t, PackedEntry> read_packed_directory(std::span<const std::byte> file,
                                                           const std::string& identity,
                                                           const StripBytes& strip_bytes) {
    if (file.size() < kHeadBytes || std::memcmp(file.data(), kMagic, sizeof kMagic) != 0)
        fail(ErrorKind::corrupt, "it does not begin as one");
    Reader head(file.subspan(sizeof kMagic, kHeadBytes - sizeof kMagic));
    const auto version = head.take<std::uint32_t>();
    if (version != kPackedVersion)
        fail(ErrorKind::corrupt, "it has version {}, expected {}", version, kPackedVersion);
    head.take<std::uint32_t>();
    const auto bytes = head.take<std::uint64_t>();
    if (bytes != file.size()) fail(ErrorKind::corrupt, "it has {} bytes, expected {}", file.size(), bytes);
    const auto directory_bytes = head.take<std::uint64_t>();
    if (directory_bytes > file.size() - kHeadBytes) fail(ErrorKind::corrupt, "its directory leaves it");
    const auto directory = file.subspan(kHeadBytes, static_cast<std::size_t>(directory_bytes));
    const std::string expected =
        head_of(bytes, {reinterpret_cast<const char*>(directory.data()), directory.size()});
    if (std::memcmp(expected.data(), file.data(), kHeadBytes) != 0)
        fail(ErrorKind::corrupt, "the checksum of its directory is wrong");

    Reader reader(directory);
    const auto stored = reader.take(reader.take<std::uint32_t>());
    if (std::string_view(reinterpret_cast<const char*>(stored.data()), stored.size()) != identity)
        fail(ErrorKind::corrupt, "the model's files have changed since");
    std::map<std::uint64_t, PackedEntry> entries;
    const std::size_t data_begin = rounded_up(kHeadBytes + directory.size(), kDataAlignment);
    for (auto n = reader.take<std::uint32_t>(); n > 0; --n) {
        PackedEntry entry = read_entry(reader);
        const std::size_t size = packed_entry_bytes(entry, strip_bytes);
        if (size == 0) fail(ErrorKind::corrupt, "an entry is no weight");
        if (entry.at % kEntryAlignment != 0 || entry.at < data_begin || entry.at > file.size() ||
            size > file.size() - entry.at)
            fail(ErrorKind::corrupt, "an entry leaves it");
        const std::uint64_t recipe = entry.recipe;
        entries[recipe] = std::move(entry);
    }
    if (!reader.at_end()) fail(ErrorKind::corrupt, "its directory is longer than its entries");
    return entries;
}

}  // namespace tinyllm
