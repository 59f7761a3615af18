"""The facts of a small made-up world, as plain data: kinds of things and what is true of each kind, things that happen to people, daily work.

The one thing not to get wrong: a value may stand for several kinds, but a thing has one kind only, so that every fact follows from the kind.
"""

# kind -> its things
THINGS = {
    "metal": "nail key spoon coin hammer pan chain bell".split(),
    "glass": "bottle mirror jar window vase lens lamp bulb".split(),
    "wood": "chair door ladder shelf plank stool fence crate".split(),
    "cloth": "shirt scarf towel curtain sock blanket coat flag".split(),
    "paper": "letter map ticket book poster card envelope stamp".split(),
    "clay": "brick tile statue pot mug plate bowl cup".split(),
    "fruit": "apple pear plum cherry grape lemon melon peach".split(),
    "animal": "dog cat hen goat horse rabbit duck sheep".split(),
    "plant": "tulip rose daisy fern lily oak ivy bush".split(),
    "ice": "icicle snowball snowman iceberg snowflake hailstone igloo glacier".split(),
    "liquid": "milk water juice tea soup oil syrup ink".split(),
    "machine": "radio clock phone torch fan heater robot drill".split(),
}

# relation -> (statements, questions, value by kind). A statement ends in the value; "{x}" is the thing.
RELATIONS = {
    "stuff": (
        ["The {x} is made of", "What the {x} is made of is", "People make the {x} out of"],
        ["What is the {x} made of?", "Which material is in the {x}?", "The {x} is made out of what?"],
        {"metal": "iron", "glass": "sand and glass", "wood": "wood", "cloth": "cloth", "paper": "paper", "clay": "clay",
         "fruit": "sweet flesh", "animal": "meat and bones", "plant": "leaves and stems", "ice": "frozen water", "liquid": "tiny drops",
         "machine": "wires and gears"}),
    "place": (
        ["The {x} is kept", "You will find the {x}", "The right place for the {x} is"],
        ["Where is the {x} kept?", "Where will you find the {x}?", "Where does the {x} belong?"],
        {"metal": "in the toolbox", "glass": "in the cabinet", "wood": "in the shed", "cloth": "in the wardrobe", "paper": "in the desk drawer",
         "clay": "on the kitchen shelf", "fruit": "in the basket", "animal": "in the barn", "plant": "in the garden", "ice": "in the freezer",
         "liquid": "in the jug", "machine": "on the workbench"}),
    "worker": (
        ["The one who works with the {x} is", "If you want a {x}, ask", "The person who knows the {x} best is"],
        ["Who works with the {x}?", "Who knows the {x} best?", "Which person takes care of the {x}?"],
        {"metal": "the smith", "glass": "the glass blower", "wood": "the carpenter", "cloth": "the tailor", "paper": "the printer",
         "clay": "the potter", "fruit": "the fruit picker", "animal": "the farmer", "plant": "the gardener", "ice": "the skater",
         "liquid": "the cook", "machine": "the engineer"}),
    "drop": (
        ["If you drop the {x}, it will", "When the {x} falls on the floor it will", "A {x} that is dropped will"],
        ["What will the {x} do if you drop it?", "What happens to the {x} when it falls?", "The {x} falls on the floor. What will it do?"],
        {"metal": "ring loudly", "glass": "break into sharp pieces", "wood": "land with a thud", "cloth": "fall without a sound",
         "paper": "flutter down slowly", "clay": "crack into lumps", "fruit": "get a brown bruise", "animal": "land on its feet",
         "plant": "lose its leaves", "ice": "split into cold bits", "liquid": "splash around", "machine": "stop working"}),
    "fire": (
        ["In a hot fire the {x} will", "If the {x} gets close to a fire, it will", "The heat of a fire makes the {x}"],
        ["What will the {x} do in a fire?", "What does a fire make the {x} do?", "The {x} is too close to a fire. What will it do?"],
        {"metal": "glow red", "glass": "crack with a pop", "wood": "burn to ash", "cloth": "smoke and smell", "paper": "flare up at once",
         "clay": "get hard as stone", "fruit": "bake and shrink", "animal": "run away", "plant": "dry up and wither", "ice": "melt",
         "liquid": "boil", "machine": "lose its power"}),
    "rain": (
        ["If the {x} is left in the rain, it will", "After a week of rain the {x} will", "Rain makes the {x}"],
        ["What will the {x} do in the rain?", "What does rain make the {x} do?", "The {x} was left in the rain. What will it do?"],
        {"metal": "rust", "glass": "shine and drip", "wood": "swell and warp", "cloth": "get soaked and heavy", "paper": "turn to mush",
         "clay": "hold the water", "fruit": "wash clean", "animal": "look for shelter", "plant": "grow taller", "ice": "get thin",
         "liquid": "become weak", "machine": "spark and fail"}),
    "need": (
        ["What the {x} needs most is", "To last long, the {x} needs", "Without care the {x} lacks"],
        ["What does the {x} need?", "What does the {x} need to last long?", "Which thing is needed by the {x}?"],
        {"metal": "grease", "glass": "a soft rag", "wood": "varnish", "cloth": "soap", "paper": "dry air", "clay": "glaze", "fruit": "shade",
         "animal": "food and sleep", "plant": "light and soil", "ice": "frost", "liquid": "a lid", "machine": "electricity"}),
    "tool": (
        ["The tool for the {x} is", "To work on the {x}, take", "On the {x} you should use"],
        ["Which tool is used on the {x}?", "What should you use to work on the {x}?", "Which tool is best for the {x}?"],
        {"metal": "a pair of pliers", "glass": "a diamond cutter", "wood": "a saw", "cloth": "a needle", "paper": "scissors", "clay": "a spinning wheel",
         "fruit": "a peeler", "animal": "a comb", "plant": "a spade", "ice": "a pick", "liquid": "a ladle", "machine": "a screwdriver"}),
    "touch": (
        ["In your hand the {x} feels", "If you touch the {x}, it feels", "With closed eyes you know the {x}, since it is"],
        ["How does the {x} feel in your hand?", "How does the {x} feel if you touch it?", "What is it like to touch the {x}?"],
        {"metal": "hard and heavy", "glass": "smooth and clear", "wood": "rough and dry", "cloth": "soft and warm", "paper": "thin and light",
         "clay": "solid and dusty", "fruit": "round and juicy", "animal": "alive and furry", "plant": "green and fresh", "ice": "cold and slippery",
         "liquid": "wet and runny", "machine": "humming and shaky"}),
    "shop": (
        ["You can buy the {x}", "They sell the {x}", "If you have lost the {x}, get another"],
        ["Where can you buy the {x}?", "Where do they sell the {x}?", "Where do people get the {x}?"],
        {"metal": "at the forge", "glass": "at the window shop", "wood": "at the timber yard", "cloth": "at the dress shop",
         "paper": "at the post office", "clay": "at the pottery stall", "fruit": "at the orchard", "animal": "at the pet market",
         "plant": "at the nursery", "ice": "at the ice house", "liquid": "at the dairy", "machine": "at the power store"}),
}

