#include "tokenizers/bpe.h"

#include <algorithm>
#include <limits>

#include "engine/fail.h"
#include "tokenizers/utf8.h"

namespace tinyllm {

bool Bpe::reads_bytes(const BpeOptions& options) {
    return !options.byte_fallback && options.continuing_subword_prefix.empty() &&
           options.end_of_word_suffix.empty();
}

Bpe::Bpe(Vocab vocab, const TextList& merges, BpeOptions options, const std::string& file)
    : vocab_(std::move(vocab)),
      bytes_(vocab_.held() == Vocab::Held::bytes),
      options_(std::move(options)),
      file_(file),
      merges_(merges.size() / 2) {
    add_merges(merges);
    std::size_t ids = 0;
    for (std::int64_t id = 0; id < vocab_.id_end(); ++id) ids += vocab_.has(static_cast<Token>(id));
    unique_ids_ = ids == vocab_.size();
    whole_ = std::make_unique<std::atomic<unsigned char>[]>(static_cast<std::size_t>(vocab_.id_end()) + 1);
    for (int b = 0; b < 256 && (bytes_ || options_.byte_fallback); ++b) {
        const char c = static_cast<char>(b);
        byte_ids_[static_cast<std::size_t>(b)] =
            bytes_ ? vocab_.find_text({&c, 1}) : vocab_.find(fmt::format("<0x{:02X}>", b));
    }
    if (!bytes_) find_boundary(merges);
}

void Bpe::add_merges(const TextList& merges) {
    const std::size_t cut = options_.continuing_subword_prefix.size();
    Token merged = -1;
    std::string text, result;
    for (std::size_t rank = 0; rank < merges.size() / 2; ++rank) {
        const std::string_view left = merges[2 * rank], right = merges[2 * rank + 1];
        Token a = -1, b = -1;
        text.clear();
        if (cut == 0 && vocab_.to_text(left, text)) {
            const std::size_t border = text.size();
            a = vocab_.find_text(text);
            if (vocab_.to_text(right, text)) {
                b = vocab_.find_text(std::string_view(text).substr(border));
                // Merges stand in the order in which tokens were learnt, so mostly it is the next one.
                if (!vocab_.is_text(++merged, text)) merged = vocab_.find_text(text);
                if (a >= 0 && b >= 0 && merged >= 0) {
                    merges_.add(a, b, merged);
                    continue;
                }
            }
        }
        a = vocab_.find(left);
        b = vocab_.find(right);
        if (a < 0 || b < 0 || right.size() < cut) {
            fail(ErrorKind::corrupt, "{}: merge {}: \"{}\" is not in the vocabulary", file_, rank,
                 a < 0 ? left : right);
        }
        result.assign(left).append(right.substr(cut));
        merged = vocab_.find(result);
        if (merged < 0)
            fail(ErrorKind::corrupt, "{}: merge {}: \"{}\" is not in the vocabulary", file_, rank, result);
        merges_.add(a, b, merged);
    }
}

void Bpe::find_boundary(const TextList& merges) {
    if (vocab_.find(kMetaspace) < 0 || !options_.continuing_subword_prefix.empty() ||
        !options_.end_of_word_suffix.empty()) {
        return;
    }
    // A mark inside a merged token, behind something else than a mark, joins what the border would part.
    const auto crosses = [](std::string_view token) {
        bool other = false;
        for (std::size_t at = 0; at < token.size();) {
            const bool mark = token.substr(at, kMetaspace.size()) == kMetaspace;
            if (mark && other) return true;
            other = !mark;
            at += char_size(token[at]);
        }
        return false;
    };
    for (std::size_t i = 0; i < merges.size(); i += 2) {
        if (crosses(merges.join(i, i + 1))) return;
    }
    cut_at_metaspace_ = true;
}

Token Bpe::unknown() const {
    const Token id = vocab_.find(*options_.unk_token);
    if (id < 0) {
        fail(ErrorKind::corrupt, "{}: model.unk_token: \"{}\" is not in the vocabulary", file_,
             *options_.unk_token);
    }
    return id;
}

void Bpe::byte_symbols(std::string_view word, std::vector<Token>& out) const {
    Token unk = -1;
    for (const char c : word) {
        const Token id = byte_ids_[static_cast<unsigned char>(c)];
        if (id >= 0) {
            if (unk >= 0) out.push_back(unk);
            unk = -1;
            out.push_back(id);
        } else if (options_.unk_token) {
            if (unk >= 0 && !options_.fuse_unk) out.push_back(unk);
            unk = unknown();
        }
    }
    if (unk >= 0) out.push_back(unk);
}

void Bpe::symbols(std::string_view word, std::vector<Token>& out) const {
    Token unk = -1;  // seen, not yet given out: a run of unknown characters may become one
    std::string edited;
    for (std::size_t at = 0; at < word.size();) {
        const std::size_t size = char_size(word[at]);
        std::string_view symbol = word.substr(at, size);
        const bool prefix = at > 0 && !options_.continuing_subword_prefix.empty();
        const bool suffix = at + size == word.size() && !options_.end_of_word_suffix.empty();
        if (prefix || suffix) {
            edited = prefix ? options_.continuing_subword_prefix : std::string();
            edited += symbol;
            if (suffix) edited += options_.end_of_word_suffix;
            symbol = edited;
        }
        at += size;
        const Token id = vocab_.find_text(symbol);
        if (id >= 0) {
            if (unk >= 0) out.push_back(unk);
            unk = -1;
            out.push_back(id);
            continue;
        }
        if (options_.byte_fallback) {
            bool all = true;
            for (const char c : symbol) all = all && byte_ids_[static_cast<unsigned char>(c)] >= 0;
            if (all) {
                // The library gives these out before an unknown character that it still holds back.
                for (const char c : symbol) out.push_back(byte_ids_[static_cast<unsigned char>(c)]);
                continue;
            }
        }
        if (options_.unk_token) {
            if (unk >= 0 && !options_.fuse_unk) out.push_back(unk);
            unk = unknown();
        }
    }
    if (unk >= 0) out.push_back(unk);
}

void Bpe::encode_part(std::string_view part, std::vector<Token>& out) const {
    const Token id = vocab_.find_text(part);
    std::atomic<unsigned char>* whole = nullptr;
    if (id >= 0 && unique_ids_) {
        whole = &whole_[static_cast<std::size_t>(id)];
        if (whole->load(std::memory_order_relaxed) == kWhole) {
            out.push_back(id);
            return;
        }
    }
    const std::size_t from = out.size();
    if (bytes_) {
        byte_symbols(part, out);
    } else {
        symbols(part, out);
    }
    merges_.merge_all(out, from);
    if (whole && whole->load(std::memory_order_relaxed) == kUnknown) {
        const bool same = out.size() == from + 1 && out[from] == id;
        whole->store(same ? kWhole : kSplit, std::memory_order_relaxed);
    }
}

void Bpe::encode(std::string_view word, std::vector<Token>& out) const {
    if (word.size() > std::numeric_limits<std::uint32_t>::max() / 2) {
        fail(ErrorKind::usage, "a word of {} bytes is more than the tokenizer takes", word.size());
    }
    if (options_.ignore_merges) {
        if (const Token id = vocab_.find_text(word); id >= 0) {
            out.push_back(id);
            return;
        }
    }
    if (!cut_at_metaspace_ || bytes_) {
        encode_part(word, out);
        return;
    }
    std::size_t begin = 0;
    while (begin < word.size()) {
        // A part: a run of marks and what follows up to the next mark.
        std::size_t end = begin;
        while (word.substr(end, kMetaspace.size()) == kMetaspace) end += kMetaspace.size();
        end = std::min(word.find(kMetaspace, end), word.size());
        encode_part(word.substr(begin, end - begin), out);
        begin = end;
    }
}

}  // namespace tinyllm
