// libcurl, loaded when something is downloaded: linked in, it and the thirty libraries behind it would cost
// every other command 6 ms and 6 MB at its start.
#pragma once

#include <curl/curl.h>

namespace tinyllm::hub {

struct Curl {
    decltype(&curl_global_init) global_init;
    decltype(&curl_easy_init) easy_init;
    decltype(&curl_easy_cleanup) easy_cleanup;
    decltype(&curl_easy_setopt) easy_setopt;
    decltype(&curl_easy_perform) easy_perform;
    decltype(&curl_easy_getinfo) easy_getinfo;
    decltype(&curl_easy_strerror) easy_strerror;
    decltype(&curl_slist_append) slist_append;
    decltype(&curl_slist_free_all) slist_free_all;
    decltype(&curl_url) url;
    decltype(&curl_url_cleanup) url_cleanup;
    decltype(&curl_url_set) url_set;
    decltype(&curl_url_get) url_get;
    decltype(&curl_free) free;
};

/// Throws Error(runtime) where no libcurl is installed.
const Curl& curl();

}  // namespace tinyllm::hub
