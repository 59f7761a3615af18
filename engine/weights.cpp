#include "engine/weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>

#include "engine/fail.h"
#include "engine/packed_cache.h"
#include "kernels/quant.h"

namespace tinyllm {
namespace {

std::string show(const std::vector<std::int64_t>& shape) {
    return fmt::format("[{}]", fmt::join(shape, ", "));
}

void check_shape(const TensorView& view, const std::vector<std::int64_t>& expected) {
    if (view.shape == expected) return;
    fail(ErrorKind::corrupt, "{}: tensor {}: expected shape {}, found {}", view.file, view.name,
         show(expected), show(view.shape));
}

bool same_contents(const TensorView& a, const TensorView& b) {
    if (a.type != b.type || a.shape != b.shape || a.data.size() != b.data.size()) return false;
    return a.data.data() == b.data.data() || std::memcmp(a.data.data(), b.data.data(), a.data.size()) == 0;
}

[[noreturn]] void fail_not_finite(const TensorView& view) {
    const std::vector<float> values = to_f32(view);
    const auto bad = std::ranges::find_if(values, [](float x) { return !std::isfinite(x); });
    fail(ErrorKind::corrupt, "{}: tensor {}: element {}: expected a finite number, found {}", view.file,
         view.name, bad - values.begin(), *bad);
}

void check_finite(const TensorView& view) {
    if (!all_finite(view.type, view.data)) fail_not_finite(view);
}

// The part's rows in `type`, in the engine's order: what pack would read, rounded. `done` gets stretches of
// the stored bytes that are no longer needed.
std::vector<std::byte> convert(const RawMatrix& raw, DType type,
                               const std::function<void(std::span<const std::byte>)>& done) {
    constexpr std::size_t kStretch = std::size_t{16} << 20;
    const TypeTraits& from = traits(raw.type);
    const TypeTraits& to = traits(type);
    const std::size_t in_row = row_bytes(raw.type, raw.cols);
    const std::size_t out_row = row_bytes(type, raw.cols);
    std::vector<std::byte> out(static_cast<std::size_t>(raw.rows) * out_row);
    std::vector<float> row(static_cast<std::size_t>(raw.cols));
    const auto stored_rows = static_cast<std::size_t>(raw.stored_rows ? raw.stored_rows : raw.rows);
    const std::span<const std::byte> stored = stored_bytes(raw);
    const bool in_order = !raw.transposed && raw.row_order.empty();
    std::size_t dropped = 0;
    for (std::size_t r = 0; r < static_cast<std::size_t>(raw.rows); ++r) {
        const auto at = raw.row_order.empty() ? r : static_cast<std::size_t>(raw.row_order[r]);
        if (raw.transposed) {
            for (std::size_t c = 0; c < row.size(); ++c) {
                from.to_f32(raw.data + (c * stored_rows + at) * from.block_bytes, &row[c], 1);
            }
        } else {
            from.to_f32(raw.data + at * in_row, row.data(), raw.cols);
        }
        to.from_f32(row.data(), out.data() + r * out_row, raw.cols);
        if (in_order && (r + 1) * in_row - dropped >= kStretch) {
            done(stored.subspan(dropped, (r + 1) * in_row - dropped));
            dropped = (r + 1) * in_row;
        }
    }
    done(stored.subspan(dropped));
    return out;
}

/// Checks what is packed and drops its pages.
class FileWatch final : public PackWatch {
  public:
    FileWatch(const TensorSource& source, std::span<const TensorView* const> views,
              std::span<const RawMatrix> raws)
        : source_(source), views_(views), raws_(raws) {}

    bool accept(std::size_t part, std::span<const std::byte> stored) override {
        return !from_file(part) || all_finite(raws_[part].type, stored);
    }
    void done(std::size_t part, std::span<const std::byte> stored) override {
        if (from_file(part)) source_.release(*views_[part], stored);
    }

