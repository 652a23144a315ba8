"""The curve of a range test: its means move nothing, and the rule finds the place that it says."""

import math
import random
from itertools import pairwise

import pytest

from core.config import TrainConfig
from core.errors import InvalidValue
from core.training.range_curve import (
    FALL,
    LEARNT,
    LEAST_STEPS,
    SMOOTHING,
    RangePoint,
    RangeTest,
    RunningMean,
    rising_rates,
    smoothed,
    suggest,
)


def running_mean(points):
    mean = RunningMean([point.rate for point in points])
    return [mean.add(point.loss) for point in points]


def explosions(points):
    """The steps at which the mean has exploded."""
    mean, found = RunningMean([point.rate for point in points]), []
    for point in points:
        mean.add(point.loss)
        found += [point.step] * mean.has_exploded
    return found


def curve(loss_at, low=1e-4, high=10.0, steps=235, noise=0.0, seed=0):
    numbers = random.Random(seed)
    rates = rising_rates(low, high, steps)
    return [
        RangePoint(step, rate, loss_at(rate) * math.exp(noise * numbers.gauss(0, 1)))
        for step, rate in enumerate(rates, start=1)
    ]


def valley(bottom: float):
    """A loss that falls from 2.3 to 0.2 and rises again, as steeply on both sides of a rate."""
    return lambda rate: 2.3 - 2.1 * math.exp(-(math.log10(rate / bottom) ** 2))


@pytest.mark.parametrize(("low", "high", "steps"), [(1e-4, 10, 235), (1e-6, 1, 20), (0.5, 0.6, 2)])
def test_rates_rise_by_one_factor_from_end_to_end(low, high, steps):
    rates = rising_rates(low, high, steps)
    assert len(rates) == steps
    assert (rates[0], rates[-1]) == (pytest.approx(low), pytest.approx(high))
    factors = [later / earlier for earlier, later in pairwise(rates)]
    assert factors == pytest.approx([factors[0]] * (steps - 1))


def edge_of(loss_at, low=1e-4, high=10.0):
    """Where a loss has come down to its floor, looked for in small steps."""
    rates = rising_rates(low, high, 10_000)
    first, lowest = loss_at(low), min(map(loss_at, rates))
    return next(rate for rate in rates if math.log(first / loss_at(rate)) >= FALL * math.log(first / lowest))


def floor(edge: float):
    """A loss that falls from 2.3 to 0.15, stays there, and rises slowly at far higher rates."""
    return lambda rate: 0.15 + 2.15 / (1 + (10 * rate / edge) ** 1.5) + 0.002 * rate / edge


@pytest.mark.parametrize("steps", [100, 235, 938])
@pytest.mark.parametrize("place", [0.005, 0.03772, 0.3])
@pytest.mark.parametrize("shape", [valley, floor])
def test_smoothing_moves_the_end_of_the_fall_by_less_than_a_quarter_whatever_the_steps(shape, place, steps):
    found = suggest(curve(shape(place), steps=steps))
    assert 0.8 < found / edge_of(shape(place)) < 1.25


@pytest.mark.parametrize("steps", [100, 235, 938])
@pytest.mark.parametrize("bottom", [0.001, 0.03772, 0.5])
def test_smoothing_does_not_move_the_lowest_place_whatever_the_steps(bottom, steps):
    points = curve(valley(bottom), steps=steps)
    means = smoothed(points)
    found = points[means.index(min(means))].rate
    assert abs(math.log10(found / bottom)) <= 5 / steps  # one step


@pytest.mark.parametrize("seed", range(10))
def test_noise_as_large_as_that_of_batches_moves_it_little(seed):
    found = suggest(curve(valley(0.03772), noise=0.3, seed=seed))
    assert 0.6 < found / edge_of(valley(0.03772)) < 1.3


def test_the_running_mean_comes_late_which_is_why_it_is_not_used_for_the_suggestion():
    points = curve(valley(0.03772))
    late, centred = running_mean(points), smoothed(points)
    assert points[late.index(min(late))].rate > 1.2 * points[centred.index(min(centred))].rate


