// Read from the end: end record -> central directory -> local headers -> data. Offsets are believed only
// after a range check.
#include "engine/zip_archive.h"

#include <cstdint>
#include <cstring>

#include "engine/fail.h"
#include "engine/printable.h"

namespace tinyllm {

namespace {

constexpr std::uint32_t kLocalHeader = 0x04034b50;
constexpr std::uint32_t kCentralHeader = 0x02014b50;
constexpr std::uint32_t kEnd = 0x06054b50;
constexpr std::uint32_t kEnd64 = 0x06064b50;
constexpr std::uint32_t kEnd64Locator = 0x07064b50;
constexpr std::size_t kEndBytes = 22;
constexpr std::size_t kLocatorBytes = 20;

class Bytes {
  public:
    Bytes(const std::string& file, std::span<const std::byte> bytes) : file_(file), bytes_(bytes) {}

    std::size_t size() const { return bytes_.size(); }

    std::span<const std::byte> at(std::uint64_t offset, std::uint64_t n, std::string_view what) const {
        if (offset > bytes_.size() || n > bytes_.size() - offset) {
            fail(ErrorKind::corrupt, "{}: byte {}: {} of {} bytes, but the file ends at byte {}", file_,
                 offset, what, n, bytes_.size());
        }
        return bytes_.subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(n));
    }

    template <typename T>
    T read(std::uint64_t offset, std::string_view what) const {
        T value;
        std::memcpy(&value, at(offset, sizeof(T), what).data(), sizeof(T));
        return value;
    }

    void expect(std::uint64_t offset, std::uint32_t signature, std::string_view what) const {
        const auto found = read<std::uint32_t>(offset, what);
        if (found != signature) {
            fail(ErrorKind::corrupt, "{}: byte {}: expected {}, {:#010x}, found {:#010x}", file_, offset,
                 what, signature, found);
        }
    }

  private:
    const std::string& file_;
    std::span<const std::byte> bytes_;
};

struct Directory {
    std::uint64_t offset = 0;
    std::uint64_t entries = 0;
};

/// The end record stands at the end, before a comment of at most 65535 bytes.
std::uint64_t find_end(const std::string& file, const Bytes& bytes) {
    if (bytes.size() >= kEndBytes) {
        const std::uint64_t last = bytes.size() - kEndBytes;
        const std::uint64_t first = last > 65535 ? last - 65535 : 0;
        for (std::uint64_t at = last;; --at) {
            if (bytes.read<std::uint32_t>(at, "end record") == kEnd) return at;
            if (at == first) break;
        }
    }
    fail(ErrorKind::corrupt, "{}: no ZIP end record; the file is truncated", file);
}

Directory find_directory(const std::string& file, const Bytes& bytes) {
    const std::uint64_t end = find_end(file, bytes);
    Directory directory;
    directory.entries = bytes.read<std::uint16_t>(end + 10, "end record");
    directory.offset = bytes.read<std::uint32_t>(end + 16, "end record");
    const bool is_zip64 = directory.entries == 0xffff || directory.offset == 0xffffffff;
    if (is_zip64 && end >= kLocatorBytes) {
        const std::uint64_t locator = end - kLocatorBytes;
        bytes.expect(locator, kEnd64Locator, "a ZIP64 locator");
        const auto end64 = bytes.read<std::uint64_t>(locator + 8, "ZIP64 locator");
        bytes.expect(end64, kEnd64, "a ZIP64 end record");
        (void)bytes.at(end64, 56, "ZIP64 end record");
        directory.entries = bytes.read<std::uint64_t>(end64 + 32, "ZIP64 end record");
        directory.offset = bytes.read<std::uint64_t>(end64 + 48, "ZIP64 end record");
    }
    return directory;
}

struct Sizes {
    std::uint64_t stored = 0;
    std::uint64_t plain = 0;
    std::uint64_t header = 0;
};

/// Fields that did not fit 32 bits stand in extra field 1, in this order and only if needed.
void read_zip64_extra(const Bytes& bytes, std::uint64_t at, std::uint64_t end, Sizes& sizes) {
    while (at + 4 <= end) {
        const auto id = bytes.read<std::uint16_t>(at, "extra field");
        const std::uint64_t next = at + 4 + bytes.read<std::uint16_t>(at + 2, "extra field");
        if (id == 1) {
            std::uint64_t field = at + 4;
            for (std::uint64_t* size : {&sizes.plain, &sizes.stored, &sizes.header}) {
                if (*size != 0xffffffff || field + 8 > next) continue;
                *size = bytes.read<std::uint64_t>(field, "ZIP64 extra field");
                field += 8;
            }
        }
        at = next;
    }
}

}  // namespace

ZipArchive::ZipArchive(const std::string& file, std::span<const std::byte> raw) {
    const Bytes bytes(file, raw);
    const Directory directory = find_directory(file, bytes);
    std::uint64_t at = directory.offset;
    for (std::uint64_t i = 0; i < directory.entries; ++i) {
        bytes.expect(at, kCentralHeader, "a ZIP directory entry");
        (void)bytes.at(at, 46, "ZIP directory entry");
        const auto flags = bytes.read<std::uint16_t>(at + 8, "entry");
        const auto method = bytes.read<std::uint16_t>(at + 10, "entry");
        Sizes sizes{bytes.read<std::uint32_t>(at + 20, "entry"), bytes.read<std::uint32_t>(at + 24, "entry"),
                    bytes.read<std::uint32_t>(at + 42, "entry")};
        const auto name_bytes = bytes.read<std::uint16_t>(at + 28, "entry");
        const auto extra_bytes = bytes.read<std::uint16_t>(at + 30, "entry");
        const auto comment_bytes = bytes.read<std::uint16_t>(at + 32, "entry");
        const auto name_data = bytes.at(at + 46, name_bytes, "entry name");
        const std::string name(reinterpret_cast<const char*>(name_data.data()), name_data.size());
        (void)bytes.at(at + 46 + name_bytes, extra_bytes, "extra field");
        read_zip64_extra(bytes, at + 46 + name_bytes, at + 46 + name_bytes + extra_bytes, sizes);
        at += 46 + std::uint64_t{name_bytes} + extra_bytes + comment_bytes;

        if ((flags & 1) != 0 || method != 0 || sizes.stored != sizes.plain) {
            fail(ErrorKind::unsupported, "{}: entry {}: expected it stored as it is, found it {}", file,
                 printable(name),
                 (flags & 1) != 0 ? "encrypted" : fmt::format("compressed by method {}", method));
        }
        bytes.expect(sizes.header, kLocalHeader, "a ZIP local header");
        (void)bytes.at(sizes.header, 30, "ZIP local header");
        const std::uint64_t data = sizes.header + 30 +
                                   bytes.read<std::uint16_t>(sizes.header + 26, "local header") +
                                   bytes.read<std::uint16_t>(sizes.header + 28, "local header");
        if (!entries_.emplace(name, bytes.at(data, sizes.plain, "entry " + printable(name))).second) {
            fail(ErrorKind::corrupt, "{}: entry {} stands there twice", file, printable(name));
        }
    }
}

}  // namespace tinyllm
