#include "tools/command_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <memory>

#include "engine/fail.h"
#include "tools/output.h"

namespace tinyllm {
namespace {

std::string variable_name(std::string_view option) {
    std::string name = "TINYLLM_";
    for (char c : option)
        name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return name;
}

/// Each option's environment variable follows from its name (the footer says how), so only the type and
/// default are shown.
class HelpFormatter : public CLI::Formatter {
  public:
    std::string make_option_opts(const CLI::Option* option) const override {
        std::string text;
        if (const std::string type = shown_type(*option); !type.empty()) text += " " + type;
        if (!option->get_default_str().empty()) text += "=" + option->get_default_str();
        if (option->get_required()) text += " (required)";
        return text;
    }
};

/// CLI11 reads the file before the environment and lets the first one win, so a value whose variable is set
/// is dropped here.
class ConfigFile : public CLI::ConfigTOML {
  public:
    ConfigFile(const CLI::App& app, std::string command) : app_(app), command_(std::move(command)) {}

    std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
        std::vector<CLI::ConfigItem> kept;
        for (CLI::ConfigItem& item : CLI::ConfigTOML::from_config(input)) {
            if (item.name == "++" || item.name == "--") continue;
            std::replace(item.name.begin(), item.name.end(), '_', '-');
            if (item.parents.empty()) {
                check_known_somewhere(item.name);
                if (has(app_, item.name)) {
                    kept.push_back(item);
                    continue;
                }
                if (command_.empty() || !has(*app_.get_subcommand(command_), item.name)) continue;
                item.parents = {command_};
            }
            if (item.parents.front() != command_) continue;
            const char* variable = std::getenv(variable_name(item.name).c_str());
            if (variable == nullptr || *variable == '\0') kept.push_back(item);
        }
        return kept;
    }

  private:
    static bool has(const CLI::App& app, const std::string& name) {
        return app.get_option_no_throw("--" + name) != nullptr;
    }
    void check_known_somewhere(const std::string& name) const {
        if (has(app_, name)) return;
        for (const CLI::App* sub : app_.get_subcommands({})) {
            if (has(*sub, name)) return;
        }
        fail(ErrorKind::usage, "--config: no command has an option named '{}'", name);
    }

    const CLI::App& app_;
    std::string command_;
};

bool is_id_list(const std::string& word) {
    return !word.empty() && word.find_first_not_of("0123456789,[] ") == std::string::npos;
}

bool is_command(const CLI::App& app, const std::string& word) {
    const auto commands = app.get_subcommands([&](const CLI::App* sub) { return sub->get_name() == word; });
    return !commands.empty();
}

CLI::Validator number_check(bool (*fits)(double), const char* expected) {
    return CLI::Validator(
        [fits, expected](const std::string& text) {
            std::size_t used = 0;
            double value = NAN;
            try {
                value = std::stod(text, &used);
            } catch (const std::exception&) {
            }
            if (used == text.size() && std::isfinite(value) && fits(value)) return std::string();
            return fmt::format("expected {}, found \"{}\"", expected, text);
        },
        "");
}

}  // namespace

std::string shown_type(const CLI::Option& option) {
    if (option.get_type_size() == 0) return "";
    const std::string type = option.get_type_name();
    return type.substr(0, type.find(':'));
}

std::vector<std::string> rewrite_arguments(int argc, char** argv) {
    std::vector<std::string> words;
    // CLI11 would read the variable only after the file. A flag given as well comes later and wins.
    if (const char* config = std::getenv("TINYLLM_CONFIG"); config != nullptr && *config != '\0') {
        words = {"--config", config};
    }
    bool in_ids = false;
    for (int i = 1; i < argc; ++i) {
        std::string word = argv[i];
        if (word == "--") {
            words.insert(words.end(), argv + i, argv + argc);
            break;
        }
        if (word == "-ctk") word = "--cache-type-k";
        if (word == "-ctv") word = "--cache-type-v";
        if (in_ids && is_id_list(word)) {
            words.back() += ' ' + word;
            continue;
        }
        in_ids = !words.empty() && words.back() == "--ids" && is_id_list(word);
        words.push_back(std::move(word));
    }
    return words;
}

std::string selected_command(const CLI::App& app, const std::vector<std::string>& arguments) {
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        if (arguments[i] == "--config") {
            ++i;
        } else if (is_command(app, arguments[i])) {
            return arguments[i];
        }
    }
    return "";
}

void add_environment(CLI::App& app) {
    for (CLI::Option* option : app.get_options()) {
        if (option->get_lnames().empty()) continue;
        const std::string& name = option->get_lnames().front();
        if (name != "help" && name != "output" && name != "json") option->envname(variable_name(name));
    }
    for (CLI::App* sub : app.get_subcommands({})) add_environment(*sub);
}

CLI::Validator not_negative() {
    return number_check([](double value) { return value >= 0; }, "a number of at least 0");
}

CLI::Validator above_zero() {
    return number_check([](double value) { return value > 0; }, "a number above 0");
}

void style_help(CLI::App& app) {
    app.formatter(std::make_shared<HelpFormatter>());
    app.get_formatter()->column_width(34);
}

void add_config_file(CLI::App& app, const std::string& command) {
    app.set_config("--config", "", "Options from this TOML or INI file; flags and TINYLLM_* variables win")
        ->type_name("FILE");
    app.config_formatter(std::make_shared<ConfigFile>(app, command));
    app.allow_config_extras(CLI::config_extras_mode::error);
}

}  // namespace tinyllm
