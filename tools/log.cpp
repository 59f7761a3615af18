#include "tools/log.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace tinyllm {

int& log_level() {
    static int level = 0;
    return level;
}

void log_line(const std::string& line) {
    std::fprintf(stderr, "%s\n", line.c_str());
}

bool show_progress() {
    return log_level() >= 0 && isatty(STDERR_FILENO) != 0;
}

bool use_color() {
    const char* no_color = std::getenv("NO_COLOR");
    const char* term = std::getenv("TERM");
    return show_progress() && (no_color == nullptr || *no_color == '\0') &&
           !(term != nullptr && std::string_view(term) == "dumb");
}

}  // namespace tinyllm
