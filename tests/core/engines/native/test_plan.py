"""Memory of a plan: large pages, batches and images of any size after one another."""

from __future__ import annotations

import gc
import mmap
from copy import deepcopy
from pathlib import Path

import pytest
import torch

from core.engines.native import plan
from core.engines.native.engine import NativeEngine
from core.engines.native.plan import SegmentPlan
from core.models.build import build_model
from core.models.spec import parse
from core.models.summary import summarize

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


@pytest.mark.usefixtures("kernels")
def test_memory_that_could_not_be_had_is_asked_for_again(monkeypatch):
    model = build_model(summarize(parse("c8 p2 c8 gap fc10")))
    forward, images = NativeEngine().forward(model), torch.randn(6, 1, 28, 28)

    def fail(*_):
        raise RuntimeError("not enough memory")

    with monkeypatch.context() as patch:
        patch.setattr(SegmentPlan, "_vectors", fail)
        for _ in range(2):
            with pytest.raises(RuntimeError, match="not enough memory"):
                forward(images)
    assert torch.isfinite(forward(images)).all()


@pytest.mark.usefixtures("kernels")
def test_images_of_any_size_may_follow_one_another():
    model = build_model(summarize(parse("c8 p2 c6 gap fc10"))).double()
    forward, images = NativeEngine().forward(model), torch.randn(9, 1, 28, 28, dtype=torch.float64)
    for side in (28, 20, 28):
        given = images[..., :side, :side]
        expected = deepcopy(model)(given)
        assert torch.allclose(forward(given), expected)


@pytest.mark.usefixtures("kernels")
def test_batches_of_any_size_may_follow_one_another():
    torch.manual_seed(0)
    model = build_model(summarize(parse("c8 p2 c8 gap fc10"))).double()
    forward, plain = NativeEngine().forward(model), deepcopy(model)
    for size in (5, 40, 3, 17, 40, 2):
        images = torch.randn(size, 1, 28, 28, dtype=torch.float64)
        torch.testing.assert_close(forward(images), plain(images), rtol=1e-9, atol=1e-9)