  private:
    /// Else it was converted, and checked before.
    bool from_file(std::size_t part) const { return raws_[part].data == views_[part]->data.data(); }

    const TensorSource& source_;
    std::span<const TensorView* const> views_;
    std::span<const RawMatrix> raws_;
};

}  // namespace

bool is_position_table(std::string_view gguf_name) {
    return gguf_name == "position_embd.weight" || gguf_name.ends_with("attn_rel_b.weight");
}

DType weight_type(std::string_view gguf_name, DType asked, DType stored, std::int64_t cols, bool fallback,
                  std::string* note) {
    if (is_position_table(gguf_name)) {
        if (note && stored != asked) *note = fmt::format("a table of positions stays {}", dtype_name(stored));
        return stored;
    }
    if (cols % dtype_block(asked) == 0) return asked;
    DType instead = fallback ? traits(asked).uses.fallback : DType::f16;
    if (cols % dtype_block(instead) != 0) instead = DType::f16;
    if (note) {
        *note = fmt::format("{} columns are no multiple of {}'s block of {}: {}", cols, dtype_name(asked),
                            dtype_block(asked), dtype_name(instead));
    }
    return instead;
}

std::vector<float> to_f32(const TensorView& tensor) {
    const TypeTraits& type = traits(tensor.type);
    std::vector<float> values(tensor.data.size() / type.block_bytes * static_cast<std::size_t>(type.block));
    type.to_f32(tensor.data.data(), values.data(), std::ssize(values));
    return values;
}

WeightLoader::WeightLoader(const Architecture& architecture, const Config& config, const TensorSource& source,
                           FileForm form, Backend& backend, std::optional<DType> type, PackedCache* cache)
    : architecture_(architecture),
      config_(config),
      source_(source),
      form_(form),
      backend_(backend),
      type_(type),
      cache_(cache) {
    for (const TensorView& view : source.tensors()) {
        const bool hf = form == FileForm::hugging_face;
        if (hf && is_ignored_hf_name(architecture, config, view.name)) {
            if (match_hf_name(architecture, view.name).rule)
                check_shape(view,
                            {config.vocab_size, config.embedding_dim ? config.embedding_dim : config.dim});
            continue;
        }
        if (!hf && std::ranges::count(architecture.gguf_in_config, view.name)) continue;
        const RuleMatch match =
            hf ? match_hf_name(architecture, view.name) : match_gguf_name(architecture, view.name);
        if (!match.rule || match.layer >= std::max(config.n_layers, config.encoder_layers)) {
            fail(ErrorKind::corrupt, "{}: tensor {} has no place in a {} of {} layers", view.file, view.name,
                 architecture.name, config.n_layers);
        }
        const auto [it, fresh] =
            bound_.try_emplace(layer_name(match.rule->gguf, match.layer), Bound{&view, match.rule, false});
        if (!fresh) {
            if (same_contents(view, *it->second.view)) {  // a shared weight, stored under each of its names
                source.release_all(view);
                source.release_all(*it->second.view);
                continue;
            }
            fail(ErrorKind::corrupt, "{}: tensors {} and {} are the same weight, but their values differ",
                 view.file, it->second.view->name, view.name);
        }
    }
}

WeightLoader::Bound& WeightLoader::find(const std::string& gguf_name) {
    const auto it = bound_.find(gguf_name);
    if (it != bound_.end()) {
        it->second.used = true;
        return it->second;
    }
    std::string stored = gguf_name;
    if (form_ == FileForm::hugging_face) {
        const RuleMatch match = match_gguf_name(architecture_, gguf_name);
        std::vector<std::string> names;  // a weight that goes by several is missing under each
        for (const TensorRule& rule : architecture_.tensors) {
            if (match.rule && rule.gguf == match.rule->gguf)
                names.push_back(layer_name(rule.hf, match.layer));
        }
        if (!names.empty()) stored = fmt::format("{}", fmt::join(names, " or "));
    }
    fail(ErrorKind::corrupt, "{}: tensor {} is missing", config_.file, stored);
}

Matrix WeightLoader::pack(std::span<const WeightPart> parts, std::int64_t cols, std::int64_t layer,
                          bool keep_type) {
    std::vector<RawMatrix> raws;
    std::vector<const TensorView*> views;
    std::vector<DType> types;
    Fingerprint recipe;
    std::int64_t rows = 0;
    for (const WeightPart& part : parts) {
        const std::string name = layer_name(std::string(part.name) + ".weight", layer);
        const Bound& bound = find(name);
        const TensorView& view = *bound.view;
        const bool hf = form_ == FileForm::hugging_face;
        const bool transposed = hf && bound.rule->hf_transposed;
        check_shape(view, transposed ? std::vector{cols, part.rows} : std::vector{part.rows, cols});
        if (transposed && dtype_block(view.type) != 1) {
            fail(ErrorKind::unsupported, "{}: tensor {}: a transposed {} weight", view.file, view.name,
                 dtype_name(view.type));
        }
        const RowOrder order = hf ? bound.rule->hf_rows : bound.rule->gguf_rows;
        RawMatrix raw{view.type, part.rows, cols, view.data.data(), transposed, {}, 0};
        if (order) raw.row_order = order(config_);
        std::string note;
        const DType type =
            type_ && !keep_type ? weight_type(name, *type_, view.type, cols, false, &note) : view.type;
        if (!note.empty()) totals_.notes.push_back(fmt::format("{}: {}", name, note));
        recipe.add(name).add(view.type).add(type).add(part.rows).add(cols).add(transposed);
        recipe.add(std::as_bytes(std::span(raw.row_order)));
        rows += part.rows;
        totals_.parameters += part.rows * cols;
        totals_.parameters_by_type[type] += part.rows * cols;
        raws.push_back(std::move(raw));
        views.push_back(&view);
        types.push_back(type);
    }
    Matrix matrix;
    if (cache_) matrix = cache_->matrix(recipe, rows, cols);
    if (!matrix) {
        matrix = pack_stored(raws, views, types);
        if (cache_) cache_->keep(recipe, matrix);
    }
    for (const WeightPart& part : parts) matrix.name.append(matrix.name.empty() ? "" : "+").append(part.name);
    matrix.layer = layer;
    totals_.bytes += static_cast<std::int64_t>(matrix.bytes);
    return matrix;
}

Matrix WeightLoader::pack_stored(std::span<RawMatrix> raws, std::span<const TensorView* const> views,
                                 std::span<const DType> types) {
    std::vector<std::vector<std::byte>> converted(raws.size());
    for (std::size_t i = 0; i < raws.size(); ++i) {
        RawMatrix& raw = raws[i];
        if (types[i] == raw.type) continue;
        check_finite(*views[i]);
        converted[i] = convert(
            raw, types[i], [&](std::span<const std::byte> stored) { source_.release(*views[i], stored); });
        raw = {types[i], raw.rows, raw.cols, converted[i].data(), false, {}, 0};
    }
    FileWatch watch(source_, views, raws);
    Matrix matrix = backend_.pack(raws, &watch);
    if (!matrix) {
        for (const TensorView* view : views) check_finite(*view);
    }
    return matrix;
}

Matrix WeightLoader::matrix(std::initializer_list<WeightPart> parts, std::int64_t cols, std::int64_t layer) {
    return pack({parts.begin(), parts.size()}, cols, layer, false);
}

Matrix WeightLoader::table(std::string_view name, std::int64_t rows, std::int64_t cols) {
    const WeightPart part{name, rows};
    return pack({&part, 1}, cols, -1, true);
}

Linear WeightLoader::linear(std::initializer_list<WeightPart> parts, std::int64_t cols, bool bias,
                            std::int64_t layer) {
    Linear linear{matrix(parts, cols, layer)};
    if (bias) linear.bias = vector({parts.begin(), parts.size()}, ".bias", layer);
    return linear;
}

Norm WeightLoader::norm(NormKind kind, std::string_view name, std::int64_t dim, std::int64_t layer) {
    const WeightPart part{name, dim};
    Norm norm{kind, config_.norm_eps, vector({&part, 1}, ".weight", layer), nullptr};
    if (kind == NormKind::layer) norm.bias = vector({&part, 1}, ".bias", layer);
    return norm;
}

const float* WeightLoader::vector(std::span<const WeightPart> parts, std::string_view suffix,
                                  std::int64_t layer) {
    std::int64_t total = 0;
    Fingerprint recipe;
    std::vector<const TensorView*> views;
    std::vector<std::vector<std::int32_t>> orders;
    for (const WeightPart& part : parts) {
        const std::string name = layer_name(fmt::format("{}{}", part.name, suffix), layer);
        const Bound& bound = find(name);
        const TensorView& view = *bound.view;
        check_shape(view, {part.rows});
        if (dtype_block(view.type) != 1) {
            fail(ErrorKind::unsupported, "{}: tensor {}: expected f32, f16 or bf16, found {}", view.file,
                 view.name, dtype_name(view.type));
        }
        const RowOrder order = form_ == FileForm::hugging_face ? bound.rule->hf_rows : bound.rule->gguf_rows;
        orders.push_back(order ? order(config_) : std::vector<std::int32_t>{});
        views.push_back(&view);
        total += part.rows;
        recipe.add(name).add(view.type).add(part.rows).add(std::as_bytes(std::span(orders.back())));
    }
    totals_.parameters += total;
    totals_.parameters_by_type[DType::f32] += total;
    totals_.bytes += total * static_cast<std::int64_t>(sizeof(float));
    if (const float* known = cache_ ? cache_->vector(recipe, total) : nullptr) return known;

    std::vector<float> stacked(static_cast<std::size_t>(total));
    float* out = stacked.data();
    for (std::size_t i = 0; i < views.size(); ++i) {
        const TensorView& view = *views[i];
        check_finite(view);
        const std::vector<float> values = to_f32(view);
        for (std::size_t r = 0; r < values.size(); ++r) {
            *out++ = values[orders[i].empty() ? r : static_cast<std::size_t>(orders[i][r])];
        }
        source_.release_all(view);
    }
    const float* values = in_backend(stacked);
    // What is kept must live as long as the cache; backends that have a layout hold their memory here.
    if (cache_) cache_->keep(recipe, {values, stacked.size()});
    return values;
}

const float* WeightLoader::in_backend(std::span<const float> values) {
    const std::shared_ptr<std::byte> memory = backend_.allocate(values.size_bytes());
    backend_.write(memory.get(), values.data(), values.size_bytes());
    memory_.push_back(memory);
    return reinterpret_cast<const float*>(memory.get());
}

std::vector<float> WeightLoader::values(std::string_view name, std::int64_t rows, std::int64_t cols,
                                        std::int64_t layer) {
    const Bound& bound = find(layer_name(fmt::format("{}.weight", name), layer));
    const TensorView& view = *bound.view;
    check_shape(view, {rows, cols});
    check_finite(view);
    std::vector<float> values = to_f32(view);
    source_.release_all(view);
    totals_.parameters += rows * cols;
    totals_.parameters_by_type[DType::f32] += rows * cols;
    return values;
}

const float* WeightLoader::keep(std::span<const float> values) {
    totals_.bytes += static_cast<std::int64_t>(values.size_bytes());
    return in_backend(values);
}

void WeightLoader::finish() {
    for (const auto& [name, bound] : bound_) {
        if (bound.used) continue;
        fail(ErrorKind::corrupt, "{}: tensor {} is left over: the configuration has no place for it",
             bound.view->file, bound.view->name);
    }
}

}  // namespace tinyllm
