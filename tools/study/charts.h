// The report's figures as SVG.
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

enum class Cost { latency, size };

/// Average accuracy against latency or size, with the line through those no other beats.
std::string front_chart(const Summary& summary, eval::Protocol protocol, Cost cost);

/// Shares of predicted letters as one stacked bar.
std::string share_bar(const CellFigures& cell);

/// The CSS class of a type's and the number of a model's mark: the same in every chart.
std::string type_class(const Summary& summary, const std::string& type);
int model_shape(const Summary& summary, const std::string& model);

/// What the marks and colours stand for. `models`: with their shapes.
std::string legend(const Summary& summary, bool models);

}  // namespace tinyllm::study
