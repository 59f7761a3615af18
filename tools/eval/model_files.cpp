#include "tools/eval/model_files.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "engine/fail.h"
#include "tools/eval/sha256.h"

namespace tinyllm::eval {
namespace fs = std::filesystem;

ModelFiles identify_model(const std::string& path) {
    std::error_code error;
    if (fs::is_regular_file(path, error))
        return {sha256_of_file(path), static_cast<std::int64_t>(fs::file_size(path))};
    if (!fs::is_directory(path, error)) fail(ErrorKind::not_found, "{}: no such model folder or file", path);
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(path)) {
        const std::string extension = entry.path().extension().string();
        if (entry.is_regular_file() && (extension == ".json" || extension == ".safetensors" ||
                                        extension == ".model" || extension == ".txt" || extension == ".bin"))
            files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    ModelFiles result;
    std::string lines;
    for (const fs::path& file : files) {
        lines += sha256_of_file(file) + "  " + file.filename().string() + "\n";
        const std::string extension = file.extension().string();
        if (extension == ".safetensors" || extension == ".bin")
            result.weight_bytes += static_cast<std::int64_t>(fs::file_size(file));
    }
    result.sha256 = sha256_of(lines);
    return result;
}

}  // namespace tinyllm::eval
