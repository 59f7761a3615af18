#!/usr/bin/env python3
"""Renders the made-up world of facts.py as training text and as held-out questions in the seven official data set formats.

  world.py questions [DIR]      write the question files (default: questions/ beside this script)
  world.py text                 print the training documents, one JSON array [prompt, answer, form] a line
  world.py check                fail if a question's answer stands anywhere in the training text

The one thing not to get wrong: what a question asks is held out as a *combination* (thing and relation, event and question, activity and
object, pair of names ...), so it is in the training text in no wording at all; it follows from what is said of other things of the kind.
Python's standard library only; the same seed gives the same bytes.
"""

import json
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import facts as F  # noqa: E402

SEED = 20250
DOCUMENTS = {1: 60_000, 2: 60_000, 3: 20_000, 4: 32_000}  # what train.py reads, by stage
LETTERS = "ABCDE"
STUDY_HEAD = ("Answer the following multiple choice question by giving the most appropriate response. "
              "Answer should be one among [{}].\n\n")
STUDY_BLANK_HEAD = "Answer the following question by selecting the most appropriate option. Answer should be one among [A, B].\n\n"
STUDY_ENDING_HEAD = "Complete the sentence with the most plausible ending. Answer should be one among [A, B, C, D].\n\n"

KIND = {thing: kind for kind, things in F.THINGS.items() for thing in things}


