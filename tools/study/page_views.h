// The views of the report's page, each a <section> with an id of its own.
#pragma once

#include <string>

#include "tools/study/questions.h"

namespace tinyllm::study {

std::string overview_view(const Summary& summary);
std::string protocol_view(const Summary& summary, eval::Protocol protocol);
std::string model_view_of(const Summary& summary, const std::string& model);
std::string questions_view(const QuestionData& data);
std::string power_view(const Summary& summary);
std::string boards_view(const Summary& summary);     ///< empty for a single board
std::string published_view(const Summary& summary);  ///< empty where nothing was published
std::string settings_view(const Summary& summary);

}  // namespace tinyllm::study
