// Advisory locks between processes (flock), of the kind huggingface_hub takes too. Lock files stay: removing
// one that somebody waits for would let two hold it.
#pragma once

#include <filesystem>
#include <functional>

namespace tinyllm::hub {

class FileLock {
  public:
    enum class Kind { shared, exclusive };

    /// Opens (or makes) the file, its folder too. Throws Error(runtime).
    explicit FileLock(const std::filesystem::path& path);
    ~FileLock();
    FileLock(const FileLock&) = delete;
    FileLock& operator=(const FileLock&) = delete;

    /// Does not wait. Throws Error(runtime) where the file system has no locks.
    bool try_lock(Kind kind);

    /// Looks again ten times a second and calls `waiting` in between, which may throw.
    void lock(Kind kind, const std::function<void()>& waiting);

  private:
    std::filesystem::path path_;
    int fd_ = -1;
};

}  // namespace tinyllm::hub
