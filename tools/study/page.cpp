// report.html: one page, nothing fetched from anywhere. What a chart shows, a table beside it says.
#include <fmt/format.h>

#include "tools/eval/table.h"
#include "tools/study/charts.h"
#include "tools/study/page_style.h"
#include "tools/study/published.h"
#include "tools/study/report.h"
#include "tools/study/svg.h"
#include "tools/study/words.h"

namespace tinyllm::study {
namespace {

std::string html_table(const tinyllm::Table& table, const std::string& caption) {
    std::string text = "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"" +
                       escape_html(caption) + "\"><table class=\"sortable\"><caption>" +
                       escape_html(caption) + "</caption><thead><tr>";
    for (const auto& column : table.columns)
        text += fmt::format("<th scope=\"col\">{}</th>", escape_html(column.title));
    text += "</tr></thead><tbody>\n";
    for (const Json& row : table.rows) {
        text += "<tr>";
        bool first = true;
        for (const auto& column : table.columns) {
            const auto found = row.find(column.key);
            std::string cell = "–";
            if (found != row.end() && !found->is_null())
                cell = found->is_string() ? found->get<std::string>()
                       : found->is_number_float()
                           ? fmt::format("{:.{}f}", found->get<double>(), column.decimals)
                           : dump_json(*found);
            text += fmt::format("<{0}{1}>{2}</{0}>", first ? "th" : "td", first ? " scope=\"row\"" : "",
                                escape_html(cell));
            first = false;
        }
        text += "</tr>\n";
    }
    return text + "</tbody></table></div>\n";
}

std::string figure(const std::string& svg, const std::string& caption) {
    if (svg.empty()) return "";
    return "<figure><figcaption>" + escape_html(caption) + "</figcaption>" + svg + "</figure>\n";
}

std::string list(const std::vector<std::string>& lines) {
    std::string text = "<ul>\n";
    for (const std::string& line : lines) text += "<li>" + escape_html(line) + "</li>\n";
    return text + "</ul>\n";
}

// Rows: model and type; columns: tasks; cells: shares of the predicted letters.
std::string letters_table(const Summary& summary) {
    std::string text =
        "<h3>Letters predicted</h3>\n<p>A model that answers one letter whatever the question gets that "
        "letter's share of the right "
        "answers; the accuracy of the best constant answer is in the table above.</p>\n<ul class=\"legend\">";
    for (int i = 0; i < 4; ++i) {
        Svg svg(14, 14, "", "");
        svg.rect(1, 2, 11, 10, fmt::format("l{}", i));
        text += fmt::format("<li>{}{}</li>", svg.str(), static_cast<char>('A' + i));
    }
    text +=
        "</ul>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Letters "
        "predicted\"><table><thead><tr>"
        "<th scope=\"col\">model</th><th scope=\"col\">type</th>";
    for (const std::string& title : summary.titles)
        text += fmt::format("<th scope=\"col\">{}</th>", escape_html(title));
    text += "</tr></thead><tbody>\n";
    for (const Entry* e : summary.of(eval::Protocol::study)) {
        text += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td>", escape_html(e->model),
                            escape_html(e->type));
        for (const CellFigures* cell : e->cells) {
            if (cell->ok()) {
                text += "<td class=\"share\">" + share_bar(*cell) + "<span>" +
                        escape_html(eval::letter_shares(Json(cell->figures.predicted))) + "</span></td>";
            } else {
                text += "<td>" + escape_html(cell->status) + "</td>";
            }
        }
        text += "</tr>\n";
    }
    return text + "</tbody></table></div>\n";
}

std::string protocol_section(const Summary& summary, eval::Protocol protocol) {
    const std::string name(eval::protocol_name(protocol));
    std::string text = fmt::format("<section id=\"{0}\">\n<h2>Protocol <code>{0}</code></h2>\n<p>{1}</p>\n",
                                   name, escape_html(protocol_words(protocol)));
    text += list(words_about_figures(summary, protocol));
    text +=
        html_table(accuracy_table(summary, protocol), "Accuracy in % ± one standard error; protocol " + name);
    text +=
        html_table(cost_table(summary, protocol), "Latency per question, memory and size; protocol " + name);
    text += "<h3>Accuracy per task</h3>\n" + legend(summary, false) +
            "<p class=\"key\">Bars: 95 % intervals (Wilson). <span class=\"k chance\"></span> chance "
            "<span class=\"k constant\"></span> best constant answer</p>\n<div class=\"grid\">\n";
    for (const std::string& model : summary.models)
        text += figure(accuracy_chart(summary, protocol, model), model);
    text += "</div>\n";
    if (protocol == eval::Protocol::study) text += letters_table(summary);
    text += "<h3>Latency, memory and size</h3>\n" + legend(summary, false) + "<div class=\"grid\">\n";
    text += figure(latency_chart(summary, protocol),
                   "Latency: box is the middle half of all questions, whiskers 5th to 95th percentile");
    text += figure(memory_chart(summary, protocol),
                   "Full bar: weights. Light bar: peak resident memory of the process");
    text += "</div>\n<h3>What accuracy costs</h3>\n" + legend(summary, true) + "<div class=\"grid\">\n";
    text += figure(front_chart(summary, protocol, Cost::latency),
                   "Accuracy and latency; the line joins what no other beats in both");
    text += figure(front_chart(summary, protocol, Cost::size),
                   "Accuracy and size; the line joins what no other beats in both");
    return text + "</div>\n</section>\n";
}

std::string published_section(const Summary& summary) {
    const tinyllm::Table table = published_table(summary);
    if (table.rows.empty()) return "";
    return "<section id=\"published\">\n<h2>Beside the published figures</h2>\n<p>The same questions in the "
           "Tiny LLM study: PyTorch "
           "in fp32 on a Jetson Orin Nano with 8 GB. Its memory is the GPU's, ours the whole "
           "process's.</p>\n" +
           list(words_about_published(summary)) +
           html_table(table, "Published and measured, protocol study") + "</section>\n";
}

std::string fact_rows(const Json& facts) {
    std::string text;
    for (const auto& [key, value] : facts.items()) {
        std::string shown = value.is_string() ? value.get<std::string>()
                            : value.is_null() ? std::string("not known")
                                              : dump_json(value);
        text += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", escape_html(key),
                            escape_html(shown));
    }
    return text;
}

