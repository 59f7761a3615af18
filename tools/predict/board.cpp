#include "tools/predict/board.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "engine/fail.h"
#include "tinyllm/system.h"
#include "tools/bench_profile.h"
#include "tools/board.h"
#include "tools/json_text.h"
#include "tools/predict/board_files.h"

namespace tinyllm::predict {

namespace {

constexpr const char* kSchema = "tinyllm.board/1";
constexpr double kGiga = 1e9;

/// Reads members, and says which was wrong.
class Reader {
  public:
    Reader(const Json& json, std::string where) : json_(json), where_(std::move(where)) {
        if (!json.is_object()) fail(ErrorKind::corrupt, "{}: expected an object", where_);
    }

    const Json* find(const char* key) const {
        const auto found = json_.find(key);
        return found == json_.end() || found->is_null() ? nullptr : &*found;
    }
    std::string text(const char* key) const {
        const Json* value = find(key);
        if (!value || !value->is_string()) fail(ErrorKind::corrupt, "{}: {}: expected a text", where_, key);
        return value->get<std::string>();
    }
    /// Within (0, 1e15], or 0 where that may be or the key is absent.
    double number(const char* key, bool optional = false) const {
        const Json* value = find(key);
        if (!value && optional) return 0;
        const double x = value && value->is_number() ? value->get<double>() : NAN;
        if (!(x >= 0) || x > 1e15 || (x == 0 && !optional))
            fail(ErrorKind::corrupt, "{}: {}: expected a number above 0", where_, key);
        return x;
    }
    std::vector<Reader> list(const char* key, bool optional = false) const {
        const Json* value = find(key);
        std::vector<Reader> items;
        if (!value && optional) return items;
        if (!value || !value->is_array()) fail(ErrorKind::corrupt, "{}: {}: expected a list", where_, key);
        for (std::size_t i = 0; i < value->size(); ++i)
            items.emplace_back((*value)[i], where_ + ": " + key + " " + std::to_string(i + 1));
        return items;
    }
    std::vector<std::string> texts(const char* key) const {
        std::vector<std::string> lines;
        const Json* value = find(key);
        if (!value) return lines;
        const auto wrong = [&] { fail(ErrorKind::corrupt, "{}: {}: expected a list of texts", where_, key); };
        if (!value->is_array()) wrong();
        for (const Json& line : *value) {
            if (!line.is_string()) wrong();
            lines.push_back(line.get<std::string>());
        }
        return lines;
    }
    const std::string& where() const { return where_; }

