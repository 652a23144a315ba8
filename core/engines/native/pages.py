"""Memory of large pages, for what the kernels of `kernels.c` work in."""

from __future__ import annotations

import mmap
from contextlib import suppress

import torch
from torch import Tensor

HUGE = 2 << 20
"""Bytes of a large page, on all processors that there are wheels of torch for but a few."""


def zeros(count: int, dtype: torch.dtype) -> Tensor:
    """So many zeros, on large pages where the system has them and a page is filled.

    A map has its channels far apart, so that with small pages a convolution looks up an address after the other: with
    large ones a step takes a few percent less time.

    Raises:
        MemoryError: when there is not so much.
    """
    size = count * dtype.itemsize
    if size < HUGE or not hasattr(mmap, "MADV_HUGEPAGE"):
        return torch.zeros(count, dtype=dtype)
    try:
        memory = mmap.mmap(-1, size + HUGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except (OSError, OverflowError) as error:
        raise MemoryError(f"{size:,} bytes") from error
    with suppress(OSError):  # a system that was built without
        memory.madvise(mmap.MADV_HUGEPAGE)
    every = torch.frombuffer(memory, dtype=torch.uint8)  # which keeps the memory
    first = -every.data_ptr() % HUGE
    return every[first : first + size].view(dtype)
