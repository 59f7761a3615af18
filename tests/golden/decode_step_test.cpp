// What generation asks of a device at each token, counted by the CUDA backend's emulation; and that draws on
// the device are those of the host.
#include <gtest/gtest.h>

#include "golden/golden_models.h"
#include "kernels/forwarding_backend.h"
#include "tinyllm/tinyllm.h"

namespace tinyllm {
namespace {

using test::DeviceCalls;

struct Drawn {
    std::vector<Token> tokens;
    std::vector<DeviceCalls> calls;  // before each token was given out
};

class DecodeStep : public testing::TestWithParam<std::string> {
  protected:
    DecodeStep() {
        more_devices()["counted"] = [this](const BackendOptions& options) {
            return test::make_cuda_emulated_backend(options.precision, test::kEmulatedCapability, &calls_);
        };
        prompt_ = test::golden_expected(GetParam())["prompt"].get<std::vector<Token>>();
    }
    ~DecodeStep() override { more_devices().erase("counted"); }

    std::shared_ptr<const Model> load(bool exact) {
        ModelOptions options;
        options.device = "counted";
        options.exact = exact;
        options.tokenizer = false;
        return Model::load(test::golden_models() + "/" + GetParam(), options);
    }
    Drawn generate(Session& session, const SamplerOptions& sampler) {
        Drawn drawn;
        session.truncate(0);
        session.prefill(prompt_);
        drawn.tokens =
            session.generate({.max_tokens = 16, .sampler = sampler, .ignore_eos = true}, [&](Token) {
                drawn.calls.push_back(calls_);
                return true;
            });
        return drawn;
    }

    DeviceCalls calls_;
    std::vector<Token> prompt_;
};

TEST_P(DecodeStep, IsOneUploadOneGraphAndOneWait) {
    for (const bool exact : {false, true}) {
        const auto model = load(exact);
        Session session(model);
        SamplerOptions sampler;
        for (const float temperature : {0.0f, 0.8f}) {
            sampler.temperature = temperature;
            sampler.top_k = 5;
            sampler.repeat_penalty = 1.1f;
            const Drawn drawn = generate(session, sampler);
            // The first token is the prompt's; the first step is launched, the second makes the graph.
            ASSERT_GE(drawn.calls.size(), 8u);
            for (std::size_t i = 4; i < drawn.calls.size(); ++i) {
                const DeviceCalls &now = drawn.calls[i], &before = drawn.calls[i - 1];
                EXPECT_EQ(now.allocations, before.allocations) << i;
                EXPECT_EQ(now.uploads - before.uploads, 1) << i;
                EXPECT_EQ(now.waits - before.waits, 1) << i;
                EXPECT_EQ(now.launches, before.launches) << i;
                EXPECT_EQ(now.graphs, before.graphs) << i;
                EXPECT_EQ(now.replays - before.replays, 1) << i;
                EXPECT_LE(now.downloaded - before.downloaded, 6 * 8u) << i;
            }
        }
    }
}

/// Counts what is allocated within steps.
class StepWatch final : public ForwardingBackend {
  public:
    StepWatch(std::unique_ptr<Backend> inner, const DeviceCalls& calls, std::vector<int>& allocations)
        : ForwardingBackend(std::move(inner)), calls_(calls), allocations_(allocations) {}
    void step(const std::function<void()>& ops) override {
        const int before = calls_.allocations;
        inner().step(ops);
        allocations_.push_back(calls_.allocations - before);
    }

