#include "engine/decoder.h"

#include <algorithm>
#include <cmath>

namespace tinyllm {

Rows Network::end(Step&, Rows x) const {
    return x;
}

std::shared_ptr<Decoder> Decoder::shared(const Network& network, Backend& backend, DType k_type,
                                         DType v_type) {
    std::weak_ptr<Decoder>& known = network.decoders[{k_type, v_type}];
    std::shared_ptr<Decoder> decoder = known.lock();
    if (!decoder) known = decoder = std::make_shared<Decoder>(network, backend, k_type, v_type);
    return decoder;
}

Decoder::Decoder(const Network& network, Backend& backend, DType k_type, DType v_type)
    : network_(network),
      backend_(backend),
      pool_(std::make_shared<KvPool>(backend, network.config, k_type, v_type)),
      scratch_(backend) {}

void Decoder::run(std::span<const Job> jobs, std::int32_t chunk, Phase phase,
                  const std::function<void(std::span<const JobRows>)>& visit) {
    std::size_t job = 0;
    std::int64_t done = 0;  // tokens of jobs[job]
    while (job < jobs.size()) {
        Batch batch;
        batch.phase = phase_ = phase;
        std::vector<JobRows> rows;
        while (job < jobs.size() && batch.n() < chunk) {
            const std::span<const std::int32_t> tokens = jobs[job].tokens;
            const auto n = static_cast<std::int32_t>(
                std::min<std::int64_t>(chunk - batch.n(), static_cast<std::int64_t>(tokens.size()) - done));
            if (n > 0) {
                const auto start = static_cast<std::int32_t>(jobs[job].sequence->length());
                const std::int32_t first_row = batch.n();
                batch.segments.push_back({first_row, n, start, jobs[job].sequence->append(n), 0});
                if (const Sequence* encoded = jobs[job].encoded) {
                    batch.encoded.push_back({first_row, n, start, encoded->blocks(),
                                             static_cast<std::int32_t>(encoded->length())});
                }
                for (std::int32_t i = 0; i < n; ++i) {
                    batch.tokens.push_back(tokens[static_cast<std::size_t>(done + i)]);
                    batch.positions.push_back(start + i);
                }
                rows.push_back({job, done, first_row, n});
                done += n;
            }
            if (done == static_cast<std::int64_t>(tokens.size())) {
                ++job;
                done = 0;
            }
        }
        if (batch.n() == 0) break;
        const auto ops = [&] {
            step(batch);
            visit(rows);
        };
        if (phase == Phase::decode) {
            backend_.step(ops);
        } else {
            ops();
        }
    }
}

void Decoder::step(const Batch& batch) {
    std::int64_t positions = 0;
    for (const Segment& segment : batch.segments) {
        positions = std::max<std::int64_t>(positions, segment.start + segment.n_rows);
    }
    const Rope rope = rope_until(positions);
    const std::vector<KvLayer> kv = pool_->layers();
    scratch_.rewind(0);
    Step step(backend_, network_.config, scratch_, batch, rope, kv);
    const Rows x = network_.begin(step);
    const std::size_t mark = scratch_.mark();
    for (std::int64_t i = 0; i < network_.config.n_layers; ++i) {
        scratch_.rewind(mark);
        network_.layer(step, x, i);
    }
    scratch_.rewind(mark);
    hidden_ = network_.end(step, x);
}

void Decoder::encode(std::span<const Job> jobs, std::int32_t chunk) {
    for (std::size_t job = 0; job < jobs.size();) {
        Batch batch;
        do {
            const std::span<const std::int32_t> tokens = jobs[job].tokens;
            const auto n = static_cast<std::int32_t>(tokens.size());
            batch.segments.push_back({batch.n(), n, 0, jobs[job].sequence->append(n), n});
            batch.tokens.insert(batch.tokens.end(), tokens.begin(), tokens.end());
            for (std::int32_t i = 0; i < n; ++i) batch.positions.push_back(i);
            ++job;
        } while (job < jobs.size() && batch.n() + std::ssize(jobs[job].tokens) <= chunk);
        encode_step(batch);
    }
}

void Decoder::encode_step(const Batch& batch) {
    const Encoder& encoder = *network_.encoder();
    const std::vector<KvLayer> kv = pool_->layers();
    // A layer's own keys and values are done with before the next layer, and all of them before the decoder's
    // are made: they all stand where those of its first layer will.
    const std::vector<KvLayer> own(static_cast<std::size_t>(network_.config.encoder_layers), kv[0]);
    const Rope rope = rope_until(*std::ranges::max_element(batch.positions) + 1);
    scratch_.rewind(0);
    Step step(backend_, network_.config, scratch_, batch, rope, own);
    const Rows x = encoder.begin(step);
    const std::size_t mark = scratch_.mark();
    for (std::int64_t i = 0; i < network_.config.encoder_layers; ++i) {
        scratch_.rewind(mark);
        encoder.layer(step, x, i);
    }
    scratch_.rewind(mark);
    Step last(backend_, network_.config, scratch_, batch, rope, kv);
    hidden_ = encoder.end(last, x);
}

namespace {

float rounded(float x, std::int32_t steps) {
    const auto n = static_cast<float>(steps);
    return steps == 0 ? x : std::nearbyint(x * n) / n;
}

}  // namespace

// Angles are made in f32, as transformers makes them: at long positions their rounding shows in the logits.
Rope Decoder::rope_until(std::int64_t positions) {
    const RopeConfig& config = network_.config.rope;
    if (config.dims == 0) return {};
    const std::int64_t half = config.dims / 2;
    if (rope_positions_ < positions) {
        const std::int64_t enough = std::max<std::int64_t>({positions, 2 * rope_positions_, 256});
        rope_memory_ = backend_.allocate(static_cast<std::size_t>(2 * enough * half) * sizeof(float));
        rope_positions_ = enough;
        std::vector<float> angles(static_cast<std::size_t>(2 * enough * half));
        float* cos = angles.data();
        float* sin = cos + enough * half;
        for (std::int64_t i = 0; i < half; ++i) {
            const float power = static_cast<float>(2 * i) / static_cast<float>(config.dims);
            float frequency = 1.0f / std::pow(static_cast<float>(config.theta), power);
            if (!config.factors.empty()) frequency /= config.factors[static_cast<std::size_t>(i)];
            frequency /= static_cast<float>(config.linear_factor);
            for (std::int64_t p = 0; p < enough; ++p) {
                const float angle = static_cast<float>(p) * frequency;
                cos[p * half + i] = rounded(std::cos(angle), config.steps);
                sin[p * half + i] = rounded(std::sin(angle), config.steps);
            }
        }
        backend_.write(rope_memory_.get(), angles.data(), angles.size() * sizeof(float));
    }
    const auto* cos = reinterpret_cast<const float*>(rope_memory_.get());
    return {config.dims, cos, cos + rope_positions_ * half};
}

void Decoder::logits(std::span<const std::int32_t> rows, float* out) {
    const Head head = network_.head();
    backend_.logits({hidden_.data, rows, head.norm, head.w, head.bias, head.scale, out, phase_});
}

void Decoder::score(std::span<const std::int32_t> rows, std::span<const std::int32_t> targets,
                    float* logprobs, std::int32_t* best) {
    const Head head = network_.head();
    backend_.score({hidden_.data, rows, targets, head.norm, head.w, head.bias, head.scale, logprobs, best});
}

void Decoder::logits_of(const float* hidden, Phase phase, float* out) {
    const Head head = network_.head();
    const std::int32_t row = 0;
    backend_.logits({hidden, {&row, 1}, head.norm, head.w, head.bias, head.scale, out, phase});
}

bool Decoder::top_of(const float* hidden, Phase phase, TopArgs args) {
    const Head head = network_.head();
    args.x = hidden;
    args.norm = head.norm;
    args.head = head.w;
    args.bias = head.bias;
    args.scale = head.scale;
    args.phase = phase;
    return backend_.top(args);
}

std::int64_t Decoder::scratch_bytes() const {
    return scratch_.bytes() +
           2 * rope_positions_ * (network_.config.rope.dims / 2) * std::int64_t{sizeof(float)};
}

}  // namespace tinyllm
