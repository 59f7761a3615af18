// How far a model's next-token distributions are from those of the same model with larger types:
//   quality_probe TEXTS BASE [MODEL,KEYS,VALUES]...
// TEXTS holds records of a prompt, a byte 0, its answer and a byte 0. BASE runs with a cache in f32. Prints a
// line of JSON for it and for each MODEL with keys and values cached in those types: the perplexity of the
// answers, and over the last kPositions positions of every text (which is fed as it stands, one token at a
// time) the mean KL divergence from BASE's distribution and the share of positions with BASE's likeliest
// token.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tinyllm/tinyllm.h"
#include "tools/distribution.h"

namespace {

using namespace tinyllm;

constexpr std::size_t kPositions = 32;

struct Text {
    std::vector<Token> tokens;
    std::size_t answer;  // where it begins
};

std::vector<Text> read_texts(const std::string& path, const Tokenizer& tokenizer) {
    std::ifstream in(path, std::ios::binary);
    std::vector<Text> texts;
    std::string prompt, answer;
    while (std::getline(in, prompt, '\0') && std::getline(in, answer, '\0')) {
        texts.push_back({tokenizer.encode(prompt + answer), tokenizer.encode(prompt).size()});
    }
    return texts;
}

struct Run {
    double logprob = 0;  // of the answers
    std::size_t answer_tokens = 0;
    std::vector<std::vector<float>> logprobs;  // of all tokens, position by position
};

Run run(const std::string& path, const SessionOptions& options, const std::string& texts_path) {
    const auto model = Model::load(path);
    Run result;
    for (const Text& text : read_texts(texts_path, model->tokenizer())) {
        const std::size_t n = text.tokens.size();
        const std::size_t first =
            std::max<std::size_t>(1, std::min(text.answer, n > kPositions ? n - kPositions : 1));
        Session session(model, options);
        session.prefill(std::span(text.tokens).first(first));
        for (std::size_t at = first; at < n; ++at) {  // the logits predict the token `at`
            result.logprobs.push_back(log_softmax(session.logits()));
            if (at >= text.answer) {
                result.logprob += result.logprobs.back()[static_cast<std::size_t>(text.tokens[at])];
                ++result.answer_tokens;
            }
            session.prefill(std::span(text.tokens).subspan(at, 1));
        }
    }
    return result;
}

std::ptrdiff_t likeliest(const std::vector<float>& logprobs) {
    return std::max_element(logprobs.begin(), logprobs.end()) - logprobs.begin();
}

void report(const Run& base, const Run& other) {
    double sum = 0;
    std::size_t equal = 0;
    for (std::size_t i = 0; i < base.logprobs.size(); ++i) {
        const std::vector<float>&p = base.logprobs[i], &q = other.logprobs[i];
        sum += divergence(p, q);
        equal += likeliest(p) == likeliest(q);
    }
    const auto n = static_cast<double>(base.logprobs.size());
    std::printf(
        "{\"perplexity\": %.6f, \"divergence\": %.8f, \"agreement\": %.6f, \"positions\": %zu, "
        "\"answer_tokens\": %zu}\n",
        std::exp(-other.logprob / static_cast<double>(other.answer_tokens)), sum / n,
        static_cast<double>(equal) / n, base.logprobs.size(), base.answer_tokens);
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fprintf(stderr, "usage: quality_probe TEXTS BASE [MODEL,KEYS,VALUES]...\n");
        return 2;
    }
    try {
        const Run base = run(argv[2], {.k_type = DType::f32, .v_type = DType::f32}, argv[1]);
        report(base, base);
        for (int i = 3; i < argc; ++i) {
            const std::string word = argv[i];
            const std::size_t v = word.rfind(','), k = word.rfind(',', v - 1);
            const auto keys = dtype_from_name(word.substr(k + 1, v - k - 1)),
                       values = dtype_from_name(word.substr(v + 1));
            if (!keys || !values) {
                std::fprintf(stderr, "%s: expected MODEL,KEYS,VALUES\n", word.c_str());
                return 2;
            }
            report(base, run(word.substr(0, k), {.k_type = keys, .v_type = values}, argv[1]));
        }
    } catch (const Error& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return static_cast<int>(error.kind());
    }
    return 0;
}
