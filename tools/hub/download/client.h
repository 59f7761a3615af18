// GETs and HEADs that reach their end: redirects, repetition, and what the server's refusals mean.
//
// The token goes to the endpoint's own scheme, host and port, over https or within this machine; never to
// where a redirect leads. No message quotes it, nor an address behind the host (a CDN's is signed).
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "tools/hub/download/http.h"

namespace tinyllm::hub {

/// Takes a body. After a broken transfer it is asked again for what is missing.
class Receiver {
  public:
    virtual ~Receiver() = default;
    /// Bytes that are there already and need not be sent.
    virtual std::int64_t have() const { return 0; }
    /// Forgets them.
    virtual void restart() = 0;
    /// False: only the headers are wanted, neither start() nor take() follow.
    virtual bool wants_body() const { return true; }
    /// A redirect, before it is followed; throws if the file behind it is not the one that is wanted. False:
    /// it says all that is wanted.
    virtual bool redirected(const Reply&) { return true; }
    /// A body begins: 206 from have() on, 200 from 0 on. Throws if it is not what is wanted.
    virtual void start(const Reply& reply) = 0;
    virtual void take(std::span<const char> bytes) = 0;
    /// The body ended; false: something is missing.
    virtual bool complete() const = 0;
};

struct ClientOptions {
    std::string endpoint;
    std::string option = "--endpoint";  ///< where it was given
    std::string token;                  ///< empty: none
    int retries = 5;                    ///< after failures in a row
    double retry_delay = 1;             ///< seconds before the first, twice as long before each further one
};

class Client {
  public:
    /// Throws Error(usage) if the endpoint is no http(s) URL.
    explicit Client(const ClientOptions& options);

    const Url& endpoint() const { return endpoint_; }
    /// endpoint + path.
    std::string address(const std::string& path) const;

    /// Until the receiver is complete. `subject` begins messages. Throws Error(not_found) for whatever
    /// network and server do, Interrupted, and what the receiver throws. Returns the last answer's headers.
    Reply get(const std::string& url, const std::string& subject, Receiver& receiver);

    /// What the server says of a file, without the file: the headers of its own answer, or of the redirect
    /// with X-Linked-Etag. A redirect without it is followed.
    Reply head(const std::string& url, const std::string& subject);

    /// A document of at most 64 MiB.
    std::string get_text(const std::string& url, const std::string& subject);

  private:
    struct Answer {
        Reply reply;
        bool own = true;       // the endpoint's, not a CDN's
        bool settled = false;  // a redirect that need not be followed
        std::string origin;
    };
    Answer follow(const std::string& url, const std::string& subject, Receiver& receiver);
    bool worth_repeating(const Answer& answer) const;
    [[noreturn]] void give_up(const Answer& answer, const std::string& subject) const;
    void wait(const Answer& answer, const std::string& subject, int failures);

    ClientOptions options_;
    Url endpoint_;
    Http http_;
    bool reached_ = false;  // the network worked once
};

}  // namespace tinyllm::hub
