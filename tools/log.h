// What goes to standard error: notes and progress. Standard output carries results only.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

namespace tinyllm {

/// -q: -1 (errors only), default 0, -v: 1.
int& log_level();

/// Writes `line` and a newline to standard error.
void log_line(const std::string& line);

/// Standard error is a terminal and -q was not given: progress may redraw its line.
bool show_progress();

/// As show_progress(), and NO_COLOR is unset or empty and TERM is not "dumb".
bool use_color();

/// For every user, unless -q.
template <typename... T>
void note(fmt::format_string<T...> format, T&&... args) {
    if (log_level() >= 0) log_line(fmt::format(format, std::forward<T>(args)...));
}

/// With -v only.
template <typename... T>
void detail(fmt::format_string<T...> format, T&&... args) {
    if (log_level() >= 1) log_line(fmt::format(format, std::forward<T>(args)...));
}

}  // namespace tinyllm
