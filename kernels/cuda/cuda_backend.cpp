#include "kernels/cuda/cuda_backend.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

#include "kernels/cuda/pack.h"
#include "kernels/cuda/product_test.h"
#include "tinyllm/error.h"

namespace tinyllm::TINYLLM_CUDA_SPACE {
namespace {

static_assert(kNormNone == static_cast<int>(NormKind::none) &&
              kNormLayer == static_cast<int>(NormKind::layer) && kNormRms == static_cast<int>(NormKind::rms));
static_assert(kNone == static_cast<int>(Activation::none) && kRelu == static_cast<int>(Activation::relu) &&
              kSilu == static_cast<int>(Activation::silu) && kGelu == static_cast<int>(Activation::gelu) &&
              kGeluTanh == static_cast<int>(Activation::gelu_tanh) &&
              kReluSquared == static_cast<int>(Activation::relu_squared));
static_assert(kKvPositions == kKvBlock);

NormParams params(const Norm& norm) {
    return {static_cast<int>(norm.kind), norm.eps, norm.weight, norm.bias};
}

/// The rows of a product from `first` on.
GemmParams rows_from(GemmParams p, std::int64_t first) {
    p.n -= static_cast<int>(first);
    if (p.x) p.x += first * p.w.cols;
    if (p.rounded) p.rounded += first * rounded_pitch(p.w.cols) / 2;
    if (p.scales) p.scales += first;
    p.epilogue.out += first * p.epilogue.out_stride;
    return p;
}

/// Where blocks of a sequence lie beside the cache's first.
class BlockOffsets {
  public:
    explicit BlockOffsets(std::byte* const* blocks) : blocks_(blocks) {}
    void add(std::int32_t id) {
        offsets_.push_back(reinterpret_cast<std::intptr_t>(blocks_[id]) -
                           reinterpret_cast<std::intptr_t>(blocks_[0]));
    }
    CacheParams params(DType type, LaunchQueue& queue) const {
        if (offsets_.empty()) return {static_cast<int>(type), nullptr, nullptr};
        return {static_cast<int>(type), reinterpret_cast<unsigned char*>(blocks_[0]),
                queue.put(TableKind::blocks, std::span<const std::int64_t>(offsets_))};
    }

