// Where the models and questions that come with the project lie.
#pragma once

#include <string>
#include <vector>

namespace tinyllm::study {

/// Paths of the embedded models, sorted. Throws Error(not_found).
std::vector<std::string> embedded_models();

/// The folder of the embedded questions. Throws Error(not_found).
std::string embedded_questions();

}  // namespace tinyllm::study
