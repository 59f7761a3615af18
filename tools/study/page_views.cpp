#include "tools/study/page_views.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/study/charts.h"
#include "tools/study/page_parts.h"
#include "tools/study/published.h"
#include "tools/study/report.h"
#include "tools/study/svg.h"
#include "tools/study/units.h"
#include "tools/study/words.h"

namespace tinyllm::study {
namespace {

std::string open_view(const std::string& id, const std::string& heading) {
    return fmt::format(
        "<section class=\"view\" id=\"{0}\" aria-labelledby=\"{0}-h\">\n<h2 id=\"{0}-h\" "
        "tabindex=\"-1\">{1}</h2>\n",
        escape_html(id), escape_html(heading));
}

std::string grid(const std::string& figures, const char* style = "grid") {
    return figures.empty() ? "" : fmt::format("<div class=\"{}\">\n{}</div>\n", style, figures);
}

// Why an energy chart is absent where the others stand.
std::string energy_absence(const Summary& summary, eval::Protocol protocol) {
    const auto entries = summary.of(protocol);
    const bool any = std::any_of(entries.begin(), entries.end(),
                                 [](const Entry* e) { return e->joules_per_question && e->average; });
    return any ? ""
               : paragraph(
                     "Energy was not measured on this board, so there is no chart of accuracy against "
                     "joules.",
                     "key");
}

std::string fronts(const Summary& summary, eval::Protocol protocol) {
    std::string text = legend(summary, true);
    if (!shapes_tell_models(summary))
        text += paragraph(
            "Marks on the line are named; the filter brings out a model's, and pointing at a mark names it.",
            "key");
    text += grid(figure(front_chart(summary, protocol, Cost::latency),
                        "Accuracy and latency; the line joins what no other beats in both") +
                     figure(front_chart(summary, protocol, Cost::size),
                            "Accuracy and size; the line joins what no other beats in both") +
                     figure(front_chart(summary, protocol, Cost::energy),
                            "Accuracy and energy; the line joins what no other beats in both"),
                 "grid three");
    return text + energy_absence(summary, protocol);
}

std::vector<std::string> task_columns(const Summary& summary) {
    std::vector<std::string> keys = summary.tasks;
    keys.push_back("average");
    return keys;
}

// The rows of one model.
tinyllm::Table of_model(tinyllm::Table table, const std::string& model) {
    std::erase_if(table.rows, [&](const Json& row) { return row.value("model", "") != model; });
    if (!table.columns.empty()) table.columns.erase(table.columns.begin());
    return table;
}

// "A 91% B 9%": the letters that are answered.
std::string letter_words(const CellFigures& cell) {
    std::string text;
    for (std::size_t i = 0; i < cell.figures.predicted.size(); ++i)
        if (const double share = 100 * cell.figures.predicted[i]; share >= 0.5)
            text += fmt::format("{}{} {:.0f}%", text.empty() ? "" : " ", static_cast<char>('A' + i), share);
    return text;
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
        "predicted\"><table class=\"filtered\"><caption><span>Share of each letter among the answers; "
        "protocol "
        "study</span></caption>\n<thead><tr>"
        "<th scope=\"col\" class=\"l\">model</th><th scope=\"col\" class=\"l\">type</th>";
    for (const std::string& title : summary.titles)
        text += fmt::format("<th scope=\"col\">{}</th>", escape_html(title));
    text += "</tr></thead>\n<tbody>\n";
    for (const Entry* e : summary.of(eval::Protocol::study)) {
        // Letters are the model's, not the board's.
        if (summary.several_boards() && e != summary.find(e->protocol, e->model, e->type)) continue;
        text += fmt::format("<tr><th scope=\"row\" class=\"l\">{}</th><td class=\"l\">{}</td>",
                            escape_html(e->model), escape_html(e->type));
        for (const CellFigures* cell : e->cells) {
            if (cell->ok()) {
                text += "<td class=\"share\">" + share_bar(*cell) + "<small>" + letter_words(*cell) +
                        "</small></td>";
            } else {
                text += "<td>" + escape_html(cell->status) + "</td>";
            }
        }
        text += "</tr>\n";
    }
    return text + "</tbody></table></div>\n";
}

std::string fact_rows(const Json& facts) {
    std::string text;
    for (const auto& [key, value] : facts.items()) {
        const std::string shown = value.is_string() ? value.get<std::string>()
                                  : value.is_null() ? std::string("not known")
                                                    : dump_json(value);
        text += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", escape_html(key),
                            escape_html(shown));
    }
    return text;
}

std::string facts_table(const std::string& rows, const std::string& name) {
    return "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"" + escape_html(name) +
           "\"><table class=\"facts\"><caption><span>" + escape_html(name) + "</span></caption><tbody>\n" +
           rows + "</tbody></table></div>\n";
}

std::string model_facts(const Summary& summary, const std::string& model) {
    std::string text;
    for (const CellFigures& cell : summary.cells)
        if (cell.model == model && cell.load.is_object()) {
            text = fmt::format("{}, {:.4g} million parameters, context of {} tokens",
                               cell.load.value("architecture", "unknown architecture"),
                               1e-6 * cell.load.value("parameters", 0.0), cell.load.value("context", 0));
            break;
        }
    for (const Json& one : summary.study.at("models")) {
        if (one.at("name") != model) continue;
        text += fmt::format("{}{:.2f} MiB on disk; sha256 begins with {}", text.empty() ? "" : "; ",
                            megabytes(one.value("file_bytes", std::int64_t{0})),
                            one.at("sha256").get<std::string>().substr(0, 16));
    }
    return text + ".";
}

}  // namespace

