#include "engine/recode.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <exception>
#include <mutex>
#include <thread>

#include "engine/fail.h"
#include "engine/printable.h"
#include "kernels/quant.h"
#include "kernels/quant_weighted.h"

namespace tinyllm {

namespace {

constexpr std::int64_t kChunkElements = 1 << 16;

/// Calls work(0) … work(n - 1), each once, from all cores. The exception of the lowest failing index is
/// rethrown.
template <typename Work>
void for_each_in_parallel(std::int64_t n, const Work& work) {
    std::atomic<std::int64_t> next = 0;
    std::mutex mutex;
    std::exception_ptr failure;
    std::int64_t failed = n;
    const auto run = [&] {
        for (std::int64_t i = next++; i < n; i = next++) {
            try {
                work(i);
            } catch (...) {
                const std::lock_guard lock(mutex);
                if (i < failed) {
                    failed = i;
                    failure = std::current_exception();
                }
            }
        }
    };
    const auto cores = static_cast<std::int64_t>(std::thread::hardware_concurrency());
    std::vector<std::thread> helpers;
    for (std::int64_t i = 1; i < std::min(cores, n); ++i) helpers.emplace_back(run);
    run();
    for (std::thread& helper : helpers) helper.join();
    if (failure) std::rethrow_exception(failure);
}

/// Where the rows of a tensor lie.
struct Layout {
    std::int64_t rows = 1;
    std::int64_t cols = 1;
};

Layout layout_of(const RecodeRequest& request) {
    const std::vector<std::int64_t>& shape = request.tensor->shape;
    const std::int64_t n = element_count(*request.tensor);
    if (request.transposed) return {shape[1], shape[0]};
    if (shape.size() < 2) return request.rows.empty() ? Layout{1, n} : Layout{n, 1};
    return {shape.back() == 0 ? 0 : n / shape.back(), shape.back()};
}

class Recoder {
  public:
    Recoder(const RecodeRequest& request, const Layout& layout, std::byte* out)
        : request_(request), layout_(layout), out_(out) {}

    /// Sums of x^2 and (x - stored x)^2 over the chunk's rows, and of both times their importance.
    struct Sums {
        double value = 0, error = 0;
        double weighted_value = 0, weighted_error = 0;
    };

    Sums recode_rows(std::int64_t begin, std::int64_t end) const {
        const std::int64_t cols = layout_.cols;
        const auto n = static_cast<std::size_t>((end - begin) * cols);
        std::vector<float> values(n);
        load(begin, end, values.data());
        check_finite(begin, values);

        std::byte* out = out_ + static_cast<std::size_t>(begin) * row_bytes(request_.to, cols);
        if (request_.to == request_.tensor->type && !request_.transposed) {
            copy(begin, end, out);
            return {};
        }
        const TypeTraits& to = traits(request_.to);
        if (request_.importance) {
            const std::size_t bytes = row_bytes(request_.to, cols);
            for (std::int64_t r = 0; r < end - begin; ++r) {
                weighted_row_from_f32(request_.to, values.data() + r * cols, request_.importance,
                                      out + static_cast<std::size_t>(r) * bytes, cols);
            }
        } else {
            to.from_f32(values.data(), out, std::ssize(values));
        }
        std::vector<float> stored(n);
        to.to_f32(out, stored.data(), std::ssize(stored));
        Sums sums;
        for (std::size_t i = 0; i < n; ++i) {
            if (!std::isfinite(stored[i])) too_large(begin, i, values[i]);
            const double x = values[i];
            const double d = x - stored[i];
            sums.value += x * x;
            sums.error += d * d;
            if (!request_.importance) continue;
            const double weight = request_.importance[i % static_cast<std::size_t>(cols)];
            sums.weighted_value += weight * x * x;
            sums.weighted_error += weight * d * d;
        }
        return sums;
    }

  private:
    std::int64_t stored_row(std::int64_t row) const {
        return request_.rows.empty() ? row : request_.rows[static_cast<std::size_t>(row)];
    }