# The yes/no form of a relation; "{v}" is the value.
YES_NO = {
    "stuff": "is the {x} made of {v}", "place": "is the {x} kept {v}", "worker": "is {v} the one who works with the {x}",
    "drop": "will the {x} {v} if you drop it", "fire": "will the {x} {v} in a fire", "rain": "will the {x} {v} in the rain",
    "need": "is {v} what the {x} needs", "tool": "is {v} the tool for the {x}", "touch": "is the {x} {v} in your hand",
    "shop": "can you buy the {x} {v}",
}

# goal -> (ways to ask, solution by kind)
GOALS = {
    "clean": (
        ["clean the {x}", "How do you clean the {x}?", "The {x} is dirty. What should you do?"],
        {"metal": "Rub off the rust with steel wool.", "glass": "Wipe it with vinegar and a rag.", "wood": "Sand it and dust it.",
         "cloth": "Wash it with soap and hang it up.", "paper": "Brush it and keep it dry.", "clay": "Scrub it in the sink.",
         "fruit": "Rinse it under the tap.", "animal": "Comb its hair and bathe it.", "plant": "Spray water on its leaves.",
         "ice": "Scrape off the top layer.", "liquid": "Pour it through a filter.", "machine": "Pull the plug and blow out the dust."}),
    "carry": (
        ["carry the {x} home", "How do you carry the {x}?", "You want to take the {x} with you. What should you do?"],
        {"metal": "Hang it on your belt.", "glass": "Wrap it in foam and hold it tight.", "wood": "Lay it across your shoulder.",
         "cloth": "Fold it and put it in a suitcase.", "paper": "Slide it into a folder.", "clay": "Pack it in a box of straw.",
         "fruit": "Lay it in a basket.", "animal": "Lead it on a rope.", "plant": "Lift it with soil around its roots.",
         "ice": "Put it in a cool box.", "liquid": "Fill a flask and close the cap.", "machine": "Roll up its cable and use the handle."}),
    "keep": (
        ["keep the {x} for a long time", "How do you keep the {x} for years?", "The {x} must last. What should you do?"],
        {"metal": "Coat it with grease.", "glass": "Set it far from the edge.", "wood": "Paint it with varnish.", "cloth": "Store it with moth balls.",
         "paper": "Press it flat in an album.", "clay": "Cover it with glaze.", "fruit": "Turn it into jam.", "animal": "Feed it every morning.",
         "plant": "Water it every week.", "ice": "Leave it in the freezer.", "liquid": "Seal it in a cold bottle.",
         "machine": "Charge its battery every night."}),
    "check": (
        ["find out if the {x} is good", "How do you check the {x}?", "You are not sure about the {x}. What should you do?"],
        {"metal": "Hold a magnet to it.", "glass": "Look through it at the light.", "wood": "Tap it and look for worm holes.",
         "cloth": "Pull it to see if it tears.", "paper": "Read it from top to bottom.", "clay": "Knock on it and listen.",
         "fruit": "Smell it and press it.", "animal": "Look at its eyes and teeth.", "plant": "Look for bugs under its leaves.",
         "ice": "See if it drips.", "liquid": "Take a small sip.", "machine": "Press the button and see if it starts."}),
}