std::string overview_view(const Summary& summary) {
    std::string text = open_view("overview", "Overview");
    for (const std::string& line : words_about_run(summary)) text += paragraph(line, "lead");
    for (eval::Protocol protocol : summary.protocols) {
        const std::string name(eval::protocol_name(protocol));
        text +=
            fmt::format("<h3>Protocol <code>{}</code></h3>\n", name) + paragraph(protocol_words(protocol));
        // What the models do comes first; what their types change is in the drawings as well.
        text +=
            list(words_about_figures(summary, protocol), std::min<std::size_t>(summary.models.size(), 4) + 1);
        text += html_table(glance_table(summary, protocol), "At a glance; protocol " + name,
                           {.bar = "average", .best = {"average"}});
        text += fronts(summary, protocol);
    }
    return text + "</section>\n";
}

std::string protocol_view(const Summary& summary, eval::Protocol protocol) {
    const std::string name(eval::protocol_name(protocol));
    std::string text = open_view(name, "Protocol " + name) + paragraph(protocol_words(protocol), "lead");
    text += "<h3>Accuracy</h3>\n" + html_table(accuracy_table(summary, protocol),
                                               "Accuracy in % ± one standard error; protocol " + name,
                                               {.foot = 2, .best = task_columns(summary)});
    text += paragraph(
        "The largest figure of a column stands out. Intervals per task are drawn in the models' own views.",
        "key");
    if (protocol == eval::Protocol::study) text += letters_table(summary);

    text += "<h3>What fewer bits per weight cost</h3>\n";
    const std::string curves =
        figure(bits_chart(summary, protocol, false),
               "Average accuracy of every model by its bits per weight") +
        figure(bits_chart(summary, protocol, true), "Accuracy kept, of that at the widest type");
    if (curves.empty()) {
        text += paragraph("No model was measured at two weight types.");
    } else {
        text += legend(summary, true) + grid(curves);
        text += html_table(
            bits_table(summary, protocol),
            "Size, accuracy and speed beside the model's widest type, on the same questions; protocol " +
                name,
            {.best = {}});
    }
    text += "<h3>Latency, memory and size</h3>\n" + legend(summary, false);
    text += grid(figure(latency_chart(summary, protocol),
                        "Latency: box is the middle half of all questions, whiskers 5th to 95th percentile") +
                 figure(memory_chart(summary, protocol),
                        "Full bar: weights. Light bar: peak resident memory of the process"));
    text +=
        html_table(cost_table(summary, protocol), "Latency per question, memory and size; protocol " + name);
    return text + "</section>\n";
}

std::string model_view_of(const Summary& summary, const std::string& model) {
    std::string text = open_view(model_view(model), model) + paragraph(model_facts(summary, model), "lead") +
                       legend(summary, false);
    if (summary.several_boards())
        text += paragraph("Drawings of accuracy are those of the first board that has figures: " +
                              summary.boards.front() + ".",
                          "key");
    for (eval::Protocol protocol : summary.protocols) {
        const std::string name(eval::protocol_name(protocol));
        text += fmt::format("<h3>Protocol <code>{}</code></h3>\n", name) +
                "<p class=\"key\">Bars: 95 % intervals (Wilson). <span class=\"k chance\"></span> chance "
                "<span class=\"k constant\"></span> best constant answer</p>\n";
        text +=
            grid(figure(accuracy_chart(summary, protocol, model), "Accuracy per task") +
                 figure(model_bits_chart(summary, protocol, model), "Accuracy per task by bits per weight"));
        text += html_table(of_model(accuracy_table(summary, protocol), model),
                           fmt::format("{}: accuracy in % ± one standard error; protocol {}", model, name),
                           {.best = task_columns(summary), .filter = false});
        text += html_table(of_model(cost_table(summary, protocol), model),
                           fmt::format("{}: latency per question, memory and size; protocol {}", model, name),
                           {.filter = false});
        text += "<p class=\"ask\">Question by question:";
        for (std::size_t t = 0; t < summary.tasks.size(); ++t)
            text += fmt::format(" <a href=\"#questions\" data-to=\"{}/{}/{}\">{}</a>", name,
                                escape_html(summary.tasks[t]), escape_html(model),
                                escape_html(summary.titles[t]));
        text += "</p>\n";
    }
    text += "<h3>Heat and power over time</h3>\n";
    const std::string chart = model_power_chart(summary, model);
    text += chart.empty()
                ? paragraph("Not measured: no sensor was read while this model answered.")
                : grid(figure(chart, "From the start of each type's process; dashed: power at rest"));
    return text + "</section>\n";
}

