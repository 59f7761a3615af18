#include "tools/study/page_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <optional>

#include "tools/eval/sha256.h"
#include "tools/study/svg.h"

namespace tinyllm::study {
namespace {

std::string html_cell(const Json& row, const tinyllm::Column& column) {
    const auto found = row.find(column.key);
    return found == row.end() || found->is_null() ? std::string("–") : cell_text(row, column);
}

bool looks_numeric(const std::string& text) {
    const std::size_t at = text.find_first_not_of("+-");
    return at != std::string::npos && std::isdigit(static_cast<unsigned char>(text[at])) != 0;
}

std::optional<double> leading_number(const std::string& text) {
    if (!looks_numeric(text)) return {};
    return std::strtod(text.c_str(), nullptr);
}

// "96.0 ±2.0": the error in the background.
std::string with_quiet_error(const std::string& text) {
    const std::size_t at = text.find(" ±");
    if (at == std::string::npos) return escape_html(text);
    return escape_html(text.substr(0, at)) + " <small>" + escape_html(text.substr(at + 1)) + "</small>";
}

struct ColumnLook {
    bool text = false;
    std::optional<double> most;  // of what stands out
};

std::string html_row(const tinyllm::Table& table, const Json& row, const std::vector<ColumnLook>& looks,
                     const TableLook& look) {
    std::string text = "<tr>";
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        const std::string cell = html_cell(row, table.columns[i]);
        std::string style = looks[i].text ? "l" : "";
        const auto value = leading_number(cell);
        if (!look.best.empty() && looks[i].most && value && *value >= *looks[i].most) style += " best";
        std::string attributes = i == 0 ? " scope=\"row\"" : "";
        if (value && table.columns[i].key == look.bar) {
            style += " bar";
            attributes += fmt::format(" style=\"--v:{:.1f}%\"", std::clamp(*value, 0.0, 100.0));
        }
        if (!style.empty())
            attributes += fmt::format(" class=\"{}\"", style.front() == ' ' ? style.substr(1) : style);
        text += fmt::format("<{0}{1}>{2}</{0}>", i == 0 ? "th" : "td", attributes, with_quiet_error(cell));
    }
    return text + "</tr>\n";
}

}  // namespace

std::string html_table(const tinyllm::Table& table, const std::string& caption, const TableLook& look) {
    const std::size_t body = table.rows.size() - std::min(look.foot, table.rows.size());
    std::vector<ColumnLook> looks;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        const tinyllm::Column& column = table.columns[i];
        ColumnLook one;
        const bool stands_out = std::find(look.best.begin(), look.best.end(), column.key) != look.best.end();
        bool words = false;
        for (std::size_t r = 0; r < body; ++r) {
            const std::string cell = html_cell(table.rows[r], column);
            const auto value = leading_number(cell);
            words = words || (!value && cell != "–" && cell != "not measured");
            if (stands_out && value) one.most = std::max(one.most.value_or(*value), *value);
        }
        one.text = i == 0 || words || column.key == "type" || column.key == "board";
        looks.push_back(one);
    }
    std::string style;
    if (look.sortable) style = look.filter ? "sortable filtered" : "sortable";
    std::string text = fmt::format(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table{1}>"
        "<caption><span>{0}</span></caption>\n<thead><tr>",
        escape_html(caption), style.empty() ? "" : " class=\"" + style + "\"");
    for (std::size_t i = 0; i < table.columns.size(); ++i)
        text += fmt::format("<th scope=\"col\"{}>{}</th>", looks[i].text ? " class=\"l\"" : "",
                            escape_html(table.columns[i].title));
    text += "</tr></thead>\n<tbody>\n";
    for (std::size_t r = 0; r < table.rows.size(); ++r) {
        if (r == body) text += "</tbody>\n<tfoot>\n";
        text += html_row(table, table.rows[r], looks, r < body ? look : TableLook{});
    }
    return text + (body < table.rows.size() ? "</tfoot>" : "</tbody>") + "</table></div>\n";
}

std::string figure(const std::string& svg, const std::string& caption) {
    if (svg.empty()) return "";
    return "<figure><figcaption>" + escape_html(caption) + "</figcaption>" + svg + "</figure>\n";
}

std::string list(const std::vector<std::string>& lines, std::size_t most) {
    if (lines.empty()) return "";
    const std::size_t shown = most == 0 || lines.size() <= most + 1 ? lines.size() : most;
    std::string text = "<ul>\n";
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (i == shown)
            text += fmt::format("</ul>\n<details><summary>{} more</summary><ul>\n", lines.size() - shown);
        text += "<li>" + escape_html(lines[i]) + "</li>\n";
    }
    return text + (shown < lines.size() ? "</ul></details>\n" : "</ul>\n");
}

std::string paragraph(const std::string& text, const std::string& style) {
    return fmt::format("<p{}>{}</p>\n", style.empty() ? "" : " class=\"" + style + "\"", escape_html(text));
}

std::string slug(const std::string& name) {
    std::string text;
    for (char c : name)
        text +=
            std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.' ? c : '-';
    // Names that differ only in what an address cannot hold stay apart.
    if (text != name) text += "-" + eval::sha256_of(name).substr(0, 6);
    return text;
}

std::string model_view(const std::string& model) {
    return "model-" + slug(model);
}

std::string base64_sha256(const std::string& text) {
    static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const std::string hex = eval::sha256_of(text);
    std::vector<unsigned> bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        bytes.push_back(static_cast<unsigned>(std::stoul(hex.substr(i, 2), nullptr, 16)));
    std::string out;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::size_t left = bytes.size() - i;
        const unsigned group =
            (bytes[i] << 16) | ((left > 1 ? bytes[i + 1] : 0) << 8) | (left > 2 ? bytes[i + 2] : 0);
        out += kDigits[group >> 18];
        out += kDigits[(group >> 12) & 63];
        out += left > 1 ? kDigits[(group >> 6) & 63] : '=';
        out += left > 2 ? kDigits[group & 63] : '=';
    }
    return out;
}

}  // namespace tinyllm::study
