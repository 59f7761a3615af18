// The tinyllm command: picks the sub-command, and turns every way of failing into one line and an exit code.
#include <CLI/CLI.hpp>
#include <functional>
#include <iostream>
#include <map>
#include <new>

#include "tinyllm/error.h"
#include "tinyllm/version.h"
#include "tools/command.h"
#include "tools/command_line.h"
#include "tools/log.h"
#include "tools/output.h"
#include "tools/signals.h"

namespace tinyllm {
std::vector<const Command& (*)()> all_commands();  // generated from tools/commands/*.cpp

namespace {

/// Messages may quote a file's bytes; the promise is one printable line.
int report(int code, std::string message) {
    for (char& c : message) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
    }
    while (!message.empty() && message.back() == ' ') message.pop_back();
    log_line("tinyllm: " + message);
    return code;
}

int usage_error(const CLI::ParseError& error, const std::string& command) {
    return report(
        static_cast<int>(ErrorKind::usage),
        std::string(error.what()) + " (see 'tinyllm " + (command.empty() ? "" : command + " ") + "--help')");
}

int run_command(int argc, char** argv) {
    CLI::App app("Small language models on small boards", "tinyllm");
    app.set_version_flag("--version", std::string("tinyllm ") + version(), "Print the version");
    app.set_help_flag("-h,--help", "Print this help");
    app.require_subcommand(1, 1);
    style_help(app);

    std::map<const CLI::App*, std::function<int()>> actions;
    for (const auto make : all_commands()) {
        const Command& command = make();
        CLI::App* sub = app.add_subcommand(std::string(command.name), std::string(command.summary));
        sub->fallthrough();
        sub->footer(
            "--some-option is also read from TINYLLM_SOME_OPTION and from --config FILE; the flag wins.");
        actions[sub] = command.add(*sub);
    }
    app.add_flag_callback(
        "-v,--verbose", [] { log_level() = 1; }, "Say more on standard error");
    app.add_flag_callback(
        "-q,--quiet", [] { log_level() = -1; }, "Errors only on standard error");

    std::vector<std::string> arguments = rewrite_arguments(argc, argv);
    const std::string command = selected_command(app, arguments);
    add_config_file(app, command);
    if (!command.empty()) add_environment(*app.get_subcommand(command));

    try {
        std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
        app.parse(std::move(arguments));
    } catch (const CLI::CallForHelp&) {
        print(command.empty() ? app.help() : app.get_subcommand(command)->help("tinyllm"));
        return 0;
    } catch (const CLI::CallForAllHelp&) {
        print(app.help("", CLI::AppFormatMode::All));
        return 0;
    } catch (const CLI::CallForVersion& version_text) {
        print(std::string(version_text.what()) + '\n');
        return 0;
    } catch (const CLI::ParseError& error) {
        return usage_error(error, command);
    }
    return actions.at(app.get_subcommands().front())();
}

}  // namespace

int guarded_main(int argc, char** argv) {
    hold_standard_descriptors();
    install_signal_handlers();
    try {
        const int code = run_command(argc, argv);
        finish_standard_output();
        return code;
    } catch (const ClosedPipe&) {
        return 0;
    } catch (const Error& error) {
        return report(static_cast<int>(error.kind()), error.what());
    } catch (const std::bad_alloc&) {
        return report(static_cast<int>(ErrorKind::out_of_memory), "out of memory");
    } catch (const std::exception& error) {
        return report(static_cast<int>(ErrorKind::runtime), error.what());
    }
}

}  // namespace tinyllm

int main(int argc, char** argv) {
    return tinyllm::guarded_main(argc, argv);
}
