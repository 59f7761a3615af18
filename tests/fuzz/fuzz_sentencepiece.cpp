// tokenizer.model: any bytes are a tokenizer or an Error; an accepted tokenizer takes any text and any ids.
#include <string>

#include "fuzz/try_tokenizer.h"
#include "tinyllm/error.h"
#include "tokenizers/sentencepiece.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace tinyllm;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    try {
        const auto tokenizer =
            build_sentencepiece(parse_sentencepiece(bytes, "tokenizer.model"), {}, "tokenizer.model");
        try_tokenizer(*tokenizer, bytes);
    } catch (const Error&) {
    }
    return 0;
}