class Split:
    """Which combinations are held out of the training text. Fixed by SEED alone."""

    def __init__(self):
        rng = random.Random(SEED)
        self.facts = [(t, r) for r, (_, _, values) in F.RELATIONS.items() for k in values for t in rng.sample(F.THINGS[k], 2)]
        self.goals = [(t, g) for g in F.GOALS for k in F.THINGS for t in rng.sample(F.THINGS[k], 2)]
        self.events = [(e, q) for events, _ in F.EVENTS.values() for q in F.EVENT_QUESTIONS for e in rng.sample(events, 3)]
        self.objects = [(a, o) for a, (_, objects, _) in F.ACTIVITIES.items() for o in rng.sample(objects, 2)]
        self.fits = [(t, c) for t in small_things() for c in rng.sample(F.CONTAINERS, 2)]
        self.hits = [(s, w) for s in things_of(F.STRONG) for w in rng.sample(things_of(F.WEAK), 4)]
        couples = [(x, y) for x in F.NAMES for y in F.NAMES if x != y]
        self.couples = rng.sample(couples, len(couples) // 4)
        buildings = [(n, b) for n in F.BUILDING_NAMES for b in F.BUILDINGS]
        self.buildings = rng.sample(buildings, len(buildings) // 4)
        self.predicates = [(t, p) for p in F.PREDICATES for k in F.THINGS for t in rng.sample(F.THINGS[k], 2)]
        self.sets = {name: frozenset(value) for name, value in vars(self).items()}

    def pick(self, rng, name, candidate, held_out):
        """Draws candidate(rng) until it is on the asked side of the split."""
        while True:
            c = candidate(rng)
            if (c in self.sets[name]) == held_out:
                return c


def things_of(kinds):
    return [t for k in kinds for t in F.THINGS[k]]


def small_things():
    return things_of(["metal", "glass", "clay", "fruit", "machine"])


def choices(rng, gold, others, n):
    """n different choices in random order, and the place of gold among them."""
    others = sorted(set(others) - {gold})
    rng.shuffle(others)
    out = others[: n - 1]
    place = rng.randrange(n)
    out.insert(place, gold)
    return out, place


def couple(rng):
    x, y = rng.sample(F.NAMES, 2)
    return x, y


# --- One question of each task, about a given held-out (or, for training, not held-out) combination. ---------------------------------------
# A question: task, the official fields, choices, gold; requests(q) and study_prompt(q) render it as the two protocols do.


def fact_question(rng, task, fact, n=4):
    thing, relation = fact
    statements, questions, values = F.RELATIONS[relation]
    options, gold = choices(rng, values[KIND[thing]], values.values(), n)
    stem = rng.choice(questions if task == "arc_easy" else statements).format(x=thing)
    told = [f"{s.format(x=thing)} {options[gold]}" for s in statements]
    return dict(task=task, stem=stem, choices=options, gold=gold, told=told)


def goal_question(rng, goal_pair):
    thing, goal = goal_pair
    asks, solutions = F.GOALS[goal]
    options, gold = choices(rng, solutions[KIND[thing]], solutions.values(), 2)
    told = [f"Question: {a.format(x=thing)}\nAnswer: {options[gold]}" for a in asks]
    return dict(task="piqa", goal=rng.choice(asks).format(x=thing), choices=options, gold=gold, told=told)


def family_of(event):
    return next(f for f, (events, _) in F.EVENTS.items() if event in events)


def event_question(rng, event_pair):
    event, kind = event_pair
    x, y = couple(rng)
    answers = [a[kind].format(y=y) for _, a in F.EVENTS.values()]
    options, gold = choices(rng, F.EVENTS[family_of(event)][1][kind].format(y=y), answers, 3)
    context = f"{x} {event.format(y=y)}."
    told = [f"{context} {event_statement(x, kind, options[gold])}"]
    return dict(task="social_iqa", context=context, question=rng.choice(F.EVENT_QUESTIONS[kind]).format(x=x), choices=options, gold=gold, told=told)


def event_statement(x, kind, answer):
    return {"feel": f"{x} feels {answer}", "want": f"{x} wants to {answer}", "describe": f"{x} is {answer}", "say": f"{x} says: {answer}"}[kind]


def blank_question(rng, split, held_out):
    form = rng.choice(["fit", "hit", "people", "people", "people"])
    if form == "fit":
        a, b = split.pick(rng, "fits", lambda r: (r.choice(small_things()), r.choice(F.CONTAINERS)), held_out)
        sentence, ends = F.FIT_BLANK[0].format(a=a, c=b), F.FIT_BLANK[1]
    elif form == "hit":
        strong, weak = split.pick(rng, "hits", lambda r: (r.choice(things_of(F.STRONG)), r.choice(things_of(F.WEAK))), held_out)
        a, b = (strong, weak) if rng.random() < 0.5 else (weak, strong)
        sentence = F.HIT_BLANK[0].format(a=a, b=b)
        ends = [(end, 1 if (strong if which == "strong" else weak) == a else 2) for end, which in F.HIT_BLANK[1]]
    else:
        a, b = split.pick(rng, "couples", couple, held_out)
        text, ends = rng.choice(F.PEOPLE_BLANKS)
        sentence = text.format(x=a, y=b, o=rng.choice(small_things()))
    end, who = rng.choice(ends)
    options, gold = choices(rng, (a, b)[who - 1], (a, b), 2)
    return dict(task="winogrande", sentence=f"{sentence} {end}", choices=options, gold=gold, told=[])


def ending_question(rng, pair, position=None):
    activity, thing = pair
    label, _, steps = F.ACTIVITIES[activity]
    position = position or rng.randrange(1, len(steps))
    person, pronoun = rng.choice(F.PEOPLE)
    done = [s.format(o=thing) for s in steps[:position]]
    before = [f"{person} {done[0]}"] + [f"{pronoun.capitalize()} {s}" for s in done[1:]]
    others = [s.format(o=thing) for a, (_, _, other) in F.ACTIVITIES.items() if a != activity for s in other]
    options, gold = choices(rng, steps[position].format(o=thing), rng.sample(others, 2) + [rng.choice(done)], 4)
    told = [f"{p.capitalize()} {options[gold]}" for p in ("he", "she")]
    return dict(task="hellaswag", label=label, ctx_a=" ".join(before), ctx_b=pronoun, choices=options, gold=gold, told=told)


def passage_question(rng, building, gold=None):
    first, second = building
    name = f"{first} {second}"
    told = rng.sample(sorted(F.BUILDING_FACTS), 3)
    values = {f: rng.choice(F.BUILDING_FACTS[f][2]) for f in told}
    said = [rng.choice(F.BUILDING_FACTS[f][0]).format(v=values[f]) for f in told]
    asked, gold = rng.choice(told), rng.randrange(2) if gold is None else gold
    value = values[asked] if gold else rng.choice([v for v in F.BUILDING_FACTS[asked][2] if v != values[asked]])
    question = rng.choice(F.BUILDING_FACTS[asked][1]).format(n=name.lower(), v=value)
    return dict(task="boolq", title=name, passage=f"The {name} is an old building. " + " ".join(said), question=question, choices=["no", "yes"],
                gold=gold, told=[])


def yes_no_question(rng, fact):
    thing, relation = fact
    values = F.RELATIONS[relation][2]
    gold = rng.randrange(2)
    value = values[KIND[thing]] if gold else rng.choice([v for v in values.values() if v != values[KIND[thing]]])
    passage = f"The {thing} belongs to {rng.choice(F.NAMES)}. It was found {rng.choice(F.BUILDING_FACTS['where'][2])}."
    told = [f"{s.format(x=thing)} {values[KIND[thing]]}" for s in F.RELATIONS[relation][0]]
    return dict(task="boolq", title=thing.capitalize(), passage=passage, question=F.YES_NO[relation].format(x=thing, v=value), choices=["no", "yes"], gold=gold, told=told)



def is_true(thing, predicate):
    return KIND[thing] in F.PREDICATES[predicate][3]


def predicate_question(rng, pair):
    thing, predicate = pair
    question, yes, no, _ = F.PREDICATES[predicate]
    gold = int(is_true(thing, predicate))
    passage = f"The {thing} belongs to {rng.choice(F.NAMES)}. It was found {rng.choice(F.BUILDING_FACTS['where'][2])}."
    return dict(task="boolq", title=thing.capitalize(), passage=passage, question=question.format(x=thing), choices=["no", "yes"], gold=gold,
                told=[(yes if gold else no).format(x=thing)])


def training_question(rng, split, task):
    """A question of the task about something that is not held out."""
    if task in ("arc_easy", "openbookqa"):
        return fact_question(rng, task, split.pick(rng, "facts", a_fact, False))
    if task == "piqa":
        return goal_question(rng, split.pick(rng, "goals", lambda r: (r.choice(list(KIND)), r.choice(list(F.GOALS))), False))
    if task == "social_iqa":
        return event_question(rng, split.pick(rng, "events", an_event, False))
    if task == "winogrande":
        return blank_question(rng, split, False)
    if task == "hellaswag":
        return ending_question(rng, split.pick(rng, "objects", an_object, False))
    if task == "predicate":
        wanted = rng.random() < 0.5
        while True:
            pair = split.pick(rng, "predicates", lambda r: (r.choice(list(KIND)), r.choice(list(F.PREDICATES))), False)
            if is_true(*pair) == wanted:
                return predicate_question(rng, pair)
    if rng.random() < 0.5:
        return yes_no_question(rng, split.pick(rng, "facts", a_fact, False))
    return passage_question(rng, split.pick(rng, "buildings", lambda r: (r.choice(F.BUILDING_NAMES), r.choice(F.BUILDINGS)), False))


def a_fact(rng):
    return rng.choice(list(KIND)), rng.choice(list(F.RELATIONS))


def an_event(rng):
    return rng.choice(rng.choice(list(F.EVENTS.values()))[0]), rng.choice(list(F.EVENT_QUESTIONS))


def an_object(rng):
    activity = rng.choice(list(F.ACTIVITIES))
    return activity, rng.choice(F.ACTIVITIES[activity][1])


# --- The two protocols' ways of asking -----------------------------------------------------------------------------------------------------


def requests(q):
    """The (context, continuation) of every choice, as lm-evaluation-harness asks them."""
    task = q["task"]
    if task == "winogrande":
        before, after = q["sentence"].split("_", 1)
        return [(before + c, " " + after.strip()) for c in q["choices"]]
    context = {
        "arc_easy": lambda: f"Question: {q['stem']}\nAnswer:",
        "openbookqa": lambda: q["stem"],
        "boolq": lambda: f"{q['title']} -- {q['passage']}\nQuestion: {q['question']}?\nAnswer:",
        "piqa": lambda: f"Question: {q['goal']}\nAnswer:",
        "social_iqa": lambda: f"Q: {q['context']} {q['question']}\nA:",
        "hellaswag": lambda: f"{q['label']}: {q['ctx_a']} {q['ctx_b'].capitalize()}",
    }[task]()
    return [(context, " " + c) for c in q["choices"]]


def study_prompt(q, instruction=True):
    """The prompt of the published study's letter protocol; without its instruction it serves as a shorter exercise."""
    task, options = q["task"], q["choices"]
    if task == "boolq":
        options = ["No", "Yes"]
    lines = [f"{LETTERS[i]}) {c}" for i, c in enumerate(options)]
    body = {
        "arc_easy": lambda: f"Question: {q['stem']}",
        "openbookqa": lambda: f"Question: {q['stem']}",
        "boolq": lambda: f"Passage: {q['passage']}\nQuestion: {q['question']}",
        "piqa": lambda: f"Question: {q['goal']}",
        "social_iqa": lambda: f"Context: {q['context']}\nQuestion: {q['question']}",
        "winogrande": lambda: f"Context: {q['sentence']}",
        "hellaswag": lambda: f"Context: {q['ctx_a']} {q['ctx_b']}",
    }[task]()
    head, tail = STUDY_HEAD.format(", ".join(LETTERS[: len(options)])), "\n\nAnswer:"
    if task in ("winogrande", "hellaswag"):
        head, tail = STUDY_BLANK_HEAD if task == "winogrande" else STUDY_ENDING_HEAD, "\n\n\nAnswer:"
    if task == "hellaswag":
        lines[3] = lines[3].replace("D)", "D", 1)
    return (head if instruction else "") + body + "\n" + "\n".join(lines) + tail


# --- Training text ---------------------------------------------------------------------------------------------------------------------

# stage -> (form, task): share of the documents. The last two are for what was learned least.
MIXTURE = {
    ("statement", "openbookqa"): 14, ("statement", "social_iqa"): 3, ("statement", "hellaswag"): 3,
    ("plain", "arc_easy"): 11, ("plain", "boolq"): 12, ("plain", "piqa"): 8, ("plain", "social_iqa"): 6, ("plain", "winogrande"): 8,
    ("letter", "arc_easy"): 9, ("letter", "openbookqa"): 7, ("letter", "boolq"): 5, ("letter", "piqa"): 5, ("letter", "social_iqa"): 5,
    ("letter", "winogrande"): 5, ("letter", "hellaswag"): 3,
}
LAST_MIXTURE = {
    ("statement", "predicate"): 6, ("plain", "predicate"): 34, ("plain", "boolq"): 6, ("statement", "openbookqa"): 6, ("plain", "arc_easy"): 6,
    ("plain", "piqa"): 5, ("plain", "social_iqa"): 10, ("plain", "winogrande"): 10, ("statement", "hellaswag"): 5,
    ("letter", "arc_easy"): 3, ("letter", "openbookqa"): 2, ("letter", "predicate"): 5, ("letter", "piqa"): 3, ("letter", "social_iqa"): 3,
    ("letter", "winogrande"): 3, ("letter", "hellaswag"): 1,
}
PLAIN_MIXTURE = {
    ("statement", "openbookqa"): 18, ("plain", "arc_easy"): 18, ("statement", "predicate"): 5, ("plain", "predicate"): 20, ("plain", "piqa"): 12,
    ("plain", "social_iqa"): 11, ("plain", "winogrande"): 8, ("plain", "boolq"): 2, ("statement", "hellaswag"): 6,
}
SHARES = {1: MIXTURE, 2: MIXTURE, 3: LAST_MIXTURE, 4: PLAIN_MIXTURE}


def document(rng, split, form, task):
    if form == "letter":
        q = training_question(rng, split, task)
        return study_prompt(q, rng.random() < 0.15), " " + LETTERS[q["gold"]], form
    if (form, task) == ("statement", "hellaswag"):
        activity, thing = split.pick(rng, "objects", an_object, False)
        label, _, steps = F.ACTIVITIES[activity]
        person, pronoun = rng.choice(F.PEOPLE)
        return f"{label}:", f" {person} " + f" {pronoun.capitalize()} ".join(s.format(o=thing) for s in steps), form
    if (form, task) == ("statement", "social_iqa"):
        event, kind = split.pick(rng, "events", an_event, False)
        x, y = couple(rng)
        answer = F.EVENTS[family_of(event)][1][kind].format(y=y)
        return f"{x} {event.format(y=y)}.", f" {event_statement(x, kind, answer)}.", form
    q = training_question(rng, split, task)
    if (form, task) == ("statement", "predicate"):
        return "", q["told"][0], form
    context, continuation = requests(q)[q["gold"]]
    return context, continuation + ("." if form == "statement" else ""), form


def documents(stage):
    """Yields the training documents (prompt, answer, form) of a stage."""
    split, rng = Split(), random.Random(SEED + 100 * stage - 99)
    kinds, weights = list(SHARES[stage]), list(SHARES[stage].values())
    for form, task in rng.choices(kinds, weights, k=DOCUMENTS[stage]):
        yield document(rng, split, form, task)


# --- Questions -------------------------------------------------------------------------------------------------------------------------


def distinct(make, candidates, n):
    """n questions with different requests, gone through the candidates as often as it takes."""
    out, seen = [], set()
    for _ in range(20):
        for c in candidates:
            q = make(c)
            key = requests(q)[q["gold"]]
            if key not in seen and len(out) < n:
                seen.add(key)
                out.append(q)
    assert len(out) == n, len(out)
    return out


def question_sets():
    """Every question file's questions, by its path below the questions' folder."""
    split, rng = Split(), random.Random(SEED + 2)
    shuffled = {name: rng.sample(value, len(value)) for name, value in sorted(vars(split).items()) if name != "sets"}
    held, n = shuffled["facts"], 100
    sets = {
        "ARC-Easy/ARC-Easy-Test.jsonl": distinct(lambda f: fact_question(rng, "arc_easy", f, rng.choice([4] * 18 + [3, 5])), held[:150], n),
        "ARC-Easy/ARC-Easy-Dev.jsonl": distinct(lambda f: fact_question(rng, "arc_easy", f), held[150:], n),
        "OpenBookQA/test.jsonl": distinct(lambda f: fact_question(rng, "openbookqa", f), held[100:], n),
        "OpenBookQA/dev.jsonl": distinct(lambda f: fact_question(rng, "openbookqa", f), held[:100], n),
        "BoolQ/dev.jsonl": yes_no_questions(rng, shuffled["predicates"], shuffled["buildings"], n),
        "PIQA/valid.jsonl": distinct(lambda g: goal_question(rng, g), shuffled["goals"], n),
        "SocialIQA/dev.jsonl": distinct(lambda e: event_question(rng, e), shuffled["events"], n),
        "WinoGrande/dev.jsonl": distinct(lambda _: blank_question(rng, split, True), range(n), n),
        "HellaSwag/hellaswag_val.jsonl": distinct(lambda o: ending_question(rng, o, rng.choice(named_steps(o[0]))), shuffled["objects"], n),
    }
    for file, questions in sets.items():
        if not file.startswith("BoolQ"):  # there the halves are drawn equal
            balance(rng, questions)
    return sets


def yes_no_questions(rng, predicates, buildings, n):
    """Two in three on what is true of a thing, one on a building's passage; as many yes as no of each."""
    out = []
    for gold in (0, 1):
        out += distinct(lambda b: passage_question(rng, b, gold), buildings[gold::2], n // 6)
        out += distinct(lambda p: predicate_question(rng, p), [p for p in predicates if is_true(*p) == bool(gold)], n // 2 - n // 6)
    rng.shuffle(out)
    return out


def balance(rng, questions):
    """Moves the right answers so that each place has its share of them."""
    places = [i % len(q["choices"]) for i, q in enumerate(questions)]
    for q, place in zip(questions, places):
        right = q["choices"].pop(q["gold"])
        q["choices"].insert(place, right)
        q["gold"] = place
    rng.shuffle(questions)


def named_steps(activity):
    """The steps after the first that name the object: only these are new for a held-out object."""
    steps = F.ACTIVITIES[activity][2]
    return [i for i in range(1, len(steps)) if "{o}" in steps[i]]


def official_row(q, number, file):
    """The question as a line of the official file, and its line in the labels file if the data set has one."""
    task, options, gold = q["task"], q["choices"], q["gold"]
    if task in ("arc_easy", "openbookqa"):
        labels = "12345" if task == "arc_easy" and file.endswith("Test.jsonl") and number % 25 == 7 else LETTERS
        listed = [{"text": c, "label": labels[i]} for i, c in enumerate(options)]
        return {"id": f"world-{number}", "question": {"stem": q["stem"], "choices": listed}, "answerKey": labels[gold]}, None
    if task == "boolq":
        return {"question": q["question"], "title": q["title"], "answer": bool(gold), "passage": q["passage"]}, None
    if task == "piqa":
        return {"goal": q["goal"], "sol1": options[0], "sol2": options[1]}, str(gold)
    if task == "social_iqa":
        return {"context": q["context"], "question": q["question"], **{f"answer{LETTERS[i]}": c for i, c in enumerate(options)}}, str(gold + 1)
    if task == "winogrande":
        row = {"qID": f"world-{number}", "sentence": q["sentence"], "option1": options[0], "option2": options[1], "answer": str(gold + 1)}
        return row, str(gold + 1)
    return {"ind": number, "activity_label": q["label"], "ctx_a": q["ctx_a"], "ctx_b": q["ctx_b"], "ctx": f"{q['ctx_a']} {q['ctx_b']}", "split": "val",
            "split_type": "indomain", "label": gold, "endings": options, "source_id": f"world~{number}"}, None


def write_questions(folder):
    for file, questions in question_sets().items():
        path = os.path.join(folder, file)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        rows, labels = zip(*(official_row(q, i, file) for i, q in enumerate(questions)))
        with open(path, "w", encoding="utf-8", newline="\n") as f:
            f.writelines(json.dumps(r, ensure_ascii=False) + "\n" for r in rows)
        if labels[0] is not None:
            with open(path[: -len(".jsonl")] + "-labels.lst", "w", newline="\n") as f:
                f.writelines(label + "\n" for label in labels)


def leaks():
    """Every answer's sentence (as scored, as asked by letter, and as a statement) that stands in the training text."""
    texts = list(dict.fromkeys(prompt + answer for stage in DOCUMENTS for prompt, answer, _ in documents(stage)))
    lines = "\n".join(dict.fromkeys(line for t in texts for line in t.split("\n")))
    for file, questions in question_sets().items():
        for q in questions:
            context, continuation = requests(q)[q["gold"]]
            sentences = [context + continuation, study_prompt(q), study_prompt(q, False)] + q["told"]
            for s in sentences:  # a text with the sentence has each of its lines, so most need no search of all texts
                if all(part in lines for part in s.split("\n")) and any(s in t for t in texts):
                    yield file, s


def main():
    verb, *rest = sys.argv[1:] or [""]
    if verb == "questions":
        write_questions(rest[0] if rest else os.path.join(os.path.dirname(os.path.abspath(__file__)), "questions"))
    elif verb == "text":
        for d in (d for stage in DOCUMENTS for d in documents(stage)):
            print(json.dumps(d, ensure_ascii=False))
    elif verb == "check":
        found = list(leaks())
        for file, sentence in found[:20]:
            print(f"{file}: {sentence!r} stands in the training text", file=sys.stderr)
        sys.exit(1 if found else 0)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
