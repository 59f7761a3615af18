// Importance matrices in both forms: any bytes are a matrix whose means quantizing can weigh with, or an
// Error.
#include <cmath>

#include "fuzz/input_file.h"
#include "tinyllm/error.h"
#include "tinyllm/imatrix.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace tinyllm;
    try {
        const ImportanceMatrix matrix = read_imatrix(input_file(data, size));
        if (matrix.inputs.empty()) std::abort();
        for (const auto& [name, input] : matrix.inputs) {
            if (input.rows < 0) std::abort();
            const std::vector<float> means = input.mean_squares();
            if (means.size() != input.squares.size()) std::abort();
            for (const float mean : means) {
                if (!std::isfinite(mean) || mean < 0) std::abort();
            }
        }
    } catch (const Error&) {
    }
    return 0;
}