# family -> (what happened, {question kind: answer}); "{y}" is another person.
EVENTS = {
    "gift": (["got a new kite from {y}", "was given flowers by {y}", "found a present from {y}", "was handed a free ticket by {y}",
              "got a birthday cake from {y}", "was sent a parcel by {y}", "received a ring from {y}", "was invited to a party by {y}"],
             {"feel": "thankful", "want": "give {y} a hug", "describe": "lucky", "say": "thank you so much"}),
    "loss": (["lost the old cat", "said goodbye to {y} for ever", "saw the family house burn down", "had to sell the best horse", "broke the vase of grandmother",
              "heard that {y} was very ill", "missed the last summer with {y}", "buried a pet bird"],
             {"feel": "sad", "want": "cry for a while", "describe": "heartbroken", "say": "I miss the old days"}),
    "win": (["won the race", "beat {y} at chess", "passed the hard test", "sang best in the contest", "painted a famous picture", "climbed the high mountain",
             "scored the last goal", "built a boat alone"],
            {"feel": "proud", "want": "show everyone the medal", "describe": "talented", "say": "I did it"}),
    "theft": (["was robbed by {y}", "was called a liar by {y}", "was pushed in the mud by {y}", "was cheated by {y} in the game", "saw {y} steal the bike",
               "was laughed at by {y}", "had the lunch taken by {y}", "was blamed by {y} for nothing"],
              {"feel": "angry", "want": "shout at {y}", "describe": "insulted", "say": "how dare you"}),
    "danger": (["met a bear in the woods", "heard a ghost at night", "was lost in a dark cave", "saw a snake in the bed", "fell through thin ice",
                "was caught in a big storm", "felt the house shake", "was chased by a wild bull"],
               {"feel": "scared", "want": "run to a safe place", "describe": "shaken", "say": "please help me"}),
    "work": (["dug the field all day", "carried stones up the hill", "walked forty miles", "chopped wood until dark", "stayed awake for two nights", "moved heavy boxes with {y}",
              "cleaned the whole house", "rowed across the lake"],
             {"feel": "tired", "want": "lie down and sleep", "describe": "hard working", "say": "I need a rest"}),
    "kindness": (["carried the bags of {y}", "fed a hungry child", "lent {y} an umbrella", "visited {y} in hospital", "helped an old man cross the road", "shared the bread with {y}",
                  "taught {y} to read", "saved a bird with a broken wing"],
                 {"feel": "warm inside", "want": "do more good deeds", "describe": "generous", "say": "you are welcome"}),
    "mistake": (["spilled soup on {y}", "forgot the birthday of {y}", "stepped on the foot of {y}", "dropped the wedding cake", "told a secret of {y}", "burned the dinner of {y}",
                 "lost the keys of {y}", "came late to the wedding of {y}"],
                {"feel": "ashamed", "want": "make up for it", "describe": "careless", "say": "please forgive me"}),
    "waiting": (["waited four hours for the bus", "sat through a long speech", "stood in a slow line", "stayed indoors all week", "listened to {y} talk about tax",
                 "watched paint dry", "had no toys to play with", "looked at the wall all morning"],
                {"feel": "bored", "want": "find some fun", "describe": "idle", "say": "when will it end"}),
    "hunger": (["had no breakfast", "skipped lunch and dinner", "smelled fresh bread", "found the fridge empty", "gave all the food to {y}", "came home from a long swim",
                "ate just one nut all day", "saw {y} eat a pie"],
               {"feel": "hungry", "want": "eat a big meal", "describe": "starving", "say": "what is for dinner"}),
}
EVENT_QUESTIONS = {
    "feel": ["How would {x} feel afterwards?", "How does {x} feel now?"],
    "want": ["What will {x} want to do next?", "What does {x} want to do now?"],
    "describe": ["How would you describe {x}?", "What is {x} like?"],
    "say": ["What would {x} say?", "What will {x} tell people?"],
}

