#include "tools/study/study_file.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <set>

#include "engine/fail.h"
#include "tinyllm/dtype.h"
#include "tinyllm/system.h"
#include "tools/eval/find_data.h"
#include "tools/eval/text.h"
#include "tools/output.h"
#include "tools/yaml_text.h"

namespace tinyllm::study {
namespace {

using Apply = std::function<void(StudyOptions&)>;
using Names = std::vector<std::string>;

class StudyReader {
  public:
    StudyReader(const std::string& file, StudyFile& study) : file_(file), study_(study) {}

    void read(const YamlNode& root);

    [[noreturn]] void refuse(const YamlNode& node, const std::string& expected) const {
        fail(ErrorKind::usage, "{}:{}: expected {}, found {}", file_, node.line, expected, node.shown());
    }

    const std::string& text(const YamlNode& node, const std::string& what) const {
        if (node.kind != YamlNode::Kind::scalar || node.text.empty()) refuse(node, what);
        if (node.text.find_first_of(std::string_view("\0\n\r", 3)) != std::string::npos)
            refuse(node, what + " in one line");
        return node.text;
    }
    bool yes(const YamlNode& node, const std::string& key) const {
        if (node.kind == YamlNode::Kind::scalar && (node.text == "true" || node.text == "yes")) return true;
        if (node.kind == YamlNode::Kind::scalar && (node.text == "false" || node.text == "no")) return false;
        refuse(node, "true or false for " + key);
    }
    double number(const YamlNode& node, double low, double high, const std::string& what) const {
        double value = NAN;
        if (node.kind == YamlNode::Kind::scalar) {
            const char* end = node.text.data() + node.text.size();
            const auto [stopped, error] = std::from_chars(node.text.data(), end, value);
            if (error != std::errc() || stopped != end) value = NAN;
        }
        if (!(value >= low && value <= high)) refuse(node, what);
        return value;
    }
    /// 12, 135M, 1.1B: `units` are the letters that may stand behind, a thousand times more each.
    std::int64_t count(const YamlNode& node, const std::string& units, const std::string& what) const {
        YamlNode digits = node;
        double scale = 1;
        if (node.kind == YamlNode::Kind::scalar && !node.text.empty()) {
            if (const std::size_t at = units.find(node.text.back()); at != std::string::npos) {
                digits.text.pop_back();
                for (std::size_t i = 0; i <= at; ++i) scale *= 1000;
            }
        }
        double value = NAN;
        const char* end = digits.text.data() + digits.text.size();
        const auto [stopped, error] = std::from_chars(digits.text.data(), end, value);
        constexpr double kMost = 1e15;
        if (error != std::errc() || stopped != end || !(value > 0 && value * scale <= kMost))
            refuse(node, what);
        return std::llround(value * scale);
    }
    /// A list, or one alone; each once.
    Names list(const YamlNode& node, const std::string& what,
               const std::function<void(const YamlNode&)>& check = nullptr) const {
        Names names;
        const auto add = [&](const YamlNode& item) {
            const std::string& name = text(item, what);
            if (check) check(item);
            if (std::find(names.begin(), names.end(), name) != names.end()) refuse(item, what + " once");
            names.push_back(name);
        };
        if (node.kind == YamlNode::Kind::sequence) {
            for (const YamlNode& item : node.items) add(item);
        } else {
            add(node);
        }
        if (names.empty()) refuse(node, "at least " + what);
        return names;
    }
    void one_of(const YamlNode& node, const Names& names, const std::string& what) const {
        if (std::find(names.begin(), names.end(), text(node, what)) != names.end()) return;
        std::string known;
        for (const std::string& name : names) eval::list_item(known, name);
        refuse(node, what + ": " + known);
    }

  private:
    Apply models(const YamlNode& node) const;
    Apply limits(const YamlNode& node) const;

