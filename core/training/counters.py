"""The counters of batch norms, moved on together.

Each batch norm adds 1 to a counter of its own, which on a GPU is a kernel of its own. Nothing reads the counters,
unless a momentum of None asks for a plain mean of the statistics, which no network here does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def counting_norms(model: nn.Module) -> list[_BatchNorm]:
    """The batch norms that see exactly one batch in a forward pass: those in a row of modules."""
    children = model if isinstance(model, nn.Sequential) else ()
    return [
        norm
        for norm in children
        if isinstance(norm, _BatchNorm) and norm.num_batches_tracked is not None and norm.momentum is not None
    ]


@contextmanager
def counted_together(norms: Sequence[_BatchNorm]) -> Iterator[None]:
    """Within the block, one forward pass of training, the batch norms have no counters; all are moved on at its end."""
    counters = [norm.num_batches_tracked for norm in norms]
    for norm in norms:
        norm.num_batches_tracked = None
    try:
        yield
    finally:
        for norm, counter in zip(norms, counters, strict=True):
            norm.num_batches_tracked = counter
    if counters:
        torch._foreach_add_([counter for counter in counters if counter is not None], 1)
