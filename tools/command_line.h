// What CLI11 does not do by itself: llama.cpp's -ctk and -ctv, and flag > environment > --config FILE >
// default.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace tinyllm {

/// Words CLI11 can read: -ctk and -ctv become their long names, the ids behind --ids one word (so that a
/// MODEL may follow).
std::vector<std::string> rewrite_arguments(int argc, char** argv);

/// The first word that names a sub-command; empty if there is none.
std::string selected_command(const CLI::App& app, const std::vector<std::string>& arguments);

/// Gives every long option of `app` its variable: --top-k reads TINYLLM_TOP_K.
void add_environment(CLI::App& app);

/// What stands for an option's value: "N", "FILE"; empty for a flag. Without the checks CLI11 appends behind
/// a colon.
std::string shown_type(const CLI::Option& option);

/// Checks of options: a finite number of at least 0, or above it. (CLI11's own let nan through, and name a
/// bound of 309 digits.)
CLI::Validator not_negative();
CLI::Validator above_zero();

/// Before sub-commands are added: they inherit it.
void style_help(CLI::App& app);

/// Adds --config FILE (TOML or INI). Keys at the top apply to whatever command has them; a section [run] to
/// `run` alone.
void add_config_file(CLI::App& app, const std::string& command);

}  // namespace tinyllm