  private:
    const DeviceCalls& calls_;
    std::vector<int>& allocations_;
};

TEST(DecodeSteps, AllocateNothing) {
    DeviceCalls calls;
    std::vector<int> allocations;  // by step, those within another before it
    more_devices()["watched"] = [&](const BackendOptions& options) {
        return std::make_unique<StepWatch>(
            test::make_cuda_emulated_backend(options.precision, test::kEmulatedCapability, &calls), calls,
            allocations);
    };
    ModelOptions options;
    options.device = "watched";
    options.tokenizer = false;
    {
        const auto model = Model::load(test::golden_models() + "/llama-blocks", options);
        const auto prompt = test::golden_expected("llama-blocks")["prompt"].get<std::vector<Token>>();
        Session session(model);
        session.prefill(std::span(prompt).first(50));
        const int before = calls.allocations;
        // Over two ends of blocks.
        ASSERT_EQ(session.generate({.max_tokens = 90, .sampler = {}, .ignore_eos = true}).size(), 90u);
        EXPECT_GT(calls.allocations, before);
    }
    more_devices().erase("watched");
    ASSERT_GE(allocations.size(), 90u);
    // The first draw and the first token find out how large buffers have to be.
    for (std::size_t i = 3; i < allocations.size(); ++i) EXPECT_EQ(allocations[i], 0) << i;
}

TEST_P(DecodeStep, DrawsAreThoseOfTheHost) {
    for (const bool exact : {false, true}) {
        const auto model = load(exact);
        Session session(model), other(model);
        const auto options = [](float temperature, std::int32_t k, float p, float min_p, float penalty) {
            SamplerOptions o;
            o.temperature = temperature;
            o.top_k = k;
            o.top_p = p;
            o.min_p = min_p;
            o.repeat_penalty = penalty;
            o.seed = 5;
            return o;
        };
        for (const SamplerOptions& o :
             {options(0, 0, 1, 0, 1), options(0, 0, 1, 0, 1.3f), options(0.9f, 7, 1, 0, 1.1f),
              options(1.5f, 0, 0.9f, 0, 1), options(2, 40, 0.95f, 0.05f, 1), options(3, 0, 1, 0, 1.2f)}) {
            const std::vector<Token> found = generate(session, o).tokens;
            Sampler sampler(o);
            std::vector<Token> history = prompt_;
            other.truncate(0);
            other.prefill(prompt_);
            for (std::size_t i = 0; i < found.size(); ++i) {
                const Token token = sampler.sample(other.logits(), history);
                ASSERT_EQ(found[i], token) << i << " at " << o.temperature << " of " << o.top_k;
                history.push_back(token);
                other.prefill({&token, 1});
            }
            EXPECT_EQ(session.position(), other.position());
            const std::span<const float> a = session.logits(), b = other.logits();
            EXPECT_TRUE(std::ranges::equal(a, b));
        }
    }
}

/// Its third draw fails.
class ForgetfulBackend final : public ForwardingBackend {
  public:
    using ForwardingBackend::ForwardingBackend;
    bool top(const TopArgs& args) override {
        if (++draws_ == 3) throw Error(ErrorKind::out_of_memory, "no room for the draw");
        return inner().top(args);
    }

  private:
    int draws_ = 0;
};

TEST_P(DecodeStep, ATokenWhoseStepFailedDoesNotCount) {
    more_devices()["counted"] = [](const BackendOptions& options) {
        return std::make_unique<ForgetfulBackend>(test::make_cuda_emulated_backend(options.precision));
    };
    const auto model = load(false);
    Session session(model), other(model);
    const GenerateOptions options{.max_tokens = 5, .sampler = {}, .ignore_eos = true};
    session.prefill(prompt_);
    std::vector<Token> before;
    EXPECT_THROW(session.generate(options,
                                  [&](Token token) {
                                      before.push_back(token);
                                      return true;
                                  }),
                 Error);
    ASSERT_EQ(before.size(), 2u);
    EXPECT_EQ(session.position(), std::ssize(prompt_) + 1);
    session.prefill(std::span(before).last(1));
    const std::vector<Token> after = session.generate(options);

    other.prefill(prompt_);
    before.insert(before.end(), after.begin(), after.end());
    EXPECT_EQ(other.generate({.max_tokens = 7, .sampler = {}, .ignore_eos = true}), before);
}

// Positions by rotation, by a table, by slopes; a window; weights in blocks.
INSTANTIATE_TEST_SUITE_P(Models, DecodeStep,
                         testing::Values("gpt2-plain", "llama-grouped-tied", "bloom-560m", "mistral-window",
                                         "llama-blocks"),
                         [](const auto& test) {
                             return test::as_test_name(test.param) + "_" + test::kCudaEmulated;
                         });

}  // namespace
}  // namespace tinyllm
