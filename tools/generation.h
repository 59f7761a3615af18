// Prompt to tokens to text, as `run` and `generate` share it.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tinyllm/model.h"
#include "tinyllm/session.h"
#include "tools/output.h"

namespace tinyllm {

struct SamplingFlags {
    SamplerOptions sampler;
    std::int64_t seed = -1;  ///< -1: a new one each time
    bool ignore_eos = false;
    std::vector<std::string> stop;
    std::vector<CLI::Option*> sampling;  ///< the flags that ask for a draw
};

/// Adds --seed, --temp, --top-k, --top-p, --min-p, --repeat-penalty, --repeat-last-n, --stop, --ignore-eos.
void add_sampling_flags(CLI::App& app, SamplingFlags& flags);

/// What a run did.
struct Generation {
    std::vector<Token> prompt, tokens;
    std::string text;
    std::string ended;  ///< "eos", "length", "context", "stop" or "interrupted"
    std::uint64_t seed = 0;
    double load_ms = 0, prompt_ms = 0, generate_ms = 0;
    MemoryUse memory;
};

/// Ids of the prompt. One without ids becomes the tokenizer's BOS, else its EOS, as transformers' generate()
/// does; throws Error(usage) if there is neither.
std::vector<Token> encode_prompt(const Tokenizer& tokenizer, std::string_view text);

/// Throws Error(usage) with both lengths if `tokens` do not fit.
void check_fits(std::size_t tokens, const Session& session);

/// Runs the prompt, then generates up to `max_tokens` (-1: until the end or a full context). `on_text` gets
/// text as it becomes certain: no half characters, no part of a stop string. The caller may hold a
/// CooperativeStop.
Generation generate_text(Session& session, std::vector<Token> prompt, std::int64_t max_tokens,
                         const SamplingFlags& flags,
                         const std::function<void(std::string_view)>& on_text = nullptr);

/// llama.cpp's server's names: prompt_n, prompt_ms, prompt_per_second, predicted_n, …, and load_ms.
Json timings_json(const Generation& generation);

/// weights, kv, scratch, rss_peak; bytes.
Json memory_json(const MemoryUse& memory);

}  // namespace tinyllm
