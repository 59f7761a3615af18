#include "tokenizers/tokenizer_spec.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <numeric>

#include "engine/fail.h"

namespace tinyllm {
namespace {

using nlohmann::json;

/// A number as the tokenizers library reads it: its digits as one integer, rounded, and that times or through
/// a power of ten, rounded again. The last bit of a score may decide between two ways to cut a word.
double read_score(std::string_view text) {
    const bool negative = text[0] == '-';
    std::uint64_t digits = 0;
    std::int64_t exponent = 0;
    bool fraction = false, full = false;
    std::size_t at = negative ? 1 : 0;
    for (; at < text.size() && text[at] != 'e' && text[at] != 'E'; ++at) {
        if (text[at] < '0' || text[at] > '9') {  // the point, or what the locale has for it
            fraction = true;
            continue;
        }
        const auto digit = static_cast<std::uint64_t>(text[at] - '0');
        full = full || digits > (UINT64_MAX - digit) / 10;
        if (!full) digits = digits * 10 + digit;
        exponent += (full ? 1 : 0) - (fraction ? 1 : 0);
    }
    if (at < text.size()) exponent += std::clamp(std::atoll(text.data() + at + 1), -100000LL, 100000LL);
    auto value = static_cast<double>(digits);
    for (; exponent < -308 && value != 0; exponent += 308) value /= 1e308;
    static const auto powers = [] {
        std::array<double, 309> p{};
        for (int i = 0; i < 309; ++i)
            p[static_cast<std::size_t>(i)] = std::strtod(("1e" + std::to_string(i)).c_str(), nullptr);
        return p;
    }();
    const auto power = powers[static_cast<std::size_t>(std::min<std::int64_t>(std::abs(exponent), 308))];
    value = exponent < 0 ? value / power : value * power;
    return negative ? -value : value;
}

/// Builds JSON values from parser events, except the two large lists, which go to the spec.
class Reader {
  public:
    explicit Reader(TokenizerSpec& spec) : spec_(spec) { stack_.push_back(&spec.root); }

    bool null() { return scalar(json(nullptr)); }
    bool boolean(bool value) { return scalar(json(value)); }
    bool number_integer(json::number_integer_t value) {
        return number(value, static_cast<double>(value), json(value));
    }
    bool number_unsigned(json::number_unsigned_t value) {
        const bool fits = value <= static_cast<json::number_unsigned_t>(INT64_MAX);
        return number(fits ? static_cast<std::int64_t>(value) : -1, static_cast<double>(value), json(value));
    }
    bool number_float(json::number_float_t value, const std::string& text) {
        if (list_ == List::none) return scalar(json(value));
        if (list_ == List::scored && depth_ == 2 && part_ == 1) {
            spec_.scores.back() = read_score(text);
            ++part_;
            return true;
        }
        return wrong("a float");
    }
    bool string(std::string& value) {
        if (list_ == List::none) return scalar(json(std::move(value)));
        if (list_ == List::merges && depth_ == 1) return merge(value);
        if (list_ == List::merges && depth_ == 2 && part_ < 2) {
            if (part_++ == 0) {
                left_ = std::move(value);
            } else {
                spec_.add_merge(left_, value);
            }
            return true;
        }
        if (list_ == List::scored && depth_ == 2 && part_ == 0) {
            spec_.add_scored(value, 0);
            ++part_;
            return true;
        }
        return wrong("a string");
    }
    bool binary(json::binary_t&) { return wrong("binary data"); }

    bool start_object(std::size_t) {
        if (list_ != List::none) return wrong("an object");
        if (at_model() && key_ == "vocab") {
            open(List::vocab);
            return true;
        }
        return push(json::object());
    }
    bool start_array(std::size_t) {
        if (list_ == List::none && at_model() && (key_ == "vocab" || key_ == "merges")) {
            open(key_ == "vocab" ? List::scored : List::merges);
            return true;
        }
        if (list_ == List::none) return push(json::array());
        if (list_ == List::vocab || depth_ != 1) return wrong("an array");
        ++depth_;
        part_ = 0;
        return true;
    }
    bool end_object() {
        if (list_ == List::vocab) {
            list_ = List::none;
            return true;
        }
        return pop();
    }
    bool end_array() {
        if (list_ == List::none) return pop();
        if (depth_ == 2 && part_ != 2) return wrong("a list that is no pair");
        if (--depth_ == 0) list_ = List::none;
        return true;
    }
    bool key(std::string& value) {
        key_ = std::move(value);
        return true;
    }

    template <typename Exception>
    bool parse_error(std::size_t byte, const std::string&, const Exception&) {
        error_ = fmt::format("not valid JSON at byte {}", byte);
        return false;
    }
    const std::string& error() const { return error_; }

  private:
    enum class List { none, vocab, scored, merges };

