// Tables for papers: plain LaTeX, since not every house has booktabs.
#include <fmt/format.h>

#include "tools/output.h"

namespace tinyllm {

std::string escape_latex(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const auto byte = static_cast<unsigned char>(c);
        const auto next = [&](std::string_view rest) { return text.substr(i + 1, rest.size()) == rest; };
        if (std::string_view("%&#_${}").find(c) != std::string_view::npos) {
            out += '\\';
            out += c;
        } else if (c == '\\') {
            out += "\\textbackslash{}";
        } else if (c == '~') {
            out += "\\textasciitilde{}";
        } else if (c == '^') {
            out += "\\textasciicircum{}";
        } else if (c == '<') {
            out += "\\textless{}";
        } else if (c == '>') {
            out += "\\textgreater{}";
        } else if (c == '|') {
            out += "\\textbar{}";
        } else if (i == 0 && (c == '[' || c == '*')) {  // behind a line's end they would be its options
            out += fmt::format("{{{}}}", c);
        } else if (byte < 0x20 || byte == 0x7f) {
            out += fmt::format("\\textbackslash{{}}x{:02x}", byte);
        } else if (c == '\xc2' && next("\xb1")) {  // ±
            out += "$\\pm$";
            ++i;
        } else if (c == '\xc2' && next("\xb0")) {  // °
            out += "$^\\circ$";
            ++i;
        } else if (c == '\xe2' && next("\x80\x93")) {  // –
            out += "--";
            i += 2;
        } else if (c == '\xe2' && next("\x80\xa6")) {  // …
            out += "\\ldots{}";
            i += 2;
        } else {
            out += c;  // UTF-8, which LaTeX reads since 2018
        }
    }
    return out;
}

std::string render_latex(const Table& table) {
    std::string letters, head;
    for (const Column& column : table.columns) {
        letters += is_numeric(table, column) ? 'r' : 'l';
        head += (letters.size() > 1 ? " & " : "") + escape_latex(column.title);
    }
    std::string out = "\\begin{tabular}{" + letters + "}\n\\hline\n" + head + " \\\\\n\\hline\n";
    for (const Json& row : table.rows) {
        for (std::size_t i = 0; i < table.columns.size(); ++i)
            out += (i ? " & " : "") + escape_latex(cell_text(row, table.columns[i]));
        out += " \\\\\n";
    }
    return out + "\\hline\n\\end{tabular}\n";
}

}  // namespace tinyllm
