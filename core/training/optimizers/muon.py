"""Muon: momentum whose matrices are made nearly orthogonal, the step of `torch.optim.Muon`.

From Keller Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024),
https://kellerjordan.github.io/posts/muon/, from which the coefficients are.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor

from core.device.torch_private import add_to_each, lerp_each, products_of_each
from core.training.optimizers.rule import Momentum, Moving, Rule, zeros_like

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the polynomial that each singular value goes through in each round."""
ROUNDS = 5
SMALLEST_NORM = 1e-7


class Muon(Rule):
    """Steps of the length of the learning rate in every direction of a matrix.

    torch rounds the matrices to bfloat16 before they are made orthogonal. Here they keep their type, which costs
    nothing for matrices this small, and lets every engine come to the same result. Those of one shape, all copies'
    included, are worked on together.
    """

    decoupled = True

    def __init__(self, lr: Tensor, momentum: Momentum, *, nesterov: bool) -> None:
        super().__init__(lr)
        self._momentum = momentum
        self._nesterov = nesterov

    def make_state(self, parameter: Tensor) -> dict[str, Tensor]:
        return {"momentum": zeros_like(parameter)}

    def directions(self, moving: Moving) -> list[Tensor]:
        buffers, gradients = moving.state["momentum"], moving.gradients
        lerp_each(buffers, gradients, 1 - self._momentum)
        updates = buffers
        if self._nesterov:
            updates = products_of_each(buffers, self._momentum)
            add_to_each(updates, products_of_each(gradients, 1 - self._momentum))
        matrices = [
            update.reshape(blocks, len(update) // blocks, -1)
            for update, blocks in zip(updates, moving.blocks, strict=True)
        ]
        return [found.view(update.shape) for found, update in zip(orthogonal_of_each(matrices), updates, strict=True)]


def orthogonal_of_each(matrices: Sequence[Tensor]) -> list[Tensor]:
    """For stacks of matrices (N, R, C) ones with nearly the same singular vectors, whose values are all near 1.

    Those of more rows than columns are larger by the root of R / C, so that a step moves what they put out alike.
    """
    found: list[Tensor] = [*matrices]
    of_shape = defaultdict(list)
    for place, stack in enumerate(matrices):
        rows, columns = stack.shape[1:]
        of_shape[min(rows, columns), max(rows, columns)].append(place)
    for places in of_shape.values():
        wide = [matrices[place] if _is_wide(matrices[place]) else matrices[place].mT for place in places]
        together = orthogonalized(torch.cat(wide))
        for place, stack in zip(places, torch.split(together, [len(one) for one in wide]), strict=True):
            rows, columns = matrices[place].shape[1:]
            found[place] = stack if _is_wide(matrices[place]) else stack.mT * math.sqrt(rows / columns)
    return [stack.contiguous() for stack in found]


def orthogonalized(matrices: Tensor) -> Tensor:
    """The iteration of Newton and Schulz, to degree five, for matrices (N, R, C) with R at most C."""
    first, third, fifth = COEFFICIENTS
    x: Tensor = matrices / torch.linalg.vector_norm(matrices, dim=(1, 2), keepdim=True).clamp(min=SMALLEST_NORM)
    for _ in range(ROUNDS):
        squares = torch.bmm(x, x.mT)
        slopes: Tensor = torch.baddbmm(squares, squares, squares, beta=third, alpha=fifth)
        x = torch.baddbmm(x, slopes, x, beta=first)
    return x


def _is_wide(stack: Tensor) -> bool:
    return stack.shape[1] <= stack.shape[2]
