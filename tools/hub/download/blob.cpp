#include "tools/hub/download/blob.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <vector>

#include "engine/fail.h"
#include "tools/eval/sha256.h"
#include "tools/hub/download/progress.h"
#include "tools/hub/file_lock.h"
#include "tools/hub/sha1.h"
#include "tools/log.h"

namespace tinyllm::hub {

namespace fs = std::filesystem;

namespace {

// The sum that a blob's id is.
class BlobSum {
  public:
    explicit BlobSum(const Blob& blob) : is_sha256_(blob.id.size() == 64) {
        const std::string head = fmt::format("blob {}", blob.size);
        if (!is_sha256_) sha1_.update(head.c_str(), head.size() + 1);  // git hashes the zero as well
    }
    void update(const char* data, std::size_t bytes) {
        is_sha256_ ? sha256_.update(data, bytes) : sha1_.update(data, bytes);
    }
    std::string hex() { return is_sha256_ ? sha256_.hex() : sha1_.hex(); }

  private:
    bool is_sha256_;
    eval::Sha256 sha256_;
    Sha1 sha1_;
};

// "bytes 100-199/200": where it begins and the whole (nothing for "*").
struct ContentRange {
    std::optional<std::int64_t> first, total;
};

ContentRange read_content_range(std::string_view text) {
    if (!text.starts_with("bytes ")) return {};
    text.remove_prefix(6);
    const std::size_t dash = text.find('-'), slash = text.find('/');
    if (dash == text.npos || slash == text.npos) return {};
    return {byte_count(text.substr(0, dash)), byte_count(text.substr(slash + 1))};
}

/// <id>.incomplete: appended to, with the sum kept up.
class IncompleteFile : public Receiver {
  public:
    IncompleteFile(const fs::path& path, const std::string& subject, const Blob& blob)
        : path_(path),
          subject_(subject),
          blob_(blob),
          sum_(blob),
          progress_(blob.name, blob.size, 1e6, "MB") {
        fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (fd_ < 0) fail_system("cannot be opened");
        struct stat status = {};
        if (fstat(fd_, &status) != 0) fail_system("cannot be read");
        if (status.st_size > blob.size) {
            restart();
        } else {
            sum_what_is_there();
        }
    }
    ~IncompleteFile() override { close(fd_); }

    std::int64_t have() const override { return have_; }
    bool complete() const override { return have_ == blob_.size; }

    void restart() override {
        if (ftruncate(fd_, 0) != 0 || lseek(fd_, 0, SEEK_SET) < 0) fail_system("cannot be emptied");
        have_ = 0;
        sum_ = BlobSum(blob_);
    }

    bool redirected(const Reply& reply) override {
        const std::string& size = reply.header("x-linked-size");
        if (!size.empty()) check_size(byte_count(size));
        const std::string& etag = reply.header("x-linked-etag");
        if (!etag.empty() && etag_value(etag) != blob_.id)
            fail(ErrorKind::corrupt, "{}: expected {}, the server now has another file", subject_, blob_.id);
        return true;
    }

    void start(const Reply& reply) override {
        if (reply.status == 206) {
            const ContentRange range = read_content_range(reply.header("content-range"));
            if (range.first != have_)
                fail(ErrorKind::corrupt, "{}: asked for bytes from {} on, the server sends others", subject_,
                     have_);
            if (range.total) check_size(range.total);
            return;
        }
        if (have_ > 0) restart();  // the server knows no ranges
        const std::string& length = reply.header("content-length");
        if (!length.empty()) check_size(byte_count(length));
    }

    void take(std::span<const char> bytes) override {
        if (static_cast<std::int64_t>(bytes.size()) > blob_.size - have_) {
            restart();
            fail(ErrorKind::corrupt, "{}: expected {} bytes, the server sends more", subject_, blob_.size);
        }
        sum_.update(bytes.data(), bytes.size());
        while (!bytes.empty()) {
            const ssize_t wrote = write(fd_, bytes.data(), bytes.size());
            if (wrote < 0 && errno == EINTR) continue;
            if (wrote < 0) fail_system("cannot be written");
            bytes = bytes.subspan(static_cast<std::size_t>(wrote));
            have_ += wrote;
        }
        progress_.at(have_);
    }

