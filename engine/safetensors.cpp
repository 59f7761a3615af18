// Layout: header length u64, header (JSON: name -> dtype, shape, data_offsets), data without holes.
#include "engine/safetensors.h"

#include <algorithm>
#include <cstring>

#include "engine/checked.h"
#include "engine/fail.h"
#include "engine/json_file.h"
#include "engine/mapped_file.h"
#include "engine/printable.h"

namespace tinyllm {

namespace {

constexpr std::uint64_t kMostHeader = 100'000'000;  // bytes; the reference's own bound
constexpr std::size_t kMostDims = 8;

struct StoredType {
    std::string_view name;
    std::int64_t bytes;
    std::optional<DType> type;  // none: known to the format, not to this build
};

constexpr StoredType kTypes[] = {
    {"F32", 4, DType::f32}, {"F16", 2, DType::f16}, {"BF16", 2, DType::bf16}, {"F64", 8, {}},
    {"I64", 8, {}},         {"I32", 4, {}},         {"I16", 2, {}},           {"I8", 1, {}},
    {"U64", 8, {}},         {"U32", 4, {}},         {"U16", 2, {}},           {"U8", 1, {}},
    {"BOOL", 1, {}},        {"C64", 8, {}},         {"F8_E4M3", 1, {}},       {"F8_E5M2", 1, {}},
};

std::int64_t size_from(const nlohmann::json& value, const std::string& where) {
    if (!value.is_number_integer() ||
        (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX) ||
        value.get<std::int64_t>() < 0) {
        fail(ErrorKind::corrupt, "{}: expected a size, found {}", where, printable(value.dump()));
    }
    return value.get<std::int64_t>();
}

const nlohmann::json& array_member(const nlohmann::json& entry, const char* name, std::size_t most,
                                   const std::string& where) {
    const auto member = entry.find(name);
    if (member == entry.end() || !member->is_array() || member->size() > most) {
        fail(ErrorKind::corrupt, "{}: {}: expected an array of at most {} sizes, found {}", where, name, most,
             member == entry.end() ? "nothing" : printable(member->dump()));
    }
    return *member;
}

TensorView read_entry(const std::string& file, const std::string& name, const nlohmann::json& entry,
                      std::span<const std::byte> data) {
    const std::string where = file + ": tensor " + printable(name);
    if (!entry.is_object() || !entry.contains("dtype") || !entry["dtype"].is_string()) {
        fail(ErrorKind::corrupt, "{}: expected an object with dtype, shape and data_offsets", where);
    }
    TensorView view;
    view.name = name;
    view.file = file;
    for (const auto& dim : array_member(entry, "shape", kMostDims, where)) {
        view.shape.push_back(size_from(dim, where));
    }
    const auto& offsets = array_member(entry, "data_offsets", 2, where);
    if (offsets.size() != 2) fail(ErrorKind::corrupt, "{}: data_offsets: expected two offsets", where);
    const std::int64_t begin = size_from(offsets[0], where);
    const std::int64_t end = size_from(offsets[1], where);
    if (begin > end || static_cast<std::uint64_t>(end) > data.size()) {
        fail(ErrorKind::corrupt, "{}: data_offsets {}..{}, but the file holds {} bytes of data", where, begin,
             end, data.size());
    }
    view.data = data.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));

    const auto& dtype = entry["dtype"].get_ref<const std::string&>();
    const auto* type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                    [&](const StoredType& t) { return t.name == dtype; });
    if (type == std::end(kTypes) || !type->type) {
        view.unsupported = printable(dtype);
    } else {
        view.type = *type->type;
    }
    if (type != std::end(kTypes)) {
        const auto elements = checked_elements(view.shape);
        const auto bytes = elements ? checked_product(*elements, type->bytes) : std::nullopt;
        if (!bytes || *bytes != end - begin) {
            fail(ErrorKind::corrupt, "{}: shape {} of {} takes {} bytes, but data_offsets {}..{} hold {}",
                 where, entry["shape"].dump(), dtype, bytes ? fmt::format("{}", *bytes) : "more than 2^63",
                 begin, end, end - begin);
        }
    }
    return view;
}

class SafetensorsFile : public TensorSource {
  public:
    explicit SafetensorsFile(const std::string& path) : file_(path) {
        const std::span<const std::byte> bytes = file_.bytes();
        std::uint64_t length = 0;
        if (bytes.size() < sizeof(length)) {
            fail(ErrorKind::corrupt, "{}: expected a header length of 8 bytes, but the file has {} bytes",
                 path, bytes.size());
        }
        std::memcpy(&length, bytes.data(), sizeof(length));
        const std::uint64_t left = bytes.size() - sizeof(length);
        if (length > kMostHeader || length > left) {
            fail(ErrorKind::corrupt, "{}: byte 0: header of {} bytes, expected at most {}", path, length,
                 std::min(kMostHeader, left));
        }
        const auto n = static_cast<std::size_t>(length);
        const auto* text = reinterpret_cast<const char*>(bytes.data()) + sizeof(length);
        if (n == 0 || text[0] != '{') fail(ErrorKind::corrupt, "{}: byte 8: expected '{{', the header", path);
        read_header(parse_json({text, n}, path + ": header"), bytes.subspan(sizeof(length) + n));
    }

    std::span<const TensorView> tensors() const override { return tensors_; }
    void release(const TensorView&, std::span<const std::byte> part) const override { file_.release(part); }

  private:
    void read_header(const nlohmann::json& header, std::span<const std::byte> data) {
        for (const auto& [name, entry] : header.items()) {
            if (name != "__metadata__") tensors_.push_back(read_entry(file_.path(), name, entry, data));
        }
        std::stable_sort(tensors_.begin(), tensors_.end(), [](const TensorView& a, const TensorView& b) {
            return std::pair(a.data.data(), a.data.size()) < std::pair(b.data.data(), b.data.size());
        });
        const std::byte* next = data.data();
        for (const TensorView& tensor : tensors_) {
            if (tensor.data.data() != next) {
                fail(ErrorKind::corrupt,
                     "{}: tensor {}: data begins at byte {} of the data, expected byte {}", file_.path(),
                     printable(tensor.name), tensor.data.data() - data.data(), next - data.data());
            }
            next += tensor.data.size();
        }
        if (next != data.data() + data.size()) {
            fail(ErrorKind::corrupt, "{}: tensors take {} bytes of data, but the file holds {}", file_.path(),
                 next - data.data(), data.size());
        }
    }

    MappedFile file_;
    std::vector<TensorView> tensors_;
};

}  // namespace

std::unique_ptr<TensorSource> open_safetensors(const std::string& path) {
    return std::make_unique<SafetensorsFile>(path);
}

}  // namespace tinyllm
