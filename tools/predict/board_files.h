// The built-in boards' files; the table is generated from tools/predict/boards/*.json (tools/CMakeLists.txt).
#pragma once

#include <vector>

namespace tinyllm::predict {

struct BoardFile {
    const char* name;  // without ".json"
    const char* text;
};
std::vector<BoardFile> board_files();

}  // namespace tinyllm::predict
