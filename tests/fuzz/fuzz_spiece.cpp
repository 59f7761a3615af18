// spiece.model: any bytes are a tokenizer or an Error; an accepted tokenizer takes any text and any ids.
#include <string>

#include "fuzz/input_file.h"
#include "tinyllm/error.h"
#include "tokenizers/hf_rules.h"
#include "tokenizers/pipeline.h"
#include "tokenizers/spiece.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace tinyllm;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    HfTokenizerFiles files;
    files.tokenizer_config = {{"tokenizer_class", "T5Tokenizer"}};
    files.has_spiece = true;
    try {
        const auto tokenizer = build_tokenizer(read_spiece(bytes, "spiece.model", files), {});
        for (const std::string_view text :
             {std::string_view("Hello  w\xC3\xB6rld 12 </s>\n"), bytes.substr(0, 200)}) {
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
