// tinyllm man: the manual page, written from the option table itself.
#include <fmt/format.h>

#include "tinyllm/version.h"
#include "tools/command.h"
#include "tools/command_line.h"
#include "tools/output.h"

namespace tinyllm {
namespace {

/// man(7): a backslash, and a dot or quote at a line's start, have meanings of their own; '-' is a minus only
/// when escaped.
std::string roff(const std::string& text) {
    std::string out;
    for (char c : text) {
        if (c == '\\') {
            out += "\\e";
        } else if (c == '-') {
            out += "\\-";
        } else {
            out += c;
        }
    }
    return !out.empty() && (out[0] == '.' || out[0] == '\'') ? "\\&" + out : out;
}

std::string options_page(const CLI::App& app) {
    std::string text;
    for (const CLI::Option* option : app.get_options()) {
        const std::string names = option->get_name(false, true);
        const std::string type = shown_type(*option);
        text +=
            fmt::format(".TP\n\\fB{}\\fR{}\n{}\n", roff(names),
                        type.empty() ? "" : " \\fI" + roff(type) + "\\fR", roff(option->get_description()));
    }
    return text;
}

std::string page(const CLI::App& root) {
    std::string text = fmt::format(
        ".TH TINYLLM 1 \"\" \"tinyllm {}\"\n.SH NAME\ntinyllm \\- {}\n.SH SYNOPSIS\n.B "
        "tinyllm\n[\\fIoptions\\fR] \\fIcommand\\fR "
        "[\\fIarguments\\fR]\n.SH OPTIONS\n",
        version(), roff(root.get_description()));
    text += options_page(root);
    for (const CLI::App* sub : root.get_subcommands({})) {
        text += fmt::format(".SH TINYLLM {}\n{}.\n", roff(sub->get_name()), roff(sub->get_description()));
        text += options_page(*sub);
        for (const CLI::App* nested : sub->get_subcommands({})) {
            text += fmt::format(".SS {} {}\n{}.\n", roff(sub->get_name()), roff(nested->get_name()),
                                roff(nested->get_description()));
            text += options_page(*nested);
        }
    }
    return text;
}

std::function<int()> add_man(CLI::App& app) {
    return [&app] {
        print(page(*app.get_parent()));
        return 0;
    };
}

}  // namespace

const Command& command_man() {
    static const Command command{"man", "The manual page (tinyllm man | man -l -)", add_man};
    return command;
}

}  // namespace tinyllm
