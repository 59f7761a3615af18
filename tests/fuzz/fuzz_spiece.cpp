// spiece.model: any bytes are a tokenizer or an Error; an accepted tokenizer takes any text and any ids.
#include <string>

#include "fuzz/try_tokenizer.h"
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
        try_tokenizer(*tokenizer, bytes);
    } catch (const Error&) {
    }
    return 0;
}
