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
TOGETHER = 32
"""Matrices of up to so many rows are worked on together, and so are those between two powers of 2 above."""


class Muon(Rule):
    """Steps of the length of the learning rate in every direction of a matrix.

    torch rounds the matrices to bfloat16 before they are made orthogonal. Here they are float32 at least, which costs
    nothing for matrices this small, and lets every engine come to the same result.
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
        precise = torch.promote_types(updates[0].dtype, torch.float32)
        matrices = [
            update.reshape(blocks, len(update) // blocks, -1).to(precise)
            for update, blocks in zip(updates, moving.blocks, strict=True)
        ]
        return [
            found.view(update.shape).to(update.dtype)
            for found, update in zip(orthogonal_of_each(matrices), updates, strict=True)
        ]


def orthogonal_of_each(matrices: Sequence[Tensor]) -> list[Tensor]:
    """For stacks of matrices (N, R, C) ones with nearly the same singular vectors, whose values are all near 1.

    Those of more rows than columns are larger by the root of R / C, so that a step moves what they put out alike.
    """
    is_wide = [stack.shape[1] <= stack.shape[2] for stack in matrices]
    found = [stack if wide else stack.mT for stack, wide in zip(matrices, is_wide, strict=True)]
    together = defaultdict(list)
    for place, stack in enumerate(found):
        together[max(TOGETHER, 1 << (stack.shape[1] - 1).bit_length())].append(place)
    for places in together.values():
        for place, stack in zip(places, _orthogonal([found[place] for place in places]), strict=True):
            found[place] = stack
    return [
        one if wide else one.mT.mul(math.sqrt(one.shape[2] / one.shape[1])).contiguous()
        for one, wide in zip(found, is_wide, strict=True)
    ]


def _orthogonal(matrices: Sequence[Tensor]) -> list[Tensor]:
    """Five rounds of Newton and Schulz's iteration, to degree five, for stacks with no more rows than columns.

    A round multiplies X by a polynomial P of G = X X^T, which is symmetric and commutes with G, so the next G is P G P.
    Thus all rounds are made with the small matrices G, of all stacks at once, with zeros where one is smaller, and X is
    multiplied by the product of the polynomials in the end.
    """
    first, third, fifth = COEFFICIENTS
    rows, counts = max(stack.shape[1] for stack in matrices), [len(stack) for stack in matrices]
    squares = matrices[0].new_zeros(sum(counts), rows, rows)
    for stack, square in zip(matrices, torch.split(squares, counts), strict=True):
        torch.bmm(stack, stack.mT, out=square[:, : stack.shape[1], : stack.shape[1]])
    norms = squares.diagonal(dim1=1, dim2=2).sum(1).sqrt_().clamp_(min=SMALLEST_NORM).view(-1, 1, 1)
    squares.div_(norms).div_(norms)
    product = None
    for left in reversed(range(ROUNDS)):
        polynomial: Tensor = torch.baddbmm(squares, squares, squares, beta=third, alpha=fifth)
        polynomial.diagonal(dim1=1, dim2=2).add_(first)
        product = polynomial.div(norms) if product is None else torch.bmm(polynomial, product)
        if left:
            squares = torch.bmm(torch.bmm(polynomial, squares), polynomial)
    assert product is not None
    return [
        torch.bmm(factor[:, : stack.shape[1], : stack.shape[1]], stack)
        for stack, factor in zip(matrices, torch.split(product, counts), strict=True)
    ]
