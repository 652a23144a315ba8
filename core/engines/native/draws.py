"""What a dropout keeps, drawn in the kernels: the values that torch draws, in about a sixth of the time."""

from __future__ import annotations

import ctypes
import math
from functools import lru_cache

import torch
from torch import Tensor

FRACTION = 2**53
"""torch compares a whole number of this many with a probability."""
STATE_BYTES = 5016
"""Of a generator, those that the kernels read and write: `Generator` in `kernels/generator.h`."""


def draw_kept(kernels: ctypes.CDLL, kept: Tensor, p: float) -> None:
    """Fill a dense tensor of bool as ``kept.bernoulli_(p)`` does, and leave torch's generator where that leaves it."""
    if is_torchs(kernels):
        _draw(kernels, torch.default_generator, kept, p)
    else:
        kept.bernoulli_(p)


@lru_cache
def is_torchs(kernels: ctypes.CDLL) -> bool:
    """Whether the torch that is installed draws as the kernels do: nothing promises it."""
    ours, torchs = (torch.Generator().manual_seed(1) for _ in range(2))
    if ours.get_state().numel() < STATE_BYTES:
        return False
    for count in (1000, 7):
        wanted = torch.empty(count, dtype=torch.bool).bernoulli_(0.3, generator=torchs)
        found = torch.empty(count, dtype=torch.bool)
        _draw(kernels, ours, found, 0.3)
        if not (found.equal(wanted) and ours.get_state().equal(torchs.get_state())):
            return False
        for generator in (ours, torchs):
            torch.rand(1, generator=generator)  # the next draw begins at an odd word
    return True


def _draw(kernels: ctypes.CDLL, generator: torch.Generator, kept: Tensor, p: float) -> None:
    state = generator.get_state()
    kernels.draw_kept(state.data_ptr(), kept.data_ptr(), kept.numel(), math.ceil(p * FRACTION))
    generator.set_state(state)
