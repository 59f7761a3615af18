// A file mapped read-only into memory.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace tinyllm {

class MappedFile {
  public:
    /// Throws Error: not_found, or runtime if it cannot be mapped. An empty file maps to an empty span.
    explicit MappedFile(const std::string& path);
    ~MappedFile();
    MappedFile(MappedFile&& other) noexcept;
    MappedFile& operator=(MappedFile&& other) noexcept;

    const std::string& path() const { return path_; }
    std::span<const std::byte> bytes() const { return {data_, size_}; }

    /// Tells the kernel that these bytes will be read soon, front to back.
    void will_need(std::span<const std::byte> part) const;
    /// Asks for large pages: the file is read in pieces of that size, where its file system can, and mapped
    /// so.
    void large_pages() const;
    /// Drops the pages of `part`, and neighbours that the kernel maps along with them, from this process;
    /// they read back from the file if touched again. What is not of this file is left alone.
    void release(std::span<const std::byte> part) const;

  private:
    std::string path_;
    const std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace tinyllm
