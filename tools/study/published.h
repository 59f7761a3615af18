// The published study's figures beside a study's own: 20 models under the letter protocol, PyTorch in fp32 on
// a Jetson Orin Nano with 8 GB.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "tools/output.h"
#include "tools/study/summary.h"

namespace tinyllm::study {

/// NaN: the study has no figure, most often because the board ran out of memory.
struct PublishedTask {
    double accuracy_percent, ms;
    double peak_gib;  ///< of the GPU, as PyTorch allocated it
};

struct PublishedModel {
    std::string_view hub_id;
    std::array<PublishedTask, 6> tasks;  ///< as published_tasks()
    double size_mib;                     ///< in fp32
};

struct PublishedData {
    std::string_view task;
    std::size_t questions;
};

const std::array<PublishedData, 6>& published_tasks();
const std::vector<PublishedModel>& published_models();

/// The model whose hub id ends in `name`, a revision behind '@' aside, whatever the case; null: none.
const PublishedModel* find_published(std::string_view name);

/// Two-sided p of two shares being one, by the normal approximation with pooled variance; 1 where both are 0
/// or 1.
double two_proportions(std::size_t hits_a, std::size_t n_a, std::size_t hits_b, std::size_t n_b);

/// A row per cell of the study protocol whose model and task the published study has.
tinyllm::Table published_table(const Summary& summary);

/// What differs, in sentences, a model and type each. Accuracies count as different below 5 % by
/// two_proportions(), corrected by Holm for the tasks of a sentence.
std::vector<std::string> words_about_published(const Summary& summary);

}  // namespace tinyllm::study
