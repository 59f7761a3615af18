#include "tools/study/shard.h"

#include <algorithm>
#include <charconv>
#include <numeric>

#include "engine/fail.h"

namespace tinyllm::study {

Shard parse_shard(const std::string& text) {
    constexpr int kMostShards = 10'000;
    Shard shard;
    const char* at = text.data();
    const char* end = at + text.size();
    const auto number = [&](int& value) {
        const auto [stopped, error] = std::from_chars(at, end, value);
        at = stopped;
        return error == std::errc();
    };
    if (!number(shard.index) || at == end || *at++ != '/' || !number(shard.count) || at != end ||
        shard.count < 1 || shard.count > kMostShards || shard.index < 1 || shard.index > shard.count)
        fail(ErrorKind::usage, "--shard: expected i/n with i from 1 to n, such as 1/4, found \"{}\"", text);
    return shard;
}

std::vector<int> deal(const std::vector<double>& costs, int shards) {
    std::vector<std::size_t> order(costs.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return costs[a] > costs[b]; });
    std::vector<double> load(static_cast<std::size_t>(shards));
    std::vector<int> owner(costs.size());
    for (std::size_t job : order) {
        const auto least = std::min_element(load.begin(), load.end());
        *least += costs[job];
        owner[job] = static_cast<int>(least - load.begin()) + 1;
    }
    return owner;
}

}  // namespace tinyllm::study
