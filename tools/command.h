// A sub-command of `tinyllm`. tools/commands/<name>.cpp defines `const Command& command_<name>()`; the table
// of all is generated from the file names.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string_view>

namespace tinyllm {

struct Command {
    std::string_view name;
    std::string_view summary;  // one line for --help
    /// Adds the options to `app` and returns what runs once they are parsed; the result is the exit code.
    /// Throws tinyllm::Error for what a user or a file can cause; main() prints its line and returns its
    /// kind.
    std::function<int()> (*add)(CLI::App& app);
};

}  // namespace tinyllm
