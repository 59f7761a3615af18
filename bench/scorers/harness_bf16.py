"""The same in bfloat16."""
from . import harness

NAME = "lm-evaluation-harness bf16"


def score(request):
    return harness.score(request, "bfloat16")
