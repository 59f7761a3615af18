// Where a command's text comes from: a word on the command line or a file, as bytes, nothing stripped.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tinyllm/tokenizer.h"

namespace tinyllm {

class TextInput {
  public:
    /// Adds the positional `word` (shown as `shown`) and the file option `file_flags`; they exclude each
    /// other.
    void add(CLI::App& app, const std::string& word, const std::string& shown, const std::string& file_flags);
    /// Adds another flag for the same text ("-p,--prompt").
    void add_flag(CLI::App& app, const std::string& flags, const std::string& help);

    bool given() const;
    /// Throws Error(usage) if none was given, and as read_file() does.
    std::string read() const;

  private:
    std::string text_, file_, file_flags_, shown_;
    CLI::Option* word_option_ = nullptr;
    CLI::Option* file_option_ = nullptr;
    CLI::Option* flag_option_ = nullptr;
};

/// Ids between spaces, commas or brackets. Throws Error(usage) naming the first that is no id below
/// `vocab_size`.
std::vector<Token> parse_tokens(std::string_view text, std::int64_t vocab_size);

}  // namespace tinyllm
