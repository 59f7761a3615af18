#include "tools/hub/download/pull_data.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "engine/fail.h"
#include "tools/eval/rows_file.h"
#include "tools/hub/download/progress.h"
#include "tools/hub/file_lock.h"

namespace tinyllm::hub {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kRowsPerCall = 100;  // the most that the API gives

/// <file>.incomplete: whole lines are rows that need not be fetched again.
class RowsFile {
  public:
    explicit RowsFile(const fs::path& path) : path_(path) {
        fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (fd_ < 0) fail_system("cannot be opened");
        const std::string bytes = eval::read_bytes(path);
        const std::size_t end = bytes.rfind('\n');
        const std::size_t whole = end == bytes.npos ? 0 : end + 1;
        rows_ = static_cast<std::size_t>(std::count(bytes.begin(), bytes.end(), '\n'));
        if (ftruncate(fd_, static_cast<off_t>(whole)) != 0 || lseek(fd_, 0, SEEK_END) < 0)
            fail_system("cannot be cut");
    }
    ~RowsFile() { close(fd_); }
    RowsFile(const RowsFile&) = delete;
    RowsFile& operator=(const RowsFile&) = delete;

    std::size_t rows() const { return rows_; }

    void append(const std::string& lines, std::size_t rows) {
        std::string_view rest = lines;
        while (!rest.empty()) {
            const ssize_t wrote = write(fd_, rest.data(), rest.size());
            if (wrote < 0 && errno == EINTR) continue;
            if (wrote < 0) fail_system("cannot be written");
            rest.remove_prefix(static_cast<std::size_t>(wrote));
        }
        rows_ += rows;
    }

    void commit(const fs::path& target) {
        if (fsync(fd_) != 0) fail_system("cannot be written");
        if (rename(path_.c_str(), target.c_str()) != 0) fail_system("cannot be renamed");
    }

  private:
    [[noreturn]] void fail_system(const char* what) const {
        fail(ErrorKind::not_found, "{} {}: {}", path_.string(), what, std::strerror(errno));
    }
    fs::path path_;
    int fd_ = -1;
    std::size_t rows_ = 0;
};

// One answer of the API: the rows from `first` on, as lines. Throws unless each is the row that was asked
// for, whole, and one the task can read.
std::string read_page(const std::string& text, const eval::Task& task, const std::string& subject,
                      std::size_t first, std::size_t total, std::size_t& count) {
    const Json answer = json_if(text).value_or(Json());
    const auto get = [&](const char* key) { return answer.is_object() ? answer.find(key) : answer.end(); };
    const auto rows = get("rows"), n_total = get("num_rows_total");
    if (!answer.is_object() || rows == answer.end() || n_total == answer.end() || !rows->is_array() ||
        !n_total->is_number_integer())
        fail(ErrorKind::corrupt, "{}: expected rows, the server answers something else", subject);
    if (*n_total != total)
        fail(ErrorKind::corrupt, "{}: expected the {} rows of the official split, the server has {}", subject,
             total, n_total->dump());
    count = rows->size();
    const std::size_t expected = std::min(kRowsPerCall, total - first);
    if (count != expected)
        fail(ErrorKind::corrupt, "{}: expected {} rows from {} on, found {}", subject, expected, first,
             count);
    std::string lines;
    for (std::size_t i = 0; i < count; ++i) {
        const eval::Json& item = (*rows)[i];
        const std::string place = fmt::format("{} row {}", subject, first + i);
        if (!item.is_object() || !item.contains("row") || !item.at("row").is_object() ||
            !item.contains("row_idx") || item.at("row_idx") != first + i)
            fail(ErrorKind::corrupt, "{}: expected a row with its number, found another", place);
        if (item.contains("truncated_cells") && !item.at("truncated_cells").empty())
            fail(ErrorKind::corrupt, "{}: the server shortened it", place);
        const eval::Row row{item.at("row"), place, ""};
        if (task.fits(row.json, eval::Protocol::lm_eval) == 0)
            fail(ErrorKind::corrupt, "{}: expected a question of {}, found other fields", place, task.name);
        task.read(row);
        lines += row.json.dump() + "\n";
    }
    return lines;
}

PulledSplit pull_split(Client& client, const eval::Task& task, const DataSplit& split,
                       const fs::path& folder) {
    const fs::path target = folder / split.file;
    std::error_code error;
    if (fs::exists(target, error)) return {split.file, split.rows, 0};
    const std::string_view name = eval::split_name(split.split);
    const std::string subject = fmt::format("data:{}: {} {} {}", task.name, task.dataset, task.config, name);
    const fs::path incomplete = folder / (split.file + ".incomplete");
    RowsFile file(incomplete);
    if (file.rows() > split.rows)
        fail(ErrorKind::corrupt, "{}: expected at most {} rows, found {}; remove it", incomplete.string(),
             split.rows, file.rows());
    const std::size_t before = file.rows();
    Progress progress(split.file, static_cast<std::int64_t>(split.rows), 1, "rows");
    while (file.rows() < split.rows) {
        const std::string url = client.address(
            fmt::format("/rows?dataset={}&config={}&split={}&offset={}&length={}", url_encode(task.dataset),
                        url_encode(task.config), name, file.rows(), kRowsPerCall));
        std::size_t count = 0;
        const std::string lines =
            read_page(client.get_text(url, subject), task, subject, file.rows(), split.rows, count);
        file.append(lines, count);
        progress.at(static_cast<std::int64_t>(file.rows()));
    }
    file.commit(target);
    return {split.file, split.rows, split.rows - before};
}

}  // namespace

PulledData pull_data(Client& client, const eval::Task& task, DataPart part) {
    PulledData pulled{data_cache() / task.name, {}};
    std::error_code error;
    fs::create_directories(pulled.path, error);
    if (error) fail(ErrorKind::not_found, "{}: cannot be created: {}", pulled.path.string(), error.message());
    FileLock lock(data_cache() / (std::string(task.name) + ".lock"));
    lock.lock(FileLock::Kind::exclusive, check_interrupted);
    for (const DataSplit& split : data_splits(task, part))
        pulled.splits.push_back(pull_split(client, task, split, pulled.path));
    return pulled;
}

PulledData find_data(const eval::Task& task, DataPart part) {
    PulledData found{data_cache() / task.name, {}};
    for (const DataSplit& split : data_splits(task, part)) {
        std::error_code error;
        if (!fs::exists(found.path / split.file, error))
            fail(ErrorKind::not_found, "{}: {} is not there, and HF_HUB_OFFLINE forbids to fetch it",
                 DataKey{std::string(task.name), part}.text(), (found.path / split.file).string());
        found.splits.push_back({split.file, split.rows, 0});
    }
    return found;
}

}  // namespace tinyllm::hub
