// From a file's tensors to packed matrices and f32 vectors. An architecture asks by GGUF name and expected
// shape; every tensor must be asked for exactly once, none may be missing or left over.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/architecture.h"
#include "engine/config.h"
#include "engine/tensor_source.h"
#include "kernels/backend.h"

namespace tinyllm {

/// One tensor of a stack: `rows` outputs.
struct WeightPart {
    std::string_view name;  // without ".weight" or ".bias"
    std::int64_t rows = 0;
};

/// y = w x + bias
struct Linear {
    Matrix w;
    const float* bias = nullptr;  // (w.rows) or null
};

enum class FileForm { hugging_face, gguf };

/// What loading found, for ModelInfo.
struct WeightTotals {
    std::int64_t parameters = 0;
    std::int64_t bytes = 0;  // in memory
    std::map<DType, std::int64_t> parameters_by_type;
    std::vector<std::string> notes;  // one line per tensor that did not get the type asked for
};

class PackedCache;

class WeightLoader {
  public:
    /// `type`: round the matrices to it; nothing: as stored. `cache`: weights packed before, or null; what it
    /// lacks is given to it.
    WeightLoader(const Architecture& architecture, const Config& config, const TensorSource& source,
                 FileForm form, Backend& backend, std::optional<DType> type, PackedCache* cache = nullptr);

    /// The stacked `parts`, each "<name>.weight" of (rows, cols); '#' in a name is the layer.
    Matrix matrix(std::initializer_list<WeightPart> parts, std::int64_t cols, std::int64_t layer = -1);
    /// As matrix(), and the stacked "<name>.bias" if `bias`.
    Linear linear(std::initializer_list<WeightPart> parts, std::int64_t cols, bool bias,
                  std::int64_t layer = -1);
    /// "<name>.weight" of (dim), and "<name>.bias" for a layer norm.
    Norm norm(NormKind kind, std::string_view name, std::int64_t dim, std::int64_t layer = -1);
    /// A matrix that keeps its stored type whatever type was asked for: position tables.
    Matrix table(std::string_view name, std::int64_t rows, std::int64_t cols);

    /// The values of "<name>.weight" of (rows, cols), for the architecture to make something of.
    std::vector<float> values(std::string_view name, std::int64_t rows, std::int64_t cols,
                              std::int64_t layer = -1);
    /// A copy in the backend's memory, for as long as the network lives.
    const float* keep(std::span<const float> values);

    /// Throws Error(corrupt) naming a tensor nobody asked for.
    void finish();

    const WeightTotals& totals() const { return totals_; }
    /// What holds the vectors; the network keeps it.
    std::vector<std::shared_ptr<const void>> take_memory() { return std::move(memory_); }

  private:
    struct Bound {
        const TensorView* view = nullptr;
        const TensorRule* rule = nullptr;
        bool used = false;
    };
    Bound& find(const std::string& gguf_name);
    Matrix pack(std::span<const WeightPart> parts, std::int64_t cols, std::int64_t layer, bool keep_type);
    /// Reads, checks, rounds to `types` and packs.
    Matrix pack_stored(std::span<RawMatrix> raws, std::span<const TensorView* const> views,
                       std::span<const DType> types);
    const float* in_backend(std::span<const float> values);
    const float* vector(std::span<const WeightPart> parts, std::string_view suffix, std::int64_t layer);

    const Architecture& architecture_;
    const Config& config_;
    const TensorSource& source_;
    FileForm form_;
    Backend& backend_;
    std::optional<DType> type_;
    PackedCache* cache_;
    std::map<std::string, Bound, std::less<>> bound_;  // by GGUF name
    WeightTotals totals_;
    std::vector<std::shared_ptr<const void>> memory_;
};

/// Tables of positions, which llama.cpp never quantizes.
bool is_position_table(std::string_view gguf_name);

/// The type a 2-D weight of `cols` inputs gets when `asked` for: `asked`, or f16 where its block does not
/// divide `cols` (with `fallback` a K type is first replaced as by llama.cpp: ConvertOptions::fallback), or
/// `stored` for tables of positions, which llama.cpp never quantizes. Says why in `note` when it is not
/// `asked`.
DType weight_type(std::string_view gguf_name, DType asked, DType stored, std::int64_t cols, bool fallback,
                  std::string* note);

/// The values of a plain or quantized tensor, in stored order.
std::vector<float> to_f32(const TensorView& tensor);

/// Whether every value in whole blocks of a type is finite. Of quantized blocks only the scales are looked
/// at: they alone can be otherwise.
bool all_finite(DType type, std::span<const std::byte> data);

}  // namespace tinyllm
