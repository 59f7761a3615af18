// What a test sees and sets of the library in fake_cublaslt.cpp: fake_cublaslt() gives its one state.
#pragma once

#include <cstddef>
#include <string>

namespace tinyllm::test {

struct FakeCublasLt {
    std::size_t version = 130100;
    std::string failing;      // a function that fails, by its name without cublasLt
    int products_until = -1;  // matmuls that succeed before one fails; -1: all
    int widest = 0;           // rows of x from which on there is no algorithm; 0: there always is
    bool wrong = false;       // products are a little off

    int handles = 0, objects = 0;  // alive
    int heuristics = 0, products = 0;
    std::string complaint;  // what a call had wrong: types, sizes, pitches, alignments
};

}  // namespace tinyllm::test
