// Drives a tokenizer from a script: one request a line on standard input, one answer a line on standard
// output.
//   e HEX        encode with special tokens        n HEX   encode without adding any
//   p HEX        encode, special tokens in the text are plain text      r HEX   both of the last two
//   d IDS        decode          k IDS   decode, skipping special tokens          s IDS   decode as a stream
//   (parts by '|')
// tokenizer_probe MODEL, or tokenizer_probe FOLDER OUT.gguf ROWS to write a GGUF file that holds the
// tokenizer alone. HEX is the text in hexadecimal ("-" if empty), IDS are numbers separated by spaces. Errors
// answer "! kind message".
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>

#include "tinyllm/error.h"
#include "tinyllm/tokenizer.h"
#include "tokenizers/gguf_tokenizer.h"

namespace {

std::string from_hex(const std::string& hex) {
    std::string out;
    if (hex == "-") return out;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        out += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    return out;
}

void print_hex(const std::string& text) {
    static const char digits[] = "0123456789abcdef";
    for (const char c : text) {
        std::cout << digits[static_cast<unsigned char>(c) >> 4] << digits[static_cast<unsigned char>(c) & 15];
    }
}

}  // namespace

int main(int argc, char** argv) {
    using namespace tinyllm;
    if (argc != 2 && argc != 4) return 2;
    std::ios::sync_with_stdio(false);
    try {
        if (argc == 4) {
            GgufWriter writer;
            writer.set_string("general.architecture", "llama");
            write_gguf_tokenizer(argv[1], std::atoll(argv[3]), writer);
            writer.write(argv[2]);
            return 0;
        }
        const auto tokenizer = Tokenizer::load(argv[1]);
        std::cout << "ok " << tokenizer->vocab_size() << ' ' << tokenizer->bos().value_or(-1) << ' '
                  << tokenizer->eos().value_or(-1) << '\n';
        std::string line;
        while (std::getline(std::cin, line)) {
            const char kind = line[0];
            const std::string rest = line.substr(2);
            if (kind == 'e' || kind == 'n' || kind == 'p' || kind == 'r') {
                const EncodeOptions how{kind == 'e' || kind == 'p', kind == 'e' || kind == 'n'};
                for (const Token t : tokenizer->encode(from_hex(rest), how)) std::cout << t << ' ';
            } else {
                std::istringstream in(rest);
                std::vector<Token> ids;
                for (Token t; in >> t;) ids.push_back(t);
                const DecodeOptions options{kind == 'k'};
                if (kind == 's') {
                    StreamDecoder stream(*tokenizer, options);
                    for (const Token t : ids) {
                        print_hex(stream.append(t));
                        std::cout << '|';
                    }
                    print_hex(stream.finish());
                } else {
                    print_hex(tokenizer->decode(ids, options));
                }
            }
            std::cout << '\n';
        }
    } catch (const Error& error) {
        std::cout << "! " << static_cast<int>(error.kind()) << ' ' << error.what() << '\n';
        return static_cast<int>(error.kind());
    }
    return 0;
}
