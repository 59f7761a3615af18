// Regular expressions written for Oniguruma (which the tokenizers library uses), run by PCRE2.
// The two differ: a pattern is translated first, and what cannot be is an error instead of another meaning.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace tinyllm {

/// The PCRE2 form of an Oniguruma pattern (UTF-8, Ruby syntax). Throws Error(unsupported); `where` names the
/// file and node.
std::string translate_regex(std::string_view pattern, const std::string& where);

class Regex {
  public:
    /// Throws Error(unsupported) when the pattern cannot be translated or compiled.
    Regex(std::string_view pattern, const std::string& where);
    ~Regex();
    Regex(Regex&&) noexcept;
    Regex& operator=(Regex&&) noexcept;

    /// Calls `found(begin, end)` for the successive matches in `text`, which must be valid UTF-8. As in
    /// Oniguruma's own scan, an empty match right behind the previous match is passed over.
    void each_match(std::string_view text, const std::function<void(std::size_t, std::size_t)>& found) const;

    const std::string& pattern() const { return pattern_; }

  private:
    struct Code;
    std::string pattern_;
    std::string where_;
    std::unique_ptr<Code> code_;
};

/// A pattern that matches `text` literally.
std::string escape_regex(std::string_view text);

}  // namespace tinyllm
