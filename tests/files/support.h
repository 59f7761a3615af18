// What the file tests share: folders that vanish, files built byte by byte, expected errors.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "engine/tensor_source.h"
#include "kernels/quant.h"
#include "tinyllm/error.h"

namespace tinyllm {

inline const std::string kGolden = TINYLLM_TEST_DIR "/files/golden/";

class TemporaryFolder {
  public:
    TemporaryFolder() {
        // Memory where there is any for files: some tests write thousands.
        std::error_code ignored;
        const bool shm =
            std::filesystem::is_directory("/dev/shm", ignored) && ::access("/dev/shm", W_OK) == 0;
        const std::filesystem::path base = shm ? "/dev/shm" : std::filesystem::temp_directory_path();
        std::string name = (base / "tinyllm-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
        path_ = name + "/";
    }
    ~TemporaryFolder() { std::filesystem::remove_all(path_); }
    std::string operator/(const std::string& name) const { return path_ + name; }
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

inline std::string read_bytes(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

inline std::string write_bytes(const std::string& path, std::string_view bytes) {
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return path;
}

/// The raw bytes of a number, little-endian.
template <typename T>
std::string raw(T value) {
    return {reinterpret_cast<const char*>(&value), sizeof(T)};
}

/// The tensor's values, in memory that is aligned as its type wants.
inline std::vector<float> floats(const TensorView& tensor) {
    const std::vector<std::byte> copy(tensor.data.begin(), tensor.data.end());
    std::vector<float> out(static_cast<std::size_t>(element_count(tensor)));
    traits(tensor.type).to_f32(copy.data(), out.data(), std::ssize(out));
    return out;
}

/// A GGUF string.
inline std::string gguf_string(std::string_view text) {
    return raw<std::uint64_t>(text.size()) + std::string(text);
}

/// `act` must throw Error of `kind` whose message is one line and names each of `words`.
inline void expect_error(ErrorKind kind, std::initializer_list<std::string> words,
                         const std::function<void()>& act) {
    try {
        act();
        FAIL() << "nothing was thrown";
    } catch (const Error& error) {
        const std::string message = error.what();
        EXPECT_EQ(error.kind(), kind) << message;
        EXPECT_EQ(message.find('\n'), message.npos) << message;
        for (const std::string& word : words) {
            EXPECT_NE(message.find(word), message.npos) << "'" << word << "' is not in: " << message;
        }
    }
}

}  // namespace tinyllm
