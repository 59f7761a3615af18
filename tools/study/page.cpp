// report.html: one page, nothing fetched from anywhere. Every view stands in it as tables and drawings that
// need no script; the script shows one view at a time, sorts, filters, and takes questions apart. What a
// chart shows, a table beside it says.
#include <fmt/format.h>

#include <algorithm>

#include "tools/study/page_parts.h"
#include "tools/study/page_script.h"
#include "tools/study/page_style.h"
#include "tools/study/page_views.h"
#include "tools/study/published.h"
#include "tools/study/report.h"
#include "tools/study/svg.h"

namespace tinyllm::study {
namespace {

// A page that opens at once on a small machine comes before all questions.
constexpr std::size_t kMostQuestionBytes = 1'200'000, kPageReserve = 20'000;

std::string navigation(const Summary& summary, bool boards, bool published) {
    std::string text =
        "<nav aria-label=\"Views\"><details class=\"menu\" open><summary>Contents</summary>\n<ul>";
    const auto item = [&](const std::string& id, const std::string& words) {
        text += fmt::format("<li><a href=\"#{}\">{}</a></li>\n", escape_html(id), escape_html(words));
    };
    item("overview", "Overview");
    for (eval::Protocol protocol : summary.protocols)
        item(std::string(eval::protocol_name(protocol)),
             fmt::format("Protocol {}", eval::protocol_name(protocol)));
    item("questions", "Questions");
    item("power", "Heat and power");
    if (boards) item("boards", "Boards");
    if (published) item("published", "Published figures");
    item("settings", "Board and settings");
    text += "</ul>\n<p class=\"group\">Models</p>\n<ul>";
    for (const std::string& model : summary.models) item(model_view(model), model);
    return text + "</ul></details></nav>\n";
}

}  // namespace

std::string html_report(const Summary& summary, const QuestionTexts& texts) {
    const std::string boards = boards_view(summary), published = published_view(summary);
    const std::string script(kPageScript);
    std::string head =
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta name=\"color-scheme\" content=\"light dark\">\n"
        // Nothing is fetched, and no other script runs, whatever the texts of the questions hold.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
        "'unsafe-inline'; "
        "script-src 'sha256-" +
        base64_sha256(script) +
        "'; base-uri 'none'; form-action 'none'\">\n<title>tinyllm study</title>\n<style>\n";
    head += kPageStyle;
    head +=
        "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#content\">Skip to the content</a>\n<header "
        "class=\"top\">\n<h1>tinyllm study</h1>\n<p>";
    std::string where;
    for (const std::string& board : summary.boards) where += (where.empty() ? "" : " · ") + board;
    if (summary.boards.size() > 3) where = fmt::format("{} boards", summary.boards.size());
    head += escape_html(summary.study.at("date").get<std::string>().substr(0, 10) + " · " + where);
    head += "</p>\n</header>\n<div class=\"columns\">\n" +
            navigation(summary, !boards.empty(), !published.empty()) +
            "<main id=\"content\" tabindex=\"-1\">\n" + overview_view(summary);
    for (eval::Protocol protocol : summary.protocols) head += protocol_view(summary, protocol);
    std::string tail = power_view(summary) + boards + published + settings_view(summary);
    for (const std::string& model : summary.models) tail += model_view_of(summary, model);
    const std::size_t used = head.size() + tail.size() + script.size() + kPageReserve;
    const std::size_t left = used < kMostPageBytes ? kMostPageBytes - used : 0;
    const QuestionData data = question_data(summary, texts, std::min(kMostQuestionBytes, left));
    return head + questions_view(data) + tail +
           "</main>\n</div>\n<script type=\"application/json\" id=\"data\">" + data.json +
           "</script>\n<script>" + script + "</script>\n</body>\n</html>\n";
}

}  // namespace tinyllm::study