    /// Ends the sum.
    std::string sum() { return sum_.hex(); }

    /// To the disk and under its name.
    void commit(const fs::path& target) {
        if (fsync(fd_) != 0) fail_system("cannot be written");
        if (rename(path_.c_str(), target.c_str()) != 0) fail_system("cannot be renamed");
    }

  private:
    void sum_what_is_there() {
        std::vector<char> buffer(1 << 20);
        while (true) {
            check_interrupted();
            const ssize_t got = read(fd_, buffer.data(), buffer.size());
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) fail_system("cannot be read");
            if (got == 0) break;
            sum_.update(buffer.data(), static_cast<std::size_t>(got));
            have_ += got;
        }
    }

    void check_size(std::optional<std::int64_t> size) {
        if (size == blob_.size) return;
        fail(ErrorKind::corrupt, "{}: expected {} bytes as listed, the server has {}", subject_, blob_.size,
             size ? std::to_string(*size) : "no such number");
    }

    [[noreturn]] void fail_system(const char* what) const {
        fail(ErrorKind::not_found, "{}: {} {}: {}", subject_, path_.string(), what, std::strerror(errno));
    }

    fs::path path_;
    std::string subject_;
    Blob blob_;
    BlobSum sum_;
    Progress progress_;
    int fd_ = -1;
    std::int64_t have_ = 0;
};

void check_space(const fs::path& folder, const std::string& subject, std::int64_t needed) {
    std::error_code error;
    const fs::space_info space = fs::space(folder, error);
    if (error || space.available == static_cast<std::uintmax_t>(-1)) return;
    if (space.available < static_cast<std::uintmax_t>(needed))
        fail(ErrorKind::not_found, "{}: {:.1f} MB are to be written, {} has {:.1f} MB free", subject,
             static_cast<double>(needed) / 1e6, folder.string(), static_cast<double>(space.available) / 1e6);
}

bool has_blob(const fs::path& path, const Blob& blob) {
    std::error_code error;
    return fs::is_regular_file(path, error) &&
           fs::file_size(path, error) == static_cast<std::uintmax_t>(blob.size);
}

}  // namespace

std::int64_t fetch_blob(Client& client, const std::string& url, const std::string& subject, const Blob& blob,
                        const fs::path& blobs, const fs::path& lock_path) {
    const fs::path target = blobs / blob.id;
    if (has_blob(target, blob)) return 0;
    FileLock lock(lock_path);
    bool said = false;
    lock.lock(FileLock::Kind::exclusive, [&] {
        check_interrupted();
        if (!said) note("tinyllm: {}: another pull fetches it, waiting", subject);
        said = true;
    });
    if (has_blob(target, blob)) return 0;

    const fs::path incomplete = blobs / (blob.id + ".incomplete");
    std::int64_t downloaded = 0;
    while (true) {
        IncompleteFile file(incomplete, subject, blob);
        const std::int64_t before = file.have();
        check_space(blobs, subject, blob.size - before);
        if (!file.complete()) client.get(url, subject, file);
        downloaded += blob.size - before;
        const std::string sum = file.sum();
        if (sum == blob.id) {
            file.commit(target);
            return downloaded;
        }
        std::error_code ignored;
        fs::remove(incomplete, ignored);
        if (before == 0)
            fail(ErrorKind::corrupt, "{}: expected {} {}, found {}; nothing of it was kept", subject,
                 blob.id.size() == 64 ? "sha256" : "git blob id", blob.id, sum);
        note("tinyllm: {}: what an earlier pull left was not its beginning; from the start again", subject);
    }
}

}  // namespace tinyllm::hub
