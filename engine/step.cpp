#include "engine/step.h"

#include <cmath>

namespace tinyllm {

float* Scratch::take(std::int64_t floats) {
    if (next_ == slots_.size()) slots_.emplace_back();
    Slot& slot = slots_[next_++];
    if (slot.floats < floats) {
        slot.memory = nullptr;  // before the new one, to keep the peak low
        slot.memory = backend_.allocate(static_cast<std::size_t>(floats) * sizeof(float));
        slot.floats = floats;
    }
    return reinterpret_cast<float*>(slot.memory.get());
}

std::int64_t Scratch::bytes() const {
    std::int64_t floats = 0;
    for (const Slot& slot : slots_) floats += slot.floats;
    return floats * static_cast<std::int64_t>(sizeof(float));
}

Rows Step::embed(const Matrix& table, const Matrix* positions, std::int32_t offset) {
    const Rows out = take(table.cols);
    std::vector<std::int32_t> shifted;
    const std::int32_t* at = batch_.positions.data();
    if (positions && offset != 0) {
        shifted = batch_.positions;
        for (std::int32_t& position : shifted) position += offset;
        at = shifted.data();
    }
    backend_.embed({n(), batch_.tokens.data(), &table, 1, positions ? at : nullptr, positions, out.data});
    return out;
}

Rows Step::positions(const Matrix& table, std::int32_t offset) {
    const Rows out = take(table.cols);
    std::vector<std::int32_t> rows = batch_.positions;
    for (std::int32_t& row : rows) row += offset;
    backend_.embed({n(), rows.data(), &table, 1, nullptr, nullptr, out.data});
    return out;
}

void Step::norm(Rows x, const Norm& norm) {
    backend_.norm({n(), x.width, x.data, norm, x.data});
}

Rows Step::linear(Rows x, const Norm& norm, const Linear& l, Activation activation) {
    const Rows out = take(l.w.rows);
    backend_.linear({n(), x.data, norm, &l.w, l.bias, activation, false, out.data, batch_.phase});
    return out;
}

void Step::linear_add(Rows in, const Linear& l, Rows x) {
    backend_.linear({n(), in.data, kNoNorm, &l.w, l.bias, Activation::none, true, x.data, batch_.phase});
}

Rows Step::glu(Rows x, const Norm& norm, const Linear& l, Activation activation) {
    const Rows out = take(l.w.rows / 2);
    backend_.glu({n(), x.data, norm, &l.w, l.bias, activation, out.data, batch_.phase});
    return out;
}

Rows Step::qkv(Rows x, const Norm& norm, const Linear& l, std::int64_t layer) {
    const Rows q = take(config_.n_heads * config_.head_dim);
    backend_.qkv({n(), x.data, norm, &l.w, l.bias, static_cast<std::int32_t>(config_.n_heads), rope_,
                  kv_[static_cast<std::size_t>(layer)], batch_.segments, q.data, batch_.phase});
    return q;
}

Rows Step::attend_to(std::span<const Segment> segments, Rows q, std::int64_t layer, std::int32_t window,
                     const float* alibi, const RelativeBias& bias) {
    const Rows out = take(q.width);
    float scale = config_.scale_attention ? 1.0f / std::sqrt(static_cast<float>(config_.head_dim)) : 1.0f;
    if (config_.scale_attention_by_layer) scale /= static_cast<float>(layer + 1);
    backend_.attend({.n = n(),
                     .q = q.data,
                     .n_heads = static_cast<std::int32_t>(config_.n_heads),
                     .scale = scale,
                     .window = window,
                     .alibi = alibi,
                     .relative = bias,
                     .kv = kv_[static_cast<std::size_t>(layer)],
                     .segments = segments,
                     .out = out.data,
                     .phase = batch_.phase});
    return out;
}

Rows Step::attend(Rows q, std::int64_t layer, const float* alibi) {
    return attend_to(batch_.segments, q, layer, config_.window, alibi, {});
}

Rows Step::attend(Rows q, std::int64_t layer, const RelativeBias& bias) {
    return attend_to(batch_.segments, q, layer, config_.window, nullptr, bias);
}

Rows Step::attend_encoded(Rows q, std::int64_t layer) {
    return attend_to(batch_.encoded, q, layer, 0, nullptr, {});
}

void Step::remember(Rows x, const Linear& l, std::int64_t layer) {
    backend_.qkv({.n = n(),
                  .x = x.data,
                  .w = &l.w,
                  .bias = l.bias,
                  .kv = kv_[static_cast<std::size_t>(layer)],
                  .segments = batch_.segments,
                  .phase = batch_.phase});
}

}  // namespace tinyllm
