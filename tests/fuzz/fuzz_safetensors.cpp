// safetensors: any bytes are a file or an Error.
#include "engine/safetensors.h"
#include "fuzz/input_file.h"
#include "tinyllm/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace tinyllm;
    try {
        const auto file = open_safetensors(input_file(data, size));
        volatile unsigned sum = 0;
        for (const TensorView& tensor : file->tensors()) {
            sum = sum + touch(tensor.data);
            sum = sum + static_cast<unsigned>(element_count(tensor));
            (void)file->find(tensor.name);
        }
    } catch (const Error&) {
    }
    return 0;
}
