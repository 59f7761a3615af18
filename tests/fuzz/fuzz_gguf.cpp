// GGUF: any bytes are a file or an Error; a model that is accepted can be bound whole.
#include "engine/check_model.h"
#include "engine/gguf.h"
#include "fuzz/input_file.h"
#include "tinyllm/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace tinyllm;
    const std::string path = input_file(data, size);
    try {
        const GgufFile file(path);
        volatile unsigned sum = 0;
        for (const auto& [key, value] : file.metadata()) {
            sum = sum + touch(file.encoded(key));
            if (const auto* array = std::get_if<GgufArray>(&value)) {
                if (const auto* strings = std::get_if<GgufStrings>(array)) {
                    for (const std::string_view text : *strings) sum = sum + touch(text);
                }
            }
        }
        for (const TensorView& tensor : file.tensors()) sum = sum + touch(tensor.data);
        check_model(open_model_source(path));
    } catch (const Error&) {
    }
    return 0;
}