  private:
    std::byte* const* blocks_;
    std::vector<std::int64_t> offsets_;
};

/// The logit that the queue's kernels made a candidate of; device/top.h.
float logit_of(std::uint64_t candidate) {
    const auto ordered = static_cast<std::uint32_t>(candidate >> 32);
    return std::bit_cast<float>(ordered & 0x80000000u ? ordered & 0x7fffffffu : ~ordered);
}
std::int32_t token_of(std::uint64_t candidate) {
    return static_cast<std::int32_t>(~static_cast<std::uint32_t>(candidate));
}

}  // namespace

CudaBackend::CudaBackend(std::unique_ptr<Runtime> runtime, Precision precision)
    : queue_(std::move(runtime)), precision_(precision) {}

std::string CudaBackend::description() const {
    return queue_.runtime().description() +
           (library_ && library_->failure().empty() ? ", " + library_->name() : "");
}

void CudaBackend::use_cublaslt(const std::string& choice) {
    if (choice.empty() || precision_ == Precision::exact) return;
    const auto own = sample_products(*this);
    try {
        library_ = std::make_unique<CublasLt>(queue_.runtime(), choice);
    } catch (const Error& error) {
        library_note_ = error.what();
        return;
    }
    const bool alike = agree(own, sample_products(*this));
    std::string wrong = library_->failure();
    if (wrong.empty() && !alike) wrong = "its products are others than those of the own kernels";
    if (!wrong.empty()) {
        library_note_ = library_->name() + " is not used: " + wrong;
        library_ = nullptr;
    }
}

Matrix CudaBackend::pack(std::span<const RawMatrix> parts, PackWatch* watch) {
    return TINYLLM_CUDA_SPACE::pack(queue_.runtime(), precision_, parts, watch, recoded_);
}

Products CudaBackend::products(const Matrix& w, Phase phase) const {
    const auto main = std::ranges::max_element(w.strips, {}, &Strip::rows);
    if (main == w.strips.end() || precision_ == Precision::exact) return Products::f32;
    const int capability = queue_.runtime().code_capability(), type = static_cast<int>(main->type);
    const MatvecBy by = matvec_by(type, capability);
    if (phase == Phase::decode && by == MatvecBy::bytes) return Products::int8;
    // Halves are as wide and as fast, and Products has no name for them.
    const bool in_16 = phase == Phase::decode ? by == MatvecBy::halves
                                              : rounded_for(type, w.cols, capability) != Rounded::none;
    return in_16 ? Products::bf16 : Products::f32;
}

std::vector<std::string> CudaBackend::notes() const {
    std::vector<std::string> notes;
    for (const DType type : recoded_) {
        notes.push_back(std::string(dtype_name(type)) + " weights are held as " +
                        std::string(dtype_name(held_type(type, precision_))) +
                        " on the GPU, for which there are no kernels of that type");
    }
    if (!library_note_.empty()) notes.push_back(library_note_);
    if (library_ && library_->failure().empty()) {
        notes.push_back("prompts are multiplied by " + library_->name() +
                        " where weights are F16, BF16 or F32: last digits may depend on what shares a call");
    } else if (library_) {
        notes.push_back(library_->name() + " is not used any more: " + library_->failure());
    }
    return notes;
}

std::vector<CudaBackend::Piece> CudaBackend::pieces(const Matrix& w, std::int64_t first, std::int64_t rows) {
    std::vector<Piece> found;
    std::int64_t begin = 0;
    for (const Strip& strip : w.strips) {
        const std::int64_t from = std::max(first, begin), to = std::min(first + rows, begin + strip.rows);
        if (from < to) {
            found.push_back(
                {{static_cast<int>(strip.type), reinterpret_cast<const unsigned char*>(strip.data),
                  strip.rows, w.cols, from - begin, to - from},
                 from - first});
        }
        begin += strip.rows;
    }
    return found;
}

void CudaBackend::embed_table(const Matrix& table, TableKind kind, std::span<const std::int32_t> rows,
                              float scale, bool add, float* out) {
    const std::int32_t* at = queue_.put(kind, rows);
    for (const Piece& piece : pieces(table, 0, table.rows)) {
        launch_embed(queue_.stream(),
                     {static_cast<std::int64_t>(rows.size()), at, piece.rows, piece.before, scale, add, out});
    }
}

void CudaBackend::embed(const EmbedArgs& args) {
    const auto n = static_cast<std::size_t>(args.n);
    embed_table(*args.table, TableKind::tokens, {args.tokens, n}, args.scale, false, args.out);
    if (args.position_table)
        embed_table(*args.position_table, TableKind::positions, {args.positions, n}, 1, true, args.out);
}

void CudaBackend::norm(const NormArgs& args) {
    launch_norm(queue_.stream(), {args.n, args.dim, args.x, nullptr, params(args.norm), args.out});
}

const float* CudaBackend::normed(std::int64_t n, std::int64_t dim, const float* x, const std::int32_t* rows,
                                 const Norm& norm) {
    auto* out = normed_.take<float>(n * dim);
    launch_norm(queue_.stream(), {static_cast<int>(n), dim, x, rows, params(norm), out});
    return out;
}

Rounded CudaBackend::rounded_by_tiles(const WeightRows& w) const {
    return precision_ == Precision::exact ? Rounded::none
                                          : rounded_for(w.type, w.cols, queue_.runtime().code_capability());
}

void CudaBackend::multiply(const Matrix& w, std::int64_t n, const float* x, const Norm& norm,
                           const Epilogue& epilogue, Phase phase) {
    const bool tiles = by_tiles(phase);
    GemmParams gemm;  // with what the pieces before needed of x
    gemm.n = static_cast<int>(n);
    gemm.multiprocessors = queue_.runtime().multiprocessors();
    auto rounded = Rounded::none;
    for (const Piece& piece : pieces(w, 0, w.rows)) {
        Epilogue e = epilogue;
        e.out += piece.before;
        if (e.bias) e.bias += piece.before;
        if (tiles) {
            const Rounded to = rounded_by_tiles(piece.rows);
            if (to == Rounded::none) {
                gemm.rounded = nullptr;
                if (!gemm.x) gemm.x = norm.kind == NormKind::none ? x : normed(n, w.cols, x, nullptr, norm);
            } else {
                if (to != rounded) {
                    auto* scales = scales_.take<float>(n);
                    auto* out = rounded_.take<std::uint32_t>(n * rounded_pitch(w.cols) / 2);
                    launch_round_rows(queue_.stream(), {gemm.n, to, w.cols, x, params(norm), out, scales});
                    gemm.scales = scales;
                    rounded = to;
                }
                gemm.rounded = rounded_.take<std::uint32_t>(0);
            }
            gemm.w = piece.rows;
            gemm.epilogue = e;
            if (const std::int64_t done = by_library(gemm); done < n)
                launch_gemm(queue_.stream(), rows_from(gemm, done));
            continue;
        }
        for (std::int64_t i = 0; i < n; i += kMatvecRows, e.out += kMatvecRows * e.out_stride) {
            MatvecParams p;
            p.n = static_cast<int>(std::min<std::int64_t>(kMatvecRows, n - i));
            p.x = x + i * w.cols;
            p.norm = params(norm);
            p.w = piece.rows;
            p.epilogue = e;
            launch_rows(p);
        }
    }
}

void CudaBackend::launch_rows(MatvecParams p) {
    p.blocks = 8 * queue_.runtime().multiprocessors();
    p.by = matvec_by(static_cast<int>(p.w.type), queue_.runtime().code_capability());
    launch_matvec(queue_.stream(), p);
}

std::int64_t CudaBackend::by_library(const GemmParams& p) {
    const auto type = static_cast<int>(p.w.type);
    const bool halves = type == kF16, in_16 = halves || type == kBf16;
    // Noted launches run later, as a graph.
    if (!library_ || queue_.noting() || !(type == kF32 || (in_16 && p.rounded))) return 0;
    const Sections sections = sections_of(type, p.w.strip_rows, p.w.cols);
    LibraryProduct product;
    product.type = type;
    product.rows = p.w.rows;
    // Zeros behind the end make whole octets of both factors.
    product.columns = in_16 ? sections.octets * kOctet : p.w.cols;
    product.x_pitch = in_16 ? rounded_pitch(p.w.cols) : p.w.cols;
    product.w = p.w.data + p.w.first * sections.octets * sizes_of(type).levels;
    product.w_pitch = sections.octets * kOctet;
    const Epilogue& e = p.epilogue;
    // Halves have a scale a row; those of bf16 are ones.
    const bool bare = !halves && !e.bias && e.activation == kNone && e.scale == 1;
    const std::int64_t part = bare ? p.n : std::clamp<std::int64_t>(kLibraryFloats / p.w.rows, 1, p.n);
    std::int64_t done = 0;
    for (; done < p.n; done += product.n) {
        const GemmParams rest = rows_from(p, done);
        product.n = std::min<std::int64_t>(part, rest.n);
        product.x = in_16 ? static_cast<const void*>(rest.rounded) : rest.x;
        product.out = bare ? rest.epilogue.out : unfinished_.take<float>(part * p.w.rows);
        product.out_pitch = bare ? e.out_stride : p.w.rows;
        product.accumulate = bare && e.accumulate;
        if (!library_->multiply(product)) break;
        if (!bare)
            launch_finish(queue_.stream(),
                          {product.n, p.w.rows, product.out, halves ? rest.scales : nullptr, rest.epilogue});
    }
    return done;
}

void CudaBackend::linear(const LinearArgs& args) {
    multiply(*args.w, args.n, args.x, args.norm,
             {args.bias, static_cast<int>(args.activation), args.accumulate, 1, args.out, args.w->rows},
             args.phase);
}

void CudaBackend::glu(const GluArgs& args) {
    const Matrix& w = *args.w;
    const std::int64_t ff = w.rows / 2;
    const std::vector<Piece> gates = pieces(w, 0, ff), ups = pieces(w, ff, ff);
    const auto alike = [](const Piece& a, const Piece& b) {
        return a.rows.type == b.rows.type && a.rows.rows == b.rows.rows;
    };
    if (by_tiles(args.phase) || !std::ranges::equal(gates, ups, alike)) {
        auto* both = products_.take<float>(args.n * w.rows);
        multiply(w, args.n, args.x, args.norm, {args.bias, kNone, false, 1, both, w.rows}, args.phase);
        launch_glu(queue_.stream(), {args.n, static_cast<int>(args.activation), ff, both, args.out});
        return;
    }
    for (std::size_t s = 0; s < gates.size(); ++s) {
        for (std::int64_t i = 0; i < args.n; i += kMatvecRows) {
            MatvecParams p;
            p.n = static_cast<int>(std::min<std::int64_t>(kMatvecRows, args.n - i));
            p.x = args.x + i * w.cols;
            p.norm = params(args.norm);
            p.w = gates[s].rows;
            p.up = ups[s].rows;
            const std::int64_t before = gates[s].before;
            p.up_bias = args.bias ? args.bias + ff + before : nullptr;
            p.epilogue = {args.bias ? args.bias + before : nullptr,
                          static_cast<int>(args.activation),
                          false,
                          1,
                          args.out + i * ff + before,
                          ff};
            launch_rows(p);
        }
    }
}

KvParams CudaBackend::kv_params(const KvLayer& kv, std::span<const Segment> segments, std::int32_t window,
                                std::span<RowPlace> places) {
    BlockOffsets k(kv.k_blocks), v(kv.v_blocks);
    std::int32_t table = 0;
    for (const Segment& segment : segments) {
        for (std::int32_t i = 0; i < segment.n_rows; ++i) {
            const std::int32_t position = segment.start + i;
            places[static_cast<std::size_t>(segment.first_row + i)] = {
                position, window > 0 ? std::max(0, position - window + 1) : 0,
                segment.n_keys > 0 ? segment.n_keys : position + 1, table};
        }
        const std::int32_t positions = segment.n_keys > 0 ? segment.n_keys : segment.start + segment.n_rows;
        for (std::int32_t b = 0; b * kKvBlock < positions; ++b, ++table) {
            k.add(segment.blocks[b]);
            v.add(segment.blocks[b]);
        }
    }
    KvParams p;
    p.k = k.params(kv.k_type, queue_);
    p.v = v.params(kv.v_type, queue_);
    p.n_kv_heads = kv.n_kv_heads;
    p.head_dim = kv.head_dim;
    p.k_row_bytes = static_cast<std::int64_t>(row_bytes(kv.k_type, kv.head_dim));
    p.v_row_bytes = static_cast<std::int64_t>(row_bytes(kv.v_type, kv.head_dim));
    return p;
}

void CudaBackend::qkv(const QkvArgs& args) {
    const Matrix& w = *args.w;
    auto* all = products_.take<float>(args.n * w.rows);
    multiply(w, args.n, args.x, args.norm, {args.bias, kNone, false, 1, all, w.rows}, args.phase);
    // Keys of an encoder are stored at their rows' positions, whatever its rows see.
    std::vector<Segment> written(args.segments.begin(), args.segments.end());
    for (Segment& segment : written) segment.n_keys = 0;
    std::vector<RowPlace> places(static_cast<std::size_t>(args.n));
    RopeStoreParams p;
    p.kv = kv_params(args.kv, written, 0, places);
    p.places = queue_.put(TableKind::written, std::span<const RowPlace>(places));
    p.n = args.n;
    p.qkv = all;
    p.n_heads = args.n_heads;
    p.rope_dims = args.rope.dims;
    p.cos = args.rope.cos;
    p.sin = args.rope.sin;
    p.q = args.q;
    launch_rope_store(queue_.stream(), p);
}

void CudaBackend::attend(const AttendArgs& args) {
    if (args.kv.head_dim > kMaxHeadDim) {
        throw Error(ErrorKind::unsupported, "device cuda: attention heads of " +
                                                std::to_string(args.kv.head_dim) + " elements, at most " +
                                                std::to_string(kMaxHeadDim) + " are supported");
    }
    std::vector<RowPlace> places(static_cast<std::size_t>(args.n));
    AttendParams p;
    p.kv = kv_params(args.kv, args.segments, args.window, places);
    const std::int32_t group = args.n_heads / args.kv.n_kv_heads;
    const std::int32_t queries = tile_queries(args.kv.head_dim);
    p.heads_per_tile = std::min(group, queries);
    const std::int32_t rows = std::max(1, queries / p.heads_per_tile);
    std::vector<QueryTile> tiles;
    for (const Segment& segment : args.segments) {
        for (std::int32_t i = 0; i < segment.n_rows; i += rows) {
            tiles.push_back({segment.first_row + i, std::min(rows, segment.n_rows - i)});
        }
    }
    p.tiles = static_cast<int>(tiles.size());
    p.tile = queue_.put(TableKind::tiles, std::span<const QueryTile>(tiles));
    p.places = queue_.put(TableKind::seen, std::span<const RowPlace>(places));
    p.q = args.q;
    p.n = args.n;
    p.n_heads = args.n_heads;
    p.scale = args.scale;
    if (args.alibi)
        p.slopes =
            queue_.put(TableKind::slopes, std::span(args.alibi, static_cast<std::size_t>(args.n_heads)));
    p.relative = args.relative.values;
    p.span = args.relative.span;
    p.out = args.out;
    if (args.phase == Phase::decode && precision_ == Precision::fast) {
        const std::int32_t end = std::ranges::max_element(places, {}, &RowPlace::end)->end;
        p.splits = key_splits(end);
        if (p.splits > 1) {
            p.parts = parts_.take<float>(split_floats(p.splits, args.n, args.n_heads, args.kv.head_dim));
        }
    }
    launch_attend(queue_.stream(), p);
}

std::size_t CudaBackend::rows_of_logits(const Matrix& head) {
    return static_cast<std::size_t>(logits_rows(head.rows));
}

float* CudaBackend::head_rows(const float* x, std::span<const std::int32_t> rows, const Norm& norm,
                              const Matrix& head, const float* bias, float scale, Phase phase) {
    const auto n = static_cast<std::int64_t>(rows.size());
    auto* out = logits_.take<float>(n * head.rows);
    const Epilogue epilogue{bias, kNone, false, scale, out, head.rows};
    if (n == 1) {
        multiply(head, 1, x + rows[0] * head.cols, norm, epilogue, phase);
    } else {
        multiply(head, n, normed(n, head.cols, x, queue_.put(TableKind::rows, rows), norm), {}, epilogue,
                 phase);
    }
    return out;
}

void CudaBackend::logits(const LogitsArgs& args) {
    const std::size_t most = rows_of_logits(*args.head);
    const auto vocab = static_cast<std::size_t>(args.head->rows);
    for (std::size_t i = 0; i < args.rows.size(); i += most) {
        const auto rows = args.rows.subspan(i, std::min(most, args.rows.size() - i));
        const float* part = head_rows(args.x, rows, args.norm, *args.head, args.bias, args.scale, args.phase);
        queue_.download(args.logits + i * vocab, part, rows.size() * vocab * sizeof(float));
    }
}

void CudaBackend::score(const ScoreArgs& args) {
    const std::size_t n = args.rows.size(), most = rows_of_logits(*args.head);
    auto* logprobs = scores_.take<float>(2 * static_cast<std::int64_t>(n));
    auto* argmax = reinterpret_cast<std::int32_t*>(logprobs + n);
    for (std::size_t i = 0; i < n; i += most) {
        const auto rows = args.rows.subspan(i, std::min(most, n - i));
        const float* part =
            head_rows(args.x, rows, args.norm, *args.head, args.bias, args.scale, Phase::prompt);
        launch_score(queue_.stream(), {static_cast<int>(rows.size()), args.head->rows, part,
                                       queue_.put(TableKind::targets, args.targets.subspan(i, rows.size())),
                                       logprobs + i, argmax + i});
    }
    if (n == 0) return;
    queue_.download(args.logprobs, logprobs, n * sizeof(float));
    queue_.download(args.argmax, argmax, n * sizeof(std::int32_t));
}

void CudaBackend::copy_kv(const CopyKvArgs& args) {
    const auto copy = [&](std::byte* const* blocks, DType type) {
        const auto row = static_cast<std::int64_t>(row_bytes(type, args.kv.head_dim));
        launch_copy(queue_.stream(), {reinterpret_cast<const unsigned char*>(blocks[args.from]),
                                      reinterpret_cast<unsigned char*>(blocks[args.to]), args.kv.n_kv_heads,
                                      kKvBlock * row, args.n_positions * row});
    };
    copy(args.kv.k_blocks, args.kv.k_type);
    copy(args.kv.v_blocks, args.kv.v_type);
}

bool CudaBackend::top(const TopArgs& args) {
    const std::int64_t vocab = args.head->rows, k = args.k;
    const std::int32_t row = 0;
    float* logits = head_rows(args.x, {&row, 1}, args.norm, *args.head, args.bias, args.scale, args.phase);
    if (!args.penalized.empty() && args.penalty != 1) {
        // Of a length that many steps share.
        std::vector<std::int32_t> tokens(args.penalized.begin(), args.penalized.end());
        tokens.resize((tokens.size() + 63) / 64 * 64, -1);
        launch_penalize(queue_.stream(),
                        {queue_.put(TableKind::penalized, std::span<const std::int32_t>(tokens)), logits,
                         static_cast<int>(tokens.size()), args.penalty});
    }

    const std::int64_t slices = top_slices(vocab);
    const double steepness = args.total ? static_cast<double>(1 / args.temperature) : 1;
    auto* result = top_.take<std::uint64_t>(k + 1);  // the candidates, then the total
    // Each round reads what the one before wrote.
    std::uint64_t* rooms[] = {candidates_.take<std::uint64_t>(top_candidates(vocab, k)), nullptr};
    rooms[1] = rooms[0] + slices * k;
    TopParams p;
    p.n = vocab;
    p.logits = logits;
    p.k = args.k;
    p.steepness = static_cast<float>(steepness);
    p.sums = args.total ? slices_.take<double>(2 * slices) : nullptr;
    for (int round = 0;; ++round) {
        const bool last = top_slices(p.n) == 1;
        p.best = last ? result : rooms[round % 2];
        launch_top(queue_.stream(), p);
        if (last) break;
        p.n = top_slices(p.n) * k;
        p.logits = nullptr;
        p.sums = nullptr;
        p.candidates = p.best;
    }
    if (args.total) {
        launch_top_total(queue_.stream(), {slices, slices_.take<double>(2 * slices), result,
                                           reinterpret_cast<double*>(result + k), steepness});
    }

    std::vector<std::uint64_t> found(static_cast<std::size_t>(k + 1));
    queue_.download(found.data(), result, found.size() * sizeof(std::uint64_t));
    for (std::int32_t i = 0; i < args.k; ++i) {
        args.tokens[i] = token_of(found[static_cast<std::size_t>(i)]);
        args.values[i] = logit_of(found[static_cast<std::size_t>(i)]);
    }
    if (args.total) *args.total = std::bit_cast<double>(found.back());
    return false;
}

}  // namespace tinyllm::TINYLLM_CUDA_SPACE
