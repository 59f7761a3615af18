"""The same in bfloat16."""
from . import transformers_torch

NAME = "transformers bf16"


def measure(request):
    return transformers_torch.measure(request, "bfloat16")
