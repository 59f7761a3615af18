// The arithmetic of estimates, boards' files, and the known shapes.
#include "tools/predict/predict.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "tinyllm/error.h"
#include "tools/predict/known_models.h"
#include "tools/predict/tasks.h"

namespace tinyllm::predict {
namespace {

const std::string kEmbedded = TINYLLM_SOURCE_DIR "/tools/embedded/models/";

/// A board whose rates are `scale` times plain ones.
Board plain_board(double scale = 1, double read = 1) {
    Board board;
    board.name = board.title = board.cpu = "plain";
    board.free_bytes = 1'000'000'000;
    board.threads = 2;
    for (const int n : {1, 2}) {
        board.cpu_rates.push_back({.threads = n,
                                   .read = n * read * 1e9,
                                   .f32 = n * scale * 10e9,
                                   .int8 = n * scale * 40e9,
                                   .bf16 = 0,
                                   .meeting_seconds = 0});
    }
    return board;
}

ModelFacts known(const std::string& id) {
    const std::optional<ModelFacts> facts = known_model(id);
    EXPECT_TRUE(facts) << id;
    return *facts;
}

ErrorKind kind_of(const std::function<void()>& call) {
    try {
        call();
    } catch (const Error& error) {
        EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
        return error.kind();
    }
    ADD_FAILURE() << "no error";
    return ErrorKind::runtime;
}

TEST(Predict, MemoryIsTheEnginesPrediction) {
    for (const char* name : {"tiny-gpt2", "tiny-llama"}) {
        const Subject subject = subject_of(kEmbedded + name);
        EXPECT_FALSE(subject.from_shape);
        for (const char* type : {"stored", "f32", "f16", "q8_0", "q4_0", "q4_k"}) {
            for (const bool exact : {false, true}) {
                predict::Run run;
                run.exact = exact;
                run.prompt = 60;
                run.generate = 40;
                run.question = {.contexts = 1, .prompt = 50, .answers = 0, .answer = 0};
                const Estimate e = estimate(subject.facts, type, plain_board(), run);
                ModelOptions load;
                load.device = "cpu";
                load.exact = exact;
                load.type = dtype_from_name(type);
                const MemoryUse need = predict_memory(subject.facts, load, run.session, 100);
                EXPECT_EQ(e.memory.weights, need.weights) << name << ' ' << type;
                EXPECT_EQ(e.memory.kv, need.kv) << name << ' ' << type;
                EXPECT_EQ(e.memory.peak, need.peak) << name << ' ' << type;
            }
        }
    }
}

// By hand: a prompt of 3 rows through two matrices and a head, which reads one row.
TEST(Predict, IsTheCubesSum) {
    ModelFacts facts;
    facts.info.n_layers = 1;
    facts.info.n_heads = facts.info.n_kv_heads = 1;
    facts.info.dim = facts.info.head_dim = 64;
    facts.info.vocab_size = 320;
    facts.ff_dim = 64;
    const auto matrix = [&](const char* name, std::int64_t rows, std::int64_t cols) {
        facts.tensors.push_back({name, name, {rows, cols}, DType::f32, rows * cols * 4, true});
    };
    matrix("token_embd.weight", 320, 64);
    matrix("blk.0.attn_qkv.weight", 192, 64);
    matrix("blk.0.ffn_up.weight", 64, 64);
    Board board = plain_board();
    board.shares[DType::f32] = {.read = 0.5, .stream = 0.25, .product = 0.5, .unpack = 2};
    predict::Run run;
    run.threads = 1;
    run.prompt = 3;
    const auto prompt_ms = [&](double read, double f32) {
        board.cpu_rates[0].read = read;
        board.cpu_rates[0].f32 = f32;
        return estimate(facts, "stored", board, run).prompt_ms;
    };
    constexpr double kEndless = 1e30;
    const double rest = prompt_ms(kEndless, kEndless);  // of ops and the step
    const double layer = 256.0 * 64, head = 320.0 * 64;
    // Bytes: twice by the memory's half, four times by the thread's quarter; and the cache's, halves of keys
    // and values at 3 positions.
    const double bytes = (layer + head) * 4 * std::cbrt(8.0 + 64.0) + 3 * 2 * 64 * 2;
    EXPECT_NEAR(prompt_ms(1e9, kEndless) - rest, 1e3 * bytes / 1e9, 1e-9);
    // Operations of 3 + 2 rows, of the head's 1 + 2, and of attention's 6 pairs.
    const double products = 2 * (5 * layer + 3 * head) / 0.5;
    const double attention = 4 * 64 * 6 / default_overheads().attention;
    EXPECT_NEAR(prompt_ms(kEndless, 10e9) - rest, 1e3 * (products + attention) / 10e9, 1e-9);
    // Both: more than either, less than one after the other.
    const double both = prompt_ms(1e9, 10e9);
    EXPECT_GT(both, std::max(prompt_ms(1e9, kEndless), prompt_ms(kEndless, 10e9)));
    EXPECT_LT(both, prompt_ms(1e9, kEndless) + prompt_ms(kEndless, 10e9) - rest);
}

TEST(Predict, FasterBoardsAreFaster) {
    const ModelFacts facts = known("Qwen/Qwen2.5-0.5B");
    for (const char* type : {"f16", "q8_0", "q4_0", "q4_k_m"}) {
        predict::Run run;
        run.threads = 1;
        const Estimate one = estimate(facts, type, plain_board(), run);
        const Estimate computes = estimate(facts, type, plain_board(2), run);
        const Estimate reads = estimate(facts, type, plain_board(1, 4), run);
        run.threads = 2;
        const Estimate two = estimate(facts, type, plain_board(), run);
        for (const Estimate* better : {&computes, &two}) {
            EXPECT_LT(better->prompt_ms, one.prompt_ms) << type;
            EXPECT_LT(better->question_ms, one.question_ms) << type;
        }
        for (const Estimate* better : {&reads, &two}) EXPECT_LT(better->token_ms, one.token_ms) << type;
        EXPECT_LE(computes.token_ms, one.token_ms);
        EXPECT_EQ(two.memory.peak, one.memory.peak);
    }
}

TEST(Predict, LongerTakesLonger) {
    const ModelFacts facts = known("google/flan-t5-base");
    const ModelFacts plain = known("EleutherAI/pythia-160m");
    for (const ModelFacts* any : {&facts, &plain}) {
        predict::Run run;
        const Estimate shorter = estimate(*any, "q8_0", plain_board(), run);
        run.prompt = 400;
        run.question.prompt = 400;
        const Estimate longer = estimate(*any, "q8_0", plain_board(), run);
        EXPECT_GT(longer.prompt_ms, shorter.prompt_ms);
        EXPECT_GT(longer.question_ms, shorter.question_ms);
        EXPECT_GT(longer.memory.peak, shorter.memory.peak);
        EXPECT_GE(longer.token_ms, shorter.token_ms);
    }
}

TEST(Predict, FitsWhatIsFree) {
    const ModelFacts facts = known("TinyLlama/TinyLlama_v1.1");
    Board board = plain_board();
    EXPECT_FALSE(*estimate(facts, "f16", board, {}).fits);
    EXPECT_TRUE(*estimate(facts, "q4_0", board, {}).fits);
    board.free_bytes = 0;
    EXPECT_FALSE(estimate(facts, "q4_0", board, {}).fits);
}

TEST(Predict, RefusesWhatThereIsNot) {
    const ModelFacts facts = known("facebook/opt-125m");
    const auto with = [&](const std::string& type, const predict::Run& run) {
        return [&facts, type, run] { estimate(facts, type, plain_board(), run); };
    };
    EXPECT_EQ(kind_of(with("q9_0", {})), ErrorKind::usage);
    predict::Run gpu;
    gpu.device = "cuda";
    EXPECT_EQ(kind_of(with("q8_0", gpu)), ErrorKind::usage);
    EXPECT_EQ(kind_of([] { subject_of("nobody/nothing"); }), ErrorKind::not_found);
    EXPECT_EQ(kind_of([] { task_question("mmlu", false); }), ErrorKind::usage);
}

TEST(Predict, MixtureTypesAreTheQuantizers) {
    // Rows of 576 are no multiple of 256: the K types' substitutes.
    const ModelFacts mixed = with_mixture(known("HuggingFaceTB/SmolLM-135M"), "q4_k_m");
    std::map<DType, int> seen;
    for (const TensorInfo& tensor : mixed.tensors) ++seen[tensor.type];
    EXPECT_EQ(seen.count(DType::q4_k), 1u);  // ffn_down's 1536
    EXPECT_GT(seen[DType::q5_0], 0);
    EXPECT_GT(seen[DType::q8_0], 0);
    EXPECT_GT(seen[DType::f32], 0);
}

TEST(Boards, EveryFileParses) {
    const std::vector<std::string> names = board_names();
    for (const char* name : {"orin-nano", "pi4", "pi5", "orange-pi-5", "lattepanda"})
        EXPECT_EQ(std::count(names.begin(), names.end(), name), 1) << name;
    for (const std::string& name : names) {
        const Board board = find_board(name);
        EXPECT_EQ(board.name, name);
        EXPECT_FALSE(board.measured) << name;
        EXPECT_FALSE(board.sources.empty()) << name;
        EXPECT_FALSE(board.assumptions.empty()) << name;
        EXPECT_LT(board.free_bytes, board.memory_bytes) << name;
        const Rates one = board.rates(1), all = board.rates(board.threads);
        EXPECT_LT(one.read, all.read) << name;
        EXPECT_LT(one.int8, all.int8) << name;
        for (const std::string& model : known_models())
            EXPECT_GT(estimate(known(model), "q8_0", board, {}).tokens_per_s, 0) << name << ' ' << model;
    }
}

TEST(Boards, RatesBetweenPoints) {
    Board board = plain_board();
    board.cpu_rates = {{.threads = 2, .read = 10, .f32 = 20, .int8 = 30, .bf16 = 0, .meeting_seconds = 1},
                       {.threads = 4, .read = 14, .f32 = 40, .int8 = 60, .bf16 = 0, .meeting_seconds = 3}};
    EXPECT_DOUBLE_EQ(board.rates(1).read, 5);
    EXPECT_DOUBLE_EQ(board.rates(3).read, 12);
    EXPECT_DOUBLE_EQ(board.rates(3).meeting_seconds, 2);
    EXPECT_DOUBLE_EQ(board.rates(9).int8, 60);
}

TEST(Boards, ReadsWhatItWrites) {
    Board board = plain_board();
    board.measured = true;
    board.shares[DType::q4_0] = {.read = 0.5, .stream = 0.25, .product = 0.75, .unpack = 2};
    const Board again = parse_board(board_json(board).dump(), "again");
    EXPECT_TRUE(again.measured);
    EXPECT_EQ(again.free_bytes, board.free_bytes);
    ASSERT_EQ(again.cpu_rates.size(), 2u);
    EXPECT_DOUBLE_EQ(again.cpu_rates[1].int8, 80e9);
    EXPECT_DOUBLE_EQ(again.shares.at(DType::q4_0).product, 0.75);
}

TEST(Boards, RefusesWhatIsNone) {
    const std::string whole = board_json(plain_board()).dump();
    const auto parse = [](const std::string& text) { return kind_of([&] { parse_board(text, "file"); }); };
    const auto with = [&](const std::string& key, const Json& value) {
        Json json = Json::parse(whole);
        json[key] = value;
        return json.dump();
    };
    EXPECT_NO_THROW(parse_board(whole, "file"));
    for (const std::string& text :
         {std::string("{"), std::string("[]"), with("schema", "tinyllm.board/2"), with("name", 3),
          with("cpu_rates", Json::array()), with("cpu_rates", Json::array({1})), with("threads", 0),
          with("threads", 1e9), with("free_bytes", -1), with("measured", "yes"), with("gpu", 1),
          with("shares", Json::array({{{"type", "q99"}}})), with("sources", "none"),
          with("cpu_rates", Json::array({{{"threads", 1}, {"read_gb_per_s", 0}}}))})
        EXPECT_EQ(parse(text), ErrorKind::corrupt) << text;
    EXPECT_EQ(kind_of([] { find_board("pi99"); }), ErrorKind::not_found);
}

TEST(Tasks, ALetterNeedsOnePass) {
    const Question scored = task_question("winogrande", false), letter = task_question("winogrande", true);
    EXPECT_EQ(scored.contexts, 2);
    EXPECT_EQ(letter.answers, 0);
    EXPECT_GT(letter.prompt, scored.prompt);
}

}  // namespace
}  // namespace tinyllm::predict
