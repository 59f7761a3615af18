#include "tools/hub/download/http.h"

#include <cctype>
#include <charconv>
#include <exception>
#include <new>

#include "tinyllm/version.h"
#include "tools/hub/download/curl.h"
#include "tools/hub/repository.h"
#include "tools/signals.h"

namespace tinyllm::hub {
namespace {

constexpr std::size_t kMostDropped = 1 << 20;  // of an error's page

struct Transfer {
    Reply reply;
    const Http::OnBody* on_body = nullptr;
    std::exception_ptr thrown;
    std::size_t dropped = 0;
};

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0)
        text.remove_prefix(1);
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.remove_suffix(1);
    return text;
}

// libcurl is C: an exception waits in the transfer until its call is over.
std::size_t on_header(char* data, std::size_t size, std::size_t count, void* user) {
    auto& transfer = *static_cast<Transfer*>(user);
    const std::string_view line(data, size * count);
    try {
        if (line.starts_with("HTTP/")) {  // of this answer, not of a 100 or a proxy's before it
            transfer.reply.headers.clear();
            transfer.reply.status = 0;
            const std::size_t space = line.find(' ');
            for (std::size_t i = space + 1; space != line.npos && i < line.size() && i < space + 4; ++i)
                if (std::isdigit(static_cast<unsigned char>(line[i])) != 0)
                    transfer.reply.status = transfer.reply.status * 10 + (line[i] - '0');
        } else if (const std::size_t colon = line.find(':'); colon != line.npos) {
            std::string name(trimmed(line.substr(0, colon)));
            for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
            transfer.reply.headers[name] = trimmed(line.substr(colon + 1));
        }
    } catch (...) {
        transfer.thrown = std::current_exception();
        return 0;
    }
    return size * count;
}

std::size_t on_data(char* data, std::size_t size, std::size_t count, void* user) {
    auto& transfer = *static_cast<Transfer*>(user);
    const std::size_t bytes = size * count;
    if (!transfer.reply.ok()) {
        transfer.dropped += bytes;
        return transfer.dropped <= kMostDropped ? bytes : 0;
    }
    try {
        (*transfer.on_body)(transfer.reply, {data, bytes});
    } catch (...) {
        transfer.thrown = std::current_exception();
        return 0;
    }
    return bytes;
}

int on_progress(void*, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return stop_requested() ? 1 : 0;
}

}  // namespace

void check_interrupted() {
    if (stop_requested()) throw Interrupted{};
}

const std::string& Reply::header(const std::string& name) const {
    static const std::string none;
    const auto found = headers.find(name);
    return found == headers.end() ? none : found->second;
}

std::optional<std::int64_t> byte_count(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
    return value;
}

std::string etag_value(std::string_view etag) {
    if (etag.starts_with("W/")) etag.remove_prefix(2);
    if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') etag = etag.substr(1, etag.size() - 2);
    return std::string(etag);
}

struct Http::State {
    CURL* handle = nullptr;
    char error[CURL_ERROR_SIZE] = {};
};

Http::Http() : state_(std::make_unique<State>()) {
    state_->handle = curl().easy_init();
    if (state_->handle == nullptr) throw std::bad_alloc();
    const auto set = [this](CURLoption option, auto value) {
        curl().easy_setopt(state_->handle, option, value);
    };
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_USERAGENT, ("tinyllm/" + std::string(version())).c_str());
    set(CURLOPT_FOLLOWLOCATION, 0L);  // the token must not follow
    set(CURLOPT_CONNECTTIMEOUT, 30L);
    set(CURLOPT_LOW_SPEED_LIMIT, 1L);  // a transfer that stands still for a minute is broken off
    set(CURLOPT_LOW_SPEED_TIME, 60L);
    set(CURLOPT_BUFFERSIZE, 262144L);
    set(CURLOPT_ERRORBUFFER, state_->error);
    set(CURLOPT_HEADERFUNCTION, &on_header);
    set(CURLOPT_WRITEFUNCTION, &on_data);
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, &on_progress);
    // Networks that look into https have certificates of their own; curl's program reads these, not its
    // library.
    for (const char* name : {"SSL_CERT_FILE", "CURL_CA_BUNDLE"})
        if (const char* path = environment(name)) set(CURLOPT_CAINFO, path);
}

Http::~Http() {
    curl().easy_cleanup(state_->handle);
}

Reply Http::get(const Url& url, const std::vector<std::string>& headers, const OnBody& on_body) {
    check_interrupted();
    Transfer transfer;
    transfer.on_body = &on_body;
    curl_slist* list = nullptr;
    for (const std::string& header : headers) list = curl().slist_append(list, header.c_str());
    CURL* handle = state_->handle;
    state_->error[0] = '\0';
    curl().easy_setopt(handle, CURLOPT_URL, url.text.c_str());
    if (on_body) {
        curl().easy_setopt(handle, CURLOPT_HTTPGET, 1L);
    } else {
        curl().easy_setopt(handle, CURLOPT_NOBODY, 1L);
    }
    curl().easy_setopt(handle, CURLOPT_HTTPHEADER, list);
    curl().easy_setopt(handle, CURLOPT_HEADERDATA, &transfer);
    curl().easy_setopt(handle, CURLOPT_WRITEDATA, &transfer);
    const CURLcode code = curl().easy_perform(handle);
    curl().easy_setopt(handle, CURLOPT_HTTPHEADER, nullptr);
    curl().slist_free_all(list);
    if (transfer.thrown) std::rethrow_exception(transfer.thrown);
    check_interrupted();
    Reply& reply = transfer.reply;
    if (code != CURLE_OK && (reply.ok() || reply.status == 0 || code != CURLE_WRITE_ERROR))
        reply.failure = state_->error[0] != '\0' ? state_->error : curl().easy_strerror(code);
    reply.unreachable =
        reply.status == 0 && (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY ||
                              code == CURLE_COULDNT_CONNECT || code == CURLE_SSL_CONNECT_ERROR ||
                              code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE);
    curl_off_t wait = 0;
    if (curl().easy_getinfo(handle, CURLINFO_RETRY_AFTER, &wait) == CURLE_OK) reply.retry_after = wait;
    return std::move(reply);
}

}  // namespace tinyllm::hub
