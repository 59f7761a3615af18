#include "tools/monitor/sampler.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "tools/log.h"

namespace tinyllm::monitor {
namespace {

constexpr auto kPatience = std::chrono::seconds(5);
enum Wish { kNothing, kBegin, kEnd, kLook, kStop };

double thread_cpu_seconds() {
    timespec spent = {};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
    return static_cast<double>(spent.tv_sec) + 1e-9 * static_cast<double>(spent.tv_nsec);
}

}  // namespace

/// Held by the thread too, which may outlive the Sampler inside a driver's call.
struct Sampler::Shared {
    double interval = 0;
    OnSample on_sample;
    std::optional<Sensors> sensors;  // the thread's alone, but for what never changes
    std::vector<Channel> channels;
    std::thread thread;

    std::mutex mutex;
    std::condition_variable wake, done;
    int wish = kNothing;
    std::size_t asked = 0, answered = 0;
    bool open = false, stuck = false, finished = false;
    Window window;
    std::vector<std::optional<double>> values;
    double started = 0, cpu_seconds = 0;

    void run() {
        using Clock = std::chrono::steady_clock;
        const auto step =
            std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(interval));
        std::vector<std::optional<double>> fresh;
        std::unique_lock lock(mutex);
        for (Clock::time_point next = Clock::now(); wish != kStop;) {
            wake.wait_until(lock, next, [&] { return wish != kNothing; });
            if (wish == kStop) break;
            const int now_wish = std::exchange(wish, kNothing);
            const std::size_t answers = asked;
            lock.unlock();
            const double now = clock_seconds();
            sensors->read(now, fresh);
            if (on_sample) on_sample(now, fresh);
            lock.lock();
            if (now_wish == kBegin) {
                window = Window(channels, interval);
                open = true;
            }
            if (open) window.add(now, fresh);
            if (now_wish == kEnd) open = false;
            values = fresh;
            cpu_seconds = thread_cpu_seconds();
            if (now_wish != kNothing) {
                answered = answers;
                done.notify_all();
            }
            while (next <= Clock::now()) next += step;
        }
        finished = true;
        done.notify_all();
    }
};

Sampler::Sampler(double interval, pid_t process, OnSample on_sample) : shared_(std::make_shared<Shared>()) {
    shared_->interval = interval;
    if (interval <= 0) return;
    shared_->on_sample = std::move(on_sample);
    shared_->sensors.emplace(process);
    shared_->channels = shared_->sensors->channels();
    shared_->started = clock_seconds();
    // Signals are the other threads': there somebody waits for them.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    shared_->thread = std::thread([shared = shared_] { shared->run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Sampler::~Sampler() {
    if (!shared_->thread.joinable()) return;
    std::unique_lock lock(shared_->mutex);
    shared_->wish = kStop;
    shared_->wake.notify_all();
    const bool finished = shared_->done.wait_for(lock, shared_->stuck ? std::chrono::seconds(0) : kPatience,
                                                 [&] { return shared_->finished; });
    lock.unlock();
    if (finished) {
        shared_->thread.join();
    } else {
        shared_->thread.detach();
    }
}

bool Sampler::ask(int what) {
    if (!shared_->thread.joinable()) return false;
    std::unique_lock lock(shared_->mutex);
    if (shared_->stuck) return false;
    shared_->wish = what;
    const std::size_t number = ++shared_->asked;
    shared_->wake.notify_all();
    if (shared_->done.wait_for(lock, kPatience, [&] { return shared_->answered >= number; })) return true;
    shared_->stuck = true;
    log_line("tinyllm: a sensor does not answer: nothing is measured from here on");
    return false;
}

void Sampler::begin() {
    ask(kBegin);
}

Window Sampler::end() {
    if (!ask(kEnd)) return {};
    const std::lock_guard lock(shared_->mutex);
    return std::exchange(shared_->window, {});
}

std::optional<Hottest> Sampler::hottest() {
    if (!ask(kLook)) return {};
    const std::lock_guard lock(shared_->mutex);
    std::optional<Hottest> hottest;
    for (std::size_t i = 0; i < shared_->values.size(); ++i) {
        if (shared_->channels[i].quantity != Quantity::temperature || !shared_->values[i]) continue;
        if (!hottest || *shared_->values[i] > hottest->celsius)
            hottest = Hottest{*shared_->values[i], shared_->channels[i].name};
    }
    return hottest;
}

std::optional<double> Sampler::idle_watts(double seconds) {
    if (seconds <= 0 || !measures_energy()) return {};
    begin();
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    const Window window = end();
    const auto energy = energy_of(window);
    if (!energy || window.seconds() <= 0) return {};
    return energy->joules / window.seconds();
}

const std::vector<Channel>& Sampler::channels() const {
    return shared_->channels;
}
const std::vector<std::string>& Sampler::notes() const {
    static const std::vector<std::string> none;
    return shared_->sensors ? shared_->sensors->notes() : none;
}
const Json& Sampler::facts() const {
    static const Json none = Json::object();
    return shared_->sensors ? shared_->sensors->facts() : none;
}
bool Sampler::measures_energy() const {
    return shared_->sensors && shared_->sensors->measures_energy();
}

double Sampler::cost() const {
    const std::lock_guard lock(shared_->mutex);
    const double seconds = clock_seconds() - shared_->started;
    return shared_->cpu_seconds > 0 && seconds > 0 ? shared_->cpu_seconds / seconds : 0;
}

}  // namespace tinyllm::monitor
