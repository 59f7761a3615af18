// A few rows of x times a matrix, for tokens that are generated: a warp per output, the rows of x in shared
// memory, normed and rounded to what weights of the type are multiplied by (MatvecBy), by each block for
// itself, which costs less than a launch. The sum of an output has the same order however many rows share the
// call: lane l of the warp adds the octets l, l + 32, …, then the lanes are added up.
#pragma once

#include "kernels/cuda/device/epilogue.h"
#include "kernels/cuda/device/formats.h"

namespace tinyllm {
namespace TINYLLM_CUDA_SPACE {

/// Some columns of up to kRows rows of x, as floats. The quads of even place stand before those of odd place,
/// so that neighbouring lanes read neighbouring words.
template <int kRows>
class FloatRows {
  public:
    static int64_t bytes(int columns) { return int64_t{kRows} * columns * 4; }

    TINYLLM_DEVICE FloatRows(Block& block, int columns) : columns_(columns), x_(block, kRows * columns) {}

    template <typename Value>
    TINYLLM_DEVICE void fill(Block& block, int threads, int n, const Value& value) {
        block.each([&](int t) {
            for (int e = t; e < n * columns_; e += threads) {
                const int i = e / columns_, c = e % columns_;
                x_.set(t, at(i, c / kOctet, c % kOctet / 4) + c % 4, value(t, i, c));
            }
        });
    }

    template <typename Format>
    struct Octet {
        static constexpr bool kCompiled = true;
        float w[kOctet];
    };
    template <typename Format>
    static TINYLLM_DEVICE void read(const WeightView& w, int64_t row, int64_t octet, Octet<Format>& to) {
        Format::floats(w, row, octet, to.w);
    }
    template <typename Format>
    TINYLLM_DEVICE float add(int t, int i, int octet, const Octet<Format>& w, float sum) {
        TINYLLM_UNROLL
        for (int half = 0; half < 2; ++half) {
            float x[4];
            x_.get4(t, at(i, octet, half), x);
            TINYLLM_UNROLL
            for (int j = 0; j < 4; ++j) sum = fmaf(w.w[4 * half + j], x[j], sum);
        }
        return sum;
    }

  private:
    TINYLLM_DEVICE int at(int i, int octet, int half) const {
        return i * columns_ + half * (columns_ / 2) + octet * 4;
    }
    int columns_;
    Shared<float> x_;
};

/// Fills `words` with `count` numbers of x, kLanes of them in a word and a scale d for each 32: a warp takes
/// 32, and `code(x, most, d)` gives a number's bits and that scale, `most` being the largest of their sizes.
/// What is no number counts as the largest, and the scale carries it: its bits have to be 0.
template <int kLanes, typename Value, typename Code>
TINYLLM_DEVICE void fill_words(Block& block, int threads, int count, Shared<uint32_t>& words,
                               Shared<float>& scales, const Value& value, const Code& code) {
    PerThread<float> x(block);
    PerThread<uint32_t> word(block);
    const int blocks = count / kWarp, warps = threads / kWarp;
    for (int first = 0; first < blocks; first += warps) {
        block.each([&](int t) {
            const int e = (first + t / kWarp) * kWarp + t % kWarp;
            x[t] = e < count ? value(t, e) : 0;
            word[t] = float_to_bits(x[t]) & 0x7fffffffu;  // in order of size
        });
        block.warp_reduce([&](int t) -> uint32_t& { return word[t]; }, Largest());
        block.each([&](int t) {
            const int b = first + t / kWarp;
            float d;
            word[t] = code(x[t], bits_to_float(word[t]), d) << (t % kLanes * (32 / kLanes));
            if (t % kWarp == 0 && b < blocks) scales.set(t, b, d);
        });
        block.warp_reduce([&](int t) -> uint32_t& { return word[t]; }, Sum(), kLanes);
        block.each([&](int t) {
            const int b = first + t / kWarp;
            if (t % kLanes == 0 && b < blocks) words.set(t, (b * kWarp + t % kWarp) / kLanes, word[t]);
        });
    }
}

/// The same as bytes with a scale for each 32: x = d * q.
template <int kRows>
class ByteRows {
  public:
    static int64_t bytes(int columns) {
        return int64_t{kRows} * columns + int64_t{kRows} * columns / 32 * 4 + 32;
    }

