#include "tokenizers/vocab.h"

#include <numeric>

#include "engine/fail.h"
#include "tokenizers/byte_level.h"
#include "tokenizers/hashing.h"

namespace tinyllm {

std::uint64_t Vocab::hash_of(std::string_view text, std::uint32_t spelled) {
    const std::uint64_t hash = hash_bytes(text);
    return spelled ? ~hash : hash;
}

void Vocab::reserve(std::size_t entries, std::size_t bytes) {
    begins_.reserve(entries + 1);
    text_.reserve(bytes);
    if (index_.too_small(entries)) grow(entries);
}

void Vocab::grow(std::size_t entries) {
    index_.reset(entries);
    for (std::uint32_t e = 0; e < this->entries(); ++e)
        index_.add(hash_of(text_of(e), begins_[e] & kSpelled), e);
}

void Vocab::list_ids() {
    ids_.resize(entries());
    by_id_.resize(entries());
    std::iota(ids_.begin(), ids_.end(), 0);
    std::iota(by_id_.begin(), by_id_.end(), 0U);
}

void Vocab::add(std::string_view spelling, std::int64_t id, const std::string& file, bool keep_earlier) {
    if (id < 0 || id > kMaxId) {
        fail(ErrorKind::corrupt, "{}: vocabulary: expected ids from 0 to {}, found {} for \"{}\"", file,
             kMaxId, id, spelling);
    }
    constexpr std::size_t kMostEntries = std::size_t{1} << 30;
    const std::size_t begin = text_.size();
    if (spelling.size() >= kSpelled - begin || entries() >= kMostEntries)
        fail(ErrorKind::corrupt, "{}: vocabulary: more than 2 GiB of text", file);
    if (index_.too_small(entries() + 1)) grow((entries() + 1) * 2);

    std::uint32_t spelled = 0;
    if (!to_text(spelling, text_)) {
        text_ += spelling;
        spelled = kSpelled;
    }
    const std::string_view text = std::string_view(text_).substr(begin);
    const std::uint64_t hash = hash_of(text, spelled);
    const std::uint32_t known = find_entry(hash, text, spelled);
    const bool fresh = known == FlatIndex::kNone;
    const auto entry = fresh ? static_cast<std::uint32_t>(entries()) : known;
    const auto at = static_cast<std::size_t>(id);
    if (ids_.empty() && (!fresh || at != entry)) list_ids();
    const bool listed = !ids_.empty() || (at != entry);
    if (listed && at >= by_id_.size()) by_id_.resize(at + 1, FlatIndex::kNone);

    if (fresh) {
        index_.add(hash, entry);
        begins_.back() |= spelled;
        begins_.push_back(static_cast<std::uint32_t>(text_.size()));
        if (listed) ids_.push_back(static_cast<Token>(id));
        ++count_;
    } else {
        text_.resize(begin);
        const auto before = static_cast<std::size_t>(ids_[entry]);
        if (keep_earlier) {
            ++count_;
        } else if (by_id_[before] == entry) {
            by_id_[before] = FlatIndex::kNone;
        }
        ids_[entry] = static_cast<Token>(id);
    }
    if (listed) by_id_[at] = entry;
}

std::uint32_t Vocab::find_entry(std::uint64_t hash, std::string_view text, std::uint32_t spelled) const {
    return index_.find(
        hash, [&](std::uint32_t e) { return (begins_[e] & kSpelled) == spelled && text_of(e) == text; });
}

std::uint32_t Vocab::entry_of(Token id) const {
    if (id < 0 || id >= id_end()) return FlatIndex::kNone;
    return ids_.empty() ? static_cast<std::uint32_t>(id) : by_id_[static_cast<std::size_t>(id)];
}

Token Vocab::find_text(std::string_view text) const {
    return id_of(find_entry(hash_of(text, 0), text, 0));
}

bool Vocab::to_text(std::string_view spelling, std::string& text) const {
    if (held_ == Held::bytes) return from_byte_level(spelling, text);
    text += spelling;
    return true;
}

bool Vocab::is_text(Token id, std::string_view text) const {
    const std::uint32_t entry = entry_of(id);
    return entry != FlatIndex::kNone && id_of(entry) == id && !(begins_[entry] & kSpelled) &&
           text_of(entry) == text;
}

Token Vocab::find(std::string_view spelling) const {
    if (held_ == Held::spellings) return find_text(spelling);
    std::string bytes;
    if (from_byte_level(spelling, bytes)) return find_text(bytes);
    return id_of(find_entry(hash_of(spelling, kSpelled), spelling, kSpelled));
}

std::string Vocab::piece(Token id) const {
    const std::uint32_t entry = entry_of(id);
    if (entry == FlatIndex::kNone) return "";
    const std::string_view text = text_of(entry);
    return held_ == Held::bytes && !(begins_[entry] & kSpelled) ? to_byte_level(text) : std::string(text);
}

}  // namespace tinyllm
