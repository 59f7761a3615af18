// pytorch_model.bin, ZIP and earlier form: any bytes are tensors or an Error.
#include "engine/torch_pickle.h"
#include "fuzz/input_file.h"
#include "tinyllm/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace tinyllm;
    try {
        const auto file = open_torch_file(input_file(data, size));
        volatile unsigned sum = 0;
        for (const TensorView& tensor : file->tensors()) sum = sum + touch(tensor.data);
    } catch (const Error&) {
    }
    return 0;
}
