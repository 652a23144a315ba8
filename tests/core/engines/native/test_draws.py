"""Dropouts draw what torch draws, whatever was drawn before, and leave its generator where torch would."""

from __future__ import annotations

import pytest
import torch

from core.engines.native.draws import draw_kept, is_torchs
from core.engines.native.library import TYPES, load_kernels


@pytest.fixture(autouse=True)
def own_numbers():
    with torch.random.fork_rng(devices=[]):
        yield


def both(kernels, count: int, p: float, words_before: int) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """What the kernels and torch draw, what torch draws next, and the state of its generator in the end."""
    found = []
    for draw in (lambda kept: draw_kept(kernels, kept, p), lambda kept: kept.bernoulli_(p)):
        torch.manual_seed(5)
        torch.rand(words_before)
        kept = torch.empty(count, dtype=torch.bool)
        draw(kept)
        found.append((kept, torch.randn(3), torch.get_rng_state()))
    return found


@pytest.mark.parametrize("dtype", TYPES)
def test_this_torch_is_one_that_the_kernels_draw_for(each_build, dtype):
    assert is_torchs(load_kernels(dtype))


@pytest.mark.parametrize("words_before", [0, 1, 2, 622, 623, 624, 625])
@pytest.mark.parametrize("count", [1, 2, 311, 312, 313, 10_001])
def test_values_are_those_of_torch_wherever_its_generator_stands(each_build, count, words_before):
    ours, torchs = both(load_kernels(torch.float32), count, 0.9, words_before)
    assert all(mine.equal(its) for mine, its in zip(ours, torchs, strict=True))


@pytest.mark.parametrize("p", [0.0, 1e-300, 0.1 + 0.2, 0.5, 1 - 2**-53, 1.0])
def test_values_are_those_of_torch_at_any_probability(each_build, p):
    ours, torchs = both(load_kernels(torch.float32), 5000, p, 1)
    assert all(mine.equal(its) for mine, its in zip(ours, torchs, strict=True))
    assert float(ours[0].double().mean()) == pytest.approx(p, abs=0.03)


class Others:
    """Kernels that draw otherwise than torch does."""

    def draw_kept(self, _state: int, _kept: int, _count: int, _below: int) -> None:
        pass


def test_a_torch_that_draws_otherwise_is_asked_for_its_values():
    assert not is_torchs(Others())
    ours, torchs = both(Others(), 1000, 0.3, 0)
    assert all(mine.equal(its) for mine, its in zip(ours, torchs, strict=True))
