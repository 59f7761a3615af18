#include "tokenizers/vocab.h"

#include <limits>

#include "engine/fail.h"
#include "tokenizers/hashing.h"

namespace tinyllm {

void Vocab::reserve(std::size_t entries, std::size_t bytes) {
    entries_.reserve(entries);
    text_.reserve(bytes);
    std::size_t slots = 64;
    while (slots < entries * 2) slots *= 2;
    if (slots > slots_.size()) grow(slots);
}

void Vocab::grow(std::size_t slots) {
    slots_.assign(slots, 0);
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        std::size_t at = entries_[i].hash & (slots - 1);
        while (slots_[at]) at = (at + 1) & (slots - 1);
        slots_[at] = static_cast<std::uint32_t>(i + 1);
    }
}

void Vocab::add(std::string_view text, std::int64_t id, const std::string& file, bool keep_earlier) {
    if (id < 0 || id > kMaxId) {
        fail(ErrorKind::corrupt, "{}: vocabulary: expected ids from 0 to {}, found {} for \"{}\"", file,
             kMaxId, id, text);
    }
    if (text_.size() + text.size() > std::numeric_limits<std::uint32_t>::max()) {
        fail(ErrorKind::corrupt, "{}: vocabulary: more than 4 GiB of text", file);
    }
    if ((entries_.size() + 1) * 2 > slots_.size()) grow(slots_.empty() ? 64 : slots_.size() * 2);
    if (static_cast<std::size_t>(id) >= by_id_.size()) by_id_.resize(static_cast<std::size_t>(id) + 1, 0);

    const auto hash = static_cast<std::uint32_t>(hash_bytes(text));
    std::size_t at = hash & (slots_.size() - 1);
    for (; slots_[at]; at = (at + 1) & (slots_.size() - 1)) {
        Entry& e = entries_[slots_[at] - 1];
        if (e.hash == hash && spelling(e) == text) {
            if (keep_earlier) {
                ++count_;
            } else if (by_id_[static_cast<std::size_t>(e.id)] == slots_[at]) {
                by_id_[static_cast<std::size_t>(e.id)] = 0;
            }
            e.id = static_cast<Token>(id);
            by_id_[static_cast<std::size_t>(id)] = slots_[at];
            return;
        }
    }
    entries_.push_back({static_cast<std::uint32_t>(text_.size()), static_cast<std::uint32_t>(text.size()),
                        static_cast<Token>(id), hash});
    text_.append(text);
    slots_[at] = static_cast<std::uint32_t>(entries_.size());
    by_id_[static_cast<std::size_t>(id)] = slots_[at];
    ++count_;
}

Token Vocab::find(std::string_view text) const {
    if (slots_.empty()) return -1;
    const auto hash = static_cast<std::uint32_t>(hash_bytes(text));
    for (std::size_t at = hash & (slots_.size() - 1); slots_[at]; at = (at + 1) & (slots_.size() - 1)) {
        const Entry& e = entries_[slots_[at] - 1];
        if (e.hash == hash && spelling(e) == text) return e.id;
    }
    return -1;
}

bool Vocab::has(Token id) const {
    return id >= 0 && static_cast<std::size_t>(id) < by_id_.size() && by_id_[static_cast<std::size_t>(id)];
}

std::string_view Vocab::piece(Token id) const {
    return has(id) ? spelling(entries_[by_id_[static_cast<std::size_t>(id)] - 1]) : std::string_view();
}

}  // namespace tinyllm
