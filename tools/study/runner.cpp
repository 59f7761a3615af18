#include "tools/study/runner.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>

#include "engine/fail.h"
#include "tools/log.h"
#include "tools/signals.h"

namespace tinyllm::study {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

Journal open_journal(const Plan& plan, const StudyOptions& options, const Cell& cell) {
    return Journal(journal_path(options.output, cell.model, cell.type,
                                std::string(eval::protocol_name(cell.protocol)), cell.task),
                   cell.id(), cell_settings(plan, cell, options));
}

// What the child says, line by line, and what the terminal shows of it.
struct Watch {
    explicit Watch(const Plan& watched) : plan(watched) {}

    const Plan& plan;
    std::size_t cells_done = 0, cells_total = 0;
    std::optional<std::size_t> cell;  // at work
    bool loading = false, loaded = false, waiting = false;
    Clock::time_point cell_start = Clock::now(), wait_start;
    std::string pending;
    std::string failure;  // why the child stopped, in its own words

    void line(const std::string& text) {
        if (text == "load") {
            loading = true;
            cell_start = Clock::now();
        } else if (text == "loaded") {
            loading = false;
            loaded = true;
        } else if (text.rfind("cell ", 0) == 0) {
            cell = std::stoul(text.substr(5));
            cell_start = Clock::now();
            show("");
        } else if (text.rfind("item ", 0) == 0) {
            show(text.substr(5));
        } else if (text == "wait") {
            waiting = true;
            wait_start = Clock::now();
        } else if (text == "go") {  // a pause is not the cell's time
            waiting = false;
            cell_start += Clock::now() - wait_start;
        } else if (text.rfind("end ", 0) == 0) {
            ++cells_done;
            cell.reset();
        } else if (text.rfind("fail ", 0) == 0) {
            failure = text.substr(5);
        }
    }
    void start() {
        cell.reset();
        failure.clear();
        loading = loaded = waiting = false;
        cell_start = Clock::now();
    }
    void bytes(const char* data, std::size_t n) {
        pending.append(data, n);
        for (std::size_t end; (end = pending.find('\n')) != std::string::npos; pending.erase(0, end + 1))
            line(pending.substr(0, end));
    }
    void show(const std::string& items) const {
        if (!show_progress() || !cell) return;
        fmt::print(stderr, "\r\033[K[{}/{}] {} {}", cells_done + 1, cells_total, plan.cells[*cell].id(),
                   items);
        std::fflush(stderr);
    }
    static void clear() {
        if (show_progress()) fmt::print(stderr, "\r\033[K");
    }
};

struct Child {
    pid_t pid = -1;
    int events = -1;
};

// The parent says it, as its own one line.
void tell_failure(int events, std::string message) {
    std::replace(message.begin(), message.end(), '\n', ' ');
    message = "fail " + message + "\n";
    [[maybe_unused]] const ssize_t n = ::write(events, message.data(), message.size());
}

Child start_child(const WorkerJob& job, const Loader& loader) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        fail(ErrorKind::runtime, "cannot make a pipe: {}", std::strerror(errno));
    std::fflush(nullptr);
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) fail(ErrorKind::runtime, "cannot start a process: {}", std::strerror(errno));
    if (pid > 0) {
        ::close(ends[1]);
        return {pid, ends[0]};
    }
    // The child: ends with its parent, leaves the terminal's Ctrl-C to it.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::signal(SIGINT, SIG_IGN);
    ::signal(SIGTERM, SIG_DFL);
    if (::getppid() != parent) ::_exit(1);
    ::close(ends[0]);
    int code = 0;
    try {
        run_worker(job, loader, ends[1]);
    } catch (const Error& error) {
        tell_failure(ends[1], error.what());
        code = static_cast<int>(error.kind());
    } catch (const std::exception& error) {
        tell_failure(ends[1], error.what());
        code = static_cast<int>(ErrorKind::runtime);
    }
    ::_exit(code);
}

enum class Ended { by_itself, by_timeout, by_signal };

Ended watch_child(const Child& child, const StudyOptions& options, Watch& watch) {
    Ended ended = Ended::by_itself;
    char buffer[4096];
    while (true) {
        pollfd wait{child.events, POLLIN, 0};
        const int ready = ::poll(&wait, 1, 200);
        if (stop_requested() && ended == Ended::by_itself) {
            ended = Ended::by_signal;
            ::kill(child.pid, SIGTERM);
        }
        if (options.timeout > 0 && ended == Ended::by_itself && (watch.cell || watch.loading) &&
            !watch.waiting &&
            std::chrono::duration<double>(Clock::now() - watch.cell_start).count() > options.timeout) {
            ended = Ended::by_timeout;
            ::kill(child.pid, SIGKILL);
        }
        if (ready <= 0) continue;
        const ssize_t n = ::read(child.events, buffer, sizeof buffer);
        if (n == 0) return ended;
        if (n < 0 && errno != EINTR && errno != EAGAIN) return ended;
        if (n > 0) watch.bytes(buffer, static_cast<std::size_t>(n));
    }
}

std::string shown_result(const Plan& plan, const StudyOptions& options, std::size_t index) {
    const Cell& cell = plan.cells[index];
    const auto state = read_journal(journal_path(options.output, cell.model, cell.type,
                                                 std::string(eval::protocol_name(cell.protocol)), cell.task));
    if (!state || !state->ended()) return "not finished";
    if (state->status() != "ok")
        return fmt::format("{}: {}", state->status(), state->end.value("reason", ""));
    std::size_t hits = 0;
    double ms = 0;
    for (const auto& answer : state->answers) {
        if (!answer) continue;
        hits += answer->prediction == answer->gold;
        ms += answer->ms;
    }
    const auto n = static_cast<double>(std::max<std::size_t>(state->answered, 1));
    return fmt::format("accuracy {:.1f} %, {:.2f} ms a question", 100 * static_cast<double>(hits) / n,
                       ms / n);
}

