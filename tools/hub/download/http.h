// One GET or HEAD over HTTP(S). Redirects, repetition and what an answer means are the caller's.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tools/hub/download/url.h"

namespace tinyllm::hub {

/// The user stopped the command: nothing is wrong, what was written stays.
struct Interrupted {};

/// Throws Interrupted once a signal asked to stop.
void check_interrupted();

struct Reply {
    int status = 0;                              ///< 0: no answer came
    std::map<std::string, std::string> headers;  ///< names in lower case
    std::string failure;                         ///< why the transfer broke off; empty: it did not
    bool unreachable = false;                    ///< no connection was made
    std::int64_t retry_after = 0;                ///< seconds the server asks to wait

    bool ok() const { return status == 200 || status == 206; }
    const std::string& header(const std::string& name) const;  ///< empty if absent
};

/// The number of bytes that a header names; nothing if it is no such number.
std::optional<std::int64_t> byte_count(std::string_view text);

/// W/"abc" and "abc" as abc.
std::string etag_value(std::string_view etag);

class Http {
  public:
    /// Of the body of a 200 or 206, as it arrives; may throw. Other bodies are dropped.
    using OnBody = std::function<void(const Reply& reply, std::span<const char> bytes)>;

    Http();
    ~Http();
    Http(const Http&) = delete;
    Http& operator=(const Http&) = delete;

    /// Throws Interrupted, and what `on_body` throws; never for what the network does. Without `on_body` a
    /// HEAD.
    Reply get(const Url& url, const std::vector<std::string>& headers, const OnBody& on_body);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace tinyllm::hub
