// Ends a stream of text before the first stop string, and never gives out the beginning of one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tinyllm {

class StopStrings {
  public:
    /// Empty stop strings are ignored.
    explicit StopStrings(std::vector<std::string> stops);

    /// The text that is now certain to stand before any stop string.
    std::string append(std::string_view text);

    /// What was held back, once the stream has ended; empty if a stop string was found.
    std::string finish();

    bool found() const { return found_; }

  private:
    std::vector<std::string> stops_;
    std::string held_;
    bool found_ = false;
};

}  // namespace tinyllm
