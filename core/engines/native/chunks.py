"""The cut of a batch into chunks, each of which has sums of its own for the gradients of weights.

Sums of floating-point numbers depend on their order. So the cut depends on the batch alone, and not on how many threads
there are.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

SHARE = 32
"""What is left of a batch is taken in chunks of this share of it."""


@lru_cache
def partition(groups: int, together: int = 1, threads: int = 0) -> Tensor:
    """The first group of each chunk of a block's work, and the end: (chunks + 1), int32.

    Threads take one chunk after the other. Chunks become smaller, so that threads end together though one may be slowed
    down by another program; there are few, as each has sums of its own.

    Args:
        together: groups that are worked on together, as their maps are small; a chunk has so many at least.
        threads: that earlier versions cut the batch for, in a run that one of them began; 0 for the cut by the batch.
    """
    first = [0]
    while (left := groups - first[-1]) > 0:
        if not threads:
            size = max(together, left // SHARE)
        elif together > 1:
            size = max(1, -(-groups // threads))
        else:
            size = max(1, left // (2 * threads))
        first.append(min(groups, first[-1] + size))
    return torch.tensor(first, dtype=torch.int32)


def most_chunks(groups: int, together: int = 1, threads: int = 0) -> int:
    """Chunks of a batch of so many groups or fewer, at most.

    For threads a smaller batch may have more: for 4 of them 5 groups make 3 chunks, and 4 groups make 4.
    """
    return min(groups, threads) if threads and together > 1 else len(partition(groups, together, threads)) - 1
