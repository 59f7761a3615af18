#include "tools/hub/download/client.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <random>
#include <thread>

#include "engine/fail.h"
#include "tools/log.h"

namespace tinyllm::hub {
namespace {

constexpr int kMostRedirects = 10;
constexpr double kLongestDelay = 60;
constexpr std::int64_t kLongestWait = 600;  // that a server may ask for
constexpr std::size_t kMostText = std::size_t{64} << 20;

class TextReceiver : public Receiver {
  public:
    explicit TextReceiver(const std::string& subject) : subject_(subject) {}
    void restart() override {}
    void start(const Reply&) override { text.clear(); }
    void take(std::span<const char> bytes) override {
        if (text.size() + bytes.size() > kMostText)
            fail(ErrorKind::corrupt, "{}: expected an answer of at most 64 MiB, found a longer one",
                 subject_);
        text.append(bytes.data(), bytes.size());
    }
    bool complete() const override { return true; }
    std::string text;

  private:
    std::string subject_;
};

class HeadReceiver : public Receiver {
  public:
    void restart() override {}
    bool wants_body() const override { return false; }
    bool redirected(const Reply& reply) override { return reply.header("x-linked-etag").empty(); }
    void start(const Reply&) override {}
    void take(std::span<const char>) override {}
    bool complete() const override { return true; }
};

bool is_redirect(int status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

std::string describe_failure(const Reply& reply, const std::string& origin) {
    if (reply.status == 0 || reply.ok())
        return fmt::format("{}: {}", origin,
                           reply.failure.empty() ? "the answer ended early" : reply.failure);
    return fmt::format("{} answers {}", origin, reply.status);
}

}  // namespace

Client::Client(const ClientOptions& options)
    : options_(options), endpoint_(parse_url(options.endpoint, options.option)) {
    for (const char c : options_.token)
        if (static_cast<unsigned char>(c) <= ' ' || static_cast<unsigned char>(c) >= 0x7F)
            fail(ErrorKind::usage, "the token: expected printable characters without spaces, found others");
    if (!options_.token.empty() && !endpoint_.is_private()) {
        note("tinyllm: the token is not sent: {} is not encrypted", endpoint_.origin());
        options_.token.clear();
    }
}

std::string Client::address(const std::string& path) const {
    std::string base = endpoint_.text;
    while (!base.empty() && base.back() == '/') base.pop_back();
    return base + path;
}

Client::Answer Client::follow(const std::string& address_text, const std::string& subject,
                              Receiver& receiver) {
    Url url = parse_url(address_text, subject);
    for (int hops = 0; hops <= kMostRedirects; ++hops) {
        Answer answer;
        answer.own = url.same_origin(endpoint_);
        answer.origin = url.origin();
        std::vector<std::string> headers;
        if (answer.own && !options_.token.empty())
            headers.push_back("Authorization: Bearer " + options_.token);
        if (receiver.have() > 0) headers.push_back(fmt::format("Range: bytes={}-", receiver.have()));
        bool started = false;
        const Http::OnBody on_body = [&](const Reply& reply, std::span<const char> bytes) {
            if (!started) receiver.start(reply);
            started = true;
            receiver.take(bytes);
        };
        answer.reply = http_.get(url, headers, receiver.wants_body() ? on_body : nullptr);
        const Reply& reply = answer.reply;
        detail("{} {}{}", answer.origin, reply.status, reply.failure.empty() ? "" : ": " + reply.failure);
        if (!is_redirect(reply.status)) {
            if (reply.ok() && reply.failure.empty() && !started) receiver.start(reply);  // an empty body
            return answer;
        }
        if (!receiver.redirected(reply)) {
            answer.settled = true;
            return answer;
        }
        const Url next =
            parse_url(reply.header("location"), subject + ": a redirect of " + answer.origin, &url);
        if (url.scheme == "https" && next.scheme != "https")
            fail(ErrorKind::not_found, "{}: {} redirects to an address that is not encrypted", subject,
                 answer.origin);
        url = next;
    }
    fail(ErrorKind::not_found, "{}: more than {} redirects", subject, kMostRedirects);
}

bool Client::worth_repeating(const Answer& answer) const {
    const Reply& reply = answer.reply;
    if (reply.unreachable) return reached_;  // without a network at all nothing is gained by waiting
    if (reply.status == 0 || reply.ok()) return true;
    if (reply.status == 403 && !answer.own) return true;  // a signed address that expired: the next is new
    if (reply.status == 416) return true;
    constexpr int passing[] = {408, 425, 429, 500, 502, 503, 504};
    return std::find(std::begin(passing), std::end(passing), reply.status) != std::end(passing);
}

void Client::give_up(const Answer& answer, const std::string& subject) const {
    const Reply& reply = answer.reply;
    const bool token = !options_.token.empty();
    const std::string& code = reply.header("x-error-code");
    if (reply.unreachable)
        fail(ErrorKind::not_found, "{}: {} cannot be reached: {}", subject, answer.origin, reply.failure);
    if (code == "GatedRepo" || reply.status == 403)
        fail(ErrorKind::not_found,
             "{}: {} answers {}: a gated or private model; its terms are accepted on its page there, and the "
             "token of that account is given by HF_TOKEN or --token",
             subject, answer.origin, reply.status);
    if (reply.status == 401)
        fail(ErrorKind::not_found, "{}: {} answers 401: {}", subject, answer.origin,
             token ? "no such model for this token, or the token is not valid"
                   : "no such model, or one that needs a token (HF_TOKEN or --token)");
    if (reply.status == 404 || reply.status == 410)
        fail(ErrorKind::not_found, "{}: {} answers {}: {}", subject, answer.origin, reply.status,
             code == "RevisionNotFound" ? "no such revision"
             : code == "EntryNotFound"  ? "no such file"
             : code == "RepoNotFound"   ? "no such model"
                                        : "not there");
    fail(ErrorKind::not_found, "{}: {}", subject, describe_failure(reply, answer.origin));
}

void Client::wait(const Answer& answer, const std::string& subject, int failures) {
    const Reply& reply = answer.reply;
    if (reply.retry_after > kLongestWait)
        fail(ErrorKind::not_found, "{}: {}, and asks to wait {} s", subject,
             describe_failure(reply, answer.origin), reply.retry_after);
    static std::minstd_rand random(std::random_device{}());
    // Not all at once again, where many wait for the same server.
    const double spread = 1 + 0.25 * std::generate_canonical<double, 20>(random);
    double seconds = std::min(kLongestDelay, std::ldexp(options_.retry_delay, failures - 1)) * spread;
    seconds = std::max(seconds, static_cast<double>(reply.retry_after));
    const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    const std::string line =
        fmt::format("{}: {}; again in {:.0f} s ({} of {})", subject, describe_failure(reply, answer.origin),
                    seconds, failures, options_.retries);
    if (show_progress() || log_level() >= 1) log_line("tinyllm: " + line);
    while (std::chrono::steady_clock::now() < until) {
        check_interrupted();
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
}

Reply Client::get(const std::string& url, const std::string& subject, Receiver& receiver) {
    for (int failures = 0;;) {
        const std::int64_t before = receiver.have();
        const Answer answer = follow(url, subject, receiver);
        const Reply& reply = answer.reply;
        reached_ = reached_ || reply.status != 0;
        if ((answer.settled || reply.ok()) && reply.failure.empty() && receiver.complete())
            return answer.reply;
        if (!worth_repeating(answer)) give_up(answer, subject);
        if (reply.status == 416) receiver.restart();  // what is there is no beginning of that file
        if (receiver.have() > before) failures = 0;
        if (++failures > options_.retries)
            fail(ErrorKind::not_found, "{}: given up after {} tries: {}", subject, failures,
                 describe_failure(reply, answer.origin));
        wait(answer, subject, failures);
    }
}

Reply Client::head(const std::string& url, const std::string& subject) {
    HeadReceiver receiver;
    return get(url, subject, receiver);
}

std::string Client::get_text(const std::string& url, const std::string& subject) {
    TextReceiver receiver(subject);
    get(url, subject, receiver);
    return std::move(receiver.text);
}

}  // namespace tinyllm::hub
