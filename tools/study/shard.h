// A study spread over a fleet: shard i of n does its share of the models and types.
#pragma once

#include <string>
#include <vector>

namespace tinyllm::study {

struct Shard {
    int index = 1, count = 1;  ///< the first is 1

    bool whole() const { return count == 1; }
};

/// "2/4". Throws Error(usage).
Shard parse_shard(const std::string& text);

/// Which shard does each job, from 1: the costliest first, each to the shard with the least to do so far. The
/// same for the same costs, whatever machine asks.
std::vector<int> deal(const std::vector<double>& costs, int shards);

}  // namespace tinyllm::study
