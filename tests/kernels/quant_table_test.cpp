// t3_64 and t4_64: what their bytes mean, which bytes are written, and that both lose less than ggml's types.
#include "kernels/quant_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernels/quant.h"
#include "kernels/quant_weighted.h"

namespace tinyllm {
namespace {

using Bytes = std::vector<std::uint8_t>;

std::vector<float> normal(std::int64_t n, float deviation, unsigned seed) {
    // The engine's numbers are the standard's, those of std::normal_distribution are each library's own.
    std::mt19937 engine(seed);
    std::vector<float> x(static_cast<std::size_t>(n));
    for (float& v : x) {
        double sum = -6;
        for (int i = 0; i < 12; ++i) sum += static_cast<double>(engine()) * 0x1p-32;
        v = static_cast<float>(sum) * deviation;
    }
    return x;
}

Bytes stored(DType type, const std::vector<float>& x) {
    Bytes bytes(row_bytes(type, std::ssize(x)));
    traits(type).from_f32(x.data(), bytes.data(), std::ssize(x));
    return bytes;
}

std::vector<float> values(DType type, const Bytes& bytes) {
    const TypeTraits& row = traits(type);
    std::vector<float> x(bytes.size() / row.block_bytes * static_cast<std::size_t>(row.block));
    row.to_f32(bytes.data(), x.data(), std::ssize(x));
    return x;
}

/// Squared error over the squares.
double error(DType type, const std::vector<float>& x) {
    const std::vector<float> back = values(type, stored(type, x));
    double off = 0, size = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        off += std::pow(static_cast<double>(x[i]) - back[i], 2);
        size += std::pow(static_cast<double>(x[i]), 2);
    }
    return off / size;
}

/// A block's elements by the words of docs/files.md.
std::vector<double> as_documented(DType type, const Bytes& block) {
    const int header = block[0] | block[1] << 8;
    std::vector<double> x(64);
    if (header == 0) return x;
    const int exponent = header >> 10 & 31;
    const int other = std::min(30, std::max(0, exponent + (header >> 4 & 7) - 4));
    const double scales[2] = {
        std::ldexp(1 + (header >> 7 & 7) / 8.0, exponent - 21) * (header & 0x8000 ? -1 : 1),
        std::ldexp(1 + (header & 7) / 8.0, other - 21) * (header & 8 ? -1 : 1)};
    for (int i = 0; i < 64; ++i) {
        const int h = i / 32, e = i % 32;
        if (type == DType::t4_64) {
            const std::uint8_t byte = block[static_cast<std::size_t>(2 + 16 * h + e % 16)];
            x[static_cast<std::size_t>(i)] = scales[h] * kT4Levels[e < 16 ? byte & 15 : byte >> 4];
        } else {
            const std::uint8_t low = block[static_cast<std::size_t>(2 + 12 * h + e / 16 * 4 + e % 4)];
            const std::uint8_t high = block[static_cast<std::size_t>(2 + 12 * h + 8 + e % 4)];
            x[static_cast<std::size_t>(i)] =
                scales[h] * kT3Levels[(low >> e % 16 / 4 * 2 & 3) | (high >> e / 4 & 1) << 2];
        }
    }
    return x;
}

constexpr DType kOwn[] = {DType::t3_64, DType::t4_64};

Bytes weighted(DType type, const std::vector<float>& x, const std::vector<float>& importance) {
    Bytes bytes(row_bytes(type, std::ssize(x)));
    weighted_row_from_f32(type, x.data(), importance.data(), bytes.data(), std::ssize(x));
    return bytes;
}

double weighted_error(const std::vector<float>& x, const std::vector<float>& importance,
                      const std::vector<float>& back, std::size_t begin, std::size_t end) {
    double sum = 0;
    for (std::size_t i = begin; i < end; ++i)
        sum += importance[i] * std::pow(static_cast<double>(x[i]) - back[i], 2);
    return sum;
}

/// Between 1e-3 and 1e3, most near one.
std::vector<float> importances(std::size_t n, unsigned seed) {
    std::vector<float> out = normal(static_cast<std::int64_t>(n), 2, seed);
    for (float& v : out) v = std::exp(std::clamp(v, -6.9f, 6.9f));
    return out;
}

/// The smallest error that 32 elements can have with a scale of the format, each element at its nearest
/// level.
double least_error(DType type, const float* x, const float* importance) {
    const std::vector<std::int8_t> levels =
        type == DType::t4_64 ? std::vector<std::int8_t>(std::begin(kT4Levels), std::end(kT4Levels))
                             : std::vector<std::int8_t>(std::begin(kT3Levels), std::end(kT3Levels));
    double extreme = 0;
    for (int i = 0; i < 32; ++i) extreme = std::max(extreme, std::fabs(static_cast<double>(x[i])));
    double best = std::numeric_limits<double>::infinity();
    for (int i = 0; i < 31 * 8; ++i) {
        const double scale = std::ldexp(8 + i % 8, i / 8 - 24), at = extreme / (127 * scale);
        if (at < 0.851 || at > 1.449) continue;
        for (const double signed_scale : {scale, -scale}) {
            double sum = 0;
            for (int e = 0; e < 32; ++e) {
                double least = std::numeric_limits<double>::infinity();
                for (const std::int8_t level : levels)
                    least = std::min(least, std::pow(x[e] - signed_scale * level, 2));
                sum += importance[e] * least;
            }
            best = std::min(best, sum);
        }
    }
    return best;
}

TEST(QuantTable, BytesMeanWhatIsDocumented) {
    std::mt19937 engine(5);
    for (const DType type : kOwn) {
        for (int header = 0; header < 0x10000; ++header) {
            Bytes block(traits(type).block_bytes);
            for (std::uint8_t& byte : block) byte = static_cast<std::uint8_t>(engine());
            block[0] = static_cast<std::uint8_t>(header);
            block[1] = static_cast<std::uint8_t>(header >> 8);
            const std::vector<float> have = values(type, block);
            if ((header >> 10 & 31) == 31) {
                for (const float v : have) ASSERT_TRUE(std::isnan(v)) << header;
                continue;
            }
            const std::vector<double> want = as_documented(type, block);
            for (std::size_t i = 0; i < want.size(); ++i) ASSERT_EQ(have[i], want[i]) << header << " " << i;
            // A panel holds the scales as halves.
            for (const float scale : half_scales(static_cast<std::uint16_t>(header)).of) {
                ASSERT_EQ(f16_to_f32(f32_to_f16(scale)), scale) << header;
            }
        }
    }
}

TEST(QuantTable, BytesAreTheSameEverywhere) {
    const auto hash = [](const Bytes& bytes) {
        std::uint64_t sum = 0xcbf29ce484222325u;  // FNV-1a
        for (const std::uint8_t byte : bytes) sum = (sum ^ byte) * 0x100000001b3u;
        return sum;
    };
    std::vector<float> x = normal(64 * 500, 0.02f, 7);
    for (std::size_t i = 0; i < x.size(); ++i)
        x[i] *= std::ldexp(1.0f, static_cast<int>(i / 32 * 7 % 13) - 6);
    EXPECT_EQ(hash(stored(DType::t3_64, x)), 12120577569608479750u);
    EXPECT_EQ(hash(stored(DType::t4_64, x)), 16074636926066794125u);
}

TEST(QuantTable, LoseLessThanGgmlsTypesOfMoreBits) {
    const std::vector<float> x = normal(64 * 4000, 0.02f, 3);
    EXPECT_LT(error(DType::t4_64, x), error(DType::iq4_nl, x));
    EXPECT_LT(error(DType::t4_64, x), 0.8 * error(DType::q4_0, x));
    EXPECT_LT(error(DType::t3_64, x), 1.06 * error(DType::q3_k, x));
    EXPECT_LT(row_bytes(DType::t4_64, 256), row_bytes(DType::iq4_nl, 256));
    EXPECT_LT(row_bytes(DType::t3_64, 256), row_bytes(DType::q3_k, 256));
    // Whatever the scale, and with the signs turned.
    for (const float by : {-1.0f, 0x1p-7f, 0x1p18f}) {
        std::vector<float> other = x;
        for (float& v : other) v *= by;
        for (const DType type : kOwn)
            EXPECT_NEAR(error(type, other), error(type, x), 1e-3 * error(type, x)) << by;
    }
}

TEST(QuantTable, HalvesFarApartShareAHeader) {
    for (const DType type : kOwn) {
        for (int apart = -20; apart <= 20; ++apart) {
            std::vector<float> x = normal(64 * 50, 0.02f, 11);
            for (std::size_t i = 0; i < x.size(); ++i) {
                if (i % 64 >= 32) x[i] *= std::ldexp(1.0f, apart);
            }
            EXPECT_LT(error(type, x), type == DType::t4_64 ? 0.008 : 0.035) << apart;
        }
    }
}

TEST(QuantTable, NoScaleDoesBetter) {
    const std::vector<float> x = normal(64 * 60, 0.02f, 17), alike(x.size(), 1.0f);
    for (const DType type : kOwn) {
        for (const std::vector<float>& importance : {alike, importances(x.size(), 19)}) {
            const bool none = importance == alike;
            const std::vector<float> back =
                values(type, none ? stored(type, x) : weighted(type, x, importance));
            std::vector<float> weights = importance;
            for (std::size_t i = 0; i < x.size(); i += 32) {
                float square = 0;
                for (std::size_t e = i; e < i + 32; ++e) square += x[e] * x[e] / 16;
                for (std::size_t e = i; e < i + 32 && !none; ++e)
                    weights[e] *= std::sqrt(square + x[e] * x[e]);
                const double least = least_error(type, &x[i], &weights[i]);
                EXPECT_LE(weighted_error(x, weights, back, i, i + 32), least * (1 + 1e-4)) << i;
            }
        }
    }
}

TEST(QuantTable, ImportancesMoveTheErrors) {
    const std::vector<float> x = normal(64 * 500, 0.02f, 23), importance = importances(x.size(), 29);
    for (const DType type : kOwn) {
        ASSERT_TRUE(has_weighted_quantizer(type));
        const double with =
            weighted_error(x, importance, values(type, weighted(type, x, importance)), 0, x.size());
        const double without = weighted_error(x, importance, values(type, stored(type, x)), 0, x.size());
        EXPECT_LT(with, 0.95 * without);
    }
}

TEST(QuantTable, ImportancesCountBesideEachOther) {
    const std::vector<float> x = normal(64 * 20, 0.02f, 31), importance = importances(x.size(), 37);
    const std::vector<float> nothing(x.size(), 0.0f);
    for (const DType type : kOwn) {
        const Bytes once = weighted(type, x, importance);
        for (const float by : {0x1p-60f, 0x1p100f}) {
            std::vector<float> scaled = importance;
            for (float& v : scaled) v *= by;
            EXPECT_EQ(weighted(type, x, scaled), once) << by;
        }
        EXPECT_NE(once, stored(type, x));
        EXPECT_EQ(weighted(type, x, nothing), stored(type, x));
        // Where one half matters and the other does not, the other is rounded as ever.
        std::vector<float> first = importance;
        for (std::size_t i = 0; i < x.size(); ++i) first[i] = i % 64 < 32 ? importance[i] : 0.0f;
        const std::vector<float> have = values(type, weighted(type, x, first));
        const std::vector<float> with = values(type, once), without = values(type, stored(type, x));
        for (std::size_t i = 0; i < x.size(); ++i)
            EXPECT_EQ(have[i], i % 64 < 32 ? with[i] : without[i]) << i;
        std::vector<float> broken = x;
        broken[70] = std::numeric_limits<float>::infinity();
        EXPECT_TRUE(std::isnan(values(type, weighted(type, broken, importance))[64]));
    }
}

TEST(QuantTable, TheEndsOfTheRange) {
    for (const DType type : kOwn) {
        EXPECT_EQ(stored(type, std::vector<float>(64, -0.0f)), Bytes(traits(type).block_bytes));
        std::vector<float> x(128, 1.0f);
        std::fill_n(x.begin(), 64, 121920.0f);  // the largest scale times the largest level
        for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(values(type, stored(type, x))[i], 121920);
        x[3] = 121921;
        const std::vector<float> beyond = values(type, stored(type, x));
        for (std::size_t i = 0; i < 64; ++i) EXPECT_TRUE(std::isnan(beyond[i]));
        EXPECT_NEAR(beyond[64], 1, 0.04);
        // Smaller than every scale: some small numbers of either sign.
        for (const float v : values(type, stored(type, std::vector<float>(64, 1e-30f))))
            EXPECT_LT(std::fabs(v), 1e-4f);
    }
}

}  // namespace
}  // namespace tinyllm
