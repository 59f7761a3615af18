// URLs, as libcurl reads them: what is compared here and what is connected to cannot differ.
#pragma once

#include <string>
#include <string_view>

namespace tinyllm::hub {

struct Url {
    std::string text;    ///< absolute, normalised
    std::string scheme;  ///< http or https
    std::string host, port;

    /// Whether a secret for one may be shown to the other: same scheme, host and port.
    bool same_origin(const Url& other) const;
    /// Whether nobody in between can read along: https, or this machine.
    bool is_private() const;
    /// scheme://host:port: for messages, since the rest of a CDN's address is a signature.
    std::string origin() const;
};

/// `text`, relative to `base` where one is given. Throws Error(`usage` or, relative to a base, corrupt),
/// beginning with `what`, if it is no http(s) URL or holds a user or password; the message does not quote it.
Url parse_url(const std::string& text, const std::string& what, const Url* base = nullptr);

/// Percent-encodes all but letters, digits and -._~; '/' too unless `keep_slashes`.
std::string url_encode(std::string_view text, bool keep_slashes = false);

}  // namespace tinyllm::hub
