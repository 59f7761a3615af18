"""CTranslate2 in int8, by its own call for scores, which sorts and batches by tokens; it shares no context."""
import json

from peers import ctranslate2_int8 as peer
from peers.common import Unavailable

from . import batches

NAME = "CTranslate2 int8"


def score(request):
    if not request.get("folder"):
        raise Unavailable("needs the Hugging Face folder")
    try:
        import ctranslate2
    except ImportError:
        raise Unavailable("ctranslate2 is not installed") from None
    model = peer.converted(request["folder"], request["work"], ctranslate2)
    vocabulary = json.loads((model / "vocabulary.json").read_text())
    generator = ctranslate2.Generator(str(model), device="cpu", compute_type="int8", inter_threads=1, intra_threads=request["threads"])

    def run(batch):
        rows = [[vocabulary[i] for i in q["context"] + choice] for q in batch for choice in q["choices"]]
        results = iter(generator.score_batch(rows, max_batch_size=request["batch"] * 64, batch_type="tokens"))
        return [[sum(next(results).log_probs[-len(choice):]) for choice in q["choices"]] for q in batch]

    return batches.timed(batches.split(request["questions"], 4 * request["batch"]), run)
