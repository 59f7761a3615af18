#include "tools/json_text.h"

#include <gtest/gtest.h>

#include "tinyllm/error.h"

namespace tinyllm {
namespace {

std::string nested(std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
}

std::string complaint(const std::string& text) {
    try {
        json_from(text, "rows.jsonl:3");
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::corrupt);
        return error.what();
    }
    return "";
}

TEST(JsonText, KeepsTheOrderOfKeys) {
    EXPECT_EQ(json_from(R"({"b": 1, "a": [2]})", "x").dump(), R"({"b":1,"a":[2]})");
}

TEST(JsonText, NamesThePlaceAndTheReason) {
    EXPECT_EQ(complaint("{\"a\": }").rfind("rows.jsonl:3: expected JSON, found parse error at line 1", 0), 0u)
        << complaint("{\"a\": }");
    EXPECT_FALSE(json_if("{"));
    EXPECT_FALSE(json_if(""));
}

TEST(JsonText, RefusesDeepNesting) {
    EXPECT_EQ(complaint(nested(64)), "");
    EXPECT_EQ(complaint(nested(65)),
              "rows.jsonl:3: expected JSON of at most 64 levels, found deeper nesting");
    EXPECT_EQ(complaint(std::string(1000000, '[')), complaint(nested(65)));
    EXPECT_TRUE(json_if(nested(64)));
    EXPECT_FALSE(json_if(std::string(1000000, '{')));
}

TEST(JsonText, BracketsInStringsAreNoNesting) {
    const std::string brackets(100, '[');
    EXPECT_EQ(json_from("\"\\\"" + brackets + "\"", "x").get<std::string>(), "\"" + brackets);
}

}  // namespace
}  // namespace tinyllm
