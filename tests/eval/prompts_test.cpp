// Prompts, gold answers and lengths of every task against what the harness printed for the same rows.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tinyllm/error.h"
#include "tools/eval/rows_file.h"
#include "tools/eval/task.h"
#include "tools/eval/text.h"

namespace tinyllm::eval {
namespace {

Example read(const char* task, const char* json, const char* label = "") {
    return find_task(task).read({Json::parse(json), "rows.jsonl:1", label});
}

std::vector<std::string> continuations(const Example& example) {
    std::vector<std::string> result;
    for (const Pair& pair : example.pairs) result.push_back(pair.continuation);
    return result;
}

using Strings = std::vector<std::string>;
using Sizes = std::vector<std::size_t>;

TEST(Prompts, Arc) {
    const Example e =
        read("arc_easy",
             R"j({"id":"e1","question":{"stem":"Which tool measures the mass of a pebble?","choices":[
        {"text":"a ruler","label":"A"},{"text":"a balance","label":"B"},{"text":"a clock","label":"C"}]},"answerKey":"B"})j");
    EXPECT_EQ(e.pairs[0].context, "Question: Which tool measures the mass of a pebble?\nAnswer:");
    EXPECT_EQ(continuations(e), (Strings{" a ruler", " a balance", " a clock"}));
    EXPECT_EQ(e.lengths, (Sizes{7, 9, 7}));
    EXPECT_EQ(e.gold, 1);
    EXPECT_EQ(e.letters, 4);
    EXPECT_EQ(
        e.prompt,
        "Answer the following multiple choice question by giving the most appropriate response. Answer "
        "should be one among [A, B, C, D].\n\nQuestion: Which tool measures the mass of a pebble?\nA) a "
        "ruler\nB) a balance\nC) a clock\nD) \n\nAnswer:");
}

TEST(Prompts, ArcNumericLabelsAndHubColumns) {
    const Example e = read(
        "arc_challenge",
        R"j({"id":"e2","question":"At sea level, pure water boils at about","choices":{"text":["100°C","50 °C","x","−5°C"],
        "label":["1","2","3","4"]},"answerKey":"1"})j");
    EXPECT_EQ(e.gold, 0);
    EXPECT_EQ(e.lengths, (Sizes{5, 5, 1, 4}));
    EXPECT_EQ(e.prompt_gold, -1) << "a key that is a digit equals no letter";
}

TEST(Prompts, OpenBookQa) {
    const Example e = read("openbookqa",
                           R"j({"id":"o2","question":{"stem":"Ice cubes left in the sun will ","choices":[
        {"text":"melt","label":"A"},{"text":"hide","label":"B"},{"text":"multiply","label":"C"},
        {"text":"turn to stone","label":"D"}]},"answerKey":" A"})j");
    EXPECT_EQ(e.pairs[0].context, "Ice cubes left in the sun will ");
    EXPECT_EQ(continuations(e), (Strings{" melt", " hide", " multiply", " turn to stone"}));
    EXPECT_EQ(e.lengths, (Sizes{4, 4, 8, 13}));
    EXPECT_EQ(e.gold, 0);
}

TEST(Prompts, OpenBookQaTsv) {
    const Example e =
        read("openbookqa",
             R"x({"ID":"1","Question Stem":"A stem","Choices":"(A) one (B) two (2) (C) three (D) four",
        "Complete Question":"","Answer Key":"C"})x");
    EXPECT_EQ(continuations(e), (Strings{" one", " two (2)", " three", " four"}));
    EXPECT_EQ(e.gold, 2);
}

