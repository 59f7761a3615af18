#include "tools/hub/download/url.h"

#include <cctype>
#include <memory>

#include "engine/fail.h"
#include "tools/hub/download/curl.h"

namespace tinyllm::hub {
namespace {

std::string url_part(CURLU* url, CURLUPart part, unsigned flags = 0) {
    char* text = nullptr;
    if (curl().url_get(url, part, &text, flags) != CURLUE_OK) return "";
    std::string result = text;
    curl().free(text);
    return result;
}

}  // namespace

bool Url::same_origin(const Url& other) const {
    return scheme == other.scheme && host == other.host && port == other.port;
}

bool Url::is_private() const {
    return scheme == "https" || host == "localhost" || host == "[::1]" || host.starts_with("127.");
}

std::string Url::origin() const {
    const bool usual = port == (scheme == "https" ? "443" : "80");
    return scheme + "://" + host + (usual ? "" : ":" + port);
}

Url parse_url(const std::string& text, const std::string& what, const Url* base) {
    const ErrorKind kind = base != nullptr ? ErrorKind::corrupt : ErrorKind::usage;
    const std::unique_ptr<CURLU, decltype(Curl::url_cleanup)> url(curl().url(), curl().url_cleanup);
    bool read = !text.empty();
    if (read && base != nullptr)
        read = curl().url_set(url.get(), CURLUPART_URL, base->text.c_str(), 0) == CURLUE_OK;
    read = read && curl().url_set(url.get(), CURLUPART_URL, text.c_str(), 0) == CURLUE_OK;
    Url result;
    if (read) {
        result.text = url_part(url.get(), CURLUPART_URL);
        result.scheme = url_part(url.get(), CURLUPART_SCHEME);
        result.host = url_part(url.get(), CURLUPART_HOST);
        result.port = url_part(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
    }
    for (char& c : result.host) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (result.host.empty() || (result.scheme != "http" && result.scheme != "https"))
        fail(kind, "{}: expected an http or https address, found another", what);
    if (!url_part(url.get(), CURLUPART_USER).empty() || !url_part(url.get(), CURLUPART_PASSWORD).empty())
        fail(kind, "{}: expected an address without user and password", what);
    return result;
}

std::string url_encode(std::string_view text, bool keep_slashes) {
    std::string result;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (std::isalnum(byte) != 0 || c == '-' || c == '.' || c == '_' || c == '~' ||
            (c == '/' && keep_slashes)) {
            result += c;
        } else {
            result += fmt::format("%{:02X}", byte);
        }
    }
    return result;
}

}  // namespace tinyllm::hub
