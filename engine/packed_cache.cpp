#include "engine/packed_cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <set>

#include "engine/fail.h"
#include "engine/packed_directory.h"

namespace tinyllm {
namespace {

/// What a tensor holds, without reading all of it: training or rounding moves every number of a matrix, so a
/// few from its middle tell two of them apart.
void add_tensor(const TensorView& tensor, Fingerprint& print) {
    constexpr std::size_t kSample = 64;
    print.add(tensor.name).add(tensor.type).add(tensor.unsupported);
    for (const std::int64_t n : tensor.shape) print.add(n);
    const std::size_t middle = tensor.data.size() / 2;
    print.add(tensor.data.subspan(middle, std::min(kSample, tensor.data.size() - middle)));
}

/// Size and time of each file, which no edit in place leaves as they were.
std::string file_times(const TensorSource& source) {
    std::set<std::string> files;
    std::string text;
    for (const TensorView& tensor : source.tensors()) {
        if (!files.insert(tensor.file).second) continue;
        struct stat status = {};
        if (::stat(tensor.file.c_str(), &status) != 0) return "";
        text += fmt::format(" {}:{}.{}", status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
    }
    return text;
}

class Descriptor {
  public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    operator int() const { return fd_; }

  private:
    int fd_;
};

[[noreturn]] void cannot_keep(int reason) {
    fail(ErrorKind::runtime, "{}", std::strerror(reason));
}

void write_fully(int fd, const void* data, std::size_t n) {
    const auto* at = static_cast<const char*>(data);
    while (n > 0) {
        const ssize_t written = ::write(fd, at, std::min(n, std::size_t{1} << 24));
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) cannot_keep(errno);
        at += written;
        n -= static_cast<std::size_t>(written);
    }
}

/// Writes whole large pages, each in one piece and at its place: a file system that can then keeps them as
/// such in its cache, and maps them without a page table's last level.
class LargeWriter {
  public:
    explicit LargeWriter(int fd) : fd_(fd), held_(kLarge) {}
    void add(const void* data, std::size_t n) {
        const auto* at = static_cast<const std::byte*>(data);
        const std::size_t missing = std::min(n, (kLarge - used_) % kLarge);
        hold(at, missing);
        if (used_ == kLarge) flush();
        const std::size_t whole = used_ ? 0 : (n - missing) / kLarge * kLarge;
        write_fully(fd_, at + missing, whole);
        hold(at + missing + whole, n - missing - whole);
    }
    void flush() {
        write_fully(fd_, held_.data(), used_);
        used_ = 0;
    }

