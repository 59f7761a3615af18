#include "tools/study/worker.h"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <new>

#include "engine/fail.h"
#include "tinyllm/system.h"
#include "tools/board.h"
#include "tools/eval/machine.h"
#include "tools/model_flags.h"
#include "tools/monitor/cooldown.h"
#include "tools/monitor/usage.h"

namespace tinyllm::study {
namespace {

// The reader may be gone: then nobody is left to be told.
void tell(int events, const std::string& line) {
    const std::string text = line + "\n";
    [[maybe_unused]] const ssize_t n = ::write(events, text.data(), text.size());
}

Json peak_json() {
    const auto peak = peak_resident_bytes();
    return peak ? Json(*peak) : Json();
}

std::string results_folder(const WorkerJob& job) {
    return job.options->output;
}

Journal open_journal(const WorkerJob& job, const Cell& cell) {
    return Journal(journal_path(results_folder(job), cell.model, cell.type,
                                std::string(eval::protocol_name(cell.protocol)), cell.task),
                   cell.id(), cell_settings(*job.plan, cell, *job.options));
}

void end_all(const WorkerJob& job, const std::string& status, const std::string& reason) {
    for (std::size_t index : job.cells) {
        Journal journal = open_journal(job, job.plan->cells[index]);
        if (!journal.state().ended()) journal.add_end(status, reason);
    }
}

// What the sensors say while a process answers questions of one cell.
class Meter {
  public:
    Meter(monitor::Sampler& sampler, const monitor::MonitorFlags& flags) : sampler_(sampler), flags_(flags) {}

    void begin() {
        if (!open_) sampler_.begin();
        open_ = true;
    }
    void answered(const eval::Answer& answer) {
        ++questions_;
        correct_ += answer.prediction == answer.gold;
    }
    /// Waits where a sensor is at --max-temp; the pause is in no figure. Throws Error(check_failed).
    void keep_cool(const std::string& cell, int events) {
        constexpr double kLookEvery = 0.5, kCooler = 5;
        const double now = monitor::clock_seconds();
        if (flags_.max_temp <= 0 || now - looked_ < kLookEvery) return;
        looked_ = now;
        const auto hottest = sampler_.hottest();
        if (!hottest || hottest->celsius < flags_.max_temp) return;
        end();
        tell(events, "wait");
        if (!monitor::wait_until_cool(sampler_, flags_.max_temp - kCooler, flags_.patience, cell))
            fail(ErrorKind::check_failed,
                 "--max-temp {:.0f}: {} reached {:.1f} °C and stayed too hot for {:.0f} s; the same command "
                 "goes on where it was",
                 flags_.max_temp, hottest->sensor, hottest->celsius, flags_.patience);
        tell(events, "go");
    }
    /// How the board fared, `start` being 0; null where nothing that changes was measured.
    Json series(double start, const std::string& date) {
        end();
        Json series = measured_.trace().json(start);
        if (!series.is_object()) return nullptr;
        bool any = false;
        for (const auto& [key, values] : series.items()) any = any || (key != "t" && !values.is_null());
        if (!any) return nullptr;
        series["started"] = date;
        return series;
    }
    Json usage(const std::optional<double>& idle_watts) {
        end();
        Json usage = monitor::usage_json(measured_, idle_watts, sampler_.facts());
        usage["questions"] = questions_;
        usage["correct"] = correct_;
        monitor::add_joules_per_question(usage, questions_, static_cast<double>(correct_));
        return usage;
    }

