#include "tools/study/questions.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tinyllm/error.h"
#include "tools/eval/find_data.h"
#include "tools/eval/sha256.h"
#include "tools/output.h"

namespace tinyllm::study {
namespace {

constexpr std::size_t kMostText = 700, kMostChoice = 240;  // code points

bool begins_code_point(char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
}

// Beginning and end of a long text: what is asked stands at the end.
std::string excerpt(const std::string& text, std::size_t most) {
    const auto length = static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_code_point));
    if (length <= most) return text;
    const std::size_t head = most * 2 / 3, tail = most - head;
    std::size_t begin = 0, end = text.size();
    for (std::size_t n = 0; begin < text.size(); ++begin)
        if (begins_code_point(text[begin]) && n++ == head) break;
    for (std::size_t n = 0; end > 0 && n < tail;)
        if (begins_code_point(text[--end])) ++n;
    return text.substr(0, begin) + " […] " + text.substr(end);
}

std::string without_leading_space(const std::string& text) {
    return text.substr(std::min(text.find_first_not_of(' '), text.size()));
}

QuestionText text_of(const eval::Example& example, eval::Protocol protocol) {
    QuestionText question;
    if (protocol == eval::Protocol::study) {
        question.text = excerpt(example.prompt, kMostText);
        return question;
    }
    const auto& pairs = example.pairs;
    const auto all = [&](auto&& part) {
        return std::all_of(pairs.begin(), pairs.end(),
                           [&](const eval::Pair& pair) { return part(pair) == part(pairs.front()); });
    };
    const bool one_context = all([](const eval::Pair& p) { return p.context; });
    const bool one_continuation = all([](const eval::Pair& p) { return p.continuation; });
    if (one_context && !pairs.empty()) {
        question.text = excerpt(pairs.front().context, kMostText);
    } else if (one_continuation) {
        question.text = "… " + excerpt(without_leading_space(pairs.front().continuation), kMostText);
    }
    for (const eval::Pair& pair : pairs)
        question.choices.push_back(excerpt(one_context        ? without_leading_space(pair.continuation)
                                           : one_continuation ? pair.context
                                                              : pair.context + pair.continuation,
                                           kMostChoice));
    return question;
}

// One task under one protocol.
struct QuestionSet {
    eval::Protocol protocol;
    std::size_t task;
    std::vector<const CellFigures*> cells;
    std::size_t asked = 0;
    std::vector<std::size_t> order;  // the most telling first
    std::vector<QuestionText> texts;
    std::string json;  // of the questions taken, joined by commas
    std::size_t taken = 0;
};

bool usable(const eval::Answer& answer) {
    return !answer.scores.empty() && answer.prediction >= 0 &&
           static_cast<std::size_t>(answer.prediction) < answer.scores.size();
}

// Disagreement counts before confidence in what is wrong.
double interest(const QuestionSet& set, std::size_t question) {
    std::vector<std::size_t> votes;
    std::size_t n = 0;
    double confidence = 0;
    for (const CellFigures* cell : set.cells) {
        if (question >= cell->answers.size()) continue;
        const eval::Answer& answer = cell->answers[question];
        if (!usable(answer)) continue;
        const auto chosen = static_cast<std::size_t>(answer.prediction);
        if (votes.size() <= chosen) votes.resize(chosen + 1);
        ++votes[chosen];
        ++n;
        if (answer.prediction != answer.gold) confidence += shares_of(answer.scores)[chosen];
    }
    if (n == 0) return -1;
    const auto all = static_cast<double>(n);
    return 2 * (1 - static_cast<double>(*std::max_element(votes.begin(), votes.end())) / all) +
           confidence / all;
}

void put_base64(std::string& text, double share) {
    static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const auto value =
        static_cast<unsigned>(std::lround(std::clamp(std::isfinite(share) ? share : 0, 0.0, 1.0) * 4095));
    text += kDigits[value / 64];
    text += kDigits[value % 64];
}

std::string question_json(const QuestionSet& set, std::size_t question, bool& has_text) {
    std::string records;
    std::size_t choices = 0;
    int gold = -1;
    for (const CellFigures* cell : set.cells) {
        if (question >= cell->answers.size() || !usable(cell->answers[question])) continue;
        choices = std::max(choices, cell->answers[question].scores.size());
        gold = cell->answers[question].gold;
    }
    for (const CellFigures* cell : set.cells) {
        const eval::Answer* answer = question < cell->answers.size() ? &cell->answers[question] : nullptr;
        if (!answer || !usable(*answer) || answer->scores.size() != choices || answer->prediction > 9) {
            records += '.';
            continue;
        }
        records += static_cast<char>('0' + answer->prediction);
        const std::vector<double> shares = shares_of(answer->scores);
        for (std::size_t i = 0; i + 1 < shares.size(); ++i) put_base64(records, shares[i]);
        put_base64(records, (3 + std::log10(std::max(answer->ms, 1e-3))) / 9);
    }
    Json json = {{"i", question}, {"k", choices}, {"g", gold}, {"a", records}};
    has_text = question < set.texts.size();
    if (has_text) {
        json["q"] = set.texts[question].text;
        json["c"] = set.texts[question].choices;
    }
    return json_for_script(json);
}

