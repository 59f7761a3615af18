// A study as a file: YAML whose keys are the options of `tinyllm study` and mean the same. Those that come
// with the command lie in tools/study/studies/, a file each, and are in the program itself.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/study/plan.h"

namespace tinyllm::study {

struct StudyFile {
    std::string name, title, about;
    /// One per key, checked when the file was read.
    struct Setting {
        std::string key;
        std::function<void(StudyOptions&)> apply;
    };
    std::vector<Setting> settings;
};

/// A study that comes with the command (generated from tools/study/studies/*.yaml).
struct EmbeddedStudy {
    std::string_view name, text;
};
std::vector<EmbeddedStudy> embedded_studies();

/// Throws Error: usage for a wrong key, type or value, corrupt for what is no YAML; "`file`:line: expected
/// ..., found ...".
StudyFile parse_study(std::string_view text, const std::string& file);

/// `argument`: a path (with a '/' or ending in .yaml or .yml), or the name of an embedded study. Throws
/// Error(not_found), Error(usage) that names those there are, and what parse_study() throws.
StudyFile find_study(const std::string& argument);

/// Sets what the file says, but for options that were given otherwise.
void apply_study(const StudyFile& file, const std::function<bool(const std::string& option)>& given,
                 StudyOptions& options);

}  // namespace tinyllm::study
