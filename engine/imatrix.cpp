// llama.cpp's importance matrix files. GGUF: for each weight a tensor "<name>.in_sum2" of (columns) sums of
// squares and
// "<name>.counts" of one number, f32; general.type is "imatrix". The form before it, little-endian without a
// magic number: the number of entries; for each the name's length and bytes, the number of runs, of values,
// and the values (f32: mean squares times the number of runs); behind them, not in the oldest files, the
// number of runs of all, the data set's name's length and bytes. Numbers are i32.
#include "tinyllm/imatrix.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "engine/fail.h"
#include "engine/gguf.h"
#include "engine/gguf_types.h"
#include "engine/mapped_file.h"
#include "engine/output_file.h"
#include "engine/printable.h"
#include "engine/weights.h"

namespace tinyllm {
namespace {

constexpr std::string_view kSums = ".in_sum2", kCounts = ".counts";

void check_squares(const std::string& path, const std::string& name, const std::vector<double>& squares) {
    for (std::size_t i = 0; i < squares.size(); ++i) {
        if (std::isfinite(squares[i]) && squares[i] >= 0) continue;
        fail(ErrorKind::corrupt, "{}: {}: column {}: expected a sum of squares, found {}", path,
             printable(name), i, squares[i]);
    }
}

std::vector<double> f32_values(const TensorView& tensor) {
    if (tensor.type != DType::f32 || !tensor.unsupported.empty()) {
        fail(ErrorKind::corrupt, "{}: tensor {}: expected f32", tensor.file, printable(tensor.name));
    }
    const std::vector<float> values = to_f32(tensor);
    return {values.begin(), values.end()};
}

ImportanceMatrix read_gguf(const std::string& path) {
    const GgufFile file(path);
    if (file.string("general.type", "") != "imatrix") {
        fail(ErrorKind::corrupt, "{}: general.type: expected \"imatrix\", found \"{}\"; is this a model?",
             path, printable(file.string("general.type", "")));
    }
    ImportanceMatrix matrix;
    if (const auto* names = file.strings("imatrix.datasets")) {
        for (const std::string_view name : *names) matrix.datasets.emplace_back(name);
    }
    matrix.chunks = file.integer("imatrix.chunk_count", 0);
    matrix.chunk_size = file.integer("imatrix.chunk_size", 0);
    for (const TensorView& sums : file.tensors()) {
        if (!sums.name.ends_with(kSums)) continue;
        const std::string name = sums.name.substr(0, sums.name.size() - kSums.size());
        const TensorView* counts = file.find(name + std::string(kCounts));
        if (!counts) fail(ErrorKind::corrupt, "{}: {} has sums and no counts", path, printable(name));
        const std::vector<double> rows = f32_values(*counts);
        if (rows.size() > 1) {
            fail(ErrorKind::unsupported, "{}: {}: {} matrices of experts are not supported", path,
                 printable(name), rows.size());
        }
        InputStatistics& input = matrix.inputs[name];
        input.squares = f32_values(sums);
        check_squares(path, name, input.squares);
        if (rows.empty() || !(rows[0] >= 0 && rows[0] < 0x1p62)) {
            fail(ErrorKind::corrupt, "{}: {}: expected a number of rows, found {}", path, printable(name),
                 rows.empty() ? 0.0 : rows[0]);
        }
        input.rows = static_cast<std::int64_t>(rows[0]);
    }
    return matrix;
}

/// Takes numbers and strings off the front of a file.
class DatReader {
  public:
    explicit DatReader(const MappedFile& file)
        : path_(file.path()), left_(file.bytes()), size_(left_.size()) {}

    std::size_t at() const { return size_ - left_.size(); }
    bool empty() const { return left_.empty(); }

    std::span<const std::byte> take(std::size_t bytes, const char* what) {
        if (bytes > left_.size()) {
            fail(
                ErrorKind::corrupt,
                "{}: byte {}: expected {} of {} bytes, found the end after {}; is this an importance matrix?",
                path_, at(), what, bytes, left_.size());
        }
        const auto taken = left_.first(bytes);
        left_ = left_.subspan(bytes);
        return taken;
    }

    std::size_t count(const char* what) {
        const std::size_t where = at();
        std::int32_t n = 0;
        std::memcpy(&n, take(sizeof n, what).data(), sizeof n);
        if (n < 0)
            fail(ErrorKind::corrupt, "{}: byte {}: {}: expected a count, found {}", path_, where, what, n);
        return static_cast<std::size_t>(n);
    }

    std::string string(const char* what) {
        const auto bytes = take(count(what), what);
        return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    }

