// Whether two files hold the same model, by what they compute.
#pragma once

#include <cstdint>
#include <string>

namespace tinyllm {

struct LogitsDifference {
    double relative = 0;  // rms of the difference / standard deviation of a's logits
    double largest = 0;   // absolute
    std::int64_t n_tokens = 0;
};

/// Runs both in exact mode on one fixed prompt of ids and compares the logits behind its last token.
LogitsDifference compare_logits(const std::string& a, const std::string& b);

}  // namespace tinyllm
