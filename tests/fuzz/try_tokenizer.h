// What an accepted tokenizer must stand: any text and any ids.
#pragma once

#include <string_view>
#include <vector>

#include "fuzz/input_file.h"
#include "tinyllm/tokenizer.h"

namespace tinyllm {

/// `bytes`: the fuzzer's, of which a part serves as a text.
inline void try_tokenizer(const Tokenizer& tokenizer, std::string_view bytes) {
    for (const std::string_view text :
         {std::string_view("Hello  w\xC3\xB6rld 12 <s></s>\n"), bytes.substr(0, 200)}) {
        const auto ids = tokenizer.encode(text);
        touch(tokenizer.decode(ids));
        touch(tokenizer.decode(ids, {true}));
    }
    const std::vector<Token> wild = {0, 1, 2, -1, 1 << 30};
    touch(tokenizer.decode(wild));
}

}  // namespace tinyllm
