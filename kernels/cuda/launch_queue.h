// Where the ops' launches go. Outside of a step: to the device at once. Within one (Backend::step) they are
// noted, and queued together when the step ends or a result is wanted: first what their kernels read from the
// host, in one transfer, then the launches; those of a step that came before, byte by byte, as the graph
// that was made of them. So whatever the engine does, what is replayed is what would have been launched.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "kernels/cuda/launch_list.h"
#include "kernels/cuda/runtime.h"

namespace tinyllm::TINYLLM_CUDA_SPACE {

/// What the host's small arrays hold: only those of one kind are taken for one another.
enum class TableKind { tokens, positions, rows, targets, written, seen, tiles, blocks, slopes, penalized };

class LaunchQueue final : public Stream {
  public:
    explicit LaunchQueue(std::unique_ptr<Runtime> runtime);

    Runtime& runtime() const { return *runtime_; }
    /// For launch_…().
    void* stream() { return static_cast<Stream*>(this); }
    void launch(const Launch& launch) override;
    /// Whether launches are noted: then nothing else may be queued on the device.
    bool noting() const { return recording_; }

    /// Backend::step. What `ops` noted before an exception is not run.
    void step(const std::function<void()>& ops);

    /// The values in device memory, for the launches of one op. Arrays of equal contents share their place.
    /// Within a step the places depend on the order of the calls and on the sizes, rounded up to powers of
    /// two, alone.
    template <typename T>
    const T* put(TableKind kind, std::span<const T> values) {
        const std::span<const std::byte> bytes = std::as_bytes(values);
        return reinterpret_cast<const T*>(recording_ ? put_packed(kind, bytes) : put_alone(kind, bytes));
    }

    /// As Runtime has them; memory that is released within a step lives until its launches are queued.
    std::shared_ptr<std::byte> allocate(std::size_t bytes);
    void upload(void* to, const void* from, std::size_t bytes);
    void download(void* to, const void* from, std::size_t bytes);

  private:
    /// Of a step.
    struct Packed {
        TableKind kind;
        std::size_t chunk, offset, bytes;
    };
    struct Chunk {
        std::shared_ptr<std::byte> device;
        std::vector<std::byte> host;
        std::size_t used = 0;
    };
    /// Of ops outside of steps: the last ones stay, as the layers of a prompt share them.
    struct Alone {
        TableKind kind;
        std::vector<std::byte> contents;
        std::shared_ptr<std::byte> device;
        std::size_t room = 0;
    };
    struct Known {
        LaunchList launches;
        std::unique_ptr<Graph> graph;  // from the second time on
        bool plain = false;            // no graph could be made
    };
    /// Memory whose last owner let go of it while its thread was noting launches.
    struct Released {
        std::atomic<std::thread::id> recorder{};
        std::vector<std::shared_ptr<std::byte>> memory;
    };

    const std::byte* put_packed(TableKind kind, std::span<const std::byte> bytes);
    const std::byte* put_alone(TableKind kind, std::span<const std::byte> bytes);
    /// Queues what was noted.
    void flush();
    void forget();
    void run(Known& known);

    std::unique_ptr<Runtime> runtime_;
    bool recording_ = false;
    LaunchList launches_;
    std::vector<Packed> packed_;
    std::vector<Chunk> chunks_;
    std::list<Alone> alone_;  // the last used first
    std::list<Known> known_;  // likewise
    std::shared_ptr<Released> released_ = std::make_shared<Released>();
};

}  // namespace tinyllm::TINYLLM_CUDA_SPACE
