#include "tools/hub/repository.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

namespace tinyllm::hub {
namespace {

bool is_valid_part(std::string_view part) {
    return !part.empty() && part.front() != '.' && part.find("..") == std::string_view::npos &&
           std::all_of(part.begin(), part.end(), [](unsigned char c) {
               return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
           });
}

bool is_valid_revision(std::string_view revision) {
    while (true) {
        const std::size_t slash = revision.find('/');
        if (!is_valid_part(revision.substr(0, slash))) return false;
        if (slash == std::string_view::npos) return true;
        revision.remove_prefix(slash + 1);
    }
}

}  // namespace

std::optional<RepositoryName> parse_repository(const std::string& argument) {
    RepositoryName result;
    std::string id = argument;
    if (const std::size_t at = argument.find('@'); at != std::string::npos) {
        id = argument.substr(0, at);
        result.revision = argument.substr(at + 1);
        if (!is_valid_revision(result.revision)) return {};
    }
    const std::size_t slash = id.find('/');
    if (slash == std::string::npos) return {};
    result.org = id.substr(0, slash);
    result.name = id.substr(slash + 1);
    if (!is_valid_part(result.org) || !is_valid_part(result.name)) return {};
    return result;
}

bool is_commit(std::string_view text) {
    return text.size() == 40 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

const char* environment(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr && *value != '\0' ? value : nullptr;
}

std::filesystem::path hub_home() {
    if (const char* home = environment("HF_HOME")) return home;
    if (const char* cache = environment("XDG_CACHE_HOME"))
        return std::filesystem::path(cache) / "huggingface";
    const char* home = environment("HOME");
    return std::filesystem::path(home != nullptr ? home : ".") / ".cache/huggingface";
}

std::filesystem::path hub_cache() {
    if (const char* path = environment("TINYLLM_CACHE")) return path;
    if (const char* path = environment("HF_HUB_CACHE")) return path;
    return hub_home() / "hub";
}

bool is_offline() {
    const char* value = environment("HF_HUB_OFFLINE");
    if (value == nullptr) return false;
    std::string word = value;
    for (char& c : word) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return word == "1" || word == "ON" || word == "YES" || word == "TRUE";
}

std::string pull_hint([[maybe_unused]] const std::string& name) {
#ifdef TINYLLM_HAS_PULL
    return "; `tinyllm pull " + name + "` fetches it";
#else
    return "";
#endif
}

}  // namespace tinyllm::hub