std::vector<QuestionSet> sets_of(const Summary& summary) {
    std::vector<QuestionSet> sets;
    for (eval::Protocol protocol : summary.protocols)
        for (std::size_t t = 0; t < summary.tasks.size(); ++t) {
            QuestionSet set{protocol, t, {}, 0, {}, {}, "", 0};
            for (const CellFigures& cell : summary.cells) {
                if (cell.protocol != protocol || cell.task != summary.tasks[t] || !cell.ok()) continue;
                set.cells.push_back(&cell);
                set.asked = std::max(set.asked, cell.answers.size());
            }
            if (set.asked > 0) sets.push_back(std::move(set));
        }
    return sets;
}

}  // namespace

std::vector<double> shares_of(const std::vector<double>& scores) {
    std::vector<double> shares;
    const double most = *std::max_element(scores.begin(), scores.end());
    double sum = 0;
    for (double score : scores) {
        shares.push_back(std::exp(score - most));
        sum += shares.back();
    }
    for (double& share : shares) share /= sum;
    return shares;
}

std::string json_for_script(const Json& document) {
    std::string text;
    const std::string json = dump_json(document);
    for (std::size_t i = 0; i < json.size(); ++i) {
        const char c = json[i];
        if (c == '<' || c == '>' || c == '&') {
            text += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else if (c == '\xe2' &&
                   (json.compare(i, 3, "\xe2\x80\xa8") == 0 || json.compare(i, 3, "\xe2\x80\xa9") == 0)) {
            text += json[i + 2] == '\xa8' ? "\\u2028" : "\\u2029";
            i += 2;
        } else {
            text += c;
        }
    }
    return text;
}

QuestionTexts texts_of_data(const Summary& summary) {
    return [&summary](eval::Protocol protocol, const std::string& task) -> std::vector<QuestionText> {
        const CellFigures* cell = summary.any(protocol, task);
        if (!cell) return {};
        try {
            eval::DataFile file{cell->data, std::nullopt, true};
            if (eval::sha256_of_file(file.rows) != cell->settings.at("data_sha256")) return {};
            if (!cell->labels.empty()) file.labels = cell->labels;
            const eval::Questions questions = eval::load_questions(eval::find_task(task), protocol, file,
                                                                   cell->settings.at("limit").get<double>());
            if (questions.examples.size() != cell->answers.size()) return {};
            std::vector<QuestionText> texts;
            for (const eval::Example& example : questions.examples)
                texts.push_back(text_of(example, protocol));
            return texts;
        } catch (const std::exception&) {  // the report is of use without them, and says that they are absent
            return {};
        }
    };
}

QuestionData question_data(const Summary& summary, const QuestionTexts& texts, std::size_t most_bytes) {
    QuestionData data;
    std::vector<QuestionSet> sets = sets_of(summary);
    for (QuestionSet& set : sets) {
        data.asked += set.asked;
        set.texts = texts(set.protocol, summary.tasks[set.task]);
        std::vector<double> score(set.asked);
        for (std::size_t i = 0; i < set.asked; ++i) score[i] = interest(set, i);
        set.order.resize(set.asked);
        std::iota(set.order.begin(), set.order.end(), 0u);
        std::stable_sort(set.order.begin(), set.order.end(),
                         [&](std::size_t a, std::size_t b) { return score[a] > score[b]; });
    }
    std::size_t bytes = 0;
    for (std::size_t turn = 0, open = 1; open > 0; ++turn) {
        open = 0;
        for (QuestionSet& set : sets) {
            if (turn >= set.asked) continue;
            bool has_text = false;
            const std::string json = question_json(set, set.order[turn], has_text);
            if (bytes + json.size() + 1 > most_bytes) continue;
            ++open;
            bytes += json.size() + 1;
            set.json += (set.json.empty() ? "" : ",") + json;
            ++set.taken;
            data.with_texts = data.with_texts && has_text;
        }
    }
    Json entries = Json::array();
    for (const Entry& e : summary.entries)
        entries.push_back({e.model, e.type, std::string(eval::protocol_name(e.protocol)), e.board});
    const auto index_of = [&](const CellFigures* cell) {
        std::size_t i = 0;
        while (i < summary.entries.size() &&
               std::find(summary.entries[i].cells.begin(), summary.entries[i].cells.end(), cell) ==
                   summary.entries[i].cells.end())
            ++i;
        return i;
    };
    data.json = "{\"entries\":" + json_for_script(entries) + ",\"sets\":[";
    for (std::size_t s = 0; s < sets.size(); ++s) {
        const QuestionSet& set = sets[s];
        Json indices = Json::array();
        for (const CellFigures* cell : set.cells) indices.push_back(index_of(cell));
        const Json head = {{"protocol", std::string(eval::protocol_name(set.protocol))},
                           {"task", summary.tasks[set.task]},
                           {"title", summary.titles[set.task]},
                           {"n", set.asked},
                           {"entries", indices}};
        std::string text = json_for_script(head);
        text.pop_back();
        data.json += (s ? "," : "") + text + ",\"questions\":[" + set.json + "]}";
        data.shown += set.taken;
    }
    data.json += "]}";
    return data;
}

}  // namespace tinyllm::study
