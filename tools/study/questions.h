// The report's questions one by one: what each model and type answered, how sure it was, how long it took.
// A page has room for some; those are taken first that say most.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tools/study/summary.h"

namespace tinyllm::study {

struct QuestionText {
    std::string text;
    std::vector<std::string> choices;
};

/// The texts of a task's questions in the order they were asked; empty where they are not to be had.
using QuestionTexts =
    std::function<std::vector<QuestionText>(eval::Protocol protocol, const std::string& task)>;

/// From the files the study read, where they still lie there unchanged.
QuestionTexts texts_of_data(const Summary& summary);

struct QuestionData {
    /// {"entries": [[model, type, protocol, board], ...], "sets": [{"protocol", "task", "title", "n": asked,
    /// "entries": [indices], "questions": [{"i": number, "q": text, "c": [choices], "k": their number, "g":
    /// the right one, "a": answers}]}]}, fit to stand inside <script>. "a" has one record per entry of the
    /// set: the choice answered as one character ('.': none, and nothing behind it), the shares of the
    /// choices but the last as two characters each (share * 4095 in base 64, A-Z a-z 0-9 - _), and the time
    /// as two: (3 + log10 of ms) / 9 * 4095.
    std::string json;
    std::size_t shown = 0, asked = 0;
    bool with_texts = true;  ///< of all that are shown
};

/// Of `most_bytes` at most (and a little for the sets themselves). Within a task those come first on which
/// models or types disagree, then those answered wrongly with the most confidence; tasks take turns.
QuestionData question_data(const Summary& summary, const QuestionTexts& texts, std::size_t most_bytes);

/// JSON that cannot end a <script>, whatever its strings hold.
std::string json_for_script(const Json& document);

/// Share of each choice among all: exp of the scores, made to add up to 1.
std::vector<double> shares_of(const std::vector<double>& scores);

}  // namespace tinyllm::study
