// Results folders of several machines, or of several shards, as one.
#pragma once

#include <string>
#include <vector>

namespace tinyllm::study {

/// Joins the journals of `folders` in `out` and writes its study.json. What one board answered under one
/// setting is the union of the folders' answers; boards stay apart. `out` must be no input, and new, empty of
/// journals, or an earlier merge. Nothing is written unless all fits together. Throws Error: usage; not_found
/// and corrupt as read_summary(); check_failed where one board's answers contradict each other or settings
/// differ, and where boards were asked different things.
void merge_studies(const std::string& out, const std::vector<std::string>& folders);

/// `folder` holds what was merged from several boards: nothing that one machine could go on with.
bool is_merge_of_boards(const std::string& folder);

}  // namespace tinyllm::study
