// A model's recorded answers as a file (schema tinyllm.check/1).
#pragma once

#include <string>
#include <vector>

#include "tinyllm/model.h"
#include "tools/check/answers.h"

namespace tinyllm::check {

struct AnswersFile {
    std::string architecture;
    std::int64_t parameters = 0, vocab_size = 0, context = 0;
    bool encoder_decoder = false;
    std::vector<Answers> runs;  ///< one per precision
};

/// Where a model's answers stand unless told otherwise: inside a folder, beside a file.
std::string answers_path(const std::string& model);

/// JSON, with the machine that wrote it.
void write_answers(const std::string& path, const AnswersFile& file);

/// Throws Error(not_found, corrupt), naming file, place, what was expected and found.
AnswersFile read_answers(const std::string& path);

}  // namespace tinyllm::check
