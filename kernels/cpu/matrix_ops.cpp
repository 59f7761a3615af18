// Ops that multiply with a weight matrix: linear, glu, qkv, logits, score.
#include <algorithm>
#include <cmath>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/pack.h"
#include "kernels/quant.h"

namespace tinyllm::cpu {

namespace {

// Up to here every thread prepares the activations for itself, which costs less than waiting for one another.
constexpr std::int32_t kSelfPrepared = 4;

// Activations of a chunk's tokens that should stay in the second-level cache.
constexpr std::int64_t kTokenBytes = 256 << 10;
// As pairs they are read less often than weights are unpacked, once per chunk.
constexpr std::int64_t kPairTokenBytes = 1 << 20;
// Panels as f32 that several blocks of tokens are multiplied with, and which should stay there beside one.
constexpr std::int64_t kKeptBytes = 512 << 10;

constexpr std::int64_t round_up(std::int64_t n, std::int64_t unit) {
    return (n + unit - 1) / unit * unit;
}

}  // namespace

void CpuBackend::multiply_pairs(const Panels& panels, std::int64_t first, std::int64_t last,
                                const Block& block, float* out) const {
    const PairKernels& pairs = *table_.pairs;
    const std::vector<Tile>& tiles = block.x->tiles();
    const int terms = block.x->forms().pairs;
    const std::int64_t elements = pair_parts(terms) * pair_cols(panels.cols) * table_.lanes;
    auto* unpacked = block.thread->unpacked.get<std::uint16_t>(static_cast<std::size_t>(2 * elements));
    for (std::int64_t p = first; p < last; p += 2) {
        const int n = static_cast<int>(std::min<std::int64_t>(2, last - p));
        for (int i = 0; i < n; ++i) pairs.unpack(&panels, p + i, terms, unpacked + i * elements);
        for (std::size_t t = block.first; t < block.last; ++t) {
            float* y = out + (tiles[t].first_row - tiles[block.first].first_row) * block.ld +
                       (p - first) * table_.lanes;
            pairs.product(unpacked, n, block.x->pairs(block.memory, t), tiles[t].width, panels.cols, terms, y,
                          block.ld);
        }
    }
}

void CpuBackend::multiply_panels(const Panels& panels, std::int64_t first, std::int64_t last,
                                 const Block& block, float* out) const {
    if (block.x->forms().pairs) return multiply_pairs(panels, first, last, block, out);
    const int lanes = table_.lanes;
    const std::vector<Tile>& tiles = block.x->tiles();
    const std::int32_t token = tiles[block.first].first_row;
    const std::size_t n_tiles = block.last - block.first;
    const bool quantized = dtype_block(static_cast<DType>(panels.type)) > 1;
    const bool int8 = quantized && precision_ == Precision::fast;
    // A panel that serves several tiles, or is quantized, is turned into f32 once; the products are the same
    // bits either way.
    const bool unpack = !int8 && panels.type != kF32 && (quantized || n_tiles > 2 || block.kept);
    const std::int64_t group = n_tiles == 1 && !unpack ? last - first : 2;
    for (std::int64_t p = first; p < last; p += group) {
        const int n = static_cast<int>(std::min(group, last - p));
        Panels from = panels;
        std::int64_t from_panel = p;
        if (unpack) {
            const std::int64_t floats = panels.cols * lanes;
            float* unpacked = nullptr;
            if (block.kept) {
                unpacked = *block.kept;
                *block.kept += n * floats;
            } else {
                unpacked = block.thread->unpacked.get<float>(static_cast<std::size_t>(2 * floats));
            }
            for (int i = 0; block.is_first && i < n; ++i)
                table_.unpack_panel(&panels, p + i, unpacked + i * floats);
            from = {kF32, reinterpret_cast<const std::uint8_t*>(unpacked), floats * 4, panels.cols};
            from_panel = 0;
        }
        for (std::size_t t = block.first; t < block.last; ++t) {
            float* y = out + (tiles[t].first_row - token) * block.ld + (p - first) * lanes;
            if (int8) {
                table_.int_tile(&from, from_panel, n, block.x->int8(block.memory, t), tiles[t].width, y,
                                block.ld);
            } else {
                table_.float_tile(&from, from_panel, n, block.x->f32(block.memory, t), tiles[t].width, y,
                                  block.ld);
            }
        }
    }
}

void CpuBackend::multiply_rows(const Matrix& w, std::int64_t begin, std::int64_t end,
                               const Block& block) const {
    const int lanes = table_.lanes;
    std::int64_t strip_begin = 0;
    for (const Strip& strip : w.strips) {
        const std::int64_t b = std::max(begin, strip_begin) - strip_begin;
        const std::int64_t e = std::min(end, strip_begin + strip.rows) - strip_begin;
        if (b < e) {
            // Rows of the first panel that lie before b land left of the chunk, those of the last behind it:
            // the buffer has room there, and what a strip writes too far the next one overwrites.
            float* out = block.out + strip_begin + b - begin - b % lanes;
            multiply_panels(panels_of(strip, w.cols, lanes), b / lanes, (e + lanes - 1) / lanes, block, out);
        }
        strip_begin += strip.rows;
    }
}

std::int64_t CpuBackend::choose_chunk(const Product& product, std::size_t n_tiles) const {
    if (product.chunk_rows) return product.chunk_rows;
    const std::int64_t unit = product.chunk_unit > 1 ? product.chunk_unit : 2 * table_.lanes;
    const std::int64_t parts = product.second ? 2 : 1;
    const std::int64_t row_bytes =
        std::max<std::int64_t>(1, static_cast<std::int64_t>(product.w->bytes) / product.w->rows);
    // One token streams weights: a few chunks per thread, each long enough for the prefetcher. Many tokens:
    // chunks whose results stay in the nearest caches.
    const std::int64_t least = (16 << 10) / (row_bytes * parts);
    const std::int64_t even = product.rows / (8 * pool_.threads());
    const std::int64_t wanted = n_tiles > 1 ? std::int64_t{64} / parts : std::max(least, even);
    return round_up(std::max<std::int64_t>(1, std::min(wanted, product.rows)), unit);
}

std::int64_t CpuBackend::kept_floats(const Product& product, const Forms& forms,
                                     std::int64_t chunk_rows) const {
    if (!forms.f32) return 0;
    const auto is_turned = [&](const Strip& strip) {
        return strip.type != DType::f32 && (dtype_block(strip.type) == 1 || precision_ == Precision::exact);
    };
    if (std::ranges::none_of(product.w->strips, is_turned)) return 0;
    // A chunk may begin and end within a panel, and do so in every strip.
    const std::int64_t panels = chunk_rows / table_.lanes + 2 * std::ssize(product.w->strips);
    const std::int64_t floats = (product.second ? 2 : 1) * panels * table_.lanes * product.w->cols;
    const std::int64_t bytes = (product.second ? 2 : 1) * chunk_rows * product.w->cols * 4;
    return bytes <= kKeptBytes ? floats : 0;
}

template <typename Finish>
void CpuBackend::multiply(const Product& product, const Finish& finish) {
    if (product.n == 0) return;
    const Matrix& w = *product.w;
    const Forms forms = forms_of(w, table_, precision_, product.phase);
    const Activations x(table_, product.n, w.cols, forms);
    const bool self_prepared = product.n <= kSelfPrepared;
    std::byte* memory = nullptr;
    ++op_;
    if (!self_prepared) {
        memory = shared_.get<std::byte>(x.bytes());
        pool_.run(static_cast<int>(x.tiles().size()), [&](int tile, int thread) {
            float* rows = per_thread_[static_cast<std::size_t>(thread)].rows.get<float>(x.row_floats());
            x.fill(memory, static_cast<std::size_t>(tile), product.x, product.row_index, product.norm, rows);
        });
    }
    const std::size_t n_tiles = x.tiles().size();
    const std::int64_t width = x.tiles()[0].width;
    const std::int64_t token_bytes = w.cols * (forms.pairs ? 2 * pair_parts(forms.pairs) : forms.f32 ? 4 : 1);
    const std::int64_t block_bytes = forms.pairs ? kPairTokenBytes : kTokenBytes;
    const auto tiles_per_block =
        static_cast<std::size_t>(std::max<std::int64_t>(4, block_bytes / (token_bytes * width)));
    const std::size_t n_blocks = (n_tiles + tiles_per_block - 1) / tiles_per_block;
    const std::int64_t chunk_rows = choose_chunk(product, n_tiles);
    const std::int64_t n_chunks = (product.rows + chunk_rows - 1) / chunk_rows;
    const std::int64_t pad = table_.lanes;
    const std::int64_t ld = round_up(chunk_rows + 2 * pad, 16);
    // Where panels become f32 a task takes several blocks, as long as there are tasks enough to share out.
    const std::int64_t kept = n_blocks > 1 ? kept_floats(product, forms, chunk_rows) : 0;
    const auto wanted = static_cast<std::size_t>((8 * pool_.threads() + n_chunks - 1) / n_chunks);
    const std::size_t blocks_per_task = kept ? (n_blocks + wanted - 1) / wanted : 1;
    const auto n_groups = static_cast<std::int64_t>((n_blocks + blocks_per_task - 1) / blocks_per_task);

    pool_.run(static_cast<int>(n_chunks * n_groups), [&](int task, int thread_index) {
        PerThread& thread = per_thread_[static_cast<std::size_t>(thread_index)];
        std::byte* activations = memory;
        if (self_prepared) {
            activations = thread.activations.get<std::byte>(x.bytes());
            if (thread.prepared_for != op_) {
                float* rows = thread.rows.get<float>(x.row_floats());
                for (std::size_t tile = 0; tile < n_tiles; ++tile) {
                    x.fill(activations, tile, product.x, product.row_index, product.norm, rows);
                }
                thread.prepared_for = op_;
            }
        }
        const std::int64_t first_row = task % n_chunks * chunk_rows;
        const std::int64_t n_rows = std::min(chunk_rows, product.rows - first_row);
        const std::size_t first_block = static_cast<std::size_t>(task / n_chunks) * blocks_per_task;
        const std::size_t last_block = std::min(n_blocks, first_block + blocks_per_task);
        for (std::size_t b = first_block; b < last_block; ++b) {
            const std::size_t first_tile = b * tiles_per_block;
            const std::size_t last_tile = std::min(n_tiles, first_tile + tiles_per_block);
            const Tile& last = x.tiles()[last_tile - 1];
            const std::int32_t token = x.tiles()[first_tile].first_row;
            const std::int64_t columns = last.first_row + last.width - token;
            const std::int64_t floats = columns * ld + 2 * pad;
            float* y = thread.y.get<float>(static_cast<std::size_t>(2 * floats)) + pad;
            Block block{&x, activations, first_tile, last_tile, y, ld, &thread};
            float* next_kept = nullptr;
            if (blocks_per_task > 1) {
                next_kept = thread.unpacked.get<float>(static_cast<std::size_t>(kept));
                block.kept = &next_kept;
                block.is_first = b == first_block;
            }
            multiply_rows(w, first_row, first_row + n_rows, block);
            if (product.second) {
                block.out += floats;
                multiply_rows(w, product.second + first_row, product.second + first_row + n_rows, block);
            }
            finish(Chunk{first_row, n_rows, token, last.first_row + last.rows - token, y, y + floats, ld});
        }
    });
}

void CpuBackend::linear(const LinearArgs& args) {
    Product product{
        .w = args.w, .n = args.n, .x = args.x, .norm = args.norm, .rows = args.w->rows, .phase = args.phase};
    multiply(product, [&](const Chunk& c) {
        for (std::int32_t i = 0; i < c.n_tokens; ++i) {
            table_.finish_linear(c.y + i * c.ld, args.bias ? args.bias + c.first_row : nullptr,
                                 static_cast<int>(args.activation), args.accumulate, c.n_rows,
                                 args.out + (c.token + i) * args.w->rows + c.first_row);
        }
    });
}

void CpuBackend::glu(const GluArgs& args) {
    const std::int64_t ff = args.w->rows / 2;
    Product product{.w = args.w,
                    .n = args.n,
                    .x = args.x,
                    .norm = args.norm,
                    .rows = ff,
                    .second = ff,
                    .phase = args.phase};
    multiply(product, [&](const Chunk& c) {
        const float* bias = args.bias ? args.bias + c.first_row : nullptr;
        for (std::int32_t i = 0; i < c.n_tokens; ++i) {
            table_.finish_glu(c.y + i * c.ld, c.second + i * c.ld, bias, bias ? bias + ff : nullptr,
                              static_cast<int>(args.activation), c.n_rows,
                              args.out + (c.token + i) * ff + c.first_row);
        }
    });
}

void CpuBackend::qkv(const QkvArgs& args) {
    const std::int64_t head_dim = args.kv.head_dim;
    Product product{.w = args.w,
                    .n = args.n,
                    .x = args.x,
                    .norm = args.norm,
                    .rows = args.w->rows,
                    .chunk_unit = head_dim,
                    .phase = args.phase};
    std::vector<const Segment*> segment_of(static_cast<std::size_t>(args.n));
    for (const Segment& segment : args.segments) {
        for (std::int32_t i = 0; i < segment.n_rows; ++i)
            segment_of[static_cast<std::size_t>(segment.first_row + i)] = &segment;
    }
    const auto store = [&](std::byte* const* blocks, DType type, const Segment& segment,
                           std::int64_t position, std::int64_t head, const float* y) {
        std::byte* to = cache_row(blocks, type, args.kv, segment, position, head);
        if (type == DType::f16) {
            table_.store_row_f16(y, reinterpret_cast<std::uint16_t*>(to), head_dim);
        } else {
            traits(type).from_f32(y, to, head_dim);
        }
    };
    multiply(product, [&](const Chunk& c) {
        for (std::int32_t i = 0; i < c.n_tokens; ++i) {
            const std::int64_t row = c.token + i;
            const Segment& segment = *segment_of[static_cast<std::size_t>(row)];
            const std::int64_t position = segment.start + row - segment.first_row;
            for (std::int64_t r = 0; r < c.n_rows; r += head_dim) {
                auto* y = const_cast<float*>(c.y) + i * c.ld + r;
                const float* bias = args.bias ? args.bias + c.first_row + r : nullptr;
                const std::int64_t head = (c.first_row + r) / head_dim;
                const std::int64_t k_head = head - args.n_heads;
                const std::int64_t v_head = k_head - args.kv.n_kv_heads;
                table_.finish_logits(y, bias, 1.0f, head_dim, y);
                if (v_head < 0 && args.rope.dims) {
                    const std::int64_t at = position * (args.rope.dims / 2);
                    table_.rotate(y, args.rope.dims, args.rope.cos + at, args.rope.sin + at);
                }
                if (k_head < 0) {
                    std::copy_n(y, head_dim, args.q + (row * args.n_heads + head) * head_dim);
                } else if (v_head < 0) {
                    store(args.kv.k_blocks, args.kv.k_type, segment, position, k_head, y);
                } else {
                    store(args.kv.v_blocks, args.kv.v_type, segment, position, v_head, y);
                }
            }
        }
    });
}

void CpuBackend::logits(const LogitsArgs& args) {
    const std::int64_t vocab = args.head->rows;
    Product product{.w = args.head,
                    .n = static_cast<std::int32_t>(args.rows.size()),
                    .x = args.x,
                    .row_index = args.rows.data(),
                    .norm = args.norm,
                    .rows = vocab,
                    .phase = args.phase};
    multiply(product, [&](const Chunk& c) {
        for (std::int32_t i = 0; i < c.n_tokens; ++i) {
            table_.finish_logits(c.y + i * c.ld, args.bias ? args.bias + c.first_row : nullptr, args.scale,
                                 c.n_rows, args.logits + (c.token + i) * vocab + c.first_row);
        }
    });
}

void CpuBackend::score(const ScoreArgs& args) {
    // Fixed stretches of the vocabulary, joined in order, so that a sum never depends on who computed it.
    constexpr std::int64_t kStretch = 512;
    struct Partial {
        float top;
        std::int32_t index;
        double sum;
    };
    // A row that several targets follow, side by side, is multiplied once.
    std::vector<std::int32_t> rows;
    std::vector<std::size_t> first_ask;  // of each row, and behind them the number of all
    for (std::size_t i = 0; i < args.rows.size(); ++i) {
        if (i > 0 && args.rows[i] == args.rows[i - 1]) continue;
        rows.push_back(args.rows[i]);
        first_ask.push_back(i);
    }
    first_ask.push_back(args.rows.size());
    const std::size_t n = rows.size();
    const std::int64_t vocab = args.head->rows;
    const auto n_stretches = static_cast<std::size_t>((vocab + kStretch - 1) / kStretch);
    std::vector<Partial> partials(n_stretches * n);
    std::vector<float> target(args.rows.size());
    Product product{.w = args.head,
                    .n = static_cast<std::int32_t>(n),
                    .x = args.x,
                    .row_index = rows.data(),
                    .norm = args.norm,
                    .rows = vocab,
                    .chunk_rows = kStretch,
                    .phase = Phase::prompt};
    multiply(product, [&](const Chunk& c) {
        for (std::int32_t i = 0; i < c.n_tokens; ++i) {
            auto* y = const_cast<float*>(c.y) + i * c.ld;
            const auto row = static_cast<std::size_t>(c.token + i);
            table_.finish_logits(y, args.bias ? args.bias + c.first_row : nullptr, args.scale, c.n_rows, y);
            Partial& partial = partials[static_cast<std::size_t>(c.first_row / kStretch) * n + row];
            std::int64_t index = 0;
            table_.softmax_partial(y, c.n_rows, &partial.top, &index, &partial.sum);
            partial.index = static_cast<std::int32_t>(c.first_row + index);
            for (std::size_t ask = first_ask[row]; ask < first_ask[row + 1]; ++ask) {
                const std::int64_t at = args.targets[ask] - c.first_row;
                if (at >= 0 && at < c.n_rows) target[ask] = y[at];
            }
        }
    });
    for (std::size_t i = 0; i < n; ++i) {
        const Partial* best = &partials[i];
        for (std::size_t s = 1; s < n_stretches; ++s) {
            if (partials[s * n + i].top > best->top) best = &partials[s * n + i];
        }
        double total = 0;
        for (std::size_t s = 0; s < n_stretches; ++s) {
            const Partial& partial = partials[s * n + i];
            total +=
                partial.sum * std::exp(static_cast<double>(partial.top) - static_cast<double>(best->top));
        }
        for (std::size_t ask = first_ask[i]; ask < first_ask[i + 1]; ++ask) {
            args.logprobs[ask] = static_cast<float>(static_cast<double>(target[ask]) -
                                                    static_cast<double>(best->top) - std::log(total));
            args.argmax[ask] = best->index;
        }
    }
}

}  // namespace tinyllm::cpu