    TINYLLM_DEVICE ByteRows(Block& block, int columns)
        : columns_(columns), q_(block, kRows * columns / 4), d_(block, kRows * columns / 32) {}

    template <typename Value>
    TINYLLM_DEVICE void fill(Block& block, int threads, int n, const Value& value) {
        fill_words<4>(
            block, threads, n * columns_, q_, d_,
            [&](int t, int e) { return value(t, e / columns_, e % columns_); },
            [](float x, float most, float& d) {
                d = most / 127.0f;
                const float inverse = most > 0 && is_finite(1 / d) && is_finite(d) ? 1 / d : 0;
                return static_cast<uint32_t>(nearest(is_finite(x) ? x * inverse : 0)) & 0xffu;
            });
    }

    template <typename Format>
    struct Octet {
        static constexpr bool kCompiled = kByteKernels;
        IntOctet w;
    };
    template <typename Format>
    static TINYLLM_DEVICE void read(const WeightView& w, int64_t row, int64_t octet, Octet<Format>& to) {
        to.w = Format::ints(w, row, octet);
    }
    template <typename Format>
    TINYLLM_DEVICE float add(int t, int i, int octet, const Octet<Format>& w, float sum) {
        uint32_t x[2];
        q_.get2(t, i * (columns_ / 4) + octet * 2, x);
        const float d = d_.get(t, i * (columns_ / 32) + octet / 4);
        const int dot = dot4(w.w.low, x[0], dot4(w.w.high, x[1], 0));
        sum = fmaf(w.w.d * d, static_cast<float>(dot), sum);
        if (Format::kMinima) {
            const uint32_t ones = 0x01010101u;
            sum = fmaf(-(w.w.m * d), static_cast<float>(dot4(ones, x[0], dot4(ones, x[1], 0))), sum);
        }
        return sum;
    }

  private:
    int columns_;
    Shared<uint32_t> q_;
    Shared<float> d_;
};

/// Eight weights d h - m, as four pairs of halves h.
struct HalfOctet {
    uint32_t w[4];
    float d, m;
};

/// Four signed bytes as two pairs of halves, a 128th each, exactly.
TINYLLM_DEVICE void halves_of_bytes(uint32_t bytes, uint32_t* to) {
    // The last bits of the half 1024 + u are u: then (1024 + u) / 128 - 9, with u 128 more than the byte.
    const uint32_t u = bytes ^ 0x80808080u;
    const uint32_t first = (u & 0xffu) | (u & 0xff00u) << 8, last = (u >> 16 & 0xffu) | (u >> 8 & 0xff0000u);
    to[0] = fma_halves(first | 0x64006400u, 0x20002000u, 0xc880c880u);
    to[1] = fma_halves(last | 0x64006400u, 0x20002000u, 0xc880c880u);
}

TINYLLM_DEVICE HalfOctet halves_of(FormatF16, const WeightView& w, int64_t row, int64_t octet) {
    const Words4 words = FormatF16::halves(w, row, octet);
    return HalfOctet{{words.w[0], words.w[1], words.w[2], words.w[3]}, 1, 0};
}
template <typename Format>
TINYLLM_DEVICE HalfOctet halves_of(Format, const WeightView& w, int64_t row, int64_t octet) {
    const IntOctet ints = Format::ints(w, row, octet);
    HalfOctet halves{{}, ints.d * 128.0f, ints.m};
    halves_of_bytes(ints.low, halves.w);
    halves_of_bytes(ints.high, halves.w + 2);
    return halves;
}

/// The same as halves, each 32 divided by the power of two that brings their largest to [2^10, 2^11): below
/// it they have their 11 bits down to 2^-24 of the largest, and above it four products with weights of up to
/// 8 have room. Two products are one instruction, and x takes half the shared memory that floats do.
template <int kRows>
class HalfRows {
  public:
    static int64_t bytes(int columns) {
        return int64_t{kRows} * columns * 2 + int64_t{kRows} * columns / 32 * 4 + 32;
    }

    TINYLLM_DEVICE HalfRows(Block& block, int columns)
        : columns_(columns), x_(block, kRows * columns / 2), d_(block, kRows * columns / 32) {}