  private:
    void end() {
        if (open_) measured_.add(sampler_.end());
        open_ = false;
    }
    monitor::Sampler& sampler_;
    const monitor::MonitorFlags& flags_;
    monitor::Window measured_;
    std::size_t questions_ = 0, correct_ = 0;
    double looked_ = 0;
    bool open_ = false;
};

struct Measuring {
    monitor::Sampler& sampler;
    std::optional<double> idle_watts;
    double start;      ///< of the process, on the samples' clock
    std::string date;  ///< the same for people
};

void run_cell(const WorkerJob& job, std::size_t index, const eval::Asker& asker, const LoadedModel& model,
              const Measuring& measuring, bool warm, int events) {
    const Cell& cell = job.plan->cells[index];
    Journal journal = open_journal(job, cell);
    const eval::Task& task = eval::find_task(cell.task);
    const eval::Questions questions =
        eval::load_questions(task, cell.protocol, job.plan->data.at({cell.protocol, cell.task}).file,
                             limit_of(*job.options, cell.task));
    eval::reset_peak_resident();
    journal.add_load(model.facts);
    std::size_t done = journal.state().answered;
    const std::size_t total = questions.examples.size();
    Meter meter(measuring.sampler, job.options->monitor);
    for (std::size_t i = 0; i < total; ++i) {
        if (i < journal.state().answers.size() && journal.state().answers[i]) continue;
        const eval::Example* example = &questions.examples[i];
        const eval::Prepared prepared = asker.prepare(*example, fmt::format("{} question {}", cell.task, i));
        const eval::Prepared* one = &prepared;
        // The first run of a process pays for memory and page faults that the others find done: it is not
        // timed.
        if (!warm) asker.answer(std::span(&one, 1), std::span(&example, 1));
        warm = true;
        meter.begin();
        const eval::Answer answer = asker.answer(std::span(&one, 1), std::span(&example, 1)).front();
        journal.add_answer(i, answer);
        meter.answered(answer);
        tell(events, fmt::format("item {} {}", ++done, total));
        meter.keep_cool(cell.id(), events);
    }
    journal.add_end("ok", "",
                    {{"questions", total},
                     {"rows", questions.rows},
                     {"notes", questions.notes},
                     {"peak_rss_bytes", peak_json()},
                     {"usage", meter.usage(measuring.idle_watts)},
                     {"series", meter.series(measuring.start, measuring.date)},
                     {"date", eval::utc_now()}});
}

}  // namespace

std::string status_of(const Error& error) {
    switch (error.kind()) {
        case ErrorKind::unsupported:
        case ErrorKind::device:
            return "unsupported";
        case ErrorKind::would_not_fit:
        case ErrorKind::out_of_memory:
            return "oom";
        default:
            return "failed";
    }
}

Loader engine_loader(const StudyOptions& options) {
    return [options](const StudyModel& model, const std::string& type) {
        ModelOptions how;
        how.device = options.device;
        how.threads = options.threads;
        how.cores = options.cores;
        how.exact = options.exact;
        how.packed_cache = options.packed_cache;
        if (type != "stored") how.type = dtype_from_name(type);
        const auto loaded = Model::load(model.path, how);
        say_warnings(*loaded);
        const ModelInfo& info = loaded->info();
        Json facts = {
            {"architecture", info.architecture}, {"parameters", info.parameters},
            {"weight_bytes", info.weight_bytes}, {"main_type", std::string(dtype_name(info.main_type))},
            {"context", info.context},           {"backend", info.backend},
            {"threads", info.threads},           {"cores", show_cores(info.cores)},
            {"load_ms", info.load_ms},           {"load_peak_rss_bytes", peak_json()}};
        return LoadedModel{eval::make_scorer(loaded), std::move(facts)};
    };
}

void run_worker(const WorkerJob& job, const Loader& loader, int events) {
    const Cell& any = job.plan->cells[job.cells.front()];
    LoadedModel model;
    const monitor::MonitorFlags& monitor = job.options->monitor;
    monitor::Sampler sampler(monitor.interval);
    const Measuring measuring{sampler, sampler.idle_watts(monitor.idle), monitor::clock_seconds(),
                              eval::utc_now()};
    tell(events, "load");
    try {
        eval::reset_peak_resident();
        model = loader(job.plan->model(any.model), any.type);
    } catch (const Error& error) {
        end_all(job, status_of(error), error.what());
        return;
    } catch (const std::bad_alloc&) {
        end_all(job, "oom", "out of memory while loading");
        return;
    }
    tell(events, "loaded");
    std::map<eval::Protocol, bool> warm;
    for (std::size_t index : job.cells) {
        const Cell& cell = job.plan->cells[index];
        if (monitor.cooldown > 0)
            monitor::wait_until_cool(sampler, monitor.cooldown, monitor.patience, cell.id());
        tell(events, fmt::format("cell {}", index));
        try {
            const eval::Asker asker(model.scorer, cell.protocol);
            run_cell(job, index, asker, model, measuring, warm[cell.protocol], events);
            warm[cell.protocol] = true;
        } catch (const Error& error) {
            if (error.kind() == ErrorKind::check_failed) throw;
            // A journal that cannot be written is nothing a journal can tell of.
            if (error.kind() == ErrorKind::runtime &&
                std::string(error.what()).find(results_folder(job)) == 0)
                throw;
            open_journal(job, cell).add_end(status_of(error), error.what());
        } catch (const std::bad_alloc&) {
            open_journal(job, cell).add_end("oom", "out of memory while answering");
        }
        tell(events, fmt::format("end {}", index));
    }
}

}  // namespace tinyllm::study
