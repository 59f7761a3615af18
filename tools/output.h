// Results on their way out: tables in every --format, standard output whose failures are noticed, files that
// appear whole.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/json_text.h"

namespace tinyllm {

enum class Format { table, md, csv, latex, json, jsonl };

struct OutputOptions {
    Format format = Format::table;
    std::string path;  ///< empty: standard output
    bool json() const { return format == Format::json || format == Format::jsonl; }
    /// Rounded for reading; the other formats give every row and digit.
    bool for_reading() const {
        return format == Format::table || format == Format::md || format == Format::latex;
    }
};

/// Adds --format and --json.
void add_format_options(CLI::App& app, Format& format);

/// Adds --format, --json and -o/--output.
void add_output_options(CLI::App& app, OutputOptions& options);

struct Column {
    std::string key;    ///< of the rows' objects; also csv's header
    std::string title;  ///< over the column of table, md and latex
    int decimals = 2;   ///< of floating-point cells in table, md and latex
};

/// `rows` are JSON objects. table, md, latex and csv show `columns` (null and absent cells as "-", in csv
/// empty); json and jsonl give the rows whole.
struct Table {
    std::vector<Column> columns;
    std::vector<Json> rows;
};

std::string render(const Table& table, Format format);

/// Text in one line: control characters as \n, \t, \xNN; for Markdown also without a bar or the start of a
/// tag.
std::string printable(const std::string& text, bool markdown = false);

/// A cell as people read it: "-" where it is null or absent, "yes" and "no", floats rounded.
std::string cell_text(const Json& row, const Column& column);
/// Whether a column holds numbers, which are set to the right.
bool is_numeric(const Table& table, const Column& column);

/// A `tabular` of plain LaTeX, no package needed. Names and figures are escaped.
std::string render_latex(const Table& table);
/// Text for LaTeX: its special characters escaped, control characters as \xNN.
std::string escape_latex(std::string_view text);

/// The form called `name`; nothing if there is none. `kFormatNames` says which there are.
std::optional<Format> format_from_name(std::string_view name);
inline constexpr char kFormatNames[] = "table, md, csv, latex, json or jsonl";

/// One line per document. Floats round-trip; non-finite ones become null; invalid UTF-8 becomes U+FFFD.
std::string dump_json(const Json& document);
/// The same, indented for reading.
std::string dump_json_pretty(const Json& document);

/// Fills the standard descriptors that the command was started without, since a file opened next would get
/// their number, and what is printed would go into it. For main(), first.
void hold_standard_descriptors();

/// Thrown when the reader of standard output left; main() ends quietly.
struct ClosedPipe {};

/// Writes to standard output and flushes it. Throws Error(runtime) with the system's reason, or ClosedPipe.
void print(std::string_view text);

/// Flushes what other ways of writing left; throws as print() does. For main().
void finish_standard_output();

/// Writes a file under a temporary name, then renames it. What is no regular file (a pipe, a device) is
/// written in place. Throws Error(runtime) with the path and the system's reason.
void write_file(const std::string& path, std::string_view bytes);

/// The file's bytes, untouched. "-" reads standard input. Throws Error(not_found), or Error(runtime) if it
/// cannot be read.
std::string read_file(const std::string& path);

/// print(), or write_file() where -o was given.
void deliver(const OutputOptions& options, std::string_view text);

}  // namespace tinyllm