    void load(std::int64_t begin, std::int64_t end, float* out) const {
        const TypeTraits& from = traits(request_.tensor->type);
        const std::byte* data = request_.tensor->data.data();
        const std::int64_t cols = layout_.cols;
        if (request_.transposed) {
            for (std::int64_t c = 0; c < cols; ++c) {
                for (std::int64_t r = begin; r < end; ++r) {
                    const std::int64_t at = c * layout_.rows + stored_row(r);
                    from.to_f32(data + static_cast<std::size_t>(at) * from.block_bytes,
                                out + (r - begin) * cols + c, 1);
                }
            }
            return;
        }
        const std::size_t bytes = row_bytes(request_.tensor->type, cols);
        for (std::int64_t r = begin; r < end; ++r) {
            from.to_f32(data + static_cast<std::size_t>(stored_row(r)) * bytes, out + (r - begin) * cols,
                        cols);
        }
    }

    void copy(std::int64_t begin, std::int64_t end, std::byte* out) const {
        const std::size_t bytes = row_bytes(request_.to, layout_.cols);
        for (std::int64_t r = begin; r < end; ++r, out += bytes) {
            std::memcpy(out, request_.tensor->data.data() + static_cast<std::size_t>(stored_row(r)) * bytes,
                        bytes);
        }
    }

    /// Position in the stored tensor of element i of a chunk.
    std::int64_t stored_index(std::int64_t begin, std::size_t i) const {
        const std::int64_t row = stored_row(begin + static_cast<std::int64_t>(i) / layout_.cols);
        const std::int64_t col = static_cast<std::int64_t>(i) % layout_.cols;
        return request_.transposed ? col * layout_.rows + row : row * layout_.cols + col;
    }

    void check_finite(std::int64_t begin, const std::vector<float>& values) const {
        for (std::size_t i = 0; i < values.size(); ++i) {
            if (std::isfinite(values[i])) continue;
            fail(ErrorKind::corrupt, "{}: tensor {}: element {}: expected a finite number, found {}",
                 request_.tensor->file, printable(request_.tensor->name), stored_index(begin, i), values[i]);
        }
    }

    [[noreturn]] void too_large(std::int64_t begin, std::size_t i, float value) const {
        fail(ErrorKind::unsupported, "{}: tensor {}: element {}: {} is too large for {}; choose f32 or bf16",
             request_.tensor->file, printable(request_.tensor->name), stored_index(begin, i), value,
             dtype_name(request_.to));
    }

    const RecodeRequest& request_;
    const Layout& layout_;
    std::byte* out_;
};

}  // namespace

Recoded recode(const RecodeRequest& request) {
    const Layout layout = layout_of(request);
    Recoded result;
    result.data.resize(static_cast<std::size_t>(layout.rows) * row_bytes(request.to, layout.cols));
    if (layout.rows == 0 || layout.cols == 0) return result;

    const Recoder recoder(request, layout, result.data.data());
    const std::int64_t chunk = std::max<std::int64_t>(1, kChunkElements / layout.cols);
    const std::int64_t n_chunks = (layout.rows + chunk - 1) / chunk;
    std::vector<Recoder::Sums> sums(static_cast<std::size_t>(n_chunks));
    for_each_in_parallel(n_chunks, [&](std::int64_t i) {
        const std::int64_t begin = i * chunk;
        sums[static_cast<std::size_t>(i)] = recoder.recode_rows(begin, std::min(layout.rows, begin + chunk));
    });
    Recoder::Sums total;
    for (const Recoder::Sums& part : sums) {
        total.value += part.value;
        total.error += part.error;
        total.weighted_value += part.weighted_value;
        total.weighted_error += part.weighted_error;
    }
    if (total.value > 0) result.rms_error = std::sqrt(total.error / total.value);
    if (total.weighted_value > 0)
        result.weighted_error = std::sqrt(total.weighted_error / total.weighted_value);
    return result;
}

}  // namespace tinyllm