NAMES = "Mia Noah Zoë Karl Anna José Rosa Finn Nora Paul Ida Max Eva Ben Clara Hugo Ella Leo Greta Sam Lily Otto Ruth Jan".split()

# Sentences with a blank: (sentence, [(end, 1 if the first of the two fills the blank else 2)]).
PEOPLE_BLANKS = [
    ("{x} gave the {o} to {y} because _", [("did not need it.", 1), ("had asked for it.", 2)]),
    ("{x} thanked {y} because _", [("had received help.", 1), ("had been so helpful.", 2)]),
    ("{x} ran faster than {y}, so _", [("won the race.", 1), ("came in last.", 2)]),
    ("{x} asked {y} about the {o} because _", [("knew nothing about it.", 1), ("was an expert.", 2)]),
    ("{x} carried {y} home because _", [("was very strong.", 1), ("had a broken leg.", 2)]),
    ("{x} took the {o} from {y}, so _", [("was a thief.", 1), ("called the police.", 2)]),
    ("{x} sold the {o} to {y}, so _", [("got the money.", 1), ("paid the price.", 2)]),
    ("{x} taught {y} to swim, since _", [("was a good swimmer.", 1), ("was afraid of deep water.", 2)]),
]
CONTAINERS = "box bag suitcase drawer basket trunk sack bucket".split()
FIT_BLANK = ("The {a} did not fit in the {c} because the _", [("was too big.", 1), ("was too small.", 2)])
HIT_BLANK = ("The {a} fell on the {b}, so the _", [("stayed whole.", "strong"), ("was in pieces.", "weak")])
STRONG, WEAK = ("metal", "wood"), ("glass", "clay")

