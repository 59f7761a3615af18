#include "tools/predict/predict.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "engine/fail.h"
#include "tinyllm/convert.h"
#include "tools/model_path.h"
#include "tools/predict/known_models.h"

namespace tinyllm::predict {
namespace {

/// A weight matrix by what a step does with it.
struct Weight {
    enum class Rows { layer, head, encoder } rows = Rows::layer;
    double elements = 0, bytes = 0;
    DType held = DType::f32;
};

/// What a step works on. Encoder-decoders: `rows` are the decoder's.
struct Step {
    double rows = 0;
    double head_rows = 0;
    double encoded = 0;    ///< rows that the encoder reads in this step
    double pairs = 0;      ///< of a row and a position it sees, itself included
    double positions = 0;  ///< distinct ones that are read
    bool decode = false;   ///< a token that was just generated
};

/// Sizes that both devices need.
struct Sizes {
    std::vector<Weight> weights;
    double layers = 0, encoder_layers = 0, heads = 0, kv_heads = 0, head_dim = 0;
    double position_bytes = 0;  ///< of keys and values, all layers
};

bool is_head(const ModelFacts& facts, const TensorInfo& tensor) {
    if (tensor.gguf_name == "output.weight") return true;
    return tensor.gguf_name == "token_embd.weight" && tensor.read_each_step &&
           std::none_of(facts.tensors.begin(), facts.tensors.end(),
                        [](const TensorInfo& t) { return t.gguf_name == "output.weight"; });
}

Sizes sizes_of(const ModelFacts& facts, const ModelOptions& load, const SessionOptions& session) {
    const ModelInfo& info = facts.info;
    Sizes sizes{.weights = {},
                .layers = static_cast<double>(info.n_layers),
                .encoder_layers = static_cast<double>(info.encoder_layers),
                .heads = static_cast<double>(info.n_heads),
                .kv_heads = static_cast<double>(info.n_kv_heads),
                .head_dim = static_cast<double>(info.head_dim)};
    for (const TensorInfo& tensor : facts.tensors) {
        if (tensor.shape.size() != 2 || tensor.gguf_name.find("attn_rel_b") != std::string::npos) continue;
        const bool head = is_head(facts, tensor);
        const bool table =
            tensor.gguf_name == "position_embd.weight" || tensor.gguf_name == "token_embd.weight";
        if (table && !head) continue;
        const HeldTensor held = held_tensor(tensor, load);
        sizes.weights.push_back({.rows = head                     ? Weight::Rows::head
                                         : !tensor.read_each_step ? Weight::Rows::encoder
                                                                  : Weight::Rows::layer,
                                 .elements = static_cast<double>(tensor.shape[0] * tensor.shape[1]),
                                 .bytes = static_cast<double>(held.bytes),
                                 .held = held.type});
    }
    const CacheTypes cache = cache_types(session, load.exact);
    sizes.position_bytes =
        sizes.layers * sizes.kv_heads *
        static_cast<double>(row_bytes(cache.k, info.head_dim) + row_bytes(cache.v, info.head_dim));
    return sizes;
}

double rows_of(const Weight& weight, const Step& step) {
    switch (weight.rows) {
        case Weight::Rows::head:
            return step.head_rows;
        case Weight::Rows::encoder:
            return step.encoded;
        case Weight::Rows::layer:
            break;
    }
    return step.rows;
}

/// `rows` at consecutive positions behind `depth`.
Step causal(double rows, double depth, double head_rows, bool decode = false) {
    return {.rows = rows,
            .head_rows = head_rows,
            .encoded = 0,
            .pairs = rows * depth + rows * (rows + 1) / 2,
            .positions = depth + rows,
            .decode = decode};
}

/// `n` sequences as that of `step` in one.
Step several(Step step, double n) {
    for (double* part : {&step.rows, &step.head_rows, &step.encoded, &step.pairs, &step.positions})
        *part *= n;
    return step;
}

class Machine {
  public:
    virtual ~Machine() = default;
    virtual double seconds(const Sizes& sizes, const Step& step) const = 0;
};

class CpuMachine final : public Machine {
  public:
    CpuMachine(const Board& board, int threads, bool exact)
        : board_(board), rates_(board.rates(threads)), one_(board.rates(1).read), exact_(exact) {}

    double seconds(const Sizes& sizes, const Step& step) const override {
        double sum = costs_.step_seconds;
        for (const Weight& weight : sizes.weights) sum += product(weight, rows_of(weight, step), step.decode);
        const double attending = rates_.f32 * costs_.attention * crowd();
        sum += std::max(4 * sizes.layers * sizes.heads * sizes.head_dim * step.pairs / attending,
                        step.positions * sizes.position_bytes / rates_.read);
        sum +=
            4 * sizes.encoder_layers * sizes.heads * sizes.head_dim * step.encoded * step.encoded / attending;
        constexpr double kOps = 5, kCrossOps = 3;  // of a layer
        const double ops = kOps * sizes.layers + (sizes.encoder_layers > 0 ? kCrossOps * sizes.layers : 0) +
                           (step.encoded > 0 ? kOps * sizes.encoder_layers : 0);
        return sum + ops * (costs_.op_seconds + rates_.meeting_seconds);
    }

