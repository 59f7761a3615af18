// attend: many queries of a segment as columns of small matrix products, or, in fast decoding, one row at a
// time with long contexts cut into fixed parts.
#include <algorithm>
#include <atomic>
#include <cassert>
#include <cmath>
#include <limits>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/quant.h"

namespace tinyllm::cpu {
namespace {

// Positions of one part of a row's context; fixed, so that the order of additions does not depend on the
// number of threads.
constexpr std::int32_t kPartPositions = kRowPositions;

// Queries (rows times heads of a group) that share one conversion of a block's keys and values.
constexpr std::int32_t kColumns = 192;

std::int64_t padded(std::int64_t head_dim, int lanes) {
    return (head_dim + lanes - 1) / lanes * lanes;
}

/// First position that row `position` sees.
std::int32_t first_seen(std::int32_t position, std::int32_t window) {
    return window > 0 ? std::max(0, position - window + 1) : 0;
}

/// End of what row `position` of `segment` sees.
std::int32_t seen_end(const Segment& segment, std::int32_t position) {
    return segment.n_keys > 0 ? segment.n_keys : position + 1;
}

/// The part of a bias by distance that the heads of `kv_head`'s group read.
const float* relative_of(const AttendArgs& args, std::int32_t kv_head) {
    if (!args.relative.values) return nullptr;
    const std::int64_t group = args.n_heads / args.kv.n_kv_heads;
    return args.relative.values + kv_head * group * (2 * args.relative.span + 1);
}

}  // namespace

std::byte* cache_row(std::byte* const* blocks, DType type, const KvLayer& kv, const Segment& segment,
                     std::int64_t position, std::int64_t head) {
    std::byte* block = blocks[segment.blocks[position / kKvBlock]];
    return block +
           static_cast<std::size_t>(head * kKvBlock + position % kKvBlock) * row_bytes(type, kv.head_dim);
}

/// One row, one kv head, one part of the context.
struct CpuBackend::RowAttention {
    const Segment* segment;
    std::int32_t row, kv_head;
    std::int32_t begin, end;  // positions
    float* out;               // (group, ld), then top (group), sum (group)
};

void CpuBackend::attend_row_part(const AttendArgs& args, const RowAttention& task, const RowAttention* next,
                                 PerThread& thread) const {
    const KvLayer& kv = args.kv;
    const std::int64_t ld = padded(kv.head_dim, table_.lanes);
    const std::int32_t group = args.n_heads / kv.n_kv_heads;
    const std::int64_t scratch_floats = attend_row_scratch(ld, group);
    auto* scratch = thread.attention.get<float>(static_cast<std::size_t>(scratch_floats + group * ld));
    float* q = scratch + scratch_floats;
    const float* from = args.q + (std::int64_t{task.row} * args.n_heads + task.kv_head * group) * kv.head_dim;
    for (std::int32_t h = 0; h < group; ++h) {
        for (std::int64_t d = 0; d < ld; ++d)
            q[h * ld + d] = d < kv.head_dim ? from[h * kv.head_dim + d] * args.scale : 0;
    }
    std::fill_n(task.out, group * ld, 0.0f);
    constexpr std::int32_t kBlocks = kPartPositions / kKvBlock;
    const std::uint8_t *k[kBlocks] = {}, *v[kBlocks] = {}, *k_next[kBlocks] = {};
    const auto block_of = [&](std::byte* const* blocks, DType type, const RowAttention& t, std::int32_t b) {
        const std::int32_t position = t.begin / kPartPositions * kPartPositions + b * kKvBlock;
        if (position >= t.end || position + kKvBlock <= t.begin)
            return static_cast<const std::uint8_t*>(nullptr);
        return reinterpret_cast<const std::uint8_t*>(
            cache_row(blocks, type, kv, *t.segment, position, t.kv_head));
    };
    for (std::int32_t b = 0; b < kBlocks; ++b) {
        k[b] = block_of(kv.k_blocks, kv.k_type, task, b);
        v[b] = block_of(kv.v_blocks, kv.v_type, task, b);
        if (next) k_next[b] = block_of(kv.k_blocks, kv.k_type, *next, b);
    }
    const std::int32_t base = task.begin / kPartPositions * kPartPositions;
    const AttendRow row{
        .head_dim = kv.head_dim,
        .columns = group,
        .k_type = static_cast<int>(kv.k_type),
        .v_type = static_cast<int>(kv.v_type),
        .k = k,
        .v = v,
        .k_next = k_next,
        .q = q,
        .first = task.begin - base,
        .last = task.end - base,
        .origin = task.segment->start + task.row - task.segment->first_row - base,
        .alibi = args.alibi ? args.alibi + task.kv_head * group : nullptr,
        .relative = relative_of(args, task.kv_head),
        .span = args.relative.span,
        .out = task.out,
        .ld = ld,
        .top = task.out + group * ld,
        .sum = task.out + group * (ld + 1),
        .scratch = scratch,
    };
    table_.attend_row(&row);
}

void CpuBackend::attend_rows(const AttendArgs& args, std::span<const Segment> segments) {
    const KvLayer& kv = args.kv;
    const std::int64_t ld = padded(kv.head_dim, table_.lanes);
    const std::int32_t group = args.n_heads / kv.n_kv_heads;
    const std::int64_t part_floats = group * (ld + 2);
    std::vector<RowAttention> tasks;
    std::vector<std::size_t> first_task;  // of each (segment, kv head)
    for (const Segment& segment : segments) {
        for (std::int32_t kv_head = 0; kv_head < kv.n_kv_heads; ++kv_head) {
            first_task.push_back(tasks.size());
            const std::int32_t seen = seen_end(segment, segment.start);
            for (std::int32_t p = first_seen(segment.start, args.window); p < seen;) {
                const std::int32_t end = std::min(seen, (p / kPartPositions + 1) * kPartPositions);
                tasks.push_back({&segment, segment.first_row, kv_head, p, end, nullptr});
                p = end;
            }
        }
    }
    first_task.push_back(tasks.size());
    auto* results = shared_.get<float>(tasks.size() * static_cast<std::size_t>(part_floats));
    for (std::size_t t = 0; t < tasks.size(); ++t)
        tasks[t].out = results + t * static_cast<std::size_t>(part_floats);
    // Whoever finishes a head's last part joins them, in order of position.
    std::vector<std::atomic<std::int32_t>> finished(first_task.size());
    std::vector<std::int32_t> owner(tasks.size());
    for (std::size_t f = 0; f + 1 < first_task.size(); ++f) {
        std::fill(owner.begin() + static_cast<std::ptrdiff_t>(first_task[f]),
                  owner.begin() + static_cast<std::ptrdiff_t>(first_task[f + 1]),
                  static_cast<std::int32_t>(f));
    }
    const auto join = [&](std::size_t begin, std::size_t end) {
        const RowAttention& task = tasks[begin];
        float* out = args.out + (std::int64_t{task.row} * args.n_heads + task.kv_head * group) * kv.head_dim;
        for (std::int32_t h = 0; h < group; ++h, out += kv.head_dim) {
            const auto top_of = [&](std::size_t t) { return tasks[t].out[group * ld + h]; };
            float top = top_of(begin);
            for (std::size_t t = begin + 1; t < end; ++t) top = std::max(top, top_of(t));
            float total = 0;
            std::fill_n(out, kv.head_dim, 0.0f);
            for (std::size_t t = begin; t < end; ++t) {
                const float weight = top_of(t) == top ? 1.0f : std::exp(top_of(t) - top);
                total += weight * tasks[t].out[group * (ld + 1) + h];
                for (std::int32_t d = 0; d < kv.head_dim; ++d) out[d] += weight * tasks[t].out[h * ld + d];
            }
            for (std::int32_t d = 0; d < kv.head_dim; ++d) out[d] /= total;
        }
    };
    pool_.run(static_cast<int>(tasks.size()), [&](int t, int thread) {
        const auto index = static_cast<std::size_t>(t);
        const RowAttention* next = index + 1 < tasks.size() ? &tasks[index + 1] : nullptr;
        attend_row_part(args, tasks[index], next, per_thread_[static_cast<std::size_t>(thread)]);
        const auto f = static_cast<std::size_t>(owner[index]);
        const auto parts = static_cast<std::int32_t>(first_task[f + 1] - first_task[f]);
        if (finished[f].fetch_add(1, std::memory_order_acq_rel) + 1 == parts)
            join(first_task[f], first_task[f + 1]);
    });
}

void CpuBackend::attend_columns(const AttendArgs& args, const Segment& segment, std::int32_t kv_head,
                                std::int32_t first_row, std::int32_t n_rows, PerThread& thread) const {
    const KvLayer& kv = args.kv;
    const std::int32_t group = args.n_heads / kv.n_kv_heads;
    const std::int32_t columns = n_rows * group;
    const std::int64_t ld = padded(kv.head_dim, table_.lanes);
    const bool by_pairs = precision_ == Precision::fast && table_.pairs && table_.pairs->attend_step;
    std::vector<Tile> tiles;
    if (by_pairs) tiles = tiles_of(table_.pairs->tiles, columns);
    const std::int64_t all_columns = std::max<std::int64_t>(
        padded(columns, table_.lanes), by_pairs ? tiles.back().first_row + tiles.back().width : 0);
    const std::int64_t step_floats = std::max(attend_scratch(ld), attend_pairs_scratch(ld));
    const std::int64_t q_width =
        by_pairs ? pair_cols(kv.head_dim) : kv.head_dim;  // two parts of half a float
    const std::int64_t floats = step_floats + all_columns * (kv.head_dim + q_width + ld + 7);
    float* scratch = thread.attention.get<float>(static_cast<std::size_t>(floats));
    float* rows = scratch + step_floats;          // (columns, head_dim)
    float* q = rows + all_columns * kv.head_dim;  // tiles or panels
    float* out = q + all_columns * q_width;       // (columns, ld)
    float* top = out + all_columns * ld;
    float* sum = top + all_columns;
    float* slopes = sum + all_columns;
    auto* first = reinterpret_cast<std::int32_t*>(slopes + all_columns);
    auto* last = first + all_columns;
    auto* origin = last + all_columns;
    auto* positions = origin + all_columns;
    const std::int32_t start = segment.start + first_row;
    const float scale = by_pairs ? args.scale : args.scale * kLog2E;
    for (std::int32_t c = 0; c < columns; ++c) {
        const std::int32_t head = kv_head * group + c % group;
        const float* from =
            args.q +
            (std::int64_t{segment.first_row + first_row + c / group} * args.n_heads + head) * kv.head_dim;
        for (std::int32_t d = 0; d < kv.head_dim; ++d) rows[c * kv.head_dim + d] = from[d] * scale;
        positions[c] = start + c / group;
        if (args.alibi) slopes[c] = args.alibi[head];
    }
    std::fill_n(top, all_columns, -std::numeric_limits<float>::infinity());
    std::fill_n(sum, all_columns, 0.0f);
    std::fill_n(first, 2 * all_columns, 0);  // first and last
    std::fill_n(out, all_columns * ld, 0.0f);
    for (const Tile& tile : tiles) {
        table_.pairs->fill(rows + tile.first_row * kv.head_dim, kv.head_dim, tile.rows, tile.width,
                           kv.head_dim, kAttendTerms,
                           reinterpret_cast<std::uint16_t*>(q + tile.first_row * q_width));
    }
    for (std::int32_t c = 0; !by_pairs && c < columns; c += table_.lanes) {
        table_.fill_tile(rows + c * kv.head_dim, kv.head_dim, std::min(table_.lanes, columns - c),
                         table_.lanes, kv.head_dim, q + c * kv.head_dim);
    }
    const std::int32_t end = seen_end(segment, start + n_rows - 1);
    const std::int32_t stored = seen_end(segment, segment.start + segment.n_rows - 1);  // the sequence has
    for (std::int32_t b = first_seen(start, args.window) / kKvBlock * kKvBlock; b < end; b += kKvBlock) {
        for (std::int32_t c = 0; c < columns; ++c) {
            first[c] = std::clamp(first_seen(positions[c], args.window) - b, 0, kKvBlock);
            last[c] = std::clamp(seen_end(segment, positions[c]) - b, 0, kKvBlock);
            origin[c] = positions[c] - b;
        }
        const AttendTile tile{
            .head_dim = kv.head_dim,
            .n_positions = std::min(kKvBlock, stored - b),
            .columns = columns,
            .k_type = static_cast<int>(kv.k_type),
            .v_type = static_cast<int>(kv.v_type),
            .k = reinterpret_cast<const std::uint8_t*>(
                cache_row(kv.k_blocks, kv.k_type, kv, segment, b, kv_head)),
            .v = reinterpret_cast<const std::uint8_t*>(
                cache_row(kv.v_blocks, kv.v_type, kv, segment, b, kv_head)),
            .q = q,
            .q_pairs = reinterpret_cast<const std::uint16_t*>(q),
            .first = first,
            .last = last,
            .alibi = args.alibi ? slopes : nullptr,
            .relative = relative_of(args, kv_head),
            .group = group,
            .span = args.relative.span,
            .origin = origin,
            .out = out,
            .ld = ld,
            .top = top,
            .sum = sum,
            .scratch = scratch,
        };
        by_pairs ? table_.pairs->attend_step(&tile) : table_.attend_step(&tile);
    }
    for (std::int32_t c = 0; c < columns; ++c) {
        const std::int32_t head = kv_head * group + c % group;
        float* to =
            args.out +
            (std::int64_t{segment.first_row + first_row + c / group} * args.n_heads + head) * kv.head_dim;
        const float inverse = 1 / sum[c];
        for (std::int32_t d = 0; d < kv.head_dim; ++d) to[d] = out[c * ld + d] * inverse;
    }
}

void CpuBackend::attend(const AttendArgs& args) {
    struct Task {
        const Segment* segment;
        std::int32_t kv_head, first_row, n_rows;
    };
    std::vector<Segment> single;
    std::vector<Task> tasks;
    const std::int32_t group = args.n_heads / args.kv.n_kv_heads;
    const std::int32_t step = std::clamp(kColumns / group, 1, 128);
    for (const Segment& segment : args.segments) {
        if (args.phase == Phase::decode && precision_ == Precision::fast) {
            assert(segment.n_rows == 1);
            single.push_back(segment);
            continue;
        }
        // The last rows see the most positions: they go first, so that no long task is left for the end.
        for (std::int32_t row = (segment.n_rows - 1) / step * step; row >= 0 && segment.n_rows > 0;
             row -= step) {
            for (std::int32_t kv_head = 0; kv_head < args.kv.n_kv_heads; ++kv_head) {
                tasks.push_back({&segment, kv_head, row, std::min(step, segment.n_rows - row)});
            }
        }
    }
    if (!single.empty()) attend_rows(args, single);
    pool_.run(static_cast<int>(tasks.size()), [&](int t, int thread) {
        const Task& task = tasks[static_cast<std::size_t>(t)];
        attend_columns(args, *task.segment, task.kv_head, task.first_row, task.n_rows,
                       per_thread_[static_cast<std::size_t>(thread)]);
    });
}

}  // namespace tinyllm::cpu
