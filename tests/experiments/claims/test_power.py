"""How many seeds would tell, held against simulation and against its own inverse."""

from __future__ import annotations

import random
from statistics import fmean

import pytest

from experiments.claims.power import runs_for_share
from experiments.statistics.descriptive import describe, share_of
from experiments.statistics.significance import POWER, detectable, seeds_needed, welch


@pytest.mark.parametrize("n", [2, 3, 5, 10, 40])
@pytest.mark.parametrize("alpha", [0.05, 0.05 / 3])
def test_the_detectable_difference_needs_just_so_many_seeds(n, alpha):
    size = detectable(n, (0.0005, 0.0007), alpha)
    assert seeds_needed(size * 1.0001, (0.0005, 0.0007), alpha) == n


def test_it_is_found_in_four_cases_of_five():
    draw, found = random.Random(0), 0
    size = detectable(6, (1.0, 1.0))
    for _ in range(2_000):
        first = [draw.gauss(size, 1) for _ in range(6)]
        second = [draw.gauss(0, 1) for _ in range(6)]
        difference = welch(describe(first), describe(second))
        found += difference.p < 0.05 and fmean(first) > fmean(second)
    assert found / 2_000 == pytest.approx(POWER, abs=0.03)


def test_nothing_is_detectable_with_one_seed_or_without_deviation():
    assert detectable(1, (1.0, 1.0)) is None
    assert detectable(5, (0.0, 0.0)) is None


@pytest.mark.parametrize(("count", "n"), [(1, 5), (4, 5), (3, 5), (0, 1), (5, 8)])
def test_after_so_many_runs_the_interval_of_the_share_leaves_out_one_half(count, n):
    needed = runs_for_share(share_of(count, n))
    expected = share_of(round(count / n * needed), needed)
    assert expected.low > 0.5 or expected.high < 0.5
    assert needed >= n


def test_one_half_itself_is_never_told():
    assert runs_for_share(share_of(2, 4)) is None
    assert runs_for_share(share_of(0, 0)) is None