TEST(Prompts, BoolQ) {
    const char* context =
        "Old Mill (Karlby) -- The mill was built in 1802 and closed in 1950. It is now a museum.\n"
        "Question: is the old mill still in use?\nAnswer:";
    const Example google =
        read("boolq",
             R"j({"question":"is the old mill still in use","title":"Old Mill (Karlby)","answer":false,
        "passage":"The mill was built in 1802 and closed in 1950. It is now a museum."})j");
    const Example superglue = read("boolq",
                                   R"j({"question":"is the old mill still in use","idx":0,"label":"false",
        "passage":"Old Mill (Karlby) -- The mill was built in 1802 and closed in 1950. It is now a museum."})j");
    for (const Example& e : {google, superglue}) {
        EXPECT_EQ(e.pairs[0].context, context);
        EXPECT_EQ(continuations(e), (Strings{" no", " yes"}));
        EXPECT_EQ(e.gold, 0);
        EXPECT_EQ(
            e.prompt,
            "Answer the following multiple choice question by giving the most appropriate response. Answer "
            "should be one among [A, B].\n\nPassage: The mill was built in 1802 and closed in 1950. It is "
            "now "
            "a museum.\nQuestion: is the old mill still in use\nA) No\nB) Yes\n\nAnswer:");
        EXPECT_EQ(e.note, "");
    }
    const Example hub = read("boolq", R"j({"question":"q","passage":"p","answer":true})j");
    EXPECT_EQ(hub.gold, 1);
    EXPECT_NE(hub.note, "") << "without titles the prompts differ from the harness's";
}

TEST(Prompts, Piqa) {
    const Example e = read(
        "piqa",
        R"j({"goal":"dry a wet shoe","sol1":"Stuff it with newspaper ","sol2":"Fill it with water"})j", "0");
    EXPECT_EQ(e.pairs[0].context, "Question: dry a wet shoe\nAnswer:");
    EXPECT_EQ(continuations(e), (Strings{" Stuff it with newspaper ", " Fill it with water"}));
    EXPECT_EQ(e.lengths, (Sizes{24, 18}));
    EXPECT_EQ(e.gold, 0);
}

TEST(Prompts, SocialIqa) {
    const char* row =
        R"j({"context":"Mia lent Noah her bike for the day.","question":"How would Noah feel afterwards?",
        "answerA":"thankful","answerB":"angry at Mia","answerC":"a bit hungry"})j";
    const Example e = read("social_iqa", row, "1");
    EXPECT_EQ(e.pairs[0].context,
              "Q: Mia lent Noah her bike for the day. How would Noah feel afterwards?\nA:");
    EXPECT_EQ(continuations(e), (Strings{" thankful", " angry at Mia", " a bit hungry"}));
    EXPECT_EQ(e.gold, 0);
    EXPECT_EQ(e.letters, 3);
}

TEST(Prompts, WinoGrande) {
    const Example e = read(
        "winogrande",
        R"j({"sentence":"The mug did not fit in the box because the _ was too small.","option1":"mug","option2":"box","answer":"2"})j");
    EXPECT_EQ(e.pairs[0].context, "The mug did not fit in the box because the mug");
    EXPECT_EQ(e.pairs[1].context, "The mug did not fit in the box because the box");
    EXPECT_EQ(continuations(e), (Strings{" was too small.", " was too small."}));
    EXPECT_EQ(e.gold, 1);
    EXPECT_EQ(
        e.prompt,
        "Answer the following question by selecting the most appropriate option. Answer should be one "
        "among [A, B].\n\nContext: The mug did not fit in the box because the _ was too small.\nA) mug\nB) "
        "box\n\n\nAnswer:");
    const Example end =
        read("winogrande", R"j({"sentence":"no room for the _ .","option1":"a","option2":"b","answer":1})j");
    EXPECT_EQ(continuations(end), (Strings{" .", " ."}));
    const Example two = read(
        "winogrande",
        R"j({"sentence":"Ed asked Tom for _'s  key _ today.","option1":"Tom","option2":"Ed ","answer":"1"})j");
    EXPECT_EQ(two.pairs[1].context, "Ed asked Tom for Ed ");
    EXPECT_EQ(two.pairs[1].continuation, " 's  key _ today.");
}

TEST(Prompts, HellaSwag) {
    const Example e = read(
        "hellaswag",
        R"j({"ind":2,"activity_label":"Home and Garden","ctx_a":"[header] How to mend a gate [title] Find the loose hinge. [step] Look at both sides.",
        "ctx_b":"","ctx":"the ctx","endings":["[step] Tighten the screw. [title] Oil it.","[substeps] Paint   the gate  .","Sell it [title]","[title] Burn the gate."],"label":0})j");
    EXPECT_EQ(e.pairs[0].context,
              "Home and Garden: How to mend a gate. Find the loose hinge. Look at both sides.");
    EXPECT_EQ(continuations(e), (Strings{"  Tighten the screw.. Oil it.", "  Paint  the gate .", " Sell it. ",
                                         "  Burn the gate."}));
    EXPECT_EQ(e.lengths, (Sizes{28, 18, 9, 15}));
    EXPECT_EQ(
        e.prompt,
        "Complete the sentence with the most plausible ending. Answer should be one among [A, B, C, D].\n\n"
        "Context: the ctx\nA) [step] Tighten the screw. [title] Oil it.\nB) [substeps] Paint   the gate  .\n"
        "C) Sell it [title]\nD [title] Burn the gate.\n\n\nAnswer:");
    const Example open = read(
        "hellaswag",
        R"j({"activity_label":"  Cars [x] ","ctx_a":"[header] How to park [title] Stop [step]","ctx_b":"","ctx":"",
        "endings":["now","[a\nb] later","[] soon","never ]["],"label":"2"})j");
    EXPECT_EQ(open.pairs[0].context, "Cars : How to park. Stop ");
    EXPECT_EQ(continuations(open), (Strings{" now", " [a\nb] later", "  soon", " never ]["}));
}

