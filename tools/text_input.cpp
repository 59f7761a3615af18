#include "tools/text_input.h"

#include <charconv>

#include "engine/fail.h"
#include "tools/output.h"

namespace tinyllm {

void TextInput::add(CLI::App& app, const std::string& word, const std::string& shown,
                    const std::string& file_flags) {
    shown_ = shown;
    file_flags_ = file_flags;
    word_option_ = app.add_option(word, text_, "The text itself")->type_name("");
    file_option_ = app.add_option(file_flags, file_,
                                  "Read the text from this file, every byte of it; '-' is standard input")
                       ->type_name("FILE")
                       ->excludes(word_option_);
}

void TextInput::add_flag(CLI::App& app, const std::string& flags, const std::string& help) {
    flag_option_ =
        app.add_option(flags, text_, help)->type_name("TEXT")->excludes(word_option_)->excludes(file_option_);
}

bool TextInput::given() const {
    return word_option_->count() > 0 || file_option_->count() > 0 ||
           (flag_option_ != nullptr && flag_option_->count() > 0);
}

std::string TextInput::read() const {
    if (file_option_->count() > 0) return read_file(file_);
    if (!given()) fail(ErrorKind::usage, "no text: give {} or {} FILE", shown_, file_flags_);
    return text_;
}

std::vector<Token> parse_tokens(std::string_view text, std::int64_t vocab_size) {
    std::vector<Token> tokens;
    constexpr std::string_view kBetween = " \t\r\n,[]";
    for (;;) {
        const std::size_t begin = text.find_first_not_of(kBetween);
        if (begin == std::string_view::npos) return tokens;
        text.remove_prefix(begin);
        const std::string_view word = text.substr(0, text.find_first_of(kBetween));
        std::int64_t id = -1;
        const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), id);
        if (error != std::errc() || end != word.data() + word.size() || id < 0 || id >= vocab_size) {
            fail(ErrorKind::usage, "id {}: expected a whole number from 0 to {}, found '{}'", tokens.size(),
                 vocab_size - 1, word);
        }
        tokens.push_back(static_cast<Token>(id));
        text.remove_prefix(word.size());
    }
}

}  // namespace tinyllm
