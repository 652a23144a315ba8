"""What a network's trained parameters are to an optimizer: weights or not, and matrices or not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

_NORM = re.compile(r"Norm(\dd)?$")
_CONVOLUTIONS = (
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A trained parameter.

    `is_weight` tells that it is neither of a norm nor a bias. `blocks` matrices lie in it one after another along its
    first dimension: of copies, or of a convolution's groups. `is_hidden_matrix` says that those are matrices of more
    than one row and column, and not the last ones in use, which make the logits.
    """

    name: str
    tensor: Tensor
    is_weight: bool
    blocks: int
    is_hidden_matrix: bool


def trained_parameters(model: nn.Module, copies: int = 1, in_use: Sequence[str] = ()) -> list[Parameter]:
    """The trained parameters of a model in the order in which it defines them, each once.

    A module is a norm when the name of its class ends as those of torch's do: LayerNorm, GroupNorm, BatchNorm2d. A
    kernel is the matrix that its convolution multiplies by: a row for each channel that comes out, a column for each
    number that goes into it. A convolution in groups has one for each group. That of a depthwise one has a single row:
    to make it orthogonal would only give it another length, so it counts as a vector.

    Args:
        in_use: names of parameters in the order in which the forward pass uses them, where that is not the model's own.
    """
    weights, blocks = {}, {}
    for module in model.modules():
        for name, tensor in module.named_parameters(recurse=False):
            weights[id(tensor)] = tensor.dim() > 1 and name != "bias" and not _NORM.search(type(module).__name__)
            blocks[id(tensor)] = module.groups if isinstance(module, _CONVOLUTIONS) else copies
    named = [(name, one) for name, one in model.named_parameters() if one.requires_grad]
    matrices = [name for name, one in named if weights[id(one)] and min(_rows_and_columns(one, blocks[id(one)])) > 1]
    used = [name for name in in_use if name in matrices] or matrices
    hidden = set(matrices) - set(used[-1:])
    return [Parameter(name, one, weights[id(one)], blocks[id(one)], name in hidden) for name, one in named]


def _rows_and_columns(tensor: Tensor, blocks: int) -> tuple[int, int]:
    return len(tensor) // blocks, tensor[0].numel() if len(tensor) else 0
