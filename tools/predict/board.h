// What a board can do, as a roofline wants it: bytes and operations a second by number of threads, memory, a
// GPU's modes. A board is a file tools/predict/boards/<name>.json, or one that `predict --calibrate` wrote
// ("tinyllm.board/1").
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/output.h"
#include "tools/predict/shares.h"

namespace tinyllm::predict {

/// Of so many threads together; a multiply-add is two operations. What an inner product that waits for
/// nothing reaches, as system.h measures it.
struct Rates {
    int threads = 1;
    double read = 0;             ///< bytes a second from memory
    double f32 = 0, int8 = 0;    ///< operations a second
    double bf16 = 0;             ///< 0: the kernels have no such products
    double meeting_seconds = 0;  ///< of the threads, for an op
};

/// A GPU in one clock mode.
struct GpuMode {
    std::string name;
    double read = 0;                                         ///< bytes a second
    double f32 = 0;                                          ///< operations a second
    double tensor = 0;                                       ///< by tensor cores, with halves
    double read_share = 0, f32_share = 0, tensor_share = 0;  ///< assumed to be reached
    double launch_seconds = 0;
};

struct Board {
    std::string name, title, cpu;
    bool measured = false;          ///< its rates were measured with this program, else they are assumed
    std::int64_t memory_bytes = 0;  ///< 0: not known
    std::int64_t free_bytes = 0;    ///< left to a model when nothing else runs; 0: not known
    int threads = 1;                ///< taken unless asked otherwise: the fastest cluster's cores
    std::vector<Rates> cpu_rates;   ///< by threads, ascending, at least one
    std::vector<GpuMode> gpu;
    std::vector<std::string> sources, assumptions;
    SharesTable shares;  ///< of this board's own; what it lacks are the defaults

    /// Linear between the points there are; beyond the last as that, below the first in proportion.
    Rates rates(int threads) const;
};

/// Of the built-in files, by name.
std::vector<std::string> board_names();
/// A built-in board, or a file where `name` is a path to one. "this" is measure_board(). Throws Error:
/// not_found naming the boards there are, corrupt for a file that is none.
Board find_board(const std::string& name);
/// `origin` is what errors name.
Board parse_board(const std::string& text, const std::string& origin);
Json board_json(const Board& board);

/// This machine, measured now with one thread and with `threads` (0: as many as a model would get; about two
/// seconds each).
Board measure_board(int threads = 0, const std::string& cores = {});

}  // namespace tinyllm::predict