  private:
    static double cube(double x) { return x * x * x; }

    double crowd() const { return 1 - costs_.waiting * (1 - 1.0 / rates_.threads); }

    double product(const Weight& weight, double rows, bool decode) const {
        if (rows <= 0) return 0;
        const auto own = board_.shares.find(weight.held);
        const Shares s = own != board_.shares.end() ? own->second : default_shares(weight.held);
        double rate = rates_.f32;
        if (dtype_block(weight.held) > 1 && !exact_) rate = rates_.int8;
        if (weight.held == DType::bf16 && !exact_ && !decode && rates_.bf16 > 0) rate = rates_.bf16;
        const double from_memory = weight.bytes / (s.read * rates_.read);
        const double by_threads = weight.bytes / (s.stream * rates_.threads * one_);
        const double products = 2 * weight.elements * (rows + s.unpack) / (rate * s.product * crowd());
        return std::cbrt(cube(from_memory) + cube(by_threads) + cube(products));
    }

    const Board& board_;
    Rates rates_;
    double one_;
    bool exact_;
    Overheads costs_ = default_overheads();
};

/// As bench/roofline.py, whose assumptions the board's file carries: products of many rows by tensor cores.
class GpuMachine final : public Machine {
  public:
    explicit GpuMachine(const GpuMode& mode) : mode_(mode) {}

    double seconds(const Sizes& sizes, const Step& step) const override {
        constexpr double kFewRows = 8;  // up to here tensor cores are not worth it
        const double read = mode_.read * mode_.read_share, f32 = mode_.f32 * mode_.f32_share;
        double sum = 0;
        for (const Weight& weight : sizes.weights) {
            const double rows = rows_of(weight, step);
            if (rows <= 0) continue;
            const bool tensor = weight.held != DType::f32 && rows > kFewRows && mode_.tensor > 0;
            sum += std::max(weight.bytes / read,
                            2 * rows * weight.elements / (tensor ? mode_.tensor * mode_.tensor_share : f32));
        }
        const double pairs = step.pairs * sizes.layers + step.encoded * step.encoded * sizes.encoder_layers;
        sum += 4 * sizes.heads * sizes.head_dim * pairs / f32;
        const bool cross = sizes.encoder_layers > 0;
        if (step.decode) {
            sum += step.positions * sizes.position_bytes / read;
            return sum + ((cross ? 10 : 6) * sizes.layers + 3) * mode_.launch_seconds;
        }
        const double both = cross && step.encoded > 0 ? 2 : 1;
        return sum + (9 * sizes.layers + 4) * both * mode_.launch_seconds;
    }

  private:
    const GpuMode& mode_;
};

/// A prompt in steps of at most `chunk` rows; an encoder's at once.
double prompt_seconds(const Machine& machine, const Sizes& sizes, double tokens, double depth,
                      double head_rows, double chunk) {
    if (sizes.encoder_layers > 0) {
        Step step = causal(1, 0, head_rows);
        step.encoded = tokens;
        step.pairs += tokens;  // what the decoder's first row sees of the context
        return machine.seconds(sizes, step);
    }
    double sum = 0;
    for (double done = 0; done < tokens; done += chunk) {
        const double rows = std::min(chunk, tokens - done);
        sum += machine.seconds(sizes, causal(rows, depth + done, done + rows >= tokens ? head_rows : 0));
    }
    return sum;
}

double question_seconds(const Machine& machine, const Sizes& sizes, const Question& question, double chunk) {
    const bool encodes = sizes.encoder_layers > 0;
    const double contexts = question.contexts, answers = contexts * question.answers;
    const double asked = answers > 0 ? answers : contexts;  // rows whose logits are wanted
    double sum = 0;
    if (encodes || contexts * question.prompt > chunk) {
        sum = contexts * prompt_seconds(machine, sizes, question.prompt, 0, asked / contexts, chunk);
    } else {
        sum = machine.seconds(sizes, several(causal(question.prompt, 0, asked / contexts), contexts));
    }
    const double behind = question.answer - 1;  // the last token of an answer is never an input
    if (answers <= 0 || behind <= 0) return sum;
    const double before = encodes ? 1 : question.prompt;
    Step step = several(causal(behind, before, behind), answers);
    if (encodes) step.pairs += answers * behind * question.prompt;
    step.positions = contexts * (before + (encodes ? question.prompt : 0)) + answers * behind;
    return sum + machine.seconds(sizes, step);
}

struct Held {
    ModelFacts facts;
    ModelOptions load;
    bool rounded = false;  ///< at load
};

Held held_as(const ModelFacts& facts, const std::string& type, const Run& run) {
    Held held{facts, {}};
    held.load.device = run.device;
    held.load.exact = run.exact;
    if (type == "stored") return held;
    if (const std::optional<DType> plain = dtype_from_name(type)) {
        held.load.type = plain;
        held.rounded = *plain != facts.info.main_type;
        return held;
    }
    const auto names = mixture_names();
    const auto same = [&](std::string_view name) {
        return std::equal(name.begin(), name.end(), type.begin(), type.end(),
                          [](char a, char b) { return std::tolower(a) == std::tolower(b); });
    };
    if (std::none_of(names.begin(), names.end(), same)) {
        std::string known = "stored";
        for (const DType any : all_dtypes()) known += ", " + std::string(dtype_name(any));
        fail(ErrorKind::usage, "--type: expected one of {} or of the mixtures {}, found '{}'", known,
             fmt::join(names, ", "), type);
    }
    held.facts = with_mixture(facts, type);
    return held;
}

const GpuMode& gpu_mode(const Board& board, const std::string& name) {
    if (board.gpu.empty()) fail(ErrorKind::usage, "board {}: no GPU that there are figures of", board.name);
    if (name.empty()) return board.gpu.front();
    std::string known;
    for (const GpuMode& mode : board.gpu) {
        if (mode.name == name) return mode;
        known += (known.empty() ? "" : ", ") + mode.name;
    }
    fail(ErrorKind::usage, "board {}: expected one of the GPU's modes {}, found '{}'", board.name, known,
         name);
}

}  // namespace

Subject subject_of(const std::string& model) {
    try {
        return {inspect_model(resolve_model(model)), false};
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::not_found) throw;
        if (std::optional<ModelFacts> known = known_model(model)) return {std::move(*known), true};
        fail(ErrorKind::not_found, "{}; shapes are known of {}", error.what(),
             fmt::join(known_models(), ", "));
    }
}

