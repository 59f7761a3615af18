#include "kernels/cuda/launch_queue.h"

#include <algorithm>
#include <bit>

#include "kernels/cuda/buffers.h"

namespace tinyllm::TINYLLM_CUDA_SPACE {
namespace {

constexpr std::size_t kKnown = 16;  // steps: batches of several sizes, sessions in turn

}  // namespace

LaunchQueue::LaunchQueue(std::unique_ptr<Runtime> runtime) : runtime_(std::move(runtime)) {}

void LaunchQueue::launch(const Launch& launch) {
    if (recording_) {
        launches_.add(launch);
    } else {
        runtime_->launch(launch);
    }
}

void LaunchQueue::step(const std::function<void()>& ops) {
    if (recording_) return ops();
    recording_ = true;
    released_->recorder = std::this_thread::get_id();
    try {
        ops();
        flush();
    } catch (...) {
        forget();
        recording_ = false;
        released_->recorder = std::thread::id();
        throw;
    }
    recording_ = false;
    released_->recorder = std::thread::id();
}

void LaunchQueue::flush() {
    if (launches_.empty()) return;
    for (Chunk& chunk : chunks_) {
        if (chunk.used > 0) runtime_->upload(chunk.device.get(), chunk.host.data(), chunk.used);
    }
    const auto known = std::ranges::find(known_, launches_, &Known::launches);
    if (known != known_.end()) {
        known_.splice(known_.begin(), known_, known);
        run(known_.front());
    } else {
        launches_.each([&](const Launch& launch) { runtime_->launch(launch); });
        if (known_.size() == kKnown) known_.pop_back();
        known_.push_front({launches_, nullptr, false});
    }
    forget();
}

void LaunchQueue::run(Known& known) {
    // The first time may be the only one: a graph costs more than launches.
    if (!known.graph && !known.plain) {
        known.graph = runtime_->instantiate(known.launches);
        known.plain = !known.graph;
    }
    if (known.graph) {
        runtime_->replay(*known.graph);
    } else {
        known.launches.each([&](const Launch& launch) { runtime_->launch(launch); });
    }
}

void LaunchQueue::forget() {
    launches_.clear();
    packed_.clear();
    for (Chunk& chunk : chunks_) chunk.used = 0;
    released_->memory.clear();
}

const std::byte* LaunchQueue::put_packed(TableKind kind, std::span<const std::byte> bytes) {
    for (const Packed& table : packed_) {
        const Chunk& chunk = chunks_[table.chunk];
        if (table.kind == kind && table.bytes == bytes.size() &&
            std::ranges::equal(bytes, std::span(chunk.host).subspan(table.offset, table.bytes))) {
            return chunk.device.get() + table.offset;
        }
    }
    // With headroom: what grows with the text must not move what lies behind it at every step.
    const std::size_t room = std::bit_ceil(std::max<std::size_t>(bytes.size(), 256));
    std::size_t at = 0;
    while (at < chunks_.size() && chunks_[at].host.size() - chunks_[at].used < room) ++at;
    if (at == chunks_.size()) {
        const std::size_t size = std::max(room, kStepTables);
        chunks_.push_back({runtime_->allocate(size), std::vector<std::byte>(size), 0});
    }
    Chunk& chunk = chunks_[at];
    const std::size_t offset = chunk.used;
    chunk.used += room;
    std::ranges::copy(bytes, chunk.host.begin() + static_cast<std::ptrdiff_t>(offset));
    packed_.push_back({kind, at, offset, bytes.size()});
    return chunk.device.get() + offset;
}

const std::byte* LaunchQueue::put_alone(TableKind kind, std::span<const std::byte> bytes) {
    const auto known = std::ranges::find_if(alone_, [&](const Alone& table) {
        return table.kind == kind && std::ranges::equal(table.contents, bytes);
    });
    if (known != alone_.end()) {
        alone_.splice(alone_.begin(), alone_, known);
        return alone_.front().device.get();
    }
    if (alone_.size() < kTables) {
        alone_.push_front({kind, {}, nullptr, 0});
    } else {
        alone_.splice(alone_.begin(), alone_, std::prev(alone_.end()));
    }
    Alone& table = alone_.front();
    table.kind = kind;
    table.contents.clear();  // for as long as they are not there
    if (!table.device || table.room < bytes.size()) {
        const auto room = static_cast<std::size_t>(table_bytes(std::ssize(bytes)));
        table.device = nullptr;
        table.device = runtime_->allocate(room);
        table.room = room;
    }
    if (!bytes.empty()) runtime_->upload(table.device.get(), bytes.data(), bytes.size());
    table.contents.assign(bytes.begin(), bytes.end());
    return table.device.get();
}

std::shared_ptr<std::byte> LaunchQueue::allocate(std::size_t bytes) {
    std::shared_ptr<std::byte> memory = runtime_->allocate(bytes);
    std::byte* at = memory.get();
    return {at, [memory = std::move(memory), released = released_](std::byte*) mutable {
                // Launches that were noted by another thread have no business with it.
                if (released->recorder.load() == std::this_thread::get_id())
                    released->memory.push_back(std::move(memory));
            }};
}

void LaunchQueue::upload(void* to, const void* from, std::size_t bytes) {
    if (recording_) flush();
    runtime_->upload(to, from, bytes);
}

void LaunchQueue::download(void* to, const void* from, std::size_t bytes) {
    if (recording_) flush();
    runtime_->download(to, from, bytes);
}

}  // namespace tinyllm::TINYLLM_CUDA_SPACE
