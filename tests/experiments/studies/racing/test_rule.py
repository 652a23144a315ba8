"""The rule of a race against simulated scores: how often the best is dropped, and how often the winner is wrong."""

from __future__ import annotations

import random

import pytest

from experiments.studies.racing.rule import ALPHA, LOOKS, dropped


def race(means, draw):
    """The racers left, each with scores of deviation 1 about its mean."""
    scores = {number: [] for number in range(len(means))}
    left = list(scores)
    for count in LOOKS:
        for number in left:
            scores[number] += [draw.gauss(means[number], 1) for _ in range(count - len(scores[number]))]
        worse = dropped(scores, left, len(means))
        left = [number for number in left if number not in worse]
        if len(left) == 1:
            break
    return left


@pytest.mark.parametrize(
    "means",
    [(1e-9, 0), (0.3, 0), (1e-9, 0, 0, 0, 0, 0), (0.5, 0, 0, -1), (1, 0.9, 0.8, 0)],
    ids=lambda means: " ".join(map(str, means)),
)
def test_no_more_winners_are_wrong_than_is_stated(means):
    draw, races = random.Random(0), 1_000
    outcomes = [race(means, draw) for _ in range(races)]
    most = ALPHA * races + 3 * (ALPHA * (1 - ALPHA) * races) ** 0.5  # three standard errors of the count
    assert sum(0 not in left for left in outcomes) <= most
    assert sum(len(left) == 1 and left != [0] for left in outcomes) <= most


def test_a_best_that_is_far_ahead_wins_and_costs_fewer_runs():
    draw = random.Random(1)
    outcomes = [race((3, 0, 0, 0, 0, 0), draw) for _ in range(200)]
    assert sum(left == [0] for left in outcomes) > 190


def test_the_one_ahead_is_never_dropped_and_equal_scores_tell_nothing():
    assert dropped({0: [0.9, 0.91], 1: [0.1, 0.11]}, [0, 1], 2) == [1]
    assert dropped({0: [0.9, 0.9], 1: [0.8, 0.8]}, [0, 1], 2) == []
