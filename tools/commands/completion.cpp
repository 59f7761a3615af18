// tinyllm completion: shell completion, written from the option table itself.
#include <fmt/format.h>

#include "engine/fail.h"
#include "tools/command.h"
#include "tools/output.h"

namespace tinyllm {
namespace {

const CLI::App& root_of(const CLI::App& app) {
    return app.get_parent() ? root_of(*app.get_parent()) : app;
}

std::string options_of(const CLI::App& app) {
    std::string words;
    for (const CLI::Option* option : app.get_options()) {
        for (const std::string& name : option->get_lnames()) words += (words.empty() ? "--" : " --") + name;
    }
    for (const CLI::App* sub : app.get_subcommands({})) words += ' ' + sub->get_name();
    return words;
}

std::string bash_script(const CLI::App& root) {
    std::string names, cases;
    for (const CLI::App* sub : root.get_subcommands({})) {
        names += (names.empty() ? "" : " ") + sub->get_name();
        cases += fmt::format("        {}) words=\"{}\" ;;\n", sub->get_name(), options_of(*sub));
    }
    return fmt::format(R"(# bash completion of tinyllm; load it with: source <(tinyllm completion bash)
_tinyllm() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} words="" word
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case $word in
{}        *) continue ;;
        esac
        break
    done
    [[ -n $words ]] || words="{} {}"
    if [[ $current == -* || COMP_CWORD -eq 1 ]]; then
        COMPREPLY=($(compgen -W "$words" -- "$current"))
    else
        COMPREPLY=($(compgen -f -- "$current"))
    fi
}}
complete -o filenames -F _tinyllm tinyllm
)",
                       cases, names, options_of(root));
}

std::string fish_script(const CLI::App& root) {
    std::string text = "# fish completion of tinyllm; load it with: tinyllm completion fish | source\n";
    const auto quote = [](std::string word) {
        for (std::size_t at = 0; (at = word.find_first_of("'\\", at)) != std::string::npos; at += 2)
            word.insert(at, "\\");
        return '\'' + word + '\'';
    };
    for (const CLI::App* sub : root.get_subcommands({})) {
        text += fmt::format("complete -c tinyllm -n __fish_use_subcommand -a {} -d {}\n", sub->get_name(),
                            quote(sub->get_description()));
        for (const CLI::Option* option : sub->get_options()) {
            for (const std::string& name : option->get_lnames()) {
                text += fmt::format("complete -c tinyllm -n '__fish_seen_subcommand_from {}' -l {}{} -d {}\n",
                                    sub->get_name(), name, option->get_expected_min() > 0 ? " -r" : "",
                                    quote(option->get_description()));
            }
        }
    }
    return text;
}

std::function<int()> add_completion(CLI::App& app) {
    auto shell = std::make_shared<std::string>();
    app.add_option("shell", *shell, "bash or fish")->required()->type_name("");
    return [shell, &app] {
        if (*shell == "bash") {
            print(bash_script(root_of(app)));
        } else if (*shell == "fish") {
            print(fish_script(root_of(app)));
        } else {
            fail(ErrorKind::usage, "completion: expected bash or fish, found '{}'", *shell);
        }
        return 0;
    };
}

}  // namespace

const Command& command_completion() {
    static const Command command{"completion", "Shell completion for bash or fish", add_completion};
    return command;
}

}  // namespace tinyllm
