// Many short texts, one behind the other in one string.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace tinyllm {

class TextList {
  public:
    std::size_t size() const { return ends_.size(); }
    std::size_t bytes() const { return text_.size(); }
    std::string_view operator[](std::size_t i) const { return join(i, i); }
    /// Those from `first` to `last`, without anything between them.
    std::string_view join(std::size_t first, std::size_t last) const {
        const std::size_t begin = first == 0 ? 0 : ends_[first - 1];
        return std::string_view(text_).substr(begin, ends_[last] - begin);
    }

    void reserve(std::size_t texts, std::size_t bytes) {
        ends_.reserve(texts);
        text_.reserve(bytes);
    }
    /// False, and nothing added, when there would be more than 4 GiB or 2^30 texts.
    [[nodiscard]] bool add(std::string_view text) {
        if (text.size() > std::numeric_limits<std::uint32_t>::max() - text_.size()) return false;
        if (ends_.size() >= std::size_t{1} << 30) return false;
        text_ += text;
        ends_.push_back(static_cast<std::uint32_t>(text_.size()));
        return true;
    }
    void clear() {
        text_.clear();
        ends_.clear();
    }

  private:
    std::string text_;
    std::vector<std::uint32_t> ends_;
};

}  // namespace tinyllm
