#include "tools/hub/download/source.h"

#include <filesystem>

#include "tools/hub/repository.h"
#include "tools/output.h"

namespace tinyllm::hub {

Source source_of_environment() {
    Source source;
    if (const char* url = environment("HF_ENDPOINT")) source.endpoint = url;
    if (const char* url = environment("TINYLLM_ENDPOINT")) source.endpoint = url;
    if (const char* url = environment("TINYLLM_ROWS_ENDPOINT")) source.rows_endpoint = url;
    if (const char* token = environment("TINYLLM_TOKEN")) source.token = token;
    return source;
}

std::string rows_endpoint_of(const Source& source) {
    if (!source.rows_endpoint.empty()) return source.rows_endpoint;
    const std::string scheme = "https://";
    if (!source.endpoint.starts_with(scheme)) return source.endpoint;
    return scheme + "datasets-server." + source.endpoint.substr(scheme.size());
}

std::string token_of(const Source& source) {
    if (!source.token.empty()) return source.token;
    if (const char* token = environment("HF_TOKEN")) return token;
    const char* given = environment("HF_TOKEN_PATH");
    const std::filesystem::path path = given != nullptr ? given : (hub_home() / "token").string();
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error)) return "";
    std::string token = read_file(path.string());
    token.erase(0, token.find_first_not_of(" \t\r\n"));
    token.erase(token.find_last_not_of(" \t\r\n") + 1);
    return token;
}

}  // namespace tinyllm::hub
