// The GGUF parser. Nothing in the file is believed: every length, count, offset and product is checked before
// it is used.
//
// magic u32, version u32, tensor count u64, key count u64
// per key:    name string, type u32, value          (string: length u64, bytes; array: type u32, count u64,
// values) per tensor: name string, n_dims u32, dims u64[], type u32, offset u64 from the start of the data
// padding to general.alignment, data
#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <unordered_set>

#include "engine/checked.h"
#include "engine/fail.h"
#include "engine/gguf.h"
#include "engine/gguf_types.h"
#include "engine/printable.h"

namespace tinyllm {

namespace {

static_assert(std::endian::native == std::endian::little, "GGUF data is used in place");

constexpr std::uint64_t kMostName = 65535;         // bytes of a key or tensor name
constexpr std::uint64_t kMostElements = 1u << 24;  // of an array; the largest vocabularies have 2^18
constexpr std::uint32_t kMostDims = 4;

class Cursor {
  public:
    Cursor(const std::string& path, std::span<const std::byte> bytes) : path_(path), bytes_(bytes) {}

    std::size_t position() const { return position_; }
    std::size_t left() const { return bytes_.size() - position_; }
    std::span<const std::byte> since(std::size_t begin) const {
        return bytes_.subspan(begin, position_ - begin);
    }

    template <typename... T>
    [[noreturn]] void corrupt(fmt::format_string<T...> format, T&&... args) const {
        fail(ErrorKind::corrupt, "{}: byte {}: {}", path_, position_,
             fmt::format(format, std::forward<T>(args)...));
    }

    template <typename T>
    T read(std::string_view what) {
        if (left() < sizeof(T)) {
            corrupt("{} needs {} bytes, but the file ends after {}", what, sizeof(T), left());
        }
        T value;
        std::memcpy(&value, bytes_.data() + position_, sizeof(T));
        position_ += sizeof(T);
        return value;
    }

    std::string_view string(std::string_view what, std::uint64_t most) {
        const auto length = read<std::uint64_t>(what);
        if (length > most) corrupt("{}: length {}, expected at most {}", what, length, most);
        if (length > left()) {
            corrupt("{}: length {}, but the file ends after {} bytes", what, length, left());
        }
        const std::string_view text(reinterpret_cast<const char*>(bytes_.data()) + position_,
                                    static_cast<std::size_t>(length));
        position_ += text.size();
        return text;
    }

    /// Of `bytes` that count() found to be there.
    void skip(std::size_t bytes) { position_ += bytes; }

    /// A count of things that take at least `least_bytes` each.
    std::uint64_t count(std::string_view what, std::uint64_t least_bytes) {
        const auto n = read<std::uint64_t>(what);
        if (n > left() / least_bytes) {
            corrupt("{}: {}, but the {} bytes left hold at most {}", what, n, left(), left() / least_bytes);
        }
        return n;
    }