  private:
    const std::string& path_;
    std::span<const std::byte> left_;
    std::size_t size_;
};

ImportanceMatrix read_dat(const MappedFile& file) {
    DatReader reader(file);
    ImportanceMatrix matrix;
    const std::size_t n = reader.count("the number of entries");
    if (n == 0) fail(ErrorKind::corrupt, "{}: an importance matrix without entries", file.path());
    for (std::size_t i = 0; i < n; ++i) {
        const std::string name = reader.string("a weight's name");
        InputStatistics input;
        input.rows = static_cast<std::int64_t>(reader.count("the number of runs"));
        const auto bytes = reader.take(reader.count("the number of values") * sizeof(float), "values");
        std::vector<float> values(bytes.size() / sizeof(float));
        if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
        input.squares.assign(values.begin(), values.end());
        check_squares(file.path(), name, input.squares);
        if (!matrix.inputs.emplace(name, std::move(input)).second) {
            fail(ErrorKind::corrupt, "{}: {} stands twice", file.path(), printable(name));
        }
    }
    if (reader.empty()) return matrix;
    matrix.chunks = static_cast<std::int64_t>(reader.count("the number of runs"));
    if (!reader.empty()) matrix.datasets.push_back(reader.string("the data set's name"));
    return matrix;
}

std::vector<std::byte> f32_bytes(const std::vector<double>& values) {
    std::vector<std::byte> bytes(values.size() * sizeof(float));
    for (std::size_t i = 0; i < values.size(); ++i) {
        const auto value = static_cast<float>(values[i]);
        std::memcpy(bytes.data() + i * sizeof value, &value, sizeof value);
    }
    return bytes;
}

void write_gguf(const ImportanceMatrix& matrix, const std::string& path) {
    GgufWriter writer;
    writer.set_string("general.type", "imatrix");
    writer.set_strings("imatrix.datasets", matrix.datasets);
    writer.set_u32("imatrix.chunk_count", static_cast<std::uint32_t>(matrix.chunks));
    writer.set_u32("imatrix.chunk_size", static_cast<std::uint32_t>(matrix.chunk_size));
    for (const auto& [name, input] : matrix.inputs) {
        writer.add_tensor(name + std::string(kSums), DType::f32, {std::ssize(input.squares)},
                          [&squares = input.squares] { return f32_bytes(squares); });
        writer.add_tensor(name + std::string(kCounts), DType::f32, {1},
                          [rows = static_cast<double>(input.rows)] { return f32_bytes({rows}); });
    }
    writer.write(path);
}

void write_dat(const ImportanceMatrix& matrix, const std::string& path) {
    OutputFile file(path);
    const auto number = [&](std::size_t value) {
        const auto n = static_cast<std::int32_t>(value);
        file.write(std::as_bytes(std::span(&n, 1)));
    };
    const auto string = [&](const std::string& text) {
        number(text.size());
        file.write(std::as_bytes(std::span(text)));
    };
    const auto runs = static_cast<double>(std::max<std::int64_t>(matrix.chunks, 1));
    number(matrix.inputs.size());
    for (const auto& [name, input] : matrix.inputs) {
        string(name);
        number(static_cast<std::size_t>(runs));
        number(input.squares.size());
        std::vector<double> values = input.squares;
        for (double& value : values) value *= input.rows > 0 ? runs / static_cast<double>(input.rows) : 0;
        file.write(f32_bytes(values));
    }
    number(static_cast<std::size_t>(matrix.chunks));
    string(matrix.datasets.empty() ? "" : matrix.datasets.front());
    file.commit();
}

}  // namespace

std::vector<float> InputStatistics::mean_squares() const {
    if (rows <= 0) return std::vector<float>(squares.size(), 1.0f);
    // In f32, as llama.cpp divides: bytes of quantized weights depend on it.
    const auto n = static_cast<float>(rows);
    std::vector<float> means(squares.size());
    for (std::size_t i = 0; i < means.size(); ++i) means[i] = static_cast<float>(squares[i]) / n;
    return means;
}

ImportanceMatrix read_imatrix(const std::string& path) {
    {
        const MappedFile file(path);
        std::uint32_t magic = 0;
        if (file.bytes().size() >= sizeof magic) std::memcpy(&magic, file.bytes().data(), sizeof magic);
        if (magic != kGgufMagic) return read_dat(file);
    }
    ImportanceMatrix matrix = read_gguf(path);
    if (matrix.inputs.empty()) fail(ErrorKind::corrupt, "{}: an importance matrix without entries", path);
    return matrix;
}

void write_imatrix(const ImportanceMatrix& matrix, const std::string& path, ImatrixForm form) {
    form == ImatrixForm::gguf ? write_gguf(matrix, path) : write_dat(matrix, path);
}

}  // namespace tinyllm
