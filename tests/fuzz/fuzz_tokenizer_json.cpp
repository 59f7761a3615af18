// tokenizer.json: any bytes are a tokenizer or an Error; an accepted tokenizer takes any text and any ids.
#include <string>

#include "fuzz/try_tokenizer.h"
#include "tinyllm/error.h"
#include "tokenizers/pipeline.h"
#include "tokenizers/tokenizer_spec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace tinyllm;
    const std::string_view json(reinterpret_cast<const char*>(data), size);
    try {
        const auto tokenizer = build_tokenizer(parse_tokenizer_json(json, "tokenizer.json"), {});
        try_tokenizer(*tokenizer, json);
    } catch (const Error&) {
    }
    return 0;
}
