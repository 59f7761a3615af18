// ZIP form:     <root>/data.pkl, and <root>/data/<key> per storage.
// Earlier form: five pickles (magic number, version, description of the system, the object, list of storage
// keys), then for each
//               key its number of elements as i64 and its data.
// A tensor is (storage, offset, size, stride); which storage, says a persistent id
// ("storage", type, key, device, number of elements[, view]).
#include "engine/torch_pickle.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <set>

#include "engine/checked.h"
#include "engine/fail.h"
#include "engine/mapped_file.h"
#include "engine/pickle.h"
#include "engine/printable.h"
#include "engine/zip_archive.h"

namespace tinyllm {

namespace {

struct StorageType {
    std::string_view name;
    std::int64_t bytes;
    std::optional<DType> type;
};

constexpr StorageType kStorageTypes[] = {
    {"torch.FloatStorage", 4, DType::f32},
    {"torch.HalfStorage", 2, DType::f16},
    {"torch.BFloat16Storage", 2, DType::bf16},
    {"torch.DoubleStorage", 8, {}},
    {"torch.LongStorage", 8, {}},
    {"torch.IntStorage", 4, {}},
    {"torch.ShortStorage", 2, {}},
    {"torch.CharStorage", 1, {}},
    {"torch.ByteStorage", 1, {}},
    {"torch.BoolStorage", 1, {}},
};

// The pickle of 0x1950a86a20f9469cfc6c, which opens the earlier form.
constexpr std::string_view kLegacyMagic("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);

/// A tensor as the pickle describes it.
struct Description {
    std::string name;
    const StorageType* type = nullptr;
    std::string key;
    std::int64_t offset = 0;  // elements
    std::vector<std::int64_t> size;
    std::vector<std::int64_t> stride;
};

class Descriptions {
  public:
    explicit Descriptions(std::string file) : file_(std::move(file)) {}

    std::vector<Description> read(PickleRef root) const {
        const auto* dict = root->as<PickleDict>();
        if (dict == nullptr) fail(ErrorKind::corrupt, "{}: expected a dict of tensors", file_);
        std::vector<Description> all;
        std::set<std::string> names;
        for (const auto& [key, value] : dict->items) {
            const auto* name = key->as<std::string>();
            if (name == nullptr) fail(ErrorKind::corrupt, "{}: expected a dict with names as keys", file_);
            if (!names.insert(*name).second) {
                fail(ErrorKind::corrupt, "{}: tensor {} stands there twice", file_, printable(*name));
            }
            all.push_back(describe(*name, value));
        }
        return all;
    }

  private:
    [[noreturn]] void corrupt(const std::string& name, std::string_view what) const {
        fail(ErrorKind::corrupt, "{}: tensor {}: {}", file_, printable(name), what);
    }

    template <typename T>
    const T& item(const std::string& name, const PickleTuple& tuple, std::size_t i,
                  std::string_view what) const {
        const T* value = i < tuple.items.size() ? tuple.items[i]->as<T>() : nullptr;
        if (value == nullptr) corrupt(name, fmt::format("expected {}", what));
        return *value;
    }

    std::vector<std::int64_t> sizes(const std::string& name, const PickleTuple& tuple,
                                    std::string_view what) const {
        if (tuple.items.size() > 8)
            corrupt(name, fmt::format("{} dimensions, expected at most 8", tuple.items.size()));
        std::vector<std::int64_t> values;
        for (std::size_t i = 0; i < tuple.items.size(); ++i) {
            values.push_back(item<std::int64_t>(name, tuple, i, what));
            if (values.back() < 0) corrupt(name, fmt::format("{} is negative", what));
        }
        return values;
    }

    Description describe(const std::string& name, PickleRef value) const {
        const auto* call = value->as<PickleCall>();
        if (call == nullptr || !call->name.starts_with("torch._utils._rebuild_tensor")) {
            corrupt(name, "expected a tensor, found another object");
        }
        const auto& arguments = *call->arguments->as<PickleTuple>();  // the reader makes no other calls
        Description tensor;
        tensor.name = name;
        const auto& storage = item<PicklePersistent>(name, arguments, 0, "a storage");
        tensor.offset = item<std::int64_t>(name, arguments, 1, "a storage offset");
        tensor.size = sizes(name, item<PickleTuple>(name, arguments, 2, "a size"), "a size");
        tensor.stride = sizes(name, item<PickleTuple>(name, arguments, 3, "a stride"), "a stride");
        if (tensor.offset < 0 || tensor.size.size() != tensor.stride.size()) {
            corrupt(name, "offset, size and stride contradict one another");
        }
        read_storage(tensor, storage);
        return tensor;
    }

    void read_storage(Description& tensor, const PicklePersistent& storage) const {
        const auto* id = storage.id->as<PickleTuple>();
        if (id == nullptr || item<std::string>(tensor.name, *id, 0, "a storage") != "storage") {
            corrupt(tensor.name, "expected a storage");
        }
        const std::string& type = item<PickleGlobal>(tensor.name, *id, 1, "a storage type").name;
        const auto* known = std::find_if(std::begin(kStorageTypes), std::end(kStorageTypes),
                                         [&](const StorageType& t) { return t.name == type; });
        if (known == std::end(kStorageTypes)) corrupt(tensor.name, type + " is no storage type");
        tensor.type = known;
        tensor.key = item<std::string>(tensor.name, *id, 2, "a storage key");
        // The earlier form may place a storage inside another: (key, offset, number of elements).
        if (id->items.size() > 5) {
            if (const auto* view = id->items[5]->as<PickleTuple>()) {
                const auto begin = item<std::int64_t>(tensor.name, *view, 1, "an offset of a storage");
                if (begin < 0 || __builtin_add_overflow(tensor.offset, begin, &tensor.offset)) {
                    corrupt(tensor.name, "its storage lies outside of another");
                }
            }
        }
    }

    std::string file_;
};

using Storages = std::map<std::string, std::span<const std::byte>, std::less<>>;

class TorchFile : public TensorSource {
  public:
    explicit TorchFile(const std::string& path) : file_(path) {
        const std::span<const std::byte> bytes = file_.bytes();
        const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        if (text.starts_with("PK\x03\x04")) {
            read_zip();
        } else if (text.starts_with(kLegacyMagic)) {
            read_legacy();
        } else {
            fail(ErrorKind::corrupt, "{}: byte 0: expected what torch.save writes, found \"{}\"", path,
                 printable(text.substr(0, 4)));
        }
    }

    std::span<const TensorView> tensors() const override { return tensors_; }
    void release(const TensorView&, std::span<const std::byte> part) const override { file_.release(part); }

  private:
    void read_zip() {
        const ZipArchive archive(file_.path(), file_.bytes());
        constexpr std::string_view kPickle = "/data.pkl";
        const auto pickle = std::find_if(archive.entries().begin(), archive.entries().end(),
                                         [&](const auto& entry) { return entry.first.ends_with(kPickle); });
        if (pickle == archive.entries().end()) {
            fail(ErrorKind::corrupt, "{}: expected an entry data.pkl, found none", file_.path());
        }
        const std::string root = pickle->first.substr(0, pickle->first.size() - kPickle.size());
        const auto order = archive.entries().find(root + "/byteorder");
        if (order != archive.entries().end() &&
            (order->second.empty() || order->second[0] != std::byte{'l'})) {
            fail(ErrorKind::unsupported, "{}: expected little-endian numbers, found big-endian",
                 file_.path());
        }
        Storages storages;
        const std::string folder = root + "/data/";
        for (const auto& [name, data] : archive.entries()) {
            if (name.starts_with(folder)) storages.emplace(name.substr(folder.size()), data);
        }
        PickleReader reader(file_.path(), pickle->second);
        place(Descriptions(file_.path()).read(reader.read()), storages);
    }

    void read_legacy() {
        const std::span<const std::byte> bytes = file_.bytes();
        PickleReader reader(file_.path(), bytes.subspan(kLegacyMagic.size()));
        const auto* version = reader.read()->as<std::int64_t>();
        if (version == nullptr || *version != 1001) {
            fail(ErrorKind::unsupported, "{}: expected version 1001 of torch.save's format, found {}",
                 file_.path(), version == nullptr ? "none" : std::to_string(*version));
        }
        check_little_endian(reader.read());
        const std::vector<Description> tensors = Descriptions(file_.path()).read(reader.read());
        const PickleRef keys = reader.read();
        place(tensors, legacy_storages(tensors, keys, kLegacyMagic.size() + reader.position()));
    }

    void check_little_endian(PickleRef system) const {
        if (const auto* dict = system->as<PickleDict>()) {
            for (const auto& [key, value] : dict->items) {
                const auto* name = key->as<std::string>();
                const auto* flag = value->as<bool>();
                if (name != nullptr && *name == "little_endian" && flag != nullptr && *flag) return;
            }
        }
        fail(ErrorKind::unsupported, "{}: expected little-endian numbers, found big-endian", file_.path());
    }

    Storages legacy_storages(const std::vector<Description>& tensors, PickleRef keys, std::size_t at) const {
        std::map<std::string, std::int64_t> element_bytes;
        for (const Description& tensor : tensors) element_bytes[tensor.key] = tensor.type->bytes;
        const auto* list = keys->as<PickleList>();
        if (list == nullptr) fail(ErrorKind::corrupt, "{}: expected a list of storages", file_.path());
        Storages storages;
        for (const PickleRef item : list->items) {
            const auto* key = item->as<std::string>();
            if (key == nullptr || element_bytes.count(*key) == 0) {
                fail(ErrorKind::corrupt, "{}: a storage that no tensor uses", file_.path());
            }
            const std::span<const std::byte> rest = file_.bytes().subspan(at);
            std::int64_t n = 0;
            if (rest.size() < sizeof(n)) {
                fail(ErrorKind::corrupt, "{}: byte {}: expected storage {}, but the file ends", file_.path(),
                     at, printable(*key));
            }
            std::memcpy(&n, rest.data(), sizeof(n));
            const auto bytes = n < 0 ? std::nullopt : checked_product(n, element_bytes[*key]);
            if (!bytes || static_cast<std::uint64_t>(*bytes) > rest.size() - sizeof(n)) {
                fail(ErrorKind::corrupt,
                     "{}: byte {}: storage {} of {} elements, but the file ends after {} bytes", file_.path(),
                     at, printable(*key), n, rest.size() - sizeof(n));
            }
            storages[*key] = rest.subspan(sizeof(n), static_cast<std::size_t>(*bytes));
            at += sizeof(n) + static_cast<std::size_t>(*bytes);
        }
        return storages;
    }

    void place(const std::vector<Description>& descriptions, const Storages& storages) {
        for (const Description& tensor : descriptions) {
            const auto storage = storages.find(tensor.key);
            if (storage == storages.end()) {
                fail(ErrorKind::corrupt, "{}: tensor {}: its storage {} is missing", file_.path(),
                     printable(tensor.name), printable(tensor.key));
            }
            tensors_.push_back(view_of(tensor, storage->second));
        }
    }

    TensorView view_of(const Description& tensor, std::span<const std::byte> storage) {
        TensorView view{tensor.name, tensor.type->type.value_or(DType::f32), tensor.size, {}, file_.path(),
                        {}};
        if (!tensor.type->type) view.unsupported = tensor.type->name;
        const std::int64_t item = tensor.type->bytes;
        const auto elements = checked_elements(tensor.size);
        // The last element the strides reach, and whether they walk the storage front to back.
        std::int64_t last = tensor.offset;
        bool overflows = false;
        bool is_contiguous = true;
        std::int64_t step = 1;
        for (std::size_t i = tensor.size.size(); elements && *elements > 0 && !overflows && i-- > 0;) {
            const auto reach = checked_product(tensor.size[i] - 1, tensor.stride[i]);
            overflows = !reach || __builtin_add_overflow(last, *reach, &last);
            is_contiguous = is_contiguous && (tensor.size[i] == 1 || tensor.stride[i] == step);
            step *= tensor.size[i];
        }
        const std::int64_t stored = static_cast<std::int64_t>(storage.size()) / item;
        // A view that repeats elements could be larger than any memory.
        if (!elements || overflows || (*elements > 0 && last >= stored) || *elements > stored) {
            fail(ErrorKind::corrupt,
                 "{}: tensor {}: size {} and stride {} at {} reach beyond its storage of {} elements",
                 file_.path(), printable(tensor.name), fmt::join(tensor.size, "x"),
                 fmt::join(tensor.stride, ","), tensor.offset, stored);
        }
        const auto bytes = static_cast<std::size_t>(*elements * item);
        if (is_contiguous) {
            view.data = *elements == 0
                            ? storage.first(0)
                            : storage.subspan(static_cast<std::size_t>(tensor.offset * item), bytes);
        } else {
            const std::span<std::byte> copy = copies_.emplace_back(bytes);
            gather(tensor, storage, copy);
            view.data = copy;
        }
        return view;
    }

    /// Copies the elements of a strided tensor in row-major order.
    static void gather(const Description& tensor, std::span<const std::byte> storage,
                       std::span<std::byte> out) {
        const auto item = static_cast<std::size_t>(tensor.type->bytes);
        std::vector<std::int64_t> index(tensor.size.size());
        std::vector<std::int64_t> stride = tensor.stride;
        for (std::size_t i = 0; i < stride.size(); ++i) {
            if (tensor.size[i] == 1) stride[i] = 0;  // its stride means nothing and may be anything
        }
        std::int64_t from = tensor.offset;
        for (std::size_t at = 0; at < out.size(); at += item) {
            std::memcpy(&out[at], &storage[static_cast<std::size_t>(from) * item], item);
            for (std::size_t i = index.size(); i-- > 0;) {
                from += stride[i];
                if (++index[i] < tensor.size[i]) break;
                from -= stride[i] * tensor.size[i];
                index[i] = 0;
            }
        }
    }

    MappedFile file_;
    std::vector<TensorView> tensors_;
    std::deque<std::vector<std::byte>> copies_;
};

}  // namespace

std::unique_ptr<TensorSource> open_torch_file(const std::string& path) {
    return std::make_unique<TorchFile>(path);
}

}  // namespace tinyllm