  private:
    static constexpr std::size_t kLarge = std::size_t{2} << 20;
    void hold(const std::byte* data, std::size_t n) {
        std::copy_n(data, n, held_.data() + used_);
        used_ += n;
    }
    int fd_;
    std::vector<std::byte> held_;
    std::size_t used_ = 0;
};

/// Whether `fd` is still the file of that name: another process may have finished and renamed it.
bool is_named(int fd, const std::string& path) {
    struct stat here = {}, there = {};
    return ::fstat(fd, &here) == 0 && ::stat(path.c_str(), &there) == 0 && here.st_ino == there.st_ino &&
           here.st_dev == there.st_dev;
}

StripBytes strip_bytes_of(const Backend& backend) {
    return [&backend](DType type, std::int64_t rows, std::int64_t cols) {
        return backend.strip_bytes(type, rows, cols);
    };
}

}  // namespace

PackedCache::PackedCache(const std::string& folder, const TensorSource& source, std::optional<DType> type,
                         const Backend& backend)
    : backend_(backend) {
    const std::string layout = backend.layout();
    const std::string times = file_times(source);
    if (folder.empty()) return;
    if (layout.empty()) {
        warnings_.push_back(
            fmt::format("{}: packed weights are kept for the CPU only; device {} packs at every start",
                        folder, backend.name()));
        return;
    }
    if (times.empty()) return;
    Fingerprint print;
    print.add(layout).add(type ? static_cast<int>(*type) : -1);
    for (const TensorView& tensor : source.tensors()) add_tensor(tensor, print);
    path_ = (std::filesystem::path(folder) / fmt::format("{:016x}.packed", print.value())).string();
    identity_ = layout + times;
    open();
}

void PackedCache::open() {
    std::error_code ignored;
    if (!std::filesystem::exists(path_, ignored)) return;
    try {
        auto map = std::make_shared<const MappedFile>(path_);
        entries_ = read_packed_directory(map->bytes(), identity_, strip_bytes_of(backend_));
        map->large_pages();
        map_ = std::move(map);
    } catch (const Error& error) {
        warnings_.push_back(fmt::format("{}: not used as packed weights: {}", path_, error.what()));
    }
}

const PackedEntry* PackedCache::find(const Fingerprint& recipe) const {
    const auto it = entries_.find(recipe.value());
    return it == entries_.end() ? nullptr : &it->second;
}

std::size_t PackedCache::bytes_of(const PackedEntry& entry) const {
    return packed_entry_bytes(entry, strip_bytes_of(backend_));
}

Matrix PackedCache::matrix(const Fingerprint& recipe, std::int64_t rows, std::int64_t cols) {
    const PackedEntry* entry = find(recipe);
    if (!entry || entry->rows != rows || entry->cols != cols || entry->strips.empty()) return {};
    Matrix matrix{rows, cols, {}, bytes_of(*entry), map_};
    const std::byte* at = map_->bytes().data() + entry->at;
    for (const PackedEntry::Part& strip : entry->strips) {
        matrix.strips.push_back({strip.type, strip.rows, at});
        at += backend_.strip_bytes(strip.type, strip.rows, cols);
    }
    given_ = true;
    keep({*entry, matrix.strips[0].data, matrix.bytes, map_});
    return matrix;
}

const float* PackedCache::vector(const Fingerprint& recipe, std::int64_t n) {
    const PackedEntry* entry = find(recipe);
    if (!entry || entry->rows != n || !entry->strips.empty()) return nullptr;
    const std::byte* at = map_->bytes().data() + entry->at;
    given_ = true;
    keep({*entry, at, bytes_of(*entry), map_});
    return reinterpret_cast<const float*>(at);
}

void PackedCache::keep(Kept kept) {
    const auto same = [&](const Kept& other) { return other.entry.recipe == kept.entry.recipe; };
    if (!path_.empty() && std::ranges::none_of(kept_, same)) kept_.push_back(std::move(kept));
}

void PackedCache::keep(const Fingerprint& recipe, const Matrix& matrix) {
    PackedEntry entry{recipe.value(), 0, matrix.rows, matrix.cols, {}};
    for (const Strip& strip : matrix.strips) entry.strips.push_back({strip.type, strip.rows});
    fresh_ = true;
    if (!path_.empty() && bytes_of(entry) == matrix.bytes)
        keep({std::move(entry), matrix.strips[0].data, matrix.bytes, matrix.memory});
}

void PackedCache::keep(const Fingerprint& recipe, std::span<const float> values) {
    fresh_ = true;
    keep({{recipe.value(), 0, std::ssize(values), 1, {}},
          reinterpret_cast<const std::byte*>(values.data()),
          values.size_bytes()});
}

void PackedCache::write(int fd) {
    std::vector<PackedEntry*> entries;
    for (Kept& kept : kept_) entries.push_back(&kept.entry);
    const std::string directory = write_packed_directory(identity_, entries, strip_bytes_of(backend_));
    struct statvfs disk = {};
    std::size_t total = directory.size();
    for (const Kept& kept : kept_) total += kept.bytes + 64;
    if (::fstatvfs(fd, &disk) == 0 && total / std::max<std::size_t>(disk.f_frsize, 1) >= disk.f_bavail)
        cannot_keep(ENOSPC);
    if (::ftruncate(fd, 0) != 0) cannot_keep(errno);
    LargeWriter out(fd);
    out.add(directory.data(), directory.size());
    static constexpr char kZeros[64] = {};
    for (const Kept& kept : kept_) {
        out.add(kept.data, kept.bytes);
        out.add(kZeros, (64 - kept.bytes % 64) % 64);
    }
    out.flush();
    // Before it gets its name: a power cut must not leave a file of the right length that holds zeros.
    if (::fsync(fd) != 0) cannot_keep(errno);
}

void PackedCache::save() {
    if (path_.empty() || !fresh_ || kept_.empty()) return;
    const std::string unfinished = path_ + ".incomplete";
    try {
        std::error_code error;
        std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), error);
        if (error) cannot_keep(error.value());
        const Descriptor fd(::open(unfinished.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
        if (fd < 0) cannot_keep(errno);
        // One process writes, and only under this name; who holds the lock may take over what a killed one
        // left.
        if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
            if (errno != EWOULDBLOCK) cannot_keep(errno);
        } else if (is_named(fd, unfinished)) {
            try {
                write(fd);
                if (std::rename(unfinished.c_str(), path_.c_str()) != 0) cannot_keep(errno);
            } catch (...) {
                ::unlink(unfinished.c_str());
                throw;
            }
        }
    } catch (const Error& error) {
        warnings_.push_back(fmt::format("{}: packed weights cannot be kept: {}", path_, error.what()));
    }
    kept_.clear();
}

}  // namespace tinyllm
