#include "tools/study/journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <cstring>

#include "engine/fail.h"
#include "tools/eval/rows_file.h"
#include "tools/eval/sha256.h"
#include "tools/output.h"

namespace tinyllm::study {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostQuestions = 10'000'000;

Json answer_json(std::size_t index, const eval::Answer& answer) {
    Json greedy = Json::array();
    for (bool g : answer.greedy) greedy.push_back(g ? 1 : 0);
    return {{"i", index},
            {"scores", answer.scores},
            {"greedy", greedy},
            {"prediction", answer.prediction},
            {"prediction_norm", answer.prediction_norm},
            {"gold", answer.gold},
            {"ms", answer.ms},
            {"cut", answer.cut},
            {"tokens", answer.tokens}};
}

eval::Answer answer_from(const Json& line) {
    eval::Answer answer;
    answer.scores = line.at("scores").get<std::vector<double>>();
    for (const Json& g : line.at("greedy")) answer.greedy.push_back(g.get<int>() != 0);
    answer.prediction = line.at("prediction").get<int>();
    answer.prediction_norm = line.at("prediction_norm").get<int>();
    answer.gold = line.at("gold").get<int>();
    answer.ms = line.at("ms").get<double>();
    answer.cut = line.at("cut").get<std::size_t>();
    answer.tokens = line.at("tokens").get<std::size_t>();
    const auto n = static_cast<int>(answer.scores.size());
    auto in_range = [n](int choice, int low) { return choice >= low && choice < n; };
    if (n == 0 || answer.greedy.size() != answer.scores.size() || !in_range(answer.prediction, 0) ||
        !in_range(answer.prediction_norm, 0) || !in_range(answer.gold, -1))
        throw std::invalid_argument("choices out of range");
    return answer;
}

void take_line(JournalState& state, const Json& line, bool first) {
    if (first) {
        if (line.at("schema") != "tinyllm.journal/1") throw std::invalid_argument("unknown schema");
        line.at("key").get<std::string>();
        state.header = line;
    } else if (line.contains("load")) {
        state.load = line.at("load");
    } else if (line.contains("end")) {
        line.at("end").get<std::string>();
        state.end = line;
    } else {
        const auto index = line.at("i").get<std::size_t>();
        if (index >= kMostQuestions) throw std::invalid_argument("question number out of range");
        if (state.answers.size() <= index) state.answers.resize(index + 1);
        if (state.answers[index]) throw std::invalid_argument("the question was answered before");
        state.answers[index] = answer_from(line);
        ++state.answered;
    }
}

// One that was set aside before stays.
fs::path free_stale_name(const fs::path& path) {
    std::error_code error;
    fs::path name = path.string() + ".stale";
    for (int i = 2; fs::exists(name, error); ++i) name = fmt::format("{}.{}.stale", path.string(), i);
    return name;
}

}  // namespace

std::string file_name(const std::string& text) {
    std::string name;
    for (unsigned char c : text) name += std::isalnum(c) || c == '-' || c == '_' ? static_cast<char>(c) : '_';
    // Two names that differ only in what a file name cannot hold stay apart.
    if (name != text) name += "-" + eval::sha256_of(text).substr(0, 8);
    return name;
}

fs::path journal_root(const fs::path& results, const std::string& board, std::size_t boards) {
    return boards > 1 ? results / "boards" / file_name(board) : results;
}

std::string JournalState::status() const {
    return ended() ? end.at("end").get<std::string>() : std::string();
}

std::optional<JournalState> read_journal(const fs::path& path) {
    std::error_code error;
    if (!fs::exists(path, error)) return std::nullopt;
    const std::string bytes = eval::read_bytes(path);
    JournalState state;
    std::size_t number = 0;
    for (std::size_t start = 0; start < bytes.size();) {
        const std::size_t end = bytes.find('\n', start);
        if (end == std::string::npos) break;  // torn
        ++number;
        try {
            const auto line = json_if(std::string_view(bytes).substr(start, end - start));
            if (!line) throw std::invalid_argument("no JSON");
            take_line(state, *line, number == 1);
        } catch (const std::exception& problem) {
            fail(ErrorKind::corrupt,
                 "{}:{}: expected a journal line, found {}; remove the file or use --fresh", path.string(),
                 number, json_reason(problem));
        }
        start = end + 1;
        state.valid_bytes = start;
    }
    if (state.header.is_null()) return std::nullopt;
    return state;
}

std::string journal_text(const JournalState& state) {
    std::string text = dump_json(state.header) + "\n";
    if (!state.load.is_null()) text += dump_json({{"load", state.load}}) + "\n";
    for (std::size_t i = 0; i < state.answers.size(); ++i)
        if (state.answers[i]) text += dump_json(answer_json(i, *state.answers[i])) + "\n";
    if (state.ended()) text += dump_json(state.end) + "\n";
    return text;
}

Journal::Journal(const fs::path& path, const std::string& cell, const Json& settings) : path_(path) {
    const std::string key = eval::sha256_of(cell + "\n" + dump_json(settings)).substr(0, 16);
    auto found = read_journal(path);
    if (found && found->header.at("key") != key) {
        std::error_code error;
        fs::rename(path, free_stale_name(path), error);
        if (error) fail(ErrorKind::runtime, "{}: cannot be renamed: {}", path.string(), error.message());
        found.reset();
        was_stale_ = true;
    }
    if (found) state_ = std::move(*found);
    file_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (file_ < 0) fail(ErrorKind::runtime, "{}: cannot be written: {}", path.string(), std::strerror(errno));
    if (::ftruncate(file_, static_cast<off_t>(state_.valid_bytes)) != 0)
        fail(ErrorKind::runtime, "{}: cannot be shortened: {}", path.string(), std::strerror(errno));
    if (state_.header.is_null()) {
        state_.header = {
            {"schema", "tinyllm.journal/1"}, {"cell", cell}, {"key", key}, {"settings", settings}};
        append(state_.header);
    }
}

Journal::~Journal() {
    if (file_ >= 0) ::close(file_);
}

void Journal::append(const Json& line) {
    const std::string text = dump_json(line) + "\n";
    std::size_t done = 0;
    while (done < text.size()) {  // one write but for a full disk or a signal
        const ssize_t n = ::write(file_, text.data() + done, text.size() - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0)
            fail(ErrorKind::runtime, "{}: cannot be written: {}", path_.string(), std::strerror(errno));
        done += static_cast<std::size_t>(n);
    }
}

void Journal::add_load(const Json& facts) {
    append({{"load", facts}});
}

void Journal::add_answer(std::size_t index, const eval::Answer& answer) {
    append(answer_json(index, answer));
}

void Journal::add_end(const std::string& status, const std::string& reason, const Json& facts) {
    Json line = {{"end", status}, {"reason", reason}};
    line.update(facts);
    append(line);
    ::fsync(file_);
}

fs::path journal_path(const fs::path& results, const std::string& model, const std::string& type,
                      const std::string& protocol, const std::string& task) {
    return results / "journal" / (file_name(model) + "." + type + "." + protocol + "." + task + ".jsonl");
}

}  // namespace tinyllm::study
