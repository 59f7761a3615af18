#include "tools/study/embedded.h"

#include <algorithm>
#include <filesystem>

#include "engine/fail.h"

namespace tinyllm::study {
namespace {

namespace fs = std::filesystem;

// Installed, the files lie beside the executable's folder; in a checkout, where they were when it was built.
fs::path embedded_folder() {
    std::error_code error;
    const fs::path self = fs::read_symlink("/proc/self/exe", error);
    const fs::path installed = self.parent_path().parent_path() / "share" / "tinyllm" / "embedded";
    if (!error && fs::is_directory(installed, error)) return installed;
    const fs::path source = TINYLLM_EMBEDDED_SOURCE;
    if (fs::is_directory(source, error)) return source;
    fail(ErrorKind::not_found,
         "the embedded models and questions are neither in {} nor in {}; give --models and --data",
         installed.string(), source.string());
}

}  // namespace

std::vector<std::string> embedded_models() {
    const fs::path folder = embedded_folder() / "models";
    std::vector<std::string> models;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error))
        if (entry.path().extension() == ".gguf" ||
            (entry.is_directory() && fs::exists(entry.path() / "config.json")))
            models.push_back(entry.path().string());
    if (models.empty()) fail(ErrorKind::not_found, "{}: no models; give --models", folder.string());
    std::sort(models.begin(), models.end());
    return models;
}

std::string embedded_questions() {
    return (embedded_folder() / "questions").string();
}

}  // namespace tinyllm::study
