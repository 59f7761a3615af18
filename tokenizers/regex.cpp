#include "tokenizers/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <new>

#include "engine/fail.h"
#include "tokenizers/utf8.h"

namespace tinyllm {

struct Regex::Code {
    pcre2_code* code = nullptr;
    ~Code() { pcre2_code_free(code); }
};

namespace {

/// What one thread matches with; making it anew for every word would cost more than the matching.
struct MatchState {
    // Only the whole match is asked for, so one pair of positions does for every pattern.
    pcre2_match_data* data = pcre2_match_data_create(1, nullptr);
    pcre2_match_context* context = pcre2_match_context_create(nullptr);
    pcre2_jit_stack* stack = pcre2_jit_stack_create(32 * 1024, 16 * 1024 * 1024, nullptr);

    MatchState() {
        if (!data || !context) throw std::bad_alloc();
        if (stack) pcre2_jit_stack_assign(context, nullptr, stack);
    }
    MatchState(const MatchState&) = delete;
    MatchState& operator=(const MatchState&) = delete;
    ~MatchState() {
        pcre2_match_data_free(data);
        pcre2_match_context_free(context);
        if (stack) pcre2_jit_stack_free(stack);
    }
};

std::string message(int code) {
    char text[256] = {};
    pcre2_get_error_message(code, reinterpret_cast<PCRE2_UCHAR*>(text), sizeof text);
    return text;
}

}  // namespace

Regex::Regex(std::string_view pattern, const std::string& where)
    : pattern_(pattern), where_(where), code_(std::make_unique<Code>()) {
    if (!is_valid_utf8(pattern)) fail(ErrorKind::corrupt, "{}: regular expression is not UTF-8", where);
    if (pattern.size() > 65536)
        fail(ErrorKind::unsupported, "{}: regular expression of {} bytes", where, pattern.size());
    const std::string translated = translate_regex(pattern, where);
    int error = 0;
    PCRE2_SIZE at = 0;
    code_->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                                PCRE2_UTF | PCRE2_UCP, &error, &at, nullptr);
    if (!code_->code) {
        fail(ErrorKind::unsupported, "{}: regular expression \"{}\": {}", where, pattern, message(error));
    }
    pcre2_jit_compile(code_->code, PCRE2_JIT_COMPLETE);  // without it matching is slower, not different
}

Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;

void Regex::each_match(std::string_view text,
                       const std::function<void(std::size_t, std::size_t)>& found) const {
    thread_local const MatchState state;
    const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
    std::size_t from = 0;
    std::size_t last_end = std::string_view::npos;
    while (from <= text.size()) {
        int rc = pcre2_match(code_->code, subject, text.size(), from, PCRE2_NO_UTF_CHECK, state.data,
                             state.context);
        if (rc == PCRE2_ERROR_JIT_STACKLIMIT) {
            rc = pcre2_match(code_->code, subject, text.size(), from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                             state.data, state.context);
        }
        if (rc == PCRE2_ERROR_NOMATCH) return;
        if (rc < 0)
            fail(ErrorKind::runtime, "{}: regular expression \"{}\": {}", where_, pattern_, message(rc));
        const PCRE2_SIZE* range = pcre2_get_ovector_pointer(state.data);
        const std::size_t begin = range[0], end = range[1];
        if (end < begin)
            fail(ErrorKind::unsupported, "{}: regular expression \"{}\" moves its start", where_, pattern_);
        if (begin == end) {
            if (end != last_end) found(begin, end);
            if (end == text.size()) return;
            from = end + char_size(text[end]);
        } else {
            found(begin, end);
            from = end;
        }
        last_end = end;
    }
}

}  // namespace tinyllm