Estimate estimate(const ModelFacts& facts, const std::string& type, const Board& board, const Run& run) {
    if (run.device != "cpu" && run.device != "cuda")
        fail(ErrorKind::usage, "--device {}: expected cpu or cuda", run.device);
    const bool gpu = run.device == "cuda";
    const Held held = held_as(facts, type, run);
    const Sizes sizes = sizes_of(held.facts, held.load, run.session);
    const CpuMachine cpu(board, run.threads > 0 ? run.threads : board.threads, run.exact);
    std::optional<GpuMachine> card;
    if (gpu) card.emplace(gpu_mode(board, run.gpu_mode));
    const Machine& machine = gpu ? static_cast<const Machine&>(*card) : cpu;

    Estimate e;
    const Question& question = run.question;
    const double longest =
        question.contexts * (question.prompt + std::max(0.0, question.answers * (question.answer - 1)));
    const auto positions =
        std::max(static_cast<std::int64_t>(std::ceil(longest)), run.depth + run.prompt + run.generate);
    e.memory = predict_memory(held.facts, held.load, run.session, positions);
    e.weight_file_bytes = held.facts.info.weight_bytes;
    if (board.free_bytes > 0) e.fits = e.memory.peak <= board.free_bytes;

    const auto chunk = static_cast<double>(run.session.chunk);
    e.question_ms = 1e3 * question_seconds(machine, sizes, question, chunk);
    const auto prompt = static_cast<double>(run.prompt), depth = static_cast<double>(run.depth);
    if (run.prompt > 0) {
        const double seconds = prompt_seconds(machine, sizes, prompt, depth, 1, chunk);
        e.prompt_ms = 1e3 * seconds;
        e.prompt_tokens_per_s = prompt / seconds;
    }
    if (run.generate > 0) {
        const bool encodes = sizes.encoder_layers > 0;
        const double before = (encodes ? 1 : depth + prompt) + (static_cast<double>(run.generate) - 1) / 2;
        Step step = causal(1, before, 1, true);
        if (encodes) {  // what the encoder read has keys and values of its own
            step.pairs += prompt;
            step.positions += prompt;
        }
        const double seconds = machine.seconds(sizes, step);
        e.token_ms = 1e3 * seconds;
        e.tokens_per_s = 1 / seconds;
        e.token_bytes =
            static_cast<double>(decode_bytes(held.facts, held.load)) + step.positions * sizes.position_bytes;
    }
    for (const Weight& weight : sizes.weights) {
        const double rows = weight.rows == Weight::Rows::head                                ? 1
                            : sizes.encoder_layers > 0 && weight.rows == Weight::Rows::layer ? 1
                                                                                             : prompt;
        e.prompt_flops += 2 * rows * weight.elements;
    }
    if (!gpu && !held.rounded) {
        const Overheads costs = default_overheads();
        e.load_ms =
            1e3 * (static_cast<double>(e.weight_file_bytes) / (board.rates(1).read * costs.load_share) +
                   static_cast<double>(facts.info.vocab_size) * costs.load_token_seconds);
    }
    return e;
}

}  // namespace tinyllm::predict
