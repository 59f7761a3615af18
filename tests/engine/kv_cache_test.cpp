#include "engine/kv_cache.h"

#include <gtest/gtest.h>

#include <optional>

#include "tinyllm/error.h"

namespace tinyllm {
namespace {

struct KvCache : testing::Test {
    KvCache() {
        config.n_layers = 2;
        config.n_kv_heads = 1;
        config.head_dim = 4;
        pool = std::make_shared<KvPool>(*backend, config, DType::f32, DType::f16);
    }
    /// Element 0 of k at a position of layer 1.
    float& k(const std::int32_t* blocks, std::int64_t position) {
        std::byte* block = pool->layers()[1].k_blocks[blocks[position / kKvBlock]];
        return reinterpret_cast<float*>(block)[position % kKvBlock * config.head_dim];
    }
    std::int64_t blocks() const { return pool->bytes() / pool->block_bytes(); }

    std::unique_ptr<Backend> backend = make_ref_backend({});
    Config config;
    std::shared_ptr<KvPool> pool;
};

TEST_F(KvCache, GrowsBlockByBlockAndUsesFreeOnesAgain) {
    EXPECT_EQ(pool->block_bytes(), 2 * (kKvBlock * 4 * 4 + kKvBlock * 4 * 2));
    Sequence sequence(pool);
    sequence.append(1);
    EXPECT_EQ(blocks(), 1);
    sequence.append(kKvBlock - 1);
    EXPECT_EQ(blocks(), 1);
    sequence.append(2 * kKvBlock);
    EXPECT_EQ(blocks(), 3);
    sequence.truncate(kKvBlock);
    EXPECT_EQ(sequence.length(), kKvBlock);
    std::optional<Sequence> other(std::in_place, pool);
    other->append(2 * kKvBlock);
    EXPECT_EQ(blocks(), 3);
    other.reset();
    sequence.append(2 * kKvBlock);
    EXPECT_EQ(blocks(), 3);
}

TEST_F(KvCache, AForkSharesUntilOneWrites) {
    std::optional<Sequence> first(std::in_place, pool);
    k(first->append(70), 66) = 5;
    Sequence fork = *first;
    EXPECT_EQ(blocks(), 2);
    const std::int32_t* own = fork.append(1);  // position 70 lies in the shared second block
    EXPECT_EQ(blocks(), 3);
    EXPECT_EQ(k(own, 66), 5);
    k(own, 66) = 6;
    const std::int32_t* old = first->append(1);
    EXPECT_EQ(blocks(), 3) << "the first is alone with its block by now";
    EXPECT_EQ(k(old, 66), 5);
    EXPECT_EQ(old[0], own[0]) << "whole blocks stay shared";
    first.reset();
    EXPECT_EQ(k(own, 66), 6);
    Sequence third(pool);
    third.append(1);
    EXPECT_EQ(blocks(), 3) << "the first one's second block was free";
}

TEST_F(KvCache, AFullBlockNeedsNoCopy) {
    Sequence first(pool);
    first.append(kKvBlock);
    Sequence fork = first;
    fork.append(1);
    first.append(1);
    EXPECT_EQ(blocks(), 3);
}

TEST_F(KvCache, AssignmentReleasesWhatWasHeld) {
    Sequence a(pool), b(pool);
    a.append(kKvBlock);
    b.append(kKvBlock);
    a = b;
    Sequence c(pool);
    c.append(kKvBlock);
    EXPECT_EQ(blocks(), 2);
}

TEST_F(KvCache, QuantizedRowsTakeTheirBlocks) {
    config.n_kv_heads = 3;
    config.head_dim = 96;
    const KvPool quantized(*backend, config, DType::q8_0, DType::q4_0);
    EXPECT_EQ(quantized.block_bytes(), 2 * 3 * kKvBlock * (3 * 34 + 3 * 18));
}

TEST_F(KvCache, OtherTypesAndWidthsAreRefusedByName) {
    for (const DType type : {DType::f32, DType::f16, DType::q8_0, DType::q4_0})
        check_cache_type("some/model", 64, type);
    const auto refused = [](std::int64_t width, DType type, const std::vector<std::string>& words) {
        try {
            check_cache_type("some/model", width, type);
            FAIL() << "nothing was thrown";
        } catch (const Error& error) {
            EXPECT_EQ(error.kind(), ErrorKind::unsupported);
            for (const std::string& word : words)
                EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
        }
    };
    refused(64, DType::bf16, {"bf16"});
    refused(80, DType::q8_0, {"some/model", "80", "q8_0"});
    refused(4, DType::q4_0, {"some/model", " 4;", "q4_0"});
}

}  // namespace
}  // namespace tinyllm
