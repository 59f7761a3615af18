// tinyllm monitor: samples of the board's sensors, alone or while a command runs.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <mutex>

#include "engine/fail.h"
#include "tools/board.h"
#include "tools/command.h"
#include "tools/log.h"
#include "tools/monitor/flags.h"
#include "tools/monitor/held_command.h"
#include "tools/monitor/sample_log.h"
#include "tools/monitor/usage.h"
#include "tools/output.h"
#include "tools/signals.h"

namespace tinyllm {
namespace {

struct MonitorOptions {
    double interval = 1, duration = 0, idle = 0;
    std::string output, import;
    std::vector<std::string> command;
};

/// Lines on their way out: as they come, so that a log of days is there when the power goes.
class LogOutput {
  public:
    explicit LogOutput(const std::string& path) : path_(path) {
        if (path.empty()) return;
        file_.open(path, std::ios::binary | std::ios::trunc);
        if (!file_) fail(ErrorKind::runtime, "{}: cannot be written", path);
    }
    void line(const Json& document) {
        if (closed_) return;
        const std::string text = dump_json(document) + "\n";
        if (!path_.empty()) {
            file_ << text << std::flush;
            if (!file_) fail(ErrorKind::runtime, "{}: cannot be written", path_);
            return;
        }
        try {
            print(text);
        } catch (const ClosedPipe&) {
            closed_ = true;
            // The command may run on, and its exit code is still wanted: what is left to say goes nowhere.
            const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
            if (nowhere >= 0) ::dup2(nowhere, STDOUT_FILENO);
            if (nowhere >= 0) ::close(nowhere);
            std::clearerr(stdout);
            std::cout.clear();
        }
    }
    bool closed() const { return closed_; }

  private:
    std::string path_;
    std::ofstream file_;
    bool closed_ = false;
};

/// What the sampling thread hands to the one that writes.
class SampleQueue {
  public:
    void add(double now, std::span<const std::optional<double>> values) {
        const std::lock_guard lock(mutex_);
        samples_.emplace_back(now, std::vector(values.begin(), values.end()));
    }
    std::vector<std::pair<double, std::vector<std::optional<double>>>> take() {
        const std::lock_guard lock(mutex_);
        return std::exchange(samples_, {});
    }

  private:
    std::mutex mutex_;
    std::vector<std::pair<double, std::vector<std::optional<double>>>> samples_;
};

int import_log(const MonitorOptions& options) {
    const std::string text = read_file(options.import);
    LogOutput output(options.output);
    output.line(monitor::log_header(options.interval, {}, {}, Json::object()));
    const monitor::Window window =
        monitor::replay_tegrastats(text, options.import, options.interval,
                                   [&](double t, const std::vector<monitor::Channel>& channels,
                                       std::span<const std::optional<double>> values) {
                                       output.line(monitor::log_sample(t, channels, values));
                                   });
    const Json usage = monitor::usage_json(window, {}, Json::object());
    output.line({{"summary", usage}});
    note("{}", monitor::usage_words(usage));
    return 0;
}

/// Ctrl-C at a terminal reaches the command by itself; any other signal is passed on to it.
void pass_on(const monitor::HeldCommand& command) {
    const int signal = stop_exit_code(128) - 128;
    const bool by_terminal = signal == SIGINT && ::tcgetpgrp(STDIN_FILENO) == ::getpgrp();
    if (!by_terminal) command.send(signal);
}

int watch(const MonitorOptions& options) {
    const CooperativeStop stop;
    std::optional<monitor::HeldCommand> command;
    if (!options.command.empty()) command.emplace(options.command, options.output.empty());
    LogOutput output(options.output);
    SampleQueue queue;
    monitor::Sampler sampler(
        options.interval, command ? command->pid() : 0,
        [&](double now, std::span<const std::optional<double>> values) { queue.add(now, values); });
    output.line(monitor::log_header(options.interval, options.command, sampler.notes(), sampler.facts()));
    const auto idle = sampler.idle_watts(options.idle);
    queue.take();
    const double start = monitor::clock_seconds();
    const auto write_samples = [&] {
        for (const auto& [now, values] : queue.take())
            output.line(monitor::log_sample(std::max(now - start, 0.0), sampler.channels(), values));
    };
    sampler.begin();
    if (command) command->release();

    std::optional<monitor::Window> window;
    std::optional<int> code;
    for (bool told = false;;) {
        if (command) code = command->ended();
        const bool over = options.duration > 0 && monitor::clock_seconds() - start >= options.duration;
        if (!window && (over || code || (!command && (stop_requested() || output.closed()))))
            window = sampler.end();
        if (!window) write_samples();
        if (window && (code || !command)) break;
        if (command && stop_requested() && !told) {
            pass_on(*command);
            told = true;
        }
        ::usleep(10'000);
    }
    write_samples();
    Json usage = monitor::usage_json(*window, idle, sampler.facts());
    usage["sampling_cpu"] = sampler.cost();
    if (command)
        usage["command"] = {
            {"exit_code", *code}, {"cpu_s", command->cpu_seconds()}, {"rss_peak", command->peak_bytes()}};
    output.line({{"summary", usage}});
    std::string words = monitor::usage_words(usage);
    if (command)
        words += fmt::format("command       exit code {}, {:.2f} s of CPU, peak {}\n", *code,
                             command->cpu_seconds(), show_bytes(command->peak_bytes()));
    for (const std::string& refused : sampler.notes()) words += "not readable  " + refused + "\n";
    words.pop_back();
    note("{}", words);
    return command ? *code : stop_exit_code(0);
}

std::function<int()> add_monitor(CLI::App& app) {
    auto options = std::make_shared<MonitorOptions>();
    monitor::add_seconds(app, "--interval", options->interval, "Time from sample to sample")
        ->default_str("1s");
    monitor::add_seconds(app, "--duration", options->duration,
                         "How long samples are taken; without it until the command ends, or Ctrl-C");
    monitor::add_seconds(app, "--idle", options->idle,
                         "Rest before the command, whose power net energy leaves out; only where power is "
                         "measured");
    CLI::Option* import = app.add_option("--import", options->import,
                                         "Read lines that tegrastats wrote, --interval apart, in place of "
                                         "this machine's sensors");
    import->type_name("FILE");
    app.add_option("-o,--output", options->output, "Write samples here in place of standard output")
        ->type_name("PATH");
    app.add_option("COMMAND", options->command, "What to run and watch, behind --")->excludes(import);
    return [options] {
        if (options->interval < 0.001)
            fail(ErrorKind::usage, "--interval: expected at least 1ms, found {} s", options->interval);
        return options->import.empty() ? watch(*options) : import_log(*options);
    };
}

}  // namespace

const Command& command_monitor() {
    static const Command command{
        "monitor", "Power, temperature, clocks and memory of the board, alone or while a command runs",
        add_monitor};
    return command;
}

}  // namespace tinyllm
