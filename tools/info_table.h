// A JSON document shown to people: one line per leaf.
#pragma once

#include "tools/output.h"

namespace tinyllm {

/// json: the document; jsonl: on one line; table, md, csv: rows of key and value, nested keys joined by dots,
/// byte counts spelled out.
void deliver_document(const OutputOptions& options, const Json& document);

}  // namespace tinyllm