  private:
    const std::string& path_;
    std::span<const std::byte> bytes_;
    std::size_t position_ = 0;
};

std::int64_t to_int64(std::uint64_t value, std::string_view what, const Cursor& cursor) {
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        cursor.corrupt("{}: {} is larger than 2^63 - 1", what, value);
    }
    return static_cast<std::int64_t>(value);
}

bool read_bool(Cursor& cursor, std::string_view what) {
    const auto value = cursor.read<std::uint8_t>(what);
    if (value > 1) cursor.corrupt("{}: expected a bool, 0 or 1, found {}", what, value);
    return value == 1;
}

std::int64_t read_integer(Cursor& cursor, std::uint32_t type, std::string_view what) {
    switch (type) {
        case kGgufU8:
            return cursor.read<std::uint8_t>(what);
        case kGgufI8:
            return cursor.read<std::int8_t>(what);
        case kGgufU16:
            return cursor.read<std::uint16_t>(what);
        case kGgufI16:
            return cursor.read<std::int16_t>(what);
        case kGgufU32:
            return cursor.read<std::uint32_t>(what);
        case kGgufI32:
            return cursor.read<std::int32_t>(what);
        case kGgufU64:
            return to_int64(cursor.read<std::uint64_t>(what), what, cursor);
        case kGgufI64:
            return cursor.read<std::int64_t>(what);
        default:
            return read_bool(cursor, what) ? 1 : 0;
    }
}

double read_float(Cursor& cursor, std::uint32_t type, std::string_view what) {
    return type == kGgufF32 ? static_cast<double>(cursor.read<float>(what)) : cursor.read<double>(what);
}

std::uint64_t least_bytes(std::uint32_t type) {
    switch (type) {
        case kGgufU8:
        case kGgufI8:
        case kGgufBool:
            return 1;
        case kGgufU16:
        case kGgufI16:
            return 2;
        case kGgufU32:
        case kGgufI32:
        case kGgufF32:
            return 4;
        default:
            return 8;  // the 64-bit types, and a string's length
    }
}

GgufArray read_array(Cursor& cursor, std::string_view what) {
    const auto type = cursor.read<std::uint32_t>(what);
    if (type == kGgufArray) cursor.corrupt("{}: arrays of arrays are not part of any known key", what);
    if (type > kGgufF64) cursor.corrupt("{}: unknown element type {}", what, type);
    const std::uint64_t n = cursor.count(what, least_bytes(type));
    if (n > kMostElements) cursor.corrupt("{}: {} elements, expected at most {}", what, n, kMostElements);
    const auto size = static_cast<std::size_t>(n);
    const std::size_t begin = cursor.position();
    if (type == kGgufString) {
        for (std::size_t i = 0; i < size; ++i) cursor.string(what, std::numeric_limits<std::uint64_t>::max());
        return GgufStrings(size, cursor.since(begin));
    }
    if (type == kGgufBool || type == kGgufU64) {  // not every value is one
        for (std::size_t i = 0; i < size; ++i) read_integer(cursor, type, what);
    } else {
        cursor.skip(size * static_cast<std::size_t>(least_bytes(type)));
    }
    const auto stored = static_cast<GgufValueType>(type);
    if (type == kGgufF32 || type == kGgufF64) return GgufFloats(stored, size, cursor.since(begin));
    return GgufIntegers(stored, size, cursor.since(begin));
}

GgufValue read_value(Cursor& cursor, std::string_view key) {
    const std::string what = "key " + printable(key);
    const auto type = cursor.read<std::uint32_t>(what);
    switch (type) {
        case kGgufString:
            return cursor.string(what, std::numeric_limits<std::uint64_t>::max());
        case kGgufBool:
            return read_bool(cursor, what);
        case kGgufF32:
        case kGgufF64:
            return read_float(cursor, type, what);
        case kGgufArray:
            return read_array(cursor, what);
        default:
            if (type > kGgufF64) cursor.corrupt("{}: unknown value type {}", what, type);
            return read_integer(cursor, type, what);
    }
}

std::uint32_t read_version(Cursor& cursor) {
    const auto magic = cursor.read<std::uint32_t>("the magic");
    if (magic != kGgufMagic) {
        char bytes[4];
        std::memcpy(bytes, &magic, 4);
        cursor.corrupt("expected the magic \"GGUF\", found \"{}\"", printable({bytes, 4}));
    }
    const auto version = cursor.read<std::uint32_t>("the version");
    if (version != 0 && (version & 0xffff) == 0) {
        cursor.corrupt("the file is big-endian, expected little-endian");
    }
    if (version != 2 && version != 3) cursor.corrupt("GGUF version {}, expected 2 or 3", version);
    return version;
}

/// A tensor whose data is not yet located.
struct TensorEntry {
    TensorView view;
    std::uint64_t offset = 0;                // within the data
    std::optional<std::int64_t> bytes = {};  // unknown for a type the format does not define
};

TensorEntry read_tensor(Cursor& cursor, const std::string& path) {
    TensorEntry entry;
    TensorView& view = entry.view;
    view.file = path;
    view.name = cursor.string("a tensor's name", kMostName);
    const std::string what = "tensor " + printable(view.name);
    const auto n_dims = cursor.read<std::uint32_t>(what);
    if (n_dims > kMostDims) cursor.corrupt("{}: {} dimensions, expected at most {}", what, n_dims, kMostDims);
    for (std::uint32_t i = 0; i < n_dims; ++i) {
        view.shape.push_back(to_int64(cursor.read<std::uint64_t>(what), what, cursor));
    }
    std::reverse(view.shape.begin(), view.shape.end());

    const auto id = cursor.read<std::uint32_t>(what);
    const GgmlType* type = find_ggml_type(id);
    const auto& known = all_dtypes();
    if (std::find(known.begin(), known.end(), static_cast<DType>(id)) != known.end()) {
        view.type = static_cast<DType>(id);
    } else {
        view.unsupported = type != nullptr ? std::string(type->name) : fmt::format("number {}", id);
    }
    const std::optional<std::int64_t> elements = checked_elements(view.shape);
    if (!elements) cursor.corrupt("{}: its dimensions multiply to more than 2^63", what);
    if (type != nullptr) {
        const std::int64_t row = view.shape.empty() ? 1 : view.shape.back();
        if (row % type->block != 0) {
            cursor.corrupt("{}: rows of {} elements, expected a multiple of {} for type {}", what, row,
                           type->block, type->name);
        }
        entry.bytes = checked_product(*elements / type->block, type->block_bytes);
        if (!entry.bytes) cursor.corrupt("{}: its size is more than 2^63 bytes", what);
    }
    entry.offset = cursor.read<std::uint64_t>(what);
    return entry;
}

/// Points the views into `data` and refuses tensors that leave it or overlap.
void locate(std::vector<TensorEntry>& entries, std::span<const std::byte> data, std::size_t data_begin,
            std::uint64_t alignment) {
    std::vector<TensorEntry*> order;
    for (TensorEntry& entry : entries) {
        const TensorView& view = entry.view;
        if (entry.offset % alignment != 0) {
            fail(ErrorKind::corrupt, "{}: tensor {}: offset {} is no multiple of the alignment {}", view.file,
                 printable(view.name), entry.offset, alignment);
        }
        const auto bytes = static_cast<std::uint64_t>(entry.bytes.value_or(0));
        if (entry.offset > data.size() || bytes > data.size() - entry.offset) {
            fail(ErrorKind::corrupt,
                 "{}: tensor {}: expected {} bytes at byte {}, but the file ends at byte {}", view.file,
                 printable(view.name), bytes, fmt::format("{}+{}", data_begin, entry.offset),
                 data_begin + data.size());
        }
        entry.view.data =
            data.subspan(static_cast<std::size_t>(entry.offset), static_cast<std::size_t>(bytes));
        if (bytes > 0) order.push_back(&entry);
    }
    std::sort(order.begin(), order.end(),
              [](const TensorEntry* a, const TensorEntry* b) { return a->offset < b->offset; });
    for (std::size_t i = 1; i < order.size(); ++i) {
        const TensorView& before = order[i - 1]->view;
        const TensorView& view = order[i]->view;
        if (order[i]->offset - order[i - 1]->offset < before.data.size()) {
            fail(ErrorKind::corrupt,
                 "{}: tensor {} at byte {} overlaps tensor {}, which takes {} bytes from byte {}", view.file,
                 printable(view.name), data_begin + order[i]->offset, printable(before.name),
                 before.data.size(), data_begin + order[i - 1]->offset);
        }
    }
}

}  // namespace