TEST(Text, Capitalize) {
    EXPECT_EQ(python_capitalize(""), "");
    EXPECT_EQ(python_capitalize("the BMX rider"), "The bmx rider");
    EXPECT_EQ(python_capitalize("éLAN ǆ ΟΔΟΣ ß"), "Élan ǆ οδος ß");
    EXPECT_EQ(python_capitalize("ǆ"), "ǅ");
    EXPECT_EQ(python_capitalize("ßA"), "Ssa");
    EXPECT_EQ(python_capitalize("ﬁNE"), "Fine");
    EXPECT_EQ(python_capitalize("xİ"), "Xi\u0307");
    EXPECT_EQ(python_capitalize("AΣ'Σ"), "Aσ'ς");
}

TEST(Text, Strip) {
    EXPECT_EQ(python_strip("\x1c \u2003\u3000 a b \u00a0\u0085"), "a b");
    EXPECT_EQ(python_strip("\u200b x"), "\u200b x") << "a zero-width space is no white space";
    EXPECT_EQ(trailing_space_bytes("a \u2003"), 4u);
    EXPECT_EQ(python_strip(" \n"), "");
}

TEST(Rows, SaysPlaceFieldExpectedFound) {
    auto message = [](const char* task, const char* json) -> std::string {
        try {
            read(task, json);
        } catch (const Error& error) {
            EXPECT_EQ(error.kind(), ErrorKind::corrupt);
            return error.what();
        }
        return "no error";
    };
    EXPECT_EQ(message("piqa", R"j({"goal":"g","sol1":"a","sol2":"b","label":2})j"),
              "rows.jsonl:1: field \"label\": expected a label in 0..1, found number 2");
    EXPECT_EQ(message("piqa", R"j({"goal":3,"sol1":"a","sol2":"b","label":1})j"),
              "rows.jsonl:1: field \"goal\": expected a string, found number 3");
    EXPECT_EQ(message("winogrande", R"j({"sentence":"no blank","option1":"a","option2":"b","answer":""})j"),
              "rows.jsonl:1: field \"answer\": expected a label in 1..2, found string \"\"");
    EXPECT_NE(message("winogrande", R"j({"sentence":"no blank","option1":"a","option2":"b","answer":"1"})j")
                  .find("a blank"),
              std::string::npos);
    EXPECT_NE(message("arc_easy",
                      R"j({"question":"q","choices":{"text":["a","b"],"label":["A"]},"answerKey":"A"})j")
                  .find("as many labels"),
              std::string::npos);
    EXPECT_NE(message("arc_easy",
                      R"j({"question":"q","choices":{"text":["a","b"],"label":["A","B"]},"answerKey":"E"})j")
                  .find("A, B"),
              std::string::npos);
    EXPECT_NE(
        message("hellaswag",
                R"j({"activity_label":"a","ctx_a":"b","ctx_b":"","ctx":"","endings":["a","b"],"label":0})j")
            .find("list of 4"),
        std::string::npos);
}

TEST(Rows, LabelForms) {
    for (const char* label : {"1", "\"1\"", "true", "\"true\"", "\"True\""}) {
        const std::string row = std::string(R"j({"question":"q","passage":"t -- p","label":)j") + label + "}";
        EXPECT_EQ(read("boolq", row.c_str()).gold, 1) << label;
    }
}

}  // namespace
}  // namespace tinyllm::eval