    template <typename Value>
    TINYLLM_DEVICE void fill(Block& block, int threads, int n, const Value& value) {
        fill_words<2>(
            block, threads, n * columns_, x_, d_,
            [&](int t, int e) { return value(t, e / columns_, e % columns_); },
            [](float x, float most, float& d) {
                // Of 2^e <= most < 2^(e + 1), biased by 127. Below 2^-116 the factor stays at 2^126.
                const uint32_t size = float_to_bits(most) >> 23, e = size < 11 ? 11 : size;
                d = is_finite(most) ? bits_to_float((e - 10) << 23) : most;
                const float scaled = is_finite(most) ? x * bits_to_float((264 - e) << 23) : 0;
                return static_cast<uint32_t>(float_to_half(scaled));
            });
    }

    template <typename Format>
    struct Octet {
        static constexpr bool kCompiled = Format::kBy == MatvecBy::halves || kHalfKernels;
        HalfOctet w;
    };
    template <typename Format>
    static TINYLLM_DEVICE void read(const WeightView& w, int64_t row, int64_t octet, Octet<Format>& to) {
        to.w = halves_of(Format(), w, row, octet);
    }
    template <typename Format>
    TINYLLM_DEVICE float add(int t, int i, int octet, const Octet<Format>& w, float sum) {
        uint32_t x[4];
        x_.get4(t, i * (columns_ / 2) + octet * 4, x);
        const float d = d_.get(t, i * (columns_ / 32) + octet / 4);
        uint32_t dots = 0;
        TINYLLM_UNROLL
        for (int j = 0; j < 4; ++j) dots = fma_halves(w.w.w[j], x[j], dots);
        float dot = low_half(dots) + high_half(dots);
        // Sums that ran over are infinite, or no number, to the end.
        if (Format::kBy == MatvecBy::halves && !is_finite(dot)) dot = dot_of_floats(w.w.w, x);
        sum = fmaf(w.w.d * d, dot, sum);
        if (Format::kMinima) {
            uint32_t total = 0;
            TINYLLM_UNROLL
            for (int j = 0; j < 4; ++j) total = fma_halves(0x3c003c00u, x[j], total);
            sum = fmaf(-(w.w.m * d), low_half(total) + high_half(total), sum);
        }
        return sum;
    }

  private:
    static TINYLLM_DEVICE float low_half(uint32_t word) {
        return half_to_float(static_cast<uint16_t>(word & 0xffffu));
    }
    static TINYLLM_DEVICE float high_half(uint32_t word) {
        return half_to_float(static_cast<uint16_t>(word >> 16));
    }
    static TINYLLM_DEVICE float dot_of_floats(const uint32_t* a, const uint32_t* b) {
        float dot = 0;
        TINYLLM_UNROLL
        for (int j = 0; j < 4; ++j) {
            dot = fmaf(low_half(a[j]), low_half(b[j]), dot);
            dot = fmaf(high_half(a[j]), high_half(b[j]), dot);
        }
        return dot;
    }
    int columns_;
    Shared<uint32_t> x_;
    Shared<float> d_;
};

/// Columns of x that a block holds at once: whole steps of a warp, so that the order of sums does not depend
/// on it.
constexpr int kStep = kWarp * kOctet;
template <int kRows>
TINYLLM_BOTH int columns_at_once(int64_t cols) {
    const int most = kRows == 1 ? 8192 : 1024;
    return cols > most ? most : static_cast<int>((cols + kStep - 1) / kStep * kStep);
}

template <typename Format, template <int> class Rows, int kRows>
struct Matvec {
    static constexpr int kThreads = 256;
    static constexpr int kWarps = kThreads / kWarp;
    static_assert(kMatvecRows <= kWarps, "a warp norms a row");
    MatvecParams p;

    static int64_t shared_bytes(int64_t cols) {
        return Rows<kRows>::bytes(columns_at_once<kRows>(cols)) + 2 * ((kRows * 4 + 15) / 16 * 16);
    }

    struct Sums {
        float of[kRows];
    };

