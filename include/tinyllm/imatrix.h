// Importance matrices: how large the inputs of each weight matrix are, so that quantizing may err where it
// matters least.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tinyllm/export.h"

namespace tinyllm {

/// Of the rows that one matrix was multiplied with.
struct InputStatistics {
    std::vector<double> squares;  ///< (columns) sums of the squares of each element
    std::int64_t rows = 0;        ///< how many rows they are sums over

    /// (columns) mean squares; all 1 where no row was seen, as llama.cpp has it.
    TINYLLM_API std::vector<float> mean_squares() const;
};

struct ImportanceMatrix {
    std::map<std::string, InputStatistics> inputs;  ///< by the weight's GGUF name
    std::vector<std::string> datasets;              ///< what the rows were made of
    std::int64_t chunks = 0;                        ///< pieces of text that were run
    std::int64_t chunk_size = 0;                    ///< tokens of each, at most
};

/// llama.cpp's two forms of the file: GGUF (its llama-imatrix's default), or the ".dat" before it, told apart
/// by their first bytes. Throws Error: not_found, corrupt (naming file and entry), unsupported (matrices of
/// experts).
TINYLLM_API ImportanceMatrix read_imatrix(const std::string& path);

enum class ImatrixForm { gguf, dat };

/// The file appears whole or not at all. Throws Error(runtime).
TINYLLM_API void write_imatrix(const ImportanceMatrix& matrix, const std::string& path,
                               ImatrixForm form = ImatrixForm::gguf);

}  // namespace tinyllm
