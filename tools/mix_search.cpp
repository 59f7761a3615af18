#include "tools/mix_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "engine/fail.h"
#include "tinyllm/model.h"
#include "tools/board.h"
#include "tools/divergence.h"
#include "tools/log.h"
#include "tools/mix_path.h"

namespace tinyllm {
namespace {

constexpr std::int64_t kAlignment = 32;  // of a tensor in a file
constexpr double kProbeBits = 4.6;       // the largest type a sensitivity is measured with
constexpr double kLeastCost =
    1e-12;  // of a kind that changes no prediction: its smaller types still come later
constexpr double kThinning = 0.99;  // accuracies are measured of mixes that differ by a hundredth in size

std::int64_t padded(std::int64_t bytes) {
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

std::int64_t bytes_of(const TensorReport& tensor) {
    std::int64_t rows = 1;
    for (std::size_t i = 0; i + 1 < tensor.shape.size(); ++i) rows *= tensor.shape[i];
    const std::int64_t cols = tensor.shape.empty() ? 1 : tensor.shape.back();
    return padded(rows * static_cast<std::int64_t>(row_bytes(tensor.to, cols)));
}

/// "blk.7.ffn_up.weight" -> "blk.#.ffn_up.weight"
std::string kind_of(const std::string& name) {
    std::string kind;
    for (std::size_t i = 0; i < name.size(); ++i) {
        const bool digit = name[i] >= '0' && name[i] <= '9';
        if (digit && i > 0 && (name[i - 1] == '.' || kind.back() == '#')) {
            if (kind.back() != '#') kind += '#';
        } else {
            kind += name[i];
        }
    }
    return kind;
}

/// A rule that matches this name alone.
std::pair<std::string, DType> exact_rule(const std::string& name, DType type) {
    std::string pattern = "^";
    for (const char c : name) {
        if (std::string_view("\\^$.|?*+()[]{}").find(c) != std::string_view::npos) pattern += '\\';
        pattern += c;
    }
    return {pattern + "$", type};
}

/// A file of a mix on trial, gone afterwards.
class Trial {
  public:
    explicit Trial(std::string path) : path_(std::move(path)) {}
    ~Trial() {
        std::error_code ignored;
        std::filesystem::remove(path_, ignored);
    }
    Trial(const Trial&) = delete;
    Trial& operator=(const Trial&) = delete;
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

class Search {
  public:
    Search(const std::string& input, const ConvertOptions& base, const MixGoal& goal)
        : input_(input), base_(base), goal_(goal) {}

    FoundMix run() {
        measure_errors();
        check_reachable();
        measure_sensitivities();
        path_ = mix_path(weights_);
        const std::size_t steps = goal_.accuracy ? steps_by_accuracy() : steps_by_size();
        FoundMix found{options_after(steps), std::move(report_)};
        found.report["bytes"] = size_after(steps);
        found.report["predicted_divergence"] = cost_after(steps);
        return found;
    }

  private:
    /// Which types each weight can have, and how large and how wrong it then is.
    void measure_errors() {
        for (const DType type : all_dtypes()) {
            if (type == DType::f32 || type == DType::bf16) continue;
            ConvertOptions options = base_;
            options.type = type;
            options.dry_run = true;
            options.fallback = false;
            const ConvertReport report = convert_to_gguf(input_, "", options);
            if (type == DType::f16) {
                start(report);
            } else {
                for (const TensorReport& tensor : report.tensors) add_choice(tensor, type);
            }
        }
        if (weights_.empty()) fail(ErrorKind::usage, "{}: no tensor's type is left to choose", input_);
        for (const MixWeight& weight : weights_) choices_.push_back(worthwhile(weight.choices));
    }

    static MixChoice choice_of(const TensorReport& tensor) {
        const double error = tensor.weighted_error > 0 ? tensor.weighted_error : tensor.rms_error;
        return {tensor.to, bytes_of(tensor), error * error};
    }

    /// Every matrix that can be f16 is ours to choose, so far.
    void start(const ConvertReport& report) {
        others_ = report.bytes;
        parameters_ = report.parameters;
        for (const TensorReport& tensor : report.tensors) {
            if (tensor.shape.size() < 2 || tensor.to != DType::f16 || !tensor.note.empty()) continue;
            weights_.push_back({tensor.name, {choice_of(tensor)}, 1});
            others_ -= weights_.back().choices.front().bytes;
        }
    }

    void add_choice(const TensorReport& tensor, DType type) {
        const auto weight = std::ranges::find(weights_, tensor.name, &MixWeight::name);
        if (weight == weights_.end() || !tensor.note.empty()) return;  // a note: its rows do not fit the type
        if (tensor.to == type) {
            weight->choices.push_back(choice_of(tensor));
        } else {  // a rule of the user's has it f16 whatever is asked
            others_ += weight->choices.front().bytes;
            weights_.erase(weight);
        }
    }

    void check_reachable() const {
        std::int64_t smallest = others_;
        for (const std::vector<MixChoice>& choices : choices_) smallest += choices.back().bytes;
        if (!goal_.bytes || smallest <= *goal_.bytes) return;
        fail(ErrorKind::check_failed, "{}: the smallest mix has {} bytes, the target is {}", input_, smallest,
             *goal_.bytes);
    }

    void measure_sensitivities() {
        note("measuring what errors cost");
        const Predictions predictions(input_, goal_.text);
        std::map<std::string, std::vector<std::size_t>> kinds;
        for (std::size_t i = 0; i < weights_.size(); ++i) {
            if (choices_[i].size() > 1) kinds[kind_of(weights_[i].name)].push_back(i);
        }
        report_["positions"] = predictions.positions();
        report_["kinds"] = Json::array();
        for (const auto& [kind, members] : kinds) {
            ConvertOptions options;
            options.imatrix = base_.imatrix;
            double error = 0;
            std::string probe;
            for (const std::size_t i : members) {
                const MixChoice& choice = probe_of(i);
                error += choice.error;
                probe = dtype_name(choice.type);
                options.tensor_types.push_back(exact_rule(weights_[i].name, choice.type));
            }
            const Trial trial(goal_.scratch);
            convert_to_gguf(input_, trial.path(), options);
            const double divergence = std::max(predictions.divergence_of(trial.path()), kLeastCost);
            for (const std::size_t i : members)
                weights_[i].sensitivity = error > 0 ? divergence / error : kLeastCost;
            note("  {} alone as {}: divergence {:.3g}", kind, probe, divergence);
            report_["kinds"].push_back(
                {{"kind", kind}, {"type", probe}, {"tensors", members.size()}, {"divergence", divergence}});
        }
    }

    /// The largest of a weight's choices that has few enough bits for its error to show.
    const MixChoice& probe_of(std::size_t i) const {
        for (const MixChoice& choice : choices_[i]) {
            const auto block = dtype_block(choice.type);
            const double bits =
                8.0 * static_cast<double>(row_bytes(choice.type, block)) / static_cast<double>(block);
            if (bits < kProbeBits) return choice;
        }
        return choices_[i].back();
    }

    std::int64_t size_after(std::size_t steps) const {
        std::int64_t bytes = others_;
        for (const std::vector<MixChoice>& choices : choices_) bytes += choices.front().bytes;
        for (std::size_t i = 0; i < steps; ++i) bytes -= path_[i].saved;
        return bytes;
    }

    double cost_after(std::size_t steps) const {
        double cost = 0;
        for (std::size_t i = 0; i < weights_.size(); ++i)
            cost += weights_[i].sensitivity * choices_[i].front().error;
        for (std::size_t i = 0; i < steps; ++i) cost += path_[i].cost;
        return cost;
    }

    ConvertOptions options_after(std::size_t steps) const {
        std::vector<std::size_t> choice(weights_.size(), 0);
        for (std::size_t i = 0; i < steps; ++i) choice[path_[i].weight] = path_[i].choice;
        ConvertOptions options = base_;
        std::vector<std::pair<std::string, DType>> rules;
        for (std::size_t i = 0; i < weights_.size(); ++i) {
            rules.push_back(exact_rule(weights_[i].name, choices_[i][choice[i]].type));
        }
        options.tensor_types.insert(options.tensor_types.end(), rules.begin(), rules.end());
        return options;
    }

    std::string show(std::size_t steps) const {
        const std::int64_t bytes = size_after(steps);
        return fmt::format(
            "{} ({} bytes, {:.3f} bits per weight, predicted divergence {:.3g})", show_bytes(bytes), bytes,
            8.0 * static_cast<double>(bytes) / static_cast<double>(std::max<std::int64_t>(parameters_, 1)),
            cost_after(steps));
    }

    std::size_t steps_by_size() {
        std::size_t steps = 0;
        while (size_after(steps) > *goal_.bytes) ++steps;  // the last step is small enough: check_reachable()
        note("a mix of {}", show(steps));
        return steps;
    }

    bool keeps_accuracy(std::size_t steps) {
        const Trial trial(goal_.scratch);
        convert_to_gguf(input_, trial.path(), options_after(steps));
        const std::vector<double> found = goal_.meter->measure(Model::load(trial.path()));
        bool keeps = true;
        for (std::size_t i = 0; i < found.size(); ++i)
            keeps &= found[i] >= *goal_.accuracy * stored_accuracy_[i];
        note("  {}: {}: {}", show(steps), show_accuracies(found), keeps ? "keeps it" : "too little");
        report_["tried"].push_back({{"bytes", size_after(steps)}, {"accuracy", found}, {"keeps", keeps}});
        last_ = show_accuracies(found);
        return keeps;
    }

    std::string show_accuracies(const std::vector<double>& values) const {
        std::string text;
        for (std::size_t i = 0; i < values.size(); ++i) {
            text += fmt::format("{}{} {:.4f}", i ? ", " : "", goal_.meter->tasks()[i], values[i]);
        }
        return text;
    }

    /// Smaller is taken for never better: the bisection finds one border between mixes that keep the accuracy
    /// and mixes that do not.
    std::size_t steps_by_accuracy() {
        stored_accuracy_ = goal_.meter->measure(Model::load(input_));
        note("the model as stored: {}; a mix is to keep {} of each", show_accuracies(stored_accuracy_),
             *goal_.accuracy);
        report_["tasks"] = goal_.meter->tasks();
        report_["stored_accuracy"] = stored_accuracy_;
        report_["tried"] = Json::array();
        std::vector<std::size_t> marks = {0};
        for (std::size_t steps = 1; steps <= path_.size(); ++steps) {
            const auto least = kThinning * static_cast<double>(size_after(marks.back()));
            if (static_cast<double>(size_after(steps)) <= least || steps == path_.size())
                marks.push_back(steps);
        }
        std::size_t keeps = 0, loses = marks.size();
        if (!keeps_accuracy(marks[0])) {
            fail(ErrorKind::check_failed,
                 "{}: even the most accurate mix, {}, keeps less than {} of the accuracy: {}, as stored {}",
                 input_, show(0), *goal_.accuracy, last_, show_accuracies(stored_accuracy_));
        }
        while (loses - keeps > 1) {
            const std::size_t middle = keeps + (loses - keeps) / 2;
            (keeps_accuracy(marks[middle]) ? keeps : loses) = middle;
        }
        const std::size_t steps = marks[keeps];
        if (goal_.bytes && size_after(steps) > *goal_.bytes) {
            fail(ErrorKind::check_failed,
                 "{}: the smallest mix that keeps {} of the accuracy has {} bytes, the target is {}", input_,
                 *goal_.accuracy, size_after(steps), *goal_.bytes);
        }
        note("a mix of {}", show(steps));
        return steps;
    }

    const std::string& input_;
    const ConvertOptions& base_;
    const MixGoal& goal_;
    std::vector<MixWeight> weights_;
    std::vector<std::vector<MixChoice>> choices_;  // of weights_, the worthwhile ones
    std::vector<MixStep> path_;
    std::int64_t others_ = 0;  // bytes of the file that no choice changes
    std::int64_t parameters_ = 0;
    std::vector<double> stored_accuracy_;
    std::string last_;
    Json report_;
};

}  // namespace

FoundMix find_mix(const std::string& input, const ConvertOptions& base, const MixGoal& goal) {
    return Search(input, base, goal).run();
}

std::int64_t parse_target_size(const std::string& text, std::int64_t parameters) {
    constexpr std::pair<std::string_view, double> kUnits[] = {
        {"", 1},     {"K", 1e3},  {"M", 1e6},      {"G", 1e9},         {"KB", 1e3},
        {"MB", 1e6}, {"GB", 1e9}, {"KiB", 1024.0}, {"MiB", 1048576.0}, {"GiB", 1073741824.0}};
    std::size_t used = 0;
    double value = 0;
    try {
        value = std::stod(text, &used);
    } catch (const std::exception&) {
    }
    const std::string unit = text.substr(used);
    const auto* found = std::ranges::find(kUnits, unit, &std::pair<std::string_view, double>::first);
    const bool share = unit.empty() && value < 1;
    const double bytes = share                       ? value * 4 * static_cast<double>(parameters)
                         : found != std::end(kUnits) ? value * found->second
                                                     : 0;
    if (used == 0 || !(bytes >= 1 && bytes < 0x1p62)) {
        fail(ErrorKind::usage,
             "--target-size: expected bytes (60M, 57MiB) or a share of the size in f32 below 1, found '{}'",
             text);
    }
    return static_cast<std::int64_t>(bytes);
}

}  // namespace tinyllm