std::string questions_view(const QuestionData& data) {
    std::string text = open_view("questions", "Questions");
    std::string words =
        data.shown == data.asked
            ? fmt::format("All {} questions of the study", data.asked)
            : fmt::format(
                  "{} of the study's {} questions, each task's first that say most: those on which models "
                  "or types disagree, then those answered wrongly with the most confidence",
                  data.shown, data.asked);
    words +=
        ". Each with what every model and type answered, the shares of the choices (of lm-eval their "
        "likelihoods, of study the "
        "letters' logits, made to add up to one), and the time it took. The journals in the folder journal/ "
        "hold every "
        "answer.";
    text += paragraph(words, "lead");
    if (!data.with_texts && data.shown > 0)
        text += paragraph(
            "Texts are missing: they were left out, or the data files were not at hand, or were others, when "
            "this report was written.",
            "key");
    text +=
        "<noscript><p>Taking questions apart needs JavaScript; everything else on this page does "
        "without.</p></noscript>\n"
        "<div id=\"explorer\"></div>\n</section>\n";
    return text;
}

std::string power_view(const Summary& summary) {
    std::string text = open_view("power", "Heat and power");
    bool any = false;
    const std::string chart = power_chart(summary);
    if (!chart.empty()) {
        any = true;
        text += paragraph(
            "The study from its first process to its last; time in which nothing was asked is left out. A "
            "row of "
            "ticks below the temperature marks moments at which the board was held back.",
            "lead");
        text += legend(summary, false) + "<div class=\"wide\">" +
                figure(chart, "Dashed upright: the next model. Dashed across: power at rest") + "</div>\n";
    }
    for (eval::Protocol protocol : summary.protocols) {
        const tinyllm::Table table = energy_table(summary, protocol);
        if (table.rows.empty()) continue;
        any = true;
        text += html_table(table,
                           fmt::format("Energy, power and heat; protocol {}", eval::protocol_name(protocol)));
    }
    if (!any)
        text += paragraph(
            "Not measured: this board has no sensor of power, temperature or throttling that could be read. "
            "`tinyllm info` lists what there is, and what refused and why.");
    return text + "</section>\n";
}

std::string boards_view(const Summary& summary) {
    if (!summary.several_boards()) return "";
    std::string text = open_view("boards", "Boards");
    text += paragraph(fmt::format("{} boards ran this study. The same model and type answer the same "
                                  "questions on each; what differs is "
                                  "time and energy, and accuracy only by rounding.",
                                  summary.boards.size()),
                      "lead");
    for (eval::Protocol protocol : summary.protocols) {
        const std::string name(eval::protocol_name(protocol));
        text += fmt::format("<h3>Protocol <code>{}</code></h3>\n", name) + board_legend(summary);
        text += grid(
            figure(board_chart(summary, protocol, Cost::latency), "Median time of a question on each board") +
            figure(board_chart(summary, protocol, Cost::energy), "Joules of a question on each board"));
        text += html_table(boards_table(summary, protocol),
                           "The same model and type on every board; protocol " + name);
    }
    return text + "</section>\n";
}

std::string published_view(const Summary& summary) {
    const tinyllm::Table table = published_table(summary);
    if (table.rows.empty()) return "";
    return open_view("published", "Beside the published figures") +
           paragraph(
               "The same questions in the Tiny LLM study: PyTorch in fp32 on a Jetson Orin Nano with 8 GB. "
               "Its memory is "
               "the GPU's, ours the whole process's.",
               "lead") +
           list(words_about_published(summary), 10) +
           html_table(table, "Published and measured, protocol study") + "</section>\n";
}

std::string settings_view(const Summary& summary) {
    const Json& study = summary.study;
    std::string text = open_view("settings", "Board and settings");
    const Json boards = study.value("boards", Json::array());
    for (const Json& board : boards)
        text += facts_table(fact_rows(board.at("machine")), board.at("board").get<std::string>());
    if (boards.empty()) text += facts_table(fact_rows(study.at("machine")), "Board");
    Json settings = {{"date", study.at("date")}, {"limit", study.at("limit")}, {"exact", study.at("exact")}};
    if (settings["limit"].is_null()) settings["limit"] = "all questions of the protocol";
    std::string backends;
    for (const Entry& e : summary.entries)
        if (!e.backend.empty() && backends.find(e.backend) == std::string::npos)
            backends += (backends.empty() ? "" : "; ") + e.backend;
    settings["backend"] = backends;
    text += facts_table(fact_rows(settings), "Settings");
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
    if (!missing.empty()) text += "<h3>Cells without a figure</h3>\n" + list(missing, 20);
    return text + "</section>\n";
}

}  // namespace tinyllm::study
