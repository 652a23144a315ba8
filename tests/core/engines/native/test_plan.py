"""Zeros on large pages: where they lie, and what they are when there are none or too few."""

from __future__ import annotations

import gc
import mmap
from pathlib import Path

import pytest
import torch

from core.engines.native import plan

LARGE = pytest.mark.skipif(not hasattr(mmap, "MADV_HUGEPAGE"), reason="the system has no large pages to ask for")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("count", [0, 1, 1000, 3 << 20])
def test_they_are_zeros_that_can_be_written(count, dtype):
    made = plan.zeros(count, dtype)
    assert (made.shape, made.dtype) == ((count,), dtype)
    assert not made.any()
    made.fill_(1)
    assert made.sum() == count


@LARGE
def test_large_ones_begin_with_a_page():
    assert plan.zeros(3 << 20, torch.float32).data_ptr() % plan.HUGE == 0


@LARGE
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not tell how much memory is used")
def test_the_memory_is_there_as_long_as_the_tensor_is_and_no_longer():
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE

    made = plan.zeros(32 << 20, torch.float32)
    part = made[-(8 << 20) :]
    part.fill_(1)
    del made
    gc.collect()
    assert part.sum() == len(part)
    held = resident()
    del part
    gc.collect()
    assert held - resident() > 24 << 20


@LARGE
def test_more_than_there_is_is_said_as_of_any_memory():
    with pytest.raises(MemoryError):
        plan.zeros(1 << 60, torch.float32)
