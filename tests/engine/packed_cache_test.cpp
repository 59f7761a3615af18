// Packed weights from a file are those that were packed, and a file that is anything else is none.
#include "engine/packed_cache.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdlib>
#include <random>
#include <thread>

#include "engine/model_source.h"
#include "engine/packed_directory.h"
#include "files/support.h"
#include "tinyllm/model.h"
#include "tinyllm/session.h"

namespace tinyllm {
namespace {

namespace fs = std::filesystem;

class PackedCacheTest : public testing::Test {
  protected:
    PackedCacheTest() {
        fs::copy(TINYLLM_SOURCE_DIR "/tests/golden/models/llama-plain", model_);
        fs::copy(TINYLLM_SOURCE_DIR "/tests/golden/models/t5-original", t5_);
    }

    std::shared_ptr<const Model> load(std::optional<DType> type = {}, bool exact = false) const {
        return Model::load(model_, {.device = "cpu",
                                    .threads = 2,
                                    .exact = exact,
                                    .type = type,
                                    .tokenizer = false,
                                    .packed_cache = cache_});
    }
    static std::vector<float> logits(const std::shared_ptr<const Model>& model) {
        Session session(model);
        session.prefill(std::vector<Token>{1, 2, 3});
        const auto row = session.logits();
        return {row.begin(), row.end()};
    }
    std::vector<std::string> files() const {
        std::vector<std::string> names;
        if (!fs::exists(cache_)) return names;
        for (const auto& entry : fs::directory_iterator(cache_)) names.push_back(entry.path().string());
        return names;
    }
    /// A first load wrote the only file, a second one uses it.
    std::string written() const {
        EXPECT_TRUE(load()->info().packed_file.empty());
        EXPECT_EQ(files().size(), 1u);
        EXPECT_EQ(load()->info().packed_file, files().at(0));
        return files().at(0);
    }
    /// The file is refused for a reason that holds `why`, results are right, and it is written anew.
    void refused(const std::string& file, const std::string& why) const {
        const auto model = load();
        EXPECT_TRUE(model->info().packed_file.empty());
        ASSERT_EQ(model->info().warnings.size(), 1u);
        EXPECT_NE(model->info().warnings[0].find(why), std::string::npos) << model->info().warnings[0];
        EXPECT_EQ(logits(model), logits(plain()));
        EXPECT_EQ(load()->info().packed_file, file);
    }
    std::shared_ptr<const Model> plain() const {
        return Model::load(model_,
                           {.device = "cpu", .threads = 2, .exact = false, .type = {}, .tokenizer = false});
    }

