#include "tools/check/answers_file.h"

#include <cmath>
#include <filesystem>

#include "engine/fail.h"
#include "tools/eval/machine.h"
#include "tools/eval/row.h"
#include "tools/output.h"

namespace tinyllm::check {
namespace {

constexpr const char* kSchema = "tinyllm.check/1";

/// A part of the file and where it stands.
struct Place {
    const std::string& path;
    const Json& json;
    std::string at;

    [[noreturn]] void bad(const std::string& expected) const {
        fail(ErrorKind::corrupt, "{}: {}: expected {}, found {}", path, at.empty() ? "the file" : at,
             expected, json.is_null() ? "nothing" : eval::describe(json));
    }
    Place member(const char* key) const {
        static const Json nothing;
        if (!json.is_object()) bad("an object");
        const auto found = json.find(key);
        return {path, found == json.end() ? nothing : *found, at.empty() ? key : at + '.' + key};
    }
    std::vector<Place> elements() const {
        if (!json.is_array()) bad("a list");
        std::vector<Place> all;
        for (std::size_t i = 0; i < json.size(); ++i)
            all.push_back({path, json[i], fmt::format("{}[{}]", at, i)});
        return all;
    }
    std::string text() const {
        if (!json.is_string()) bad("a text");
        return json.get<std::string>();
    }
    bool flag() const {
        if (!json.is_boolean()) bad("true or false");
        return json.get<bool>();
    }
    std::int64_t number(std::int64_t least, std::int64_t most) const {
        if (json.is_number_integer()) {
            const bool large = json.is_number_unsigned() && json.get<std::uint64_t>() > INT64_MAX;
            if (!large && json.get<std::int64_t>() >= least && json.get<std::int64_t>() <= most)
                return json.get<std::int64_t>();
        }
        bad(fmt::format("a whole number from {} to {}", least, most));
    }
    float real() const {
        if (!json.is_number()) bad("a number");
        return static_cast<float>(json.get<double>());
    }
};

std::vector<Token> tokens_of(const Place& place, std::int64_t vocab_size, std::int64_t most) {
    std::vector<Token> tokens;
    for (const Place& element : place.elements())
        tokens.push_back(static_cast<Token>(element.number(0, vocab_size - 1)));
    if (tokens.empty() || std::ssize(tokens) > most) place.bad(fmt::format("1 to {} tokens", most));
    return tokens;
}

std::vector<float> reals_of(const Place& place, std::size_t n) {
    std::vector<float> values;
    for (const Place& element : place.elements()) values.push_back(element.real());
    if (values.size() != n) place.bad(fmt::format("{} numbers", n));
    return values;
}

Answer answer_of(const Place& place, const AnswersFile& file) {
    Answer answer;
    answer.text = place.member("text").text();
    answer.prompt = tokens_of(place.member("tokens"), file.vocab_size, file.context);
    answer.top = tokens_of(place.member("top"), file.vocab_size, file.vocab_size);
    answer.top_logprobs = reals_of(place.member("top_logprobs"), answer.top.size());
    // An encoder's prompt takes none of the decoder's positions.
    const std::int64_t before = file.encoder_decoder ? 1 : std::ssize(answer.prompt);
    answer.greedy = tokens_of(place.member("greedy"), file.vocab_size, file.context - before);
    answer.margins = reals_of(place.member("margins"), answer.greedy.size());
    answer.logprobs = reals_of(place.member("logprobs"), answer.greedy.size());
    return answer;
}

}  // namespace

std::string answers_path(const std::string& model) {
    const std::filesystem::path path(model);
    if (std::filesystem::is_directory(path)) return (path / "tinyllm_check.json").string();
    return (path.parent_path() / path.stem()).string() + ".check.json";
}

void write_answers(const std::string& path, const AnswersFile& file) {
    Json runs = Json::array();
    for (const Answers& run : file.runs) {
        Json prompts = Json::array();
        for (const Answer& a : run.answers) {
            prompts.push_back({{"text", a.text},
                               {"tokens", a.prompt},
                               {"top", a.top},
                               {"top_logprobs", a.top_logprobs},
                               {"greedy", a.greedy},
                               {"margins", a.margins},
                               {"logprobs", a.logprobs}});
        }
        runs.push_back({{"exact", run.exact}, {"backend", run.backend}, {"prompts", prompts}});
    }
    write_file(path, dump_json({{"schema", kSchema},
                                {"model",
                                 {{"architecture", file.architecture},
                                  {"parameters", file.parameters},
                                  {"vocab_size", file.vocab_size},
                                  {"context", file.context},
                                  {"encoder_decoder", file.encoder_decoder}}},
                                {"recorded", eval::utc_now()},
                                {"machine", eval::machine_facts()},
                                {"runs", runs}}) +
                         "\n");
}

AnswersFile read_answers(const std::string& path) {
    const Json json = json_from(read_file(path), path);
    const Place all{path, json, ""};
    if (all.member("schema").json != kSchema) all.member("schema").bad(kSchema);
    const Place model = all.member("model");
    AnswersFile file;
    file.architecture = model.member("architecture").text();
    file.parameters = model.member("parameters").number(1, INT64_MAX);
    file.vocab_size = model.member("vocab_size").number(1, INT32_MAX);
    file.context = model.member("context").number(1, INT32_MAX);
    file.encoder_decoder = model.member("encoder_decoder").flag();
    for (const Place& place : all.member("runs").elements()) {
        Answers& run = file.runs.emplace_back();
        run.exact = place.member("exact").flag();
        run.backend = place.member("backend").text();
        for (const Place& prompt : place.member("prompts").elements())
            run.answers.push_back(answer_of(prompt, file));
        if (run.answers.empty()) place.member("prompts").bad("at least one prompt");
    }
    return file;
}

}  // namespace tinyllm::check