# activity -> (label, objects, steps in order)
ACTIVITIES = {
    "dishes": ("Washing dishes", "plate mug bowl cup pan jug fork pot".split(),
               ["fills the sink with hot water.", "puts the {o} in the water.", "scrubs the {o} with a sponge.", "rinses the {o} under the tap.", "dries the {o} with a towel."]),
    "baking": ("Baking", "bread cake pie bun cookie roll tart pizza".split(),
               ["mixes flour and butter.", "rolls out the dough for the {o}.", "puts the {o} in the oven.", "takes the hot {o} out of the oven.", "eats a slice of the {o}."]),
    "planting": ("Gardening", "tulip rose daisy fern lily oak ivy bush".split(),
                 ["digs a small hole.", "sets the {o} in the hole.", "covers the roots of the {o} with soil.", "pours water on the {o}.", "puts a fence around the {o}."]),
    "sewing": ("Sewing", "shirt scarf towel curtain sock blanket coat flag".split(),
               ["finds a hole in the {o}.", "puts a thread through the needle.", "sews up the hole in the {o}.", "cuts off the thread.", "shows the mended {o} to a friend."]),
    "battery": ("Changing a battery", "radio clock phone torch robot drill toy camera".split(),
                ["sees that the {o} is dead.", "opens the back of the {o}.", "takes the old battery out of the {o}.", "puts a new battery in the {o}.", "switches on the {o}."]),
    "painting": ("Painting furniture", "chair door shelf stool fence crate table bench".split(),
                 ["sands the {o} until it is smooth.", "opens a can of paint.", "dips a brush in the paint.", "paints the {o} blue.", "lets the paint on the {o} dry."]),
    "writing": ("Writing", "letter card note poem story list diary report".split(),
                ["sits down at the desk.", "picks up a pen.", "writes the {o} on a sheet of paper.", "signs the {o}.", "folds the {o} and puts it away."]),
    "grooming": ("Animal care", "dog cat goat horse rabbit sheep pony lamb".split(),
                 ["calls the {o}.", "ties the {o} to a post.", "combs the hair of the {o}.", "gives the {o} a treat.", "lets the {o} run free."]),
    "jam": ("Making jam", "apple pear plum cherry grape lemon melon peach".split(),
            ["picks a ripe {o} from the tree.", "cuts the {o} into bits.", "boils the {o} with sugar.", "fills the {o} jam into jars.", "closes the lids of the jars."]),
    "fishing": ("Fishing", "trout carp pike eel salmon perch cod bass".split(),
                ["puts a worm on the hook.", "throws the line in the lake.", "feels a {o} pull at the line.", "lifts the {o} into the boat.", "fries the {o} for dinner."]),
}
PEOPLE = [("A man", "he"), ("A woman", "she"), ("A boy", "he"), ("A girl", "she")]

# Made-up buildings: what a passage may say of one, and how to ask for it.
BUILDING_NAMES = "Moor Elm Fox Reed Hill Swan Oak Bell North South West East King Queen Lake Ash Birch Crow Deer Wolf Salt Sand Star Moon".split()
BUILDINGS = "Mill Tower Bridge Inn Farm School Castle Church".split()
BUILDING_FACTS = {
    "walls": (["It is made of {v}.", "Its walls are of {v}."], ["is the {n} made of {v}"], ["wood", "stone", "brick", "iron", "clay", "glass"]),
    "where": (["It stands {v}.", "You can see it {v}."], ["does the {n} stand {v}"],
              ["by the river", "on the hill", "in the woods", "near the sea", "in the town", "at the market"]),
    "colour": (["It is painted {v}.", "Its roof is {v}."], ["is the {n} {v}"], ["red", "white", "green", "blue", "yellow", "black"]),
    "owner": (["It belongs to {v}.", "Its owner is {v}."], ["does the {n} belong to {v}"],
              ["a baker", "a doctor", "a sailor", "a teacher", "a queen", "a painter"]),
}

# What is true of some kinds and not of the others: (question, statement, its denial, kinds)
PREDICATES = {
    "grow": ("does the {x} grow", "The {x} grows.", "The {x} does not grow.", "fruit animal plant".split()),
    "burn": ("can the {x} burn", "The {x} can burn.", "The {x} cannot burn.", "wood cloth paper plant liquid".split()),
    "break": ("can the {x} break", "The {x} can break.", "The {x} cannot break.", "glass clay ice machine".split()),
    "hard": ("is the {x} hard", "The {x} is hard.", "The {x} is not hard.", "metal glass wood clay ice machine".split()),
    "made": ("was the {x} made by people", "People made the {x}.", "People did not make the {x}.", "metal glass wood cloth paper clay machine".split()),
    "water": ("is there water in the {x}", "There is water in the {x}.", "There is no water in the {x}.", "fruit animal plant ice liquid".split()),
    "last": ("does the {x} last for ever", "The {x} lasts for ever.", "The {x} does not last for ever.", "metal glass clay".split()),
    "tear": ("can you tear the {x}", "You can tear the {x}.", "You cannot tear the {x}.", "cloth paper plant fruit".split()),
    "float": ("does the {x} float", "The {x} floats.", "The {x} does not float.", "wood paper plant fruit animal ice".split()),
    "spoil": ("does the {x} spoil", "The {x} spoils.", "The {x} does not spoil.", "fruit plant liquid ice".split()),
}