    TINYLLM_DEVICE void operator()(Block& block) const {
        if (!Rows<kRows>::template Octet<Format>::kCompiled) return;
        const int columns = columns_at_once<kRows>(p.w.cols);
        Rows<kRows> x(block, columns);
        Shared<float> means(block, kRows), inverses(block, kRows);
        norm_rows(block, means, inverses);
        const bool resident = columns >= p.w.cols;
        if (resident) fill(block, x, means, inverses, 0);
        PerThread<Sums> gate(block), sums(block);
        for (int64_t first = int64_t{block.x} * kWarps; first < p.w.rows;
             first += int64_t{block.grid_x} * kWarps) {
            for (int part = 0; part < (p.up.data ? 2 : 1); ++part) {
                const WeightRows& weights = part == 0 ? p.w : p.up;
                const WeightView w = view_of(weights);
                block.each([&](int t) {
                    if (part == 1) gate[t] = sums[t];
                    TINYLLM_UNROLL
                    for (int i = 0; i < kRows; ++i) sums[t].of[i] = 0;
                });
                for (int64_t column = 0; column < p.w.cols; column += columns) {
                    if (!resident) {
                        block.sync();
                        fill(block, x, means, inverses, column);
                    }
                    block.each([&](int t) {
                        const int64_t row = first + t / kWarp;
                        if (row < p.w.rows) add(t, x, w, weights.first + row, column, columns, sums[t]);
                    });
                }
                TINYLLM_UNROLL
                for (int i = 0; i < kRows; ++i) {
                    if (i < p.n) block.warp_reduce([&](int t) -> float& { return sums[t].of[i]; }, Sum());
                }
            }
            block.each([&](int t) {
                const int64_t row = first + t / kWarp;
                if (row < p.w.rows) finish(t % kWarp, row, gate[t], sums[t]);
            });
        }
    }

  private:
    TINYLLM_DEVICE void norm_rows(Block& block, Shared<float>& means, Shared<float>& inverses) const {
        PerThread<RowNorm> stats(block);
        norm_stats(
            block, p.norm, p.w.cols,
            [&](int t) { return t / kWarp < p.n ? p.x + t / kWarp * p.w.cols : nullptr; },
            [&](int t) -> RowNorm& { return stats[t]; });
        block.each([&](int t) {
            if (t % kWarp != 0 || t / kWarp >= p.n) return;
            means.set(t, t / kWarp, stats[t].mean);
            inverses.set(t, t / kWarp, stats[t].inverse);
        });
        block.sync();
    }

    TINYLLM_DEVICE void fill(Block& block, Rows<kRows>& x, Shared<float>& means, Shared<float>& inverses,
                             int64_t column) const {
        x.fill(block, kThreads, p.n, [&](int t, int i, int c) -> float {
            if (column + c >= p.w.cols) return 0;
            const RowNorm stats{means.get(t, i), inverses.get(t, i)};
            return normed(p.norm, stats, p.x[i * p.w.cols + column + c], column + c);
        });
        block.sync();
    }

    TINYLLM_DEVICE void add(int t, Rows<kRows>& x, const WeightView& w, int64_t row, int64_t column,
                            int columns, Sums& sums) const {
        const int64_t left = w.octets - column / kOctet;
        const int octets = left < columns / kOctet ? static_cast<int>(left) : columns / kOctet;
        for (int octet = t % kWarp; octet < octets; octet += kWarp) {
            typename Rows<kRows>::template Octet<Format> o;
            Rows<kRows>::template read<Format>(w, row, column / kOctet + octet, o);
            TINYLLM_UNROLL
            for (int i = 0; i < kRows; ++i) {
                if (i < p.n) sums.of[i] = x.template add<Format>(t, i, octet, o, sums.of[i]);
            }
        }
    }

    /// Every lane has every sum: lane i stores row i.
    TINYLLM_DEVICE void finish(int lane, int64_t row, const Sums& gate, const Sums& sums) const {
        TINYLLM_UNROLL
        for (int i = 0; i < kRows; ++i) {
            if (i != lane || i >= p.n) continue;
            if (!p.up.data) {
                store(p.epilogue, i, row, sums.of[i]);
                continue;
            }
            const float g = p.epilogue.bias ? gate.of[i] + p.epilogue.bias[row] : gate.of[i];
            const float u = p.up_bias ? sums.of[i] + p.up_bias[row] : sums.of[i];
            p.epilogue.out[i * p.epilogue.out_stride + row] = activate(p.epilogue.activation, g) * u;
        }
    }
};

}  // namespace TINYLLM_CUDA_SPACE
}  // namespace tinyllm
