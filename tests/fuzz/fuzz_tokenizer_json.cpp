// tokenizer.json: any bytes are a tokenizer or an Error; an accepted tokenizer takes any text and any ids.
#include <string>

#include "fuzz/input_file.h"
#include "tinyllm/error.h"
#include "tokenizers/pipeline.h"
#include "tokenizers/tokenizer_spec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace tinyllm;
    const std::string_view json(reinterpret_cast<const char*>(data), size);
    try {
        const auto tokenizer = build_tokenizer(parse_tokenizer_json(json, "tokenizer.json"), {});
        for (const std::string_view text :
             {std::string_view("Hello  w\xC3\xB6rld 12 <s>\n"), json.substr(0, 200)}) {
            const auto ids = tokenizer->encode(text);
            touch(tokenizer->decode(ids));
            touch(tokenizer->decode(ids, {true}));
        }
        const std::vector<Token> wild = {0, 1, 2, -1, 1 << 30};
        touch(tokenizer->decode(wild));
    } catch (const Error&) {
    }
    return 0;
}
