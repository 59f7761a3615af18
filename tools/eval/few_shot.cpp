#include "tools/eval/few_shot.h"

#include "engine/fail.h"

namespace tinyllm::eval {
namespace {

// Equal columns with equal values, in whatever order a file has them. Contexts first: they nearly always
// differ, and cost less.
bool same_row(const Example& a, const Example& b) {
    return a.pairs.front().context == b.pairs.front().context &&
           nlohmann::json(a.doc) == nlohmann::json(b.doc);
}

}  // namespace

std::string answered(const Task& task, const Example& example) {
    const Pair& right = example.pairs.at(static_cast<std::size_t>(example.gold));
    // Behind a context that holds the option, the harness takes an empty rest for no answer at all.
    if (task.options_in_context && right.continuation == " ") return right.context;
    return right.context + right.continuation + "\n\n";
}

FewShot::FewShot(const Task& task, std::vector<Row> pool, std::string place, std::size_t shots)
    : task_(task),
      pool_(std::move(pool)),
      place_(std::move(place)),
      shots_(shots),
      leaves_out_question_(task.scored != Split::test) {
    const std::size_t needed = shots + (leaves_out_question_ ? 1 : 0);
    if (pool_.size() < needed)
        fail(ErrorKind::usage, "--num-fewshot {}: {} has {} rows, {} draws from at least {}", shots, place_,
             pool_.size(), task.name, needed);
}

std::vector<Example> FewShot::draw(const Example& question) {
    const auto count = static_cast<std::uint32_t>(shots_ + (leaves_out_question_ ? 1 : 0));
    std::vector<Example> drawn;
    for (std::uint32_t at : random_.sample(static_cast<std::uint32_t>(pool_.size()), count)) {
        Example example = task_.read(pool_[at]);
        if (!leaves_out_question_ || !same_row(example, question)) drawn.push_back(std::move(example));
    }
    if (drawn.size() >= shots_) {
        drawn.resize(shots_);
        return drawn;
    }
    drawn.clear();
    std::vector<std::size_t> others;
    for (std::size_t i = 0; i < pool_.size(); ++i)
        if (!same_row(task_.read(pool_[i]), question)) others.push_back(i);
    if (others.size() < shots_)
        fail(ErrorKind::usage, "--num-fewshot {}: {} has {} rows that differ from a question of {}", shots_,
             place_, others.size(), task_.name);
    for (std::uint32_t at :
         random_.sample(static_cast<std::uint32_t>(others.size()), static_cast<std::uint32_t>(shots_)))
        drawn.push_back(task_.read(pool_[others[at]]));
    return drawn;
}

void FewShot::add_to(Example& question) {
    std::string examples;
    for (const Example& example : draw(question)) examples += answered(task_, example);
    for (Pair& pair : question.pairs) pair.context.insert(0, examples);
}

}  // namespace tinyllm::eval
