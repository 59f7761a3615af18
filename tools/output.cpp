// Rendering of tables; the files and streams are in output_files.cpp.
#include "tools/output.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

namespace tinyllm {
namespace {

/// Terminal columns, roughly: code points, since table cells hold names and figures.
std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string render_aligned(const Table& table, bool markdown) {
    std::vector<std::vector<std::string>> cells;
    std::vector<std::size_t> widths;
    std::vector<bool> numeric;
    for (const Column& column : table.columns) {
        widths.push_back(std::max<std::size_t>(width(column.title), markdown ? 3 : 0));
        numeric.push_back(is_numeric(table, column));
    }
    for (const Json& row : table.rows) {
        std::vector<std::string>& line = cells.emplace_back();
        for (std::size_t i = 0; i < table.columns.size(); ++i) {
            line.push_back(printable(cell_text(row, table.columns[i]), markdown));
            widths[i] = std::max(widths[i], width(line.back()));
        }
    }
    std::string out;
    const auto put = [&](const std::vector<std::string>& line) {
        std::string text = markdown ? "|" : "";
        for (std::size_t i = 0; i < line.size(); ++i) {
            const std::string pad(widths[i] - width(line[i]), ' ');
            if (markdown) text += ' ';
            text += numeric[i] ? pad + line[i] : line[i] + pad;
            text += markdown ? " |" : (i + 1 < line.size() ? "  " : "");
        }
        while (!text.empty() && text.back() == ' ') text.pop_back();
        out += text + '\n';
    };
    std::vector<std::string> titles;
    for (const Column& column : table.columns) titles.push_back(column.title);
    if (markdown ||
        std::any_of(titles.begin(), titles.end(), [](const std::string& t) { return !t.empty(); })) {
        put(titles);
    }
    if (markdown) {
        out += '|';
        for (std::size_t i = 0; i < widths.size(); ++i) {
            out += ' ' + std::string(widths[i] - 1, '-') + (numeric[i] ? ":" : "-") + " |";
        }
        out += '\n';
    }
    for (const auto& line : cells) put(line);
    return out;
}

/// RFC 4180, with "\n" as line end.
std::string csv_field(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string out = "\"";
    for (char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
    return out + '"';
}

std::string render_csv(const Table& table) {
    std::string out;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        out += (i ? "," : "") + csv_field(table.columns[i].key);
    }
    out += '\n';
    for (const Json& row : table.rows) {
        for (std::size_t i = 0; i < table.columns.size(); ++i) {
            const auto found = row.find(table.columns[i].key);
            if (i) out += ',';
            if (found == row.end() || found->is_null()) continue;
            out += csv_field(found->is_string() ? found->get<std::string>() : dump_json(*found));
        }
        out += '\n';
    }
    return out;
}

}  // namespace

std::string printable(const std::string& text, bool markdown) {
    std::string out;
    for (char c : text) {
        if (c == '\n') {
            out += "\\n";
        } else if (c == '\t') {
            out += "\\t";
        } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
            out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        } else if (markdown && (c == '|' || c == '<')) {
            out += '\\';
            out += c;
        } else {
            out += c;
        }
    }
    return out;
}

std::string cell_text(const Json& row, const Column& column) {
    const auto found = row.find(column.key);
    if (found == row.end() || found->is_null()) return "-";
    if (found->is_string()) return found->get<std::string>();
    if (found->is_boolean()) return found->get<bool>() ? "yes" : "no";
    if (found->is_number_float()) {
        const double value = found->get<double>();
        return std::isfinite(value) ? fmt::format("{:.{}f}", value, column.decimals) : "-";
    }
    return dump_json(*found);
}

bool is_numeric(const Table& table, const Column& column) {
    return std::any_of(table.rows.begin(), table.rows.end(), [&](const Json& row) {
        const auto found = row.find(column.key);
        return found != row.end() && found->is_number();
    });
}

std::string render(const Table& table, Format format) {
    switch (format) {
        case Format::table:
            return render_aligned(table, false);
        case Format::md:
            return render_aligned(table, true);
        case Format::csv:
            return render_csv(table);
        case Format::latex:
            return render_latex(table);
        case Format::json:
            return dump_json_pretty(Json(table.rows)) + '\n';
        case Format::jsonl:
            break;
    }
    std::string out;
    for (const Json& row : table.rows) out += dump_json(row) + '\n';
    return out;
}

std::string dump_json(const Json& document) {
    return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}
std::string dump_json_pretty(const Json& document) {
    return document.dump(2, ' ', false, Json::error_handler_t::replace);
}

std::optional<Format> format_from_name(std::string_view name) {
    static const std::map<std::string_view, Format> names = {
        {"table", Format::table}, {"md", Format::md},     {"csv", Format::csv},
        {"latex", Format::latex}, {"json", Format::json}, {"jsonl", Format::jsonl}};
    const auto found = names.find(name);
    return found == names.end() ? std::nullopt : std::optional(found->second);
}

void add_format_options(CLI::App& app, Format& format) {
    app.add_option_function<std::string>(
           "--format",
           [&format](const std::string& name) {
               const auto found = format_from_name(name);
               if (!found) {
                   throw CLI::ValidationError("--format",
                                              fmt::format("expected {}, found '{}'", kFormatNames, name));
               }
               format = *found;
           },
           std::string("Form of the result: ") + kFormatNames)
        ->type_name("NAME");
    // Added behind --format, so that it has the last word.
    app.add_flag_callback(
           "--json", [&format] { format = Format::json; }, "Short for --format json")
        ->configurable(false);
}

void add_output_options(CLI::App& app, OutputOptions& options) {
    add_format_options(app, options.format);
    app.add_option("-o,--output", options.path, "Write the result to this file instead of standard output")
        ->type_name("PATH");
}

}  // namespace tinyllm