    bool at_model() const { return stack_.size() == 3 && model_; }
    void open(List list) {
        list_ = list;
        depth_ = 1;
        if (list == List::merges) {
            spec_.has_merges = true;
            spec_.merges.clear();
        } else {
            spec_.start_vocab(list == List::scored);
        }
    }
    bool wrong(std::string_view what) {
        error_ = fmt::format("{} where model.{} cannot have one", what,
                             list_ == List::merges ? "merges" : "vocab");
        return false;
    }
    bool number(std::int64_t value, double as_double, json&& node) {
        if (list_ == List::none) return scalar(std::move(node));
        if (list_ == List::vocab) {
            spec_.add_token(key_, value);
            return true;
        }
        if (list_ == List::scored && depth_ == 2 && part_ == 1) {
            spec_.scores.back() = as_double;
            ++part_;
            return true;
        }
        return wrong("a number");
    }
    /// "a b", the older form; the first lines may be comments.
    bool merge(const std::string& line) {
        if (line.rfind("#version", 0) == 0) return true;
        const std::size_t space = line.find(' ');
        if (space == std::string::npos || line.find(' ', space + 1) != std::string::npos) {
            error_ = fmt::format("model.merges[{}]: expected two tokens, found \"{}\"",
                                 spec_.merges.size() / 2, line);
            return false;
        }
        const std::string_view both(line);
        spec_.add_merge(both.substr(0, space), both.substr(space + 1));
        return true;
    }

    json* place(json&& value) {
        json& parent = *stack_.back();
        if (stack_.size() == 1) {
            parent = std::move(value);
            return &parent;
        }
        if (parent.is_array()) {
            parent.push_back(std::move(value));
            return &parent.back();
        }
        json& slot = parent[key_];
        slot = std::move(value);
        return &slot;
    }
    bool scalar(json&& value) {
        if (list_ != List::none) return wrong("a value");
        place(std::move(value));
        return true;
    }
    bool push(json&& value) {
        if (stack_.size() > 64) {
            error_ = "nested more than 64 deep";
            return false;
        }
        if (stack_.size() == 2) model_ = key_ == "model";
        stack_.push_back(place(std::move(value)));
        return true;
    }
    bool pop() {
        stack_.pop_back();
        if (stack_.size() == 2) model_ = false;
        return true;
    }

    TokenizerSpec& spec_;
    std::vector<json*> stack_;
    std::string key_, left_;
    bool model_ = false;  // the object at depth 2 is "model"
    List list_ = List::none;
    int depth_ = 0, part_ = 0;
    std::string error_;
};

void must_fit(bool added, const std::string& file) {
    if (!added) fail(ErrorKind::corrupt, "{}: more than 4 GiB of tokens", file);
}

}  // namespace

void TokenizerSpec::start_vocab(bool with_scores) {
    has_vocab = true;
    scored = with_scores;
    vocab.clear();
    ids.clear();
    scores.clear();
}

void TokenizerSpec::add_token(std::string_view piece, std::int64_t id) {
    if (ids.empty() && id != static_cast<std::int64_t>(vocab.size())) {
        ids.resize(vocab.size());
        std::iota(ids.begin(), ids.end(), 0);
        ids.push_back(id);
    } else if (!ids.empty()) {
        ids.push_back(id);
    }
    must_fit(vocab.add(piece), file);
}

void TokenizerSpec::add_scored(std::string_view piece, double score) {
    must_fit(vocab.add(piece), file);
    scores.push_back(score);
}

void TokenizerSpec::add_merge(std::string_view left, std::string_view right) {
    must_fit(merges.add(left) && merges.add(right), file);
}

TokenizerSpec parse_tokenizer_json(std::string_view text, const std::string& file) {
    TokenizerSpec spec;
    spec.file = file;
    Reader reader(spec);
    const bool ok = json::sax_parse(text.begin(), text.end(), &reader);
    if (!ok)
        fail(ErrorKind::corrupt, "{}: {}", file, reader.error().empty() ? "not valid JSON" : reader.error());
    if (!spec.root.is_object())
        fail(ErrorKind::corrupt, "{}: expected a JSON object, found {}", file, spec.root.type_name());
    return spec;
}

std::string write_tokenizer_json(const TokenizerSpec& spec) {
    json root = spec.root;
    json vocab = spec.scored ? json::array() : json::object();
    for (std::size_t i = 0; i < spec.vocab.size(); ++i) {
        std::string text(spec.vocab[i]);
        if (spec.scored) {
            vocab.push_back({std::move(text), spec.scores[i]});
        } else {
            vocab[std::move(text)] = spec.id(i);
        }
    }
    json merges = json::array();
    for (std::size_t i = 0; i < spec.merges.size(); i += 2) {
        merges.push_back({std::string(spec.merges[i]), std::string(spec.merges[i + 1])});
    }
    root["model"]["vocab"] = std::move(vocab);
    if (spec.has_merges) root["model"]["merges"] = std::move(merges);
    return root.dump();
}

}  // namespace tinyllm