  private:
    const Json& json_;
    std::string where_;
};

Rates read_rates(const Reader& json) {
    const double threads = json.number("threads");
    if (threads > kMostThreads || threads != std::floor(threads))
        fail(ErrorKind::corrupt, "{}: threads: expected a whole number up to {}", json.where(), kMostThreads);
    return {.threads = static_cast<int>(threads),
            .read = json.number("read_gb_per_s") * kGiga,
            .f32 = json.number("f32_gflop_per_s") * kGiga,
            .int8 = json.number("int8_gop_per_s") * kGiga,
            .bf16 = json.number("bf16_gflop_per_s", true) * kGiga,
            .meeting_seconds = json.number("meeting_us", true) / 1e6};
}

Json rates_json(const Rates& rates) {
    return {{"threads", rates.threads},
            {"read_gb_per_s", rates.read / kGiga},
            {"f32_gflop_per_s", rates.f32 / kGiga},
            {"int8_gop_per_s", rates.int8 / kGiga},
            {"bf16_gflop_per_s", rates.bf16 > 0 ? Json(rates.bf16 / kGiga) : Json()},
            {"meeting_us", rates.meeting_seconds * 1e6}};
}

/// What so many threads reach. Now and then a neighbour's silence makes a bandwidth too good, and two threads
/// share a core for as long as a measurement takes: the bandwidth is the median of several, the others their
/// best.
Rates measure_rates(int threads, const std::string& cores) {
    constexpr int kTimes = 5;
    std::vector<double> read;
    Rates rates{.threads = threads};
    for (int i = 0; i < kTimes; ++i) {
        read.push_back(measured_read_bandwidth(threads, cores));
        const Limits limits = measure_limits(threads, cores, read.back());
        rates.f32 = std::max(rates.f32, limits.f32);
        rates.int8 = std::max(rates.int8, limits.int8);
        rates.bf16 = std::max(rates.bf16, limits.bf16);
        rates.meeting_seconds =
            i == 0 ? limits.meeting_seconds : std::min(rates.meeting_seconds, limits.meeting_seconds);
    }
    rates.read = quantile(read, 0.5);
    return rates;
}

double between(double a, double b, double share) {
    return a + (b - a) * share;
}

Rates between(const Rates& a, const Rates& b, double share, int threads) {
    return {.threads = threads,
            .read = between(a.read, b.read, share),
            .f32 = between(a.f32, b.f32, share),
            .int8 = between(a.int8, b.int8, share),
            .bf16 = between(a.bf16, b.bf16, share),
            .meeting_seconds = between(a.meeting_seconds, b.meeting_seconds, share)};
}

}  // namespace

Rates Board::rates(int wanted) const {
    Rates below{.threads = 0};
    for (const Rates& point : cpu_rates) {
        if (point.threads >= wanted) {
            const double share =
                static_cast<double>(wanted - below.threads) / (point.threads - below.threads);
            Rates found = between(below, point, share, wanted);
            if (below.threads == 0) found.meeting_seconds = point.meeting_seconds;
            return found;
        }
        below = point;
    }
    return below;  // more threads than were ever measured gain nothing
}

Board parse_board(const std::string& text, const std::string& origin) {
    const Json json = json_from(text, origin);
    const Reader file(json, origin);
    if (const std::string schema = file.text("schema"); schema != kSchema)
        fail(ErrorKind::corrupt, "{}: schema: expected {}, found {}", origin, kSchema, schema);
    Board board;
    board.name = file.text("name");
    board.title = file.text("title");
    board.cpu = file.text("cpu");
    if (const Json* measured = file.find("measured")) {
        if (!measured->is_boolean()) fail(ErrorKind::corrupt, "{}: measured: expected true or false", origin);
        board.measured = measured->get<bool>();
    }
    board.memory_bytes = static_cast<std::int64_t>(file.number("memory_bytes", true));
    board.free_bytes = static_cast<std::int64_t>(file.number("free_bytes", true));
    for (const Reader& rates : file.list("cpu_rates")) board.cpu_rates.push_back(read_rates(rates));
    if (board.cpu_rates.empty()) fail(ErrorKind::corrupt, "{}: cpu_rates: expected one at least", origin);
    for (std::size_t i = 1; i < board.cpu_rates.size(); ++i) {
        if (board.cpu_rates[i].threads <= board.cpu_rates[i - 1].threads)
            fail(ErrorKind::corrupt, "{}: cpu_rates: expected ascending threads", origin);
    }
    board.threads = file.find("threads") ? static_cast<int>(std::min(file.number("threads"), 1e6))
                                         : board.cpu_rates.back().threads;
    if (board.threads < 1 || board.threads > kMostThreads)
        fail(ErrorKind::corrupt, "{}: threads: expected 1 to {}", origin, kMostThreads);
    for (const Reader& mode : file.list("gpu", true)) {
        board.gpu.push_back({.name = mode.text("mode"),
                             .read = mode.number("read_gb_per_s") * kGiga,
                             .f32 = mode.number("f32_gflop_per_s") * kGiga,
                             .tensor = mode.number("tensor_gflop_per_s", true) * kGiga,
                             .read_share = mode.number("read_share"),
                             .f32_share = mode.number("f32_share"),
                             .tensor_share = mode.number("tensor_share", true),
                             .launch_seconds = mode.number("launch_us") / 1e6});
    }
    for (const Reader& share : file.list("shares", true)) {
        const std::string name = share.text("type");
        const std::optional<DType> type = dtype_from_name(name);
        if (!type) fail(ErrorKind::corrupt, "{}: type: no type is spelled {}", share.where(), name);
        board.shares[*type] = {.read = share.number("read"),
                               .stream = share.number("stream"),
                               .product = share.number("product"),
                               .unpack = share.number("unpack", true)};
    }
    board.sources = file.texts("sources");
    board.assumptions = file.texts("assumptions");
    return board;
}

Json board_json(const Board& board) {
    Json rates = Json::array(), shares = Json::array();
    for (const Rates& point : board.cpu_rates) rates.push_back(rates_json(point));
    for (const auto& [type, s] : board.shares) {
        shares.push_back({{"type", dtype_name(type)},
                          {"read", s.read},
                          {"stream", s.stream},
                          {"product", s.product},
                          {"unpack", s.unpack}});
    }
    Json json = {{"schema", kSchema},
                 {"name", board.name},
                 {"title", board.title},
                 {"cpu", board.cpu},
                 {"measured", board.measured},
                 {"memory_bytes", board.memory_bytes},
                 {"free_bytes", board.free_bytes},
                 {"threads", board.threads},
                 {"cpu_rates", rates}};
    if (!shares.empty()) json["shares"] = shares;
    return json;
}

std::vector<std::string> board_names() {
    std::vector<std::string> names;
    for (const BoardFile& file : board_files()) names.emplace_back(file.name);
    return names;
}

Board find_board(const std::string& name) {
    for (const BoardFile& file : board_files()) {
        if (name == file.name) return parse_board(file.text, name + ".json");
    }
    if (name == "this") return measure_board();
    std::error_code error;
    if (std::filesystem::is_regular_file(name, error)) return parse_board(read_file(name), name);
    fail(ErrorKind::not_found, "--board {}: neither a file nor one of {}, this", name,
         fmt::join(board_names(), ", "));
}

Board measure_board(int threads, const std::string& cores) {
    const Placement placement = place_threads(cores, threads);
    const tinyllm::Board machine = read_board();
    Board board;
    board.name = "this";
    board.title = machine.name.empty() ? "this machine" : machine.name;
    board.cpu = machine.cpu + ", kernels " + system_info().live_isa;
    board.measured = true;
    board.memory_bytes = machine.memory_bytes.value_or(0);
    board.free_bytes = available_memory().value_or(0);
    board.threads = placement.threads;
    for (const int n : {1, placement.threads}) {
        if (!board.cpu_rates.empty() && n == 1) continue;
        board.cpu_rates.push_back(measure_rates(n, cores));
    }
    return board;
}

}  // namespace tinyllm::predict
