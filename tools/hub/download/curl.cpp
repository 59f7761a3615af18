#include "tools/hub/download/curl.h"

#include <dlfcn.h>

#include "engine/fail.h"

namespace tinyllm::hub {
namespace {

template <typename F>
void find_symbol(void* library, const char* name, F& function) {
    function = reinterpret_cast<F>(dlsym(library, name));
    if (function == nullptr)
        fail(ErrorKind::runtime, "libcurl: expected {}, found a library without it (7.66 or later is needed)",
             name);
}

Curl load_curl() {
    void* library = nullptr;
    // OpenSSL's and GnuTLS's builds have the same interface.
    for (const char* name : {"libcurl.so.4", "libcurl-gnutls.so.4"})
        if (library == nullptr) library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr)
        fail(ErrorKind::runtime, "downloading needs libcurl (Debian: apt-get install libcurl4): {}",
             dlerror());
    Curl functions{};
    find_symbol(library, "curl_global_init", functions.global_init);
    find_symbol(library, "curl_easy_init", functions.easy_init);
    find_symbol(library, "curl_easy_cleanup", functions.easy_cleanup);
    find_symbol(library, "curl_easy_setopt", functions.easy_setopt);
    find_symbol(library, "curl_easy_perform", functions.easy_perform);
    find_symbol(library, "curl_easy_getinfo", functions.easy_getinfo);
    find_symbol(library, "curl_easy_strerror", functions.easy_strerror);
    find_symbol(library, "curl_slist_append", functions.slist_append);
    find_symbol(library, "curl_slist_free_all", functions.slist_free_all);
    find_symbol(library, "curl_url", functions.url);
    find_symbol(library, "curl_url_cleanup", functions.url_cleanup);
    find_symbol(library, "curl_url_set", functions.url_set);
    find_symbol(library, "curl_url_get", functions.url_get);
    find_symbol(library, "curl_free", functions.free);
    if (functions.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        fail(ErrorKind::runtime, "libcurl: cannot be initialised");
    return functions;
}

}  // namespace

const Curl& curl() {
    static const Curl functions = load_curl();
    return functions;
}

}  // namespace tinyllm::hub