    TemporaryFolder folder_;
    std::string model_ = folder_ / "model", t5_ = folder_ / "t5", cache_ = folder_ / "deep/cache";
};

TEST_F(PackedCacheTest, GivesTheSameBits) {
    std::size_t n = 0;
    for (const auto& type : {std::optional<DType>(), std::optional(DType::q8_0), std::optional(DType::f16)}) {
        const auto packed = load(type), mapped = load(type);
        EXPECT_EQ(files().size(), ++n);
        EXPECT_TRUE(packed->info().packed_file.empty());
        EXPECT_FALSE(mapped->info().packed_file.empty());
        EXPECT_EQ(logits(packed), logits(mapped));
        EXPECT_EQ(packed->info().weight_bytes, mapped->info().weight_bytes);
        EXPECT_EQ(packed->info().parameters, mapped->info().parameters);
        EXPECT_EQ(packed->info().notes, mapped->info().notes);
    }
    EXPECT_EQ(logits(load({}, true)), logits(load({}, true)));
    EXPECT_EQ(files().size(), ++n);
    // The reference has no layout of its own: nothing is kept, and that is told.
    const auto apart = Model::load(model_, {.device = "ref",
                                            .threads = 1,
                                            .exact = true,
                                            .type = {},
                                            .tokenizer = false,
                                            .packed_cache = cache_});
    EXPECT_EQ(files().size(), n);
    ASSERT_EQ(apart->info().warnings.size(), 1u);
    EXPECT_NE(apart->info().warnings[0].find("device ref packs at every start"), std::string::npos);
}

TEST_F(PackedCacheTest, AnEncoderDecoderToo) {
    const auto get = [&] {
        return Model::load(t5_, {.device = "cpu",
                                 .threads = 2,
                                 .exact = false,
                                 .type = {},
                                 .tokenizer = false,
                                 .packed_cache = cache_});
    };
    const auto packed = get(), mapped = get();
    EXPECT_FALSE(mapped->info().packed_file.empty());
    EXPECT_EQ(logits(packed), logits(mapped));
}

TEST_F(PackedCacheTest, EachInstructionSetHasItsOwn) {
    written();
    ::setenv("TINYLLM_CPU_ISA", "scalar", 1);
    const auto first = load();
    const auto second = load();
    ::unsetenv("TINYLLM_CPU_ISA");
    EXPECT_TRUE(first->info().warnings.empty());
    EXPECT_FALSE(second->info().packed_file.empty());
    EXPECT_EQ(logits(first), logits(second));
    // One file only where scalar kernels are the best there are.
    EXPECT_EQ(files().size(), first->info().backend == load()->info().backend ? 1u : 2u);
}

TEST_F(PackedCacheTest, AFileOfAnotherLayoutIsRefused) {
    const std::string file = written();
    ::setenv("TINYLLM_CPU_ISA", "scalar", 1);
    load();
    ::unsetenv("TINYLLM_CPU_ISA");
    if (files().size() < 2) GTEST_SKIP() << "this machine has scalar kernels only";
    const std::string other = files()[0] == file ? files()[1] : files()[0];
    fs::copy_file(other, file, fs::copy_options::overwrite_existing);
    refused(file, "changed");
}

TEST_F(PackedCacheTest, AChangedModelIsPackedAnew) {
    const std::string file = written();
    const std::string weights = model_ + "/model.safetensors";
    fs::last_write_time(weights, fs::last_write_time(weights) + std::chrono::seconds(5));
    refused(file, "changed");
    std::string bytes = read_bytes(weights);
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    write_bytes(weights, bytes);
    EXPECT_TRUE(load()->info().packed_file.empty());
    // Where the model lies is no part of it.
    fs::rename(model_, folder_ / "elsewhere");
    model_ = folder_ / "elsewhere";
    EXPECT_FALSE(load()->info().packed_file.empty());
}

TEST_F(PackedCacheTest, DamagedFilesAreRefused) {
    const std::string file = written();
    const std::string bytes = read_bytes(file);
    std::uint64_t directory = 0;
    std::memcpy(&directory, bytes.data() + 24, 8);
    std::mt19937 random(1);
    const auto damaged = [&](const std::string& text) {
        write_bytes(file, text);
        const auto model = load();
        EXPECT_TRUE(model->info().packed_file.empty());
        EXPECT_EQ(model->info().warnings.size(), 1u);
        EXPECT_EQ(read_bytes(file), bytes);
    };
    for (int i = 0; i < 100; ++i) {
        std::string text = bytes;
        text[random() % (40 + directory)] ^= static_cast<char>(1 << random() % 8);
        damaged(text);
    }
    for (int i = 0; i < 50; ++i) damaged(bytes.substr(0, random() % (i % 2 ? bytes.size() : 40 + directory)));
    damaged(bytes + "x");
    damaged("");
}

TEST(PackedDirectory, RefusesWhatItsChecksumDoesNotTell) {
    const StripBytes four = [](DType type, std::int64_t rows, std::int64_t cols) {
        return type == DType::f32 ? static_cast<std::size_t>(4 * rows * cols) : 0;
    };
    const auto tried = [&](const std::function<void(std::vector<PackedEntry>&)>& change, std::string why,
                           const std::string& who, const StripBytes& reads) {
        std::vector<PackedEntry> entries = {{1, 0, 8, 4, {{DType::f32, 5}, {DType::f32, 3}}},
                                            {2, 0, 7, 1, {}}};
        std::vector<PackedEntry*> places;
        for (PackedEntry& entry : entries) places.push_back(&entry);
        change(entries);
        std::string file = write_packed_directory("who", places, four);
        std::uint64_t size = 0;
        std::memcpy(&size, file.data() + 16, 8);
        file.resize(size);
        try {
            const auto read = read_packed_directory(std::as_bytes(std::span(file)), who, reads);
            EXPECT_EQ(why, "");
            EXPECT_EQ(read.size(), 2u);
            EXPECT_EQ(read.at(1).at % 64, 0u);
            EXPECT_EQ(packed_entry_bytes(read.at(1), four), 128u);
        } catch (const Error& error) {
            EXPECT_NE(why, "") << error.what();
            EXPECT_NE(std::string(error.what()).find(why), std::string::npos) << error.what();
        }
    };
    tried([](auto&) {}, "", "who", four);
    tried([](auto&) {}, "changed", "whom", four);
    const auto refused = [&](const std::function<void(std::vector<PackedEntry>&)>& change) {
        tried(change, "no weight", "who", four);
    };
    refused([](auto& e) { e[0].rows = 9; });
    refused([](auto& e) { e[0].rows = -1; });
    refused([](auto& e) { e[0].strips[0].type = DType::q4_k; });
    refused([](auto& e) { e[0].strips[0].rows = std::int64_t{1} << 60; });
    refused([](auto& e) { e[1].cols = 2; });
    refused([](auto& e) { e[1].rows = std::int64_t{1} << 40; });
    tried([](auto&) {}, "leaves it", "who",
          [](DType, std::int64_t rows, std::int64_t cols) {
              return static_cast<std::size_t>(4000 * rows * cols);
          });
}

TEST_F(PackedCacheTest, WeightsOfAnySizeKeepTheirPlaces) {
    const ModelSource source = open_model_source(model_);
    const auto backend = make_cpu_backend(BackendOptions());
    constexpr std::size_t kLargePage = (std::size_t{2} << 20) / sizeof(float);
    std::vector<std::vector<float>> values;
    for (const std::size_t n : {std::size_t{3}, kLargePage, kLargePage - 1, 2 * kLargePage + 5,
                                std::size_t{1}, 5 * kLargePage, kLargePage / 2}) {
        values.emplace_back(n);
        for (std::size_t i = 0; i < n; ++i) values.back()[i] = static_cast<float>(i * values.size() % 8191);
    }
    PackedCache written(cache_, *source.tensors, {}, *backend);
    for (std::size_t i = 0; i < values.size(); ++i) written.keep(Fingerprint().add(i), values[i]);
    written.save();
    PackedCache mapped(cache_, *source.tensors, {}, *backend);
    EXPECT_TRUE(mapped.warnings().empty());
    for (std::size_t i = 0; i < values.size(); ++i) {
        const float* found = mapped.vector(Fingerprint().add(i), std::ssize(values[i]));
        ASSERT_NE(found, nullptr) << i;
        EXPECT_TRUE(std::equal(values[i].begin(), values[i].end(), found)) << i;
    }
}

TEST_F(PackedCacheTest, WritersTakeTurns) {
    std::vector<std::thread> loaders;
    const std::vector<float> expected = logits(plain());
    for (int i = 0; i < 8; ++i) {
        loaders.emplace_back([&] {
            for (int round = 0; round < 4; ++round) {
                const auto model = load();
                EXPECT_TRUE(model->info().warnings.empty());
                EXPECT_EQ(logits(model), expected);
            }
        });
    }
    for (std::thread& loader : loaders) loader.join();
    EXPECT_EQ(files().size(), 1u);
    EXPECT_FALSE(load()->info().packed_file.empty());
    // What a killed writer leaves behind is taken over.
    const std::string file = files()[0];
    fs::rename(file, file + ".incomplete");
    EXPECT_TRUE(load()->info().packed_file.empty());
    EXPECT_EQ(files(), std::vector{file});
    EXPECT_EQ(load()->info().packed_file, file);
}

TEST_F(PackedCacheTest, AFullDiskIsOnlyAWarning) {
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const rlimit little{4096, before.rlim_max};
    const auto handler = ::signal(SIGXFSZ, SIG_IGN);
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &little), 0);
    const auto model = load();
    ::setrlimit(RLIMIT_FSIZE, &before);
    ::signal(SIGXFSZ, handler);
    ASSERT_EQ(model->info().warnings.size(), 1u);
    EXPECT_NE(model->info().warnings[0].find("cannot be kept"), std::string::npos);
    EXPECT_TRUE(files().empty());
    EXPECT_EQ(logits(model), logits(plain()));
    // Nor is a folder that cannot be.
    cache_ = model_ + "/config.json/x";
    EXPECT_EQ(load()->info().warnings.size(), 1u);
}

}  // namespace
}  // namespace tinyllm
