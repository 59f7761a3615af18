// The report's figures as SVG. Each is empty where there is nothing to draw.
#pragma once

#include "tools/study/summary.h"

namespace tinyllm::study {

/// Accuracy of one model per task and type with Wilson's 95 % intervals, the chance line and the best
/// constant answer.
std::string accuracy_chart(const Summary& summary, eval::Protocol protocol, const std::string& model);

/// Milliseconds per question of every model and type: whiskers p5 to p95, box of the middle half, median.
std::string latency_chart(const Summary& summary, eval::Protocol protocol);

/// Weights and peak memory of every model and type.
std::string memory_chart(const Summary& summary, eval::Protocol protocol);

enum class Cost { latency, size, energy };

/// What an answer costs (median ms), or the weights (MiB), or a question (J).
std::optional<double> cost_of(const Entry& entry, Cost cost);
std::string cost_words(Cost cost);

/// Average accuracy against a cost, with the line through those no other beats.
std::string front_chart(const Summary& summary, eval::Protocol protocol, Cost cost);

/// Average accuracy of every model against its bits per weight; `kept`: as a share of the accuracy at the
/// model's widest type.
std::string bits_chart(const Summary& summary, eval::Protocol protocol, bool kept);

/// The same of one model, task by task.
std::string model_bits_chart(const Summary& summary, eval::Protocol protocol, const std::string& model);

/// Power, temperature and clocks of the whole study, process behind process.
std::string power_chart(const Summary& summary);

/// The same of one model, its types above each other from the start of their processes.
std::string model_power_chart(const Summary& summary, const std::string& model);

/// The same model and type on several boards, a row each.
std::string board_chart(const Summary& summary, eval::Protocol protocol, Cost cost);
std::string board_legend(const Summary& summary);

/// Shares of the letters A to D among the answers as one stacked bar, drawn by the page's style.
std::string share_bar(const CellFigures& cell);

/// The CSS class of a type's and the number of a model's mark: the same in every chart.
std::string type_class(const Summary& summary, const std::string& type);
int model_shape(const Summary& summary, const std::string& model);

/// Whether every model has a shape of its own.
bool shapes_tell_models(const Summary& summary);

/// What the marks and colours stand for. `models`: with their shapes.
std::string legend(const Summary& summary, bool models);

}  // namespace tinyllm::study
