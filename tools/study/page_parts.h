// What the report's page is made of: tables, figures, lists. Everything that comes from outside is escaped.
#pragma once

#include <string>
#include <vector>

#include "tools/output.h"

namespace tinyllm::study {

struct TableLook {
    std::size_t foot = 0;                ///< so many rows at the end are not sorted with the others
    bool sortable = true;                ///< false: a list of facts
    std::string bar = {};                ///< key of a column of percentages with a bar behind them
    std::vector<std::string> best = {};  ///< keys of columns whose largest figure stands out
    bool filter = true;                  ///< rows are models and types
};

/// In a region of its own that scrolls where the page is narrow.
std::string html_table(const tinyllm::Table& table, const std::string& caption, const TableLook& look = {});

/// Nothing without a drawing.
std::string figure(const std::string& svg, const std::string& caption);

/// `most`: the rest is folded away; 0: all are shown.
std::string list(const std::vector<std::string>& lines, std::size_t most = 0);

/// A paragraph.
std::string paragraph(const std::string& text, const std::string& style = "");

/// For ids and the part of an address behind '#': letters, digits, '-', '_' and '.'.
std::string slug(const std::string& name);

/// The section of the page that a model's figures stand in.
std::string model_view(const std::string& model);

/// SHA-256 as a content security policy writes it.
std::string base64_sha256(const std::string& text);

}  // namespace tinyllm::study
