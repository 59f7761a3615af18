"""The same in float32."""
from . import torch_packed

NAME = "PyTorch fp32, packed"


def score(request):
    return torch_packed.score(request, "float32")