GgufFile::GgufFile(const std::string& path) : file_(path) {
    Cursor cursor(file_.path(), file_.bytes());
    version_ = read_version(cursor);
    const std::uint64_t n_tensors = cursor.count("the number of tensors", 24);
    const std::uint64_t n_keys = cursor.count("the number of keys", 13);

    std::unordered_set<std::string_view> names;
    for (std::uint64_t i = 0; i < n_keys; ++i) {
        const std::string_view key = cursor.string("a key", kMostName);
        if (!names.insert(key).second) cursor.corrupt("key {} stands there twice", printable(key));
        const std::size_t begin = cursor.position();
        metadata_.emplace_back(key, read_value(cursor, key));
        encoded_.push_back(cursor.since(begin));
    }
    const std::int64_t alignment = integer("general.alignment", kGgufAlignment);
    if (alignment <= 0 || alignment > (1 << 20) || (alignment & (alignment - 1)) != 0) {
        cursor.corrupt("key general.alignment: expected a power of two, found {}", alignment);
    }
    if (integer("split.count", 1) > 1) {
        fail(ErrorKind::unsupported, "{}: one of {} parts of a split model; merge it into one file first",
             path, integer("split.count"));
    }

    names.clear();
    std::vector<TensorEntry> entries;
    for (std::uint64_t i = 0; i < n_tensors; ++i) entries.push_back(read_tensor(cursor, file_.path()));
    for (const TensorEntry& entry : entries) {
        if (!names.insert(entry.view.name).second) {
            cursor.corrupt("tensor {} stands there twice", printable(entry.view.name));
        }
    }
    if (!entries.empty()) {
        const auto step = static_cast<std::size_t>(alignment);
        const std::size_t begin = (cursor.position() + step - 1) / step * step;
        const std::size_t size = file_.bytes().size();
        if (begin > size) cursor.corrupt("the file ends before its tensor data");
        locate(entries, file_.bytes().subspan(begin), begin, static_cast<std::uint64_t>(alignment));
    }
    for (TensorEntry& entry : entries) tensors_.push_back(std::move(entry.view));
}

}  // namespace tinyllm