// What a death is put down to: the cell at work; the next one where the model was loaded and none was begun;
// else all of them, since the next process would die of the same load.
std::vector<std::size_t> blamed(const Plan& plan, const StudyOptions& options, const Watch& watch,
                                const std::vector<std::size_t>& cells) {
    if (watch.cell) return {*watch.cell};
    if (!watch.loaded) return cells;
    for (std::size_t index : cells)
        if (!open_journal(plan, options, plan.cells[index]).state().ended()) return {index};
    return {};
}

// The child died of something it could not write down itself.
void record_death(const Plan& plan, const StudyOptions& options, const std::vector<std::size_t>& cells,
                  Ended ended, int status) {
    std::string what = "failed", reason;
    if (ended == Ended::by_timeout) {
        what = "timeout";
        reason = fmt::format("longer than {} s", options.timeout);
    } else if (WIFSIGNALED(status)) {
        const int number = WTERMSIG(status);
        // Nobody but the kernel, short of memory, kills a worker this way.
        if (number == SIGKILL) what = "oom";
        reason = fmt::format("the process was ended by signal {} ({}){}", number, strsignal(number),
                             number == SIGKILL ? ", as the kernel does when memory runs out" : "");
    } else {
        reason = fmt::format("the process ended with exit code {}", WEXITSTATUS(status));
    }
    for (std::size_t index : cells) {
        Journal journal = open_journal(plan, options, plan.cells[index]);
        if (!journal.state().ended()) journal.add_end(what, reason);
    }
}

void remove_finished(const Plan& plan, const StudyOptions& options, std::vector<std::size_t>& cells) {
    std::erase_if(cells, [&](std::size_t index) {
        return open_journal(plan, options, plan.cells[index]).state().ended();
    });
}

// All cells of one model and type, in as many processes as it takes. False after a signal.
bool run_group(const Plan& plan, const StudyOptions& options, const Loader& loader,
               std::vector<std::size_t> cells, Watch& watch) {
    while (!cells.empty()) {
        const Child child = start_child({&plan, &options, cells}, loader);
        watch.start();
        const Ended ended = watch_child(child, options, watch);
        int status = 0;
        while (::waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
        }
        ::close(child.events);
        Watch::clear();
        if (ended == Ended::by_signal) return false;
        const bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        if (ended == Ended::by_itself && WIFEXITED(status) && WEXITSTATUS(status) != 0)
            fail(static_cast<ErrorKind>(WEXITSTATUS(status)), "{}",
                 watch.failure.empty()
                     ? fmt::format("the worker of {} stopped", plan.cells[cells.front()].model)
                     : watch.failure);
        if (!clean) record_death(plan, options, blamed(plan, options, watch, cells), ended, status);
        const std::size_t before = cells.size();
        const std::vector<std::size_t> were = cells;
        remove_finished(plan, options, cells);
        for (std::size_t index : were)
            if (std::find(cells.begin(), cells.end(), index) == cells.end())
                note("{}: {}", plan.cells[index].id(), shown_result(plan, options, index));
        if (cells.size() == before)
            fail(ErrorKind::runtime, "the worker of {} ended without a result",
                 plan.cells[cells.front()].model);
    }
    return true;
}

}  // namespace

ResultsLock::ResultsLock(const std::string& folder) {
    std::error_code error;
    fs::create_directories(fs::path(folder) / "journal", error);
    if (error) fail(ErrorKind::runtime, "{}: cannot be created: {}", folder, error.message());
    const std::string path = (fs::path(folder) / ".lock").string();
    file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (file_ < 0) fail(ErrorKind::runtime, "{}: cannot be written: {}", path, std::strerror(errno));
    // A worker whose study was just killed holds the lock for another moment.
    for (int tries = 0; ::flock(file_, LOCK_EX | LOCK_NB) != 0; ++tries) {
        if (tries == 20) fail(ErrorKind::runtime, "{}: another tinyllm study is writing there", folder);
        ::usleep(50'000);
    }
}

ResultsLock::~ResultsLock() {
    if (file_ >= 0) ::close(file_);
}

bool run_plan(const Plan& plan, const StudyOptions& options, const Loader& loader) {
    const CooperativeStop stop;
    std::vector<std::vector<std::size_t>> groups;
    Watch watch(plan);
    for (std::size_t i = 0; i < plan.cells.size(); ++i) {
        const Cell& cell = plan.cells[i];
        if (!cell.runs()) continue;
        const auto path = journal_path(options.output, cell.model, cell.type,
                                       std::string(eval::protocol_name(cell.protocol)), cell.task);
        if (options.fresh) fs::remove(path);
        const Journal journal = open_journal(plan, options, cell);
        if (journal.was_stale())
            note(
                "tinyllm: {}: the journal is of another model, data, version or settings; it is kept as "
                "*.stale",
                cell.id());
        if (journal.state().ended()) continue;
        ++watch.cells_total;
        const bool same = !groups.empty() && plan.cells[groups.back().front()].model == cell.model &&
                          plan.cells[groups.back().front()].type == cell.type;
        if (!same) groups.emplace_back();
        groups.back().push_back(i);
    }
    for (const auto& group : groups) {
        if (stop_requested() || !run_group(plan, options, loader, group, watch)) return false;
    }
    return !stop_requested();
}

}  // namespace tinyllm::study
