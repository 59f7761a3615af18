#include "tools/eval/rows_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "engine/fail.h"
#include "tools/eval/text.h"

namespace tinyllm::eval {
namespace {

namespace fs = std::filesystem;

// Walks the lines of `bytes`; the visitor returns false to stop.
template <typename F>
void for_each_line(const std::string& bytes, F&& visit) {
    std::size_t number = 0;
    for (std::size_t start = 0; start < bytes.size();) {
        std::size_t end = bytes.find('\n', start);
        if (end == std::string::npos) end = bytes.size();
        std::string line = bytes.substr(start, end - start);
        if (!line.empty() && line.back() == '\r') line.pop_back();
        if (!visit(line, ++number)) return;
        start = end + 1;
    }
}

bool blank(const std::string& line) {
    return line.find_first_not_of(" \t\r") == std::string::npos;
}

std::vector<std::string> split_tabs(const std::string& line) {
    std::vector<std::string> cells(1);
    for (char c : line) {
        if (c == '\t') {
            cells.emplace_back();
        } else {
            cells.back() += c;
        }
    }
    return cells;
}

bool is_tsv(const fs::path& path) {
    return path.extension() == ".tsv";
}

std::vector<Row> read_tsv(const std::string& name, const std::string& bytes, std::size_t most) {
    std::vector<Row> rows;
    std::vector<std::string> header;
    for_each_line(bytes, [&](const std::string& line, std::size_t number) {
        if (blank(line)) return true;
        std::vector<std::string> cells = split_tabs(line);
        if (header.empty()) {
            header = cells;
            return true;
        }
        Row row{Json::object(), fmt::format("{}:{}", name, number), ""};
        if (cells.size() != header.size())
            row.bad("columns", fmt::format("{}", header.size()), fmt::format("{}", cells.size()));
        for (std::size_t i = 0; i < cells.size(); ++i) row.json[header[i]] = cells[i];
        rows.push_back(std::move(row));
        return rows.size() < most;
    });
    return rows;
}

// Hugging Face's rows API: {"rows": [{"row_idx": 0, "row": {...}, "truncated_cells": []}, ...]}.
bool is_rows_answer(const Json& value) {
    return value.is_object() && value.contains("rows") && value.at("rows").is_array();
}

void add_rows_answer(const Json& answer, const std::string& place, std::vector<Row>& rows) {
    std::size_t index = 0;
    for (const Json& item : answer.at("rows")) {
        Row row{Json(), fmt::format("{}: rows[{}]", place, index++), ""};
        if (!item.is_object() || !item.contains("row") || !item.at("row").is_object())
            row.bad("row", "an object", describe(item));
        if (item.contains("truncated_cells") && !item.at("truncated_cells").empty())
            row.bad("truncated_cells", "no truncated cell", describe(item.at("truncated_cells")));
        row.json = item.at("row");
        rows.push_back(std::move(row));
    }
}

// A .json file is one value: a rows answer or an array of rows. Everything else is one value per line.
std::vector<Row> read_json(const std::string& name, const std::string& bytes, std::size_t most) {
    std::vector<Row> rows;
    const std::size_t begin = bytes.find_first_not_of(" \t\r\n");
    if (begin != std::string::npos && bytes[begin] == '[') {
        const Json all = json_from(bytes, name);
        for (const Json& item : all) {
            Row row{item, fmt::format("{}: [{}]", name, rows.size()), ""};
            if (!item.is_object()) row.bad("row", "an object", describe(item));
            rows.push_back(std::move(row));
        }
        return rows;
    }
    if (fs::path(name).extension() == ".json") {
        const auto all = json_if(bytes);
        if (all && is_rows_answer(*all)) {
            add_rows_answer(*all, name, rows);
            return rows;
        }
    }
    for_each_line(bytes, [&](const std::string& line, std::size_t number) {
        if (blank(line)) return true;
        const std::string place = fmt::format("{}:{}", name, number);
        Json value = json_from(line, place);
        if (!value.is_object())
            fail(ErrorKind::corrupt, "{}: expected a JSON object, found {}", place, describe(value));
        if (is_rows_answer(value)) {
            add_rows_answer(value, place, rows);
        } else {
            rows.push_back({std::move(value), place, ""});
        }
        return rows.size() < most;
    });
    return rows;
}

void add_labels(const fs::path& path, const fs::path& data, std::vector<Row>& rows) {
    std::vector<std::pair<std::string, std::size_t>> labels;  // and their lines
    for_each_line(read_bytes(path), [&](const std::string& line, std::size_t number) {
        if (std::string label = python_strip(line); !label.empty())
            labels.emplace_back(std::move(label), number);
        return true;
    });
    if (labels.size() != rows.size())
        fail(ErrorKind::corrupt, "{}: expected {} labels, one per row of {}, found {}", path.string(),
             rows.size(), data.string(), labels.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
        rows[i].answer = std::move(labels[i].first);
        rows[i].answer_place = fmt::format("{}:{}", path.string(), labels[i].second);
    }
}

// The first bytes of a file, at most `most`, without a mark of UTF-8.
std::string read_head(const fs::path& path, std::size_t most) {
    std::error_code error;
    if (!fs::exists(path, error)) fail(ErrorKind::not_found, "{}: no such file", path.string());
    if (!fs::is_regular_file(path, error)) fail(ErrorKind::not_found, "{}: not a file", path.string());
    std::ifstream in(path, std::ios::binary);
    if (!in) fail(ErrorKind::not_found, "{}: cannot be opened: {}", path.string(), std::strerror(errno));
    const std::uintmax_t size = fs::file_size(path, error);
    std::string bytes(error ? 0 : static_cast<std::size_t>(std::min<std::uintmax_t>(most, size)), '\0');
    in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    bytes.resize(static_cast<std::size_t>(in.gcount()));
    if (error || in.bad()) fail(ErrorKind::runtime, "{}: cannot be read", path.string());
    if (bytes.rfind("\xef\xbb\xbf", 0) == 0) bytes.erase(0, 3);
    return bytes;
}

}  // namespace

std::string read_bytes(const fs::path& path) {
    return read_head(path, static_cast<std::size_t>(-1));
}

std::vector<Row> read_rows(const fs::path& path, const std::optional<fs::path>& labels) {
    const std::string bytes = read_bytes(path);
    const std::size_t all = static_cast<std::size_t>(-1);
    std::vector<Row> rows =
        is_tsv(path) ? read_tsv(path.string(), bytes, all) : read_json(path.string(), bytes, all);
    if (rows.empty()) fail(ErrorKind::corrupt, "{}: expected rows, found none", path.string());
    if (labels) add_labels(*labels, path, rows);
    return rows;
}

std::optional<Json> first_row(const fs::path& path) {
    // Folders hold other and larger files too: what does not begin with a row costs little time and memory.
    constexpr std::size_t kHead = 1 << 16, kMost = 1 << 26;
    for (const std::size_t most : {kHead, kMost}) {
        bool whole = false;
        try {
            std::string bytes = read_head(path, most);
            whole = fs::file_size(path) <= most;
            if (!whole) bytes.resize(bytes.rfind('\n') + 1);  // nothing, where there is no line
            std::vector<Row> rows =
                is_tsv(path) ? read_tsv(path.string(), bytes, 1) : read_json(path.string(), bytes, 1);
            if (!rows.empty()) return std::move(rows.front().json);
        } catch (const Error&) {
            // Whatever it is, it is not a data file, or one that needs reading on; one that is named
            // explicitly gets its message.
        } catch (const fs::filesystem_error&) {
        }
        if (whole) break;
    }
    return std::nullopt;
}

}  // namespace tinyllm::eval