def test_a_single_loss_out_of_all_proportion_moves_it_by_less_than_a_tenth():
    points = curve(valley(0.03772))
    spiked = [RangePoint(p.step, p.rate, 1e4 if p.step == 180 else p.loss) for p in points]
    assert suggest(spiked) == pytest.approx(suggest(points), rel=0.1)


def test_means_of_a_constant_are_the_constant_to_both_ends():
    points = curve(lambda _: 2.5)
    assert smoothed(points) == pytest.approx([2.5] * len(points))
    assert running_mean(points) == pytest.approx([2.5] * len(points))


def test_each_running_mean_weighs_all_losses_up_to_it():
    points = curve(valley(0.03772), steps=30, noise=0.3)
    falls = [math.exp(-math.log10(points[-1].rate / point.rate) / SMOOTHING) for point in points]
    expected = sum(fall * point.loss for fall, point in zip(falls, points, strict=True)) / sum(falls)
    assert running_mean(points)[-1] == pytest.approx(expected)


def test_a_straight_fall_is_still_straight_where_it_is_far_from_the_ends():
    points = curve(lambda rate: math.exp(-math.log10(rate)))
    means = smoothed(points)
    assert [means[at] for at in range(90, 150)] == pytest.approx([points[at].loss for at in range(90, 150)], rel=1e-3)


@pytest.mark.parametrize("loss_at", [lambda _: 2.3, lambda rate: 2.3 + rate, lambda rate: 2.3 - 0.001 * rate])
def test_nothing_is_suggested_where_the_loss_does_not_fall(loss_at):
    assert suggest(curve(loss_at)) is None
    assert suggest([]) is None
    assert suggest(curve(loss_at)[:1]) is None


def test_it_has_exploded_when_the_mean_is_four_times_its_lowest_and_not_for_one_bad_batch():
    points = curve(valley(0.001))
    means = running_mean(points)
    expected = [step for step in range(1, len(means) + 1) if means[step - 1] > 4 * min(means[:step])]
    assert explosions(points) == expected != []
    spiked = [*points[:47], RangePoint(48, points[47].rate, 20 * points[46].loss)]
    assert not explosions(spiked)


def test_ends_follow_the_optimizer_unless_they_are_given():
    assert RangeTest.checked(TrainConfig()) == RangeTest(1e-4, 10.0)
    assert RangeTest.checked(TrainConfig(optimizer="adam")) == RangeTest(1e-6, 1.0)
    assert RangeTest.checked(TrainConfig(), 1e-3, 1.0, 50) == RangeTest(1e-3, 1.0, 50)
    assert [RangeTest(1, 2).steps_of(count) for count in (1, 99, 235)] == [LEAST_STEPS, LEAST_STEPS, 235]
    assert RangeTest(1, 2, 30).steps_of(235) == 30


@pytest.mark.parametrize(
    ("low", "high", "field"),
    [(0, None, "low"), (math.nan, None, "low"), (None, 101, "high"), (None, math.inf, "high"), (11, None, "low"),
     (1, 1, "low"), (-1, None, "low")],
)  # fmt: skip
def test_ends_that_are_no_rates_or_in_the_wrong_order_are_named(low, high, field):
    with pytest.raises(InvalidValue) as caught:
        RangeTest.checked(TrainConfig(), low, high)
    assert caught.value.field == field
    assert caught.value.hint


@pytest.mark.parametrize("depth", [3, 10, 100])
def test_images_that_are_learnt_within_the_test_move_the_suggestion_no_further_however_near_to_0_the_loss_comes(depth):
    points = curve(lambda rate: 2.3 * math.exp(-depth * (math.log10(rate) + 4) ** 2))
    learnt = next(point.rate for point in points if point.loss < 2.3 * LEARNT)
    assert 0.5 < suggest(points) / learnt < 1.5


def test_a_loss_that_is_next_to_nothing_does_not_explode_by_being_next_to_nothing_some_times_over():
    points = curve(lambda rate: 2.3 if rate < 1e-2 else 1e-20 * rate**6)
    assert not explosions(points)
    assert explosions([*points, RangePoint(236, 10.1, 100.0)]) == [236]