std::string settings_section(const Summary& summary) {
    const Json& study = summary.study;
    std::string text =
        "<section id=\"settings\">\n<h2>Board and settings</h2>\n<div class=\"scroll\"><table "
        "class=\"facts\"><tbody>\n";
    text += fact_rows(study.at("machine"));
    Json settings = {{"date", study.at("date")}, {"limit", study.at("limit")}, {"exact", study.at("exact")}};
    if (settings["limit"].is_null()) settings["limit"] = "all questions of the protocol";
    std::string backends;
    for (const Entry& e : summary.entries)
        if (!e.backend.empty() && backends.find(e.backend) == std::string::npos)
            backends += (backends.empty() ? "" : "; ") + e.backend;
    settings["backend"] = backends;
    text += fact_rows(settings) + "</tbody></table></div>\n";
    tinyllm::Table models;
    models.columns = {{"name", "model"},
                      {"architecture", "architecture"},
                      {"parameters", "parameters"},
                      {"file_bytes", "bytes on disk"},
                      {"sha256", "sha256"}};
    for (Json model : study.at("models")) {
        for (const CellFigures& cell : summary.cells)
            if (cell.model == model.at("name") && !cell.load.is_null()) {
                model["architecture"] = cell.load.at("architecture");
                model["parameters"] = cell.load.at("parameters");
            }
        model["sha256"] = model.at("sha256").get<std::string>().substr(0, 16) + "…";
        models.rows.push_back(std::move(model));
    }
    text += html_table(models, "Models");
    std::vector<std::string> missing;
    for (const CellFigures& cell : summary.cells)
        if (!cell.ok())
            missing.push_back(fmt::format("{} {} {} {}: {}: {}", eval::protocol_name(cell.protocol),
                                          cell.model, cell.type, cell.task, cell.status, cell.reason));
    if (!missing.empty()) text += "<h3>Cells without a figure</h3>\n" + list(missing);
    return text + "</section>\n";
}

}  // namespace

std::string html_report(const Summary& summary) {
    std::string text =
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta "
        "name=\"color-scheme\" content=\"light dark\">\n"
        "<title>tinyllm study</title>\n<style>\n";
    text += kPageStyle;
    text += "</style>\n</head>\n<body>\n<main>\n<header>\n<h1>tinyllm study</h1>\n";
    for (const std::string& line : words_about_run(summary))
        text += "<p class=\"lead\">" + escape_html(line) + "</p>\n";
    text += "<nav>";
    for (eval::Protocol protocol : summary.protocols)
        text += fmt::format("<a href=\"#{0}\">Protocol {0}</a>", eval::protocol_name(protocol));
    text += "<a href=\"#settings\">Board and settings</a></nav>\n</header>\n";
    for (eval::Protocol protocol : summary.protocols) text += protocol_section(summary, protocol);
    text += published_section(summary);
    text += settings_section(summary);
    text += "</main>\n<script>\n";
    text += kPageScript;
    return text + "</script>\n</body>\n</html>\n";
}

}  // namespace tinyllm::study
