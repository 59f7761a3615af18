// Measures loading and encoding: tokenizer_bench MODEL TEXT_FILE [SECONDS]
// Prints processor time to load and the encoding speed of one thread, best of several passes over the whole
// text.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <string>

#include "tinyllm/error.h"
#include "tinyllm/tokenizer.h"

namespace {

/// Seconds of processor time, which other processes do not touch.
double now() {
    return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fprintf(stderr, "usage: tokenizer_bench MODEL TEXT_FILE [SECONDS]\n");
        return 2;
    }
    try {
        double load = 1e9;
        std::shared_ptr<const tinyllm::Tokenizer> tokenizer;
        for (int i = 0; i < 3; ++i) {
            const double start = now();
            tokenizer = tinyllm::Tokenizer::load(argv[1]);
            load = std::min(load, now() - start);
        }
        std::ifstream in(argv[2], std::ios::binary);
        const std::string text((std::istreambuf_iterator<char>(in)), {});
        const double limit = now() + (argc > 3 ? std::atof(argv[3]) : 2.0);
        double best = 1e9;
        std::size_t tokens = 0;
        do {
            const double start = now();
            tokens = tokenizer->encode(text).size();
            best = std::min(best, now() - start);
        } while (now() < limit);
        std::printf("load %.1f ms, %zu bytes, %zu tokens, %.1f MB/s\n", load * 1e3, text.size(), tokens,
                    static_cast<double>(text.size()) / best / 1e6);
    } catch (const tinyllm::Error& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return static_cast<int>(error.kind());
    }
    return 0;
}
