// A backend with memory of its own behind one whose memory is the host's, as the table of ops has it: what an
// op reads is sent before it, what it writes is fetched after it.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <vector>

#include "kernels/forwarding_backend.h"

namespace tinyllm::test {

class HostMemoryBackend final : public ForwardingBackend {
  public:
    using ForwardingBackend::ForwardingBackend;

    std::shared_ptr<std::byte> allocate(std::size_t bytes) override {
        const std::shared_ptr<std::byte> host = make_ref_backend({})->allocate(bytes);
        twins_[host.get()] = {inner().allocate(bytes), bytes};
        return host;
    }
    void write(void* to, const void* from, std::size_t bytes) override { std::memcpy(to, from, bytes); }
    void read(void* to, const void* from, std::size_t bytes) override { std::memcpy(to, from, bytes); }

    void embed(const EmbedArgs& args) override {
        EmbedArgs a = args;
        a.out = out(args.out, args.n * args.table->cols);
        inner().embed(a);
        fetch();
    }
    void norm(const NormArgs& args) override {
        NormArgs a = args;
        a.x = in(args.x, args.n * args.dim);
        a.norm = in(args.norm, args.dim);
        a.out = out(args.out, args.n * args.dim);
        inner().norm(a);
        fetch();
    }
    void linear(const LinearArgs& args) override {
        LinearArgs a = args;
        a.x = in(args.x, args.n * args.w->cols);
        a.norm = in(args.norm, args.w->cols);
        a.bias = in(args.bias, args.w->rows);
        a.out = out(args.out, args.n * args.w->rows);
        inner().linear(a);
        fetch();
    }
    void glu(const GluArgs& args) override {
        GluArgs a = args;
        a.x = in(args.x, args.n * args.w->cols);
        a.norm = in(args.norm, args.w->cols);
        a.bias = in(args.bias, args.w->rows);
        a.out = out(args.out, args.n * args.w->rows / 2);
        inner().glu(a);
        fetch();
    }
    void qkv(const QkvArgs& args) override {
        QkvArgs a = args;
        std::int64_t positions = 0;
        for (const Segment& s : args.segments)
            positions = std::max<std::int64_t>(positions, s.start + s.n_rows);
        a.x = in(args.x, args.n * args.w->cols);
        a.norm = in(args.norm, args.w->cols);
        a.bias = in(args.bias, args.w->rows);
        if (args.rope.dims) {
            a.rope.cos = in(args.rope.cos, positions * (args.rope.dims / 2));
            a.rope.sin = in(args.rope.sin, positions * (args.rope.dims / 2));
        }
        std::vector<std::byte*> k, v;
        a.kv = twin_of(args.kv, ids(args.segments), k, v);
        a.q = out(args.q, std::int64_t{args.n} * args.n_heads * args.kv.head_dim);
        inner().qkv(a);
        fetch();
    }
    void attend(const AttendArgs& args) override {
        AttendArgs a = args;
        const std::int64_t n = std::int64_t{args.n} * args.n_heads * args.kv.head_dim;
        a.q = in(args.q, n);
        a.relative.values = in(args.relative.values, args.n_heads * (2 * args.relative.span + 1));
        std::vector<std::byte*> k, v;
        a.kv = twin_of(args.kv, ids(args.segments), k, v);
        a.out = out(args.out, n);
        inner().attend(a);
        fetch();
    }
    void logits(const LogitsArgs& args) override {
        LogitsArgs a = args;
        a.x = in(args.x, rows_of(args.rows) * args.head->cols);
        a.norm = in(args.norm, args.head->cols);
        a.bias = in(args.bias, args.head->rows);
        inner().logits(a);
        fetch();
    }
    void score(const ScoreArgs& args) override {
        ScoreArgs a = args;
        a.x = in(args.x, rows_of(args.rows) * args.head->cols);
        a.norm = in(args.norm, args.head->cols);
        a.bias = in(args.bias, args.head->rows);
        inner().score(a);
        fetch();
    }
    bool top(const TopArgs& args) override {
        TopArgs a = args;
        a.x = in(args.x, args.head->cols);
        a.norm = in(args.norm, args.head->cols);
        a.bias = in(args.bias, args.head->rows);
        const bool has_logits = inner().top(a);
        fetch();
        return has_logits;
    }
    void copy_kv(const CopyKvArgs& args) override {
        CopyKvArgs a = args;
        std::vector<std::byte*> k, v;
        a.kv = twin_of(args.kv, {args.from, args.to}, k, v);
        inner().copy_kv(a);
        fetch();
    }

  private:
    struct Twin {
        std::shared_ptr<std::byte> memory;
        std::size_t bytes = 0;
    };
    struct Fetch {
        void* to;
        const std::byte* from;
        std::size_t bytes;
    };

    const float* in(const float* host, std::int64_t n) {
        if (!host) return nullptr;
        const std::size_t bytes = static_cast<std::size_t>(n) * sizeof(float);
        kept_.push_back(inner().allocate(bytes));
        inner().write(kept_.back().get(), host, bytes);
        return reinterpret_cast<const float*>(kept_.back().get());
    }
    Norm in(const Norm& norm, std::int64_t dim) {
        return {norm.kind, norm.eps, in(norm.weight, dim), in(norm.bias, dim)};
    }
    float* out(float* host, std::int64_t n) {
        if (!host) return nullptr;
        auto* to = const_cast<float*>(in(host, n));
        fetches_.push_back(
            {host, reinterpret_cast<const std::byte*>(to), static_cast<std::size_t>(n) * sizeof(float)});
        return to;
    }
    static std::int64_t rows_of(std::span<const std::int32_t> rows) {
        return rows.empty() ? 0 : *std::ranges::max_element(rows) + 1;
    }
    static std::vector<std::int32_t> ids(std::span<const Segment> segments) {
        std::vector<std::int32_t> found;
        for (const Segment& s : segments) {
            const std::int32_t positions = std::max(s.n_keys, s.start + s.n_rows);
            const std::int32_t seen = s.n_keys > 0 ? s.n_keys : positions;
            for (std::int32_t b = 0; b * kKvBlock < seen; ++b) found.push_back(s.blocks[b]);
        }
        return found;
    }
    /// The layer in the inner backend's memory, as far as `blocks` go, which are fetched after the op.
    KvLayer twin_of(const KvLayer& kv, const std::vector<std::int32_t>& blocks, std::vector<std::byte*>& k,
                    std::vector<std::byte*>& v) {
        const auto most =
            blocks.empty() ? 0 : static_cast<std::size_t>(*std::ranges::max_element(blocks)) + 1;
        k.resize(most);
        v.resize(most);
        for (const std::int32_t id : blocks) {
            k[static_cast<std::size_t>(id)] = twin_of(kv.k_blocks[id]);
            v[static_cast<std::size_t>(id)] = twin_of(kv.v_blocks[id]);
        }
        KvLayer twin = kv;
        twin.k_blocks = k.data();
        twin.v_blocks = v.data();
        return twin;
    }
    std::byte* twin_of(std::byte* host) {
        const Twin& twin = twins_.at(host);
        inner().write(twin.memory.get(), host, twin.bytes);
        fetches_.push_back({host, twin.memory.get(), twin.bytes});
        return twin.memory.get();
    }
    void fetch() {
        for (const Fetch& f : fetches_) inner().read(f.to, f.from, f.bytes);
        fetches_.clear();
        kept_.clear();
    }

    std::map<std::byte*, Twin> twins_;  // by the host's memory; those of memory that is freed stay
    std::vector<std::shared_ptr<std::byte>> kept_;
    std::vector<Fetch> fetches_;
};

}  // namespace tinyllm::test
