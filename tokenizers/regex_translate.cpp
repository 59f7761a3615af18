// Oniguruma's Ruby syntax to PCRE2. What differs: \s, \w, \h, \uHHHH, classes inside classes, &&, and
// "{n,m}+", which repeats instead of being possessive.
#include "engine/fail.h"
#include "tokenizers/regex.h"

namespace tinyllm {
namespace {

// White_Space and its complement; PCRE2's own \s has U+180E as well.
constexpr std::string_view kSpace =
    "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{"
    "3000}";
constexpr std::string_view kNotSpace =
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-"
    "\\x{2027}"
    "\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{d7ff}\\x{e000}-\\x{10ffff}";
constexpr std::string_view kWord =
    "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}\\x{1f170}"
    "-\\x{1f189}";

class Translator {
  public:
    Translator(std::string_view pattern, const std::string& where) : in_(pattern), where_(where) {}

    std::string run() {
        while (at_ < in_.size()) {
            const char c = in_[at_];
            if (c == '\\') {
                escape(false);
            } else if (c == '[') {
                char_class(false);
            } else if (c == '}' && at_ + 1 < in_.size() && in_[at_ + 1] == '+') {
                refuse("\"{n,m}+\"");
            } else if (c == '{' && at_ + 1 < in_.size() && in_[at_ + 1] == ',') {
                refuse("\"{,n}\"");
            } else if (c == '(' && at_ + 1 < in_.size() && in_[at_ + 1] == '?') {
                group();
            } else if (c == '^' || c == '$') {
                // Ruby's anchors hold at every line.
                out_ += c == '^' ? "(?m:^)" : "(?m:$)";
                ++at_;
            } else {
                out_ += c;
                ++at_;
            }
        }
        return std::move(out_);
    }

  private:
    [[noreturn]] void refuse(std::string_view what) const {
        fail(ErrorKind::unsupported, "{}: regular expression \"{}\": {} is not supported", where_, in_, what);
    }

    /// Options: (?m) is "dot matches line breaks" there and "anchors at lines" here.
    void group() {
        std::size_t end = at_ + 2;
        while (end < in_.size() && std::string_view("imxsDPSWadu-").find(in_[end]) != std::string_view::npos)
            ++end;
        const std::string_view options = in_.substr(at_ + 2, end - at_ - 2);
        const bool is_options = end < in_.size() && (in_[end] == ':' || in_[end] == ')');
        if (is_options && options.find_first_not_of("i-") != std::string_view::npos)
            refuse("this group option");
        out_ += "(?";
        at_ += 2;
    }

    void put_class(std::string_view members, bool inside, bool negated) {
        if (inside) {
            if (negated) refuse("this negated class inside a class");
            out_ += members;
        } else {
            out_ += negated ? "[^" : "[";
            out_ += members;
            out_ += ']';
        }
    }

    void escape(bool inside) {
        if (at_ + 1 >= in_.size()) refuse("a lone backslash at the end");
        const char c = in_[at_ + 1];
        at_ += 2;
        switch (c) {
            case 's':
                put_class(kSpace, inside, false);
                return;
            case 'S':
                put_class(inside ? kNotSpace : kSpace, inside, !inside);
                return;
            case 'w':
                put_class(kWord, inside, false);
                return;
            case 'W':
                put_class(kWord, inside, true);
                return;
            case 'h':
                put_class("0-9a-fA-F", inside, false);
                return;
            case 'H':
                put_class("0-9a-fA-F", inside, true);
                return;
            case 'u': {
                if (at_ + 4 > in_.size()) refuse("a short \\u");
                out_ += "\\x{";
                out_ += in_.substr(at_, 4);
                out_ += '}';
                at_ += 4;
                return;
            }
            case 'b':
                if (inside) {
                    out_ += "\\x{8}";
                    return;
                }
                refuse("\\b");
            case 'B':
                refuse("\\B");
            case 'p':
            case 'P': {
                // Copied whole, so that a brace behind it is not taken for an interval's.
                out_ += '\\';
                out_ += c;
                if (at_ < in_.size() && in_[at_] == '{') {
                    const std::size_t end = in_.find('}', at_);
                    if (end == std::string_view::npos) refuse("an open \\p{");
                    out_ += in_.substr(at_, end + 1 - at_);
                    at_ = end + 1;
                }
                return;
            }
            case 'x': {
                out_ += "\\x";
                if (at_ < in_.size() && in_[at_] == '{') {
                    const std::size_t end = in_.find('}', at_);
                    if (end == std::string_view::npos) refuse("an open \\x{");
                    out_ += in_.substr(at_, end + 1 - at_);
                    at_ = end + 1;
                }
                return;
            }
            case 'G':
            case 'K':
            case 'R':
            case 'X':
            case 'k':
            case 'g':
                refuse(std::string("\\") + c);
            default:
                out_ += '\\';
                out_ += c;
        }
    }

    /// A class; one inside another is merged into it, which Oniguruma means by it and PCRE2 does not.
    void char_class(bool nested) {
        ++at_;
        bool negated = false;
        if (at_ < in_.size() && in_[at_] == '^') {
            negated = true;
            ++at_;
        }
        if (nested && negated) refuse("a negated class inside a class");
        if (!nested) out_ += negated ? "[^" : "[";
        bool first = true;
        while (true) {
            if (at_ >= in_.size()) refuse("an open class");
            const char c = in_[at_];
            if (c == ']' && !first) break;
            first = false;
            if (c == '\\') {
                escape(true);
            } else if (c == '[' && at_ + 1 < in_.size() && in_[at_ + 1] == ':') {
                const std::size_t end = in_.find(":]", at_);
                if (end == std::string_view::npos) refuse("an open [:");
                out_ += in_.substr(at_, end + 2 - at_);
                at_ = end + 2;
            } else if (c == '[') {
                char_class(true);
            } else if (c == '&' && at_ + 1 < in_.size() && in_[at_ + 1] == '&') {
                refuse("\"&&\" in a class");
            } else {
                if (c == ']') out_ += '\\';
                out_ += c;
                ++at_;
            }
        }
        ++at_;
        if (!nested) out_ += ']';
    }

    std::string_view in_;
    const std::string& where_;
    std::size_t at_ = 0;
    std::string out_;
};

}  // namespace

std::string translate_regex(std::string_view pattern, const std::string& where) {
    return Translator(pattern, where).run();
}

std::string escape_regex(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (std::string_view("\\.+*?()|[]{}^$#&-~ ").find(c) != std::string_view::npos) out += '\\';
        out += c;
    }
    return out;
}

}  // namespace tinyllm