    const std::string& file_;
    StudyFile& study_;
};

Names task_names(bool with_all) {
    Names names;
    for (const auto make : all_tasks()) names.emplace_back(make().name);
    if (with_all) names.emplace_back("all");
    return names;
}

Names type_names() {
    Names names = {"stored"};
    for (DType type : all_dtypes()) names.emplace_back(dtype_name(type));
    return names;
}

Apply StudyReader::models(const YamlNode& node) const {
    Names names;
    std::map<std::string, StatedModel> stated;
    const std::string what = "a model (a folder, a file or org/name)";
    const auto add = [&](const YamlNode& item) {
        const YamlNode* name = &item;
        StatedModel facts;
        if (item.kind == YamlNode::Kind::map) {
            name = nullptr;
            for (std::size_t i = 0; i < item.keys.size(); ++i) {
                const YamlNode &key = item.keys[i], &value = item.items[i];
                if (key.text == "model") {
                    name = &value;
                } else if (key.text == "parameters") {
                    facts.parameters = count(value, "KMB", "a number of parameters such as 135M");
                } else if (key.text == "download") {
                    facts.download_bytes = count(value, "KMG", "a size of files in bytes such as 538M");
                } else {
                    refuse(key, "one of the keys model, parameters, download");
                }
            }
            if (name == nullptr) refuse(item, "the key model");
        }
        if (stated.count(text(*name, what)) != 0) refuse(*name, "each model once");
        names.push_back(name->text);
        stated[name->text] = facts;
    };
    if (node.kind == YamlNode::Kind::sequence) {
        for (const YamlNode& item : node.items) add(item);
    } else {
        add(node);
    }
    if (names.empty()) refuse(node, "at least " + what);
    return [names, stated](StudyOptions& options) {
        if (options.models.empty()) options.models = names;
        options.stated = stated;  // also of models that were given otherwise
    };
}

Apply StudyReader::limits(const YamlNode& node) const {
    const std::string what = "a whole number of questions, or a share below 1,";
    const auto limit = [this](const YamlNode& value, const std::string& expected) {
        const double found = number(value, 0, 1e9, expected);
        if (!eval::is_limit(found)) refuse(value, expected);
        return found;
    };
    std::map<std::string, double> limits;
    double all = 0;
    if (node.kind == YamlNode::Kind::map) {
        for (std::size_t i = 0; i < node.keys.size(); ++i) {
            const YamlNode &task = node.keys[i], &value = node.items[i];
            one_of(task, task_names(false), "a task");
            limits[task.text] = limit(value, what + " for limit");
        }
    } else {
        all = limit(node, what + " or a map from tasks to them for limit");
    }
    return [limits, all](StudyOptions& options) {
        options.limit = all;
        options.limits = limits;
    };
}

void StudyReader::read(const YamlNode& root) {
    if (root.kind != YamlNode::Kind::map) refuse(root, "a map of options");
    using Read = std::function<Apply(const YamlNode&)>;
    const auto texts = [this](Names StudyOptions::*place, const std::string& what, const Names& known = {}) {
        return Read([this, place, what, known](const YamlNode& node) -> Apply {
            const Names names = list(node, what, [&](const YamlNode& item) {
                if (!known.empty()) one_of(item, known, what);
            });
            return [place, names](StudyOptions& options) { options.*place = names; };
        });
    };
    const auto one_text = [this](std::string StudyOptions::*place, const std::string& what,
                                 const Names& known = {}) {
        return Read([this, place, what, known](const YamlNode& node) -> Apply {
            const std::string name = text(node, what);
            if (!known.empty()) one_of(node, known, what);
            return [place, name](StudyOptions& options) { options.*place = name; };
        });
    };
    const auto flag = [this](bool StudyOptions::*place, const std::string& key) {
        return Read([this, place, key](const YamlNode& node) -> Apply {
            const bool value = yes(node, key);
            return [place, value](StudyOptions& options) { options.*place = value; };
        });
    };
    const auto measured = [this](double monitor::MonitorFlags::*place, double (*parse)(const std::string&),
                                 const std::string& what) {
        return Read([this, place, parse, what](const YamlNode& node) -> Apply {
            double value = 0;
            try {
                value = parse(text(node, what));
            } catch (const CLI::ValidationError&) {
                refuse(node, what);
            }
            return [place, value](StudyOptions& options) { options.monitor.*place = value; };
        });
    };
    const std::string time = "a time such as 0.5, 100ms or 10s", degrees = "degrees Celsius such as 60C";
    const std::vector<std::pair<std::string, Read>> keys = {
        {"title", one_text(&StudyOptions::title, "a title")},
        {"about",
         [this](const YamlNode& node) -> Apply {
             study_.about = text(node, "a text");
             return [](StudyOptions&) {};
         }},
        {"models", [this](const YamlNode& node) { return models(node); }},
        {"tasks", texts(&StudyOptions::tasks, "a task", task_names(true))},
        {"types", texts(&StudyOptions::types, "a type", type_names())},
        {"protocol", texts(&StudyOptions::protocols, "a protocol", {"lm-eval", "study"})},
        {"data", texts(&StudyOptions::data, "a folder or task=FILE[,LABELS]")},
        {"limit", [this](const YamlNode& node) { return limits(node); }},
        {"only", texts(&StudyOptions::only, "a pattern of cells")},
        {"skip", texts(&StudyOptions::skip, "a pattern of cells")},
        {"timeout",
         [this](const YamlNode& node) -> Apply {
             const double value = number(node, 0, 1e9, "seconds for timeout");
             return [value](StudyOptions& options) { options.timeout = value; };
         }},
        {"threads",
         [this](const YamlNode& node) -> Apply {
             const std::string what = fmt::format("a whole number from 0 to {} for threads", kMostThreads);
             const double value = number(node, 0, kMostThreads, what);
             if (value != std::floor(value)) refuse(node, what);
             return [value](StudyOptions& options) { options.threads = static_cast<int>(value); };
         }},
        {"cores", one_text(&StudyOptions::cores, "big, all or a list of cores")},
        {"device", one_text(&StudyOptions::device, "a device", {"cpu", "cuda", "auto", "ref"})},
        {"exact", flag(&StudyOptions::exact, "exact")},
        {"pull", flag(&StudyOptions::pull, "pull")},
        {"packed-cache", one_text(&StudyOptions::packed_cache, "a folder")},
        {"label", one_text(&StudyOptions::label, "a name")},
        {"output", one_text(&StudyOptions::output, "a folder")},
        {"sample-interval",
         measured(&monitor::MonitorFlags::interval, monitor::parse_interval, time + ", 0 or at least 1ms,")},
        {"idle", measured(&monitor::MonitorFlags::idle, monitor::parse_seconds, time)},
        {"cooldown", measured(&monitor::MonitorFlags::cooldown, monitor::parse_celsius, degrees)},
        {"cooldown-limit", measured(&monitor::MonitorFlags::patience, monitor::parse_seconds, time)},
        {"max-temp", measured(&monitor::MonitorFlags::max_temp, monitor::parse_celsius, degrees)},
    };
    for (std::size_t i = 0; i < root.keys.size(); ++i) {
        const YamlNode &key = root.keys[i], &value = root.items[i];
        const auto known = std::find_if(keys.begin(), keys.end(),
                                        [&, &name = key.text](const auto& row) { return row.first == name; });
        if (known == keys.end()) {
            std::string names;
            for (const auto& row : keys) eval::list_item(names, row.first);
            refuse(key, "one of the keys " + names);
        }
        study_.settings.push_back({key.text, known->second(value)});
        if (key.text == "title") study_.title = value.text;
    }
}

bool is_path(const std::string& argument) {
    const std::string extension = std::filesystem::path(argument).extension().string();
    return argument.find('/') != std::string::npos || extension == ".yaml" || extension == ".yml";
}

}  // namespace

StudyFile parse_study(std::string_view text, const std::string& file) {
    StudyFile study;
    study.name = std::filesystem::path(file).stem().string();
    StudyReader(file, study).read(read_yaml(text, file));
    return study;
}

StudyFile find_study(const std::string& argument) {
    if (is_path(argument)) {
        std::error_code error;
        const auto bytes = std::filesystem::file_size(argument, error);
        if (!error && bytes > kMostYamlBytes)
            fail(ErrorKind::corrupt, "{}:1: expected at most {} bytes, found {}", argument, kMostYamlBytes,
                 bytes);
        return parse_study(read_file(argument), argument);
    }
    std::string names;
    for (const EmbeddedStudy& study : embedded_studies()) {
        if (study.name == argument) return parse_study(study.text, std::string(study.name) + ".yaml");
        eval::list_item(names, study.name);
    }
    fail(ErrorKind::usage, "study: expected the name of a study ({}) or a file ending in .yaml, found \"{}\"",
         names, argument);
}

void apply_study(const StudyFile& file, const std::function<bool(const std::string& option)>& given,
                 StudyOptions& options) {
    options.study = file.name;
    for (const StudyFile::Setting& setting : file.settings)
        if (setting.key == "models" || !given(setting.key)) setting.apply(options);
}

}  // namespace tinyllm::study
