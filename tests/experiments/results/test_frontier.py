"""Accuracy against parameters: which runs of a home are points, and which points are on the front."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.results.frontier import PUBLISHED, Point, frontier, with_front


@pytest.fixture
def finish(new_run, script):
    def make(params: int, score: float, seed: int = 0, group: str | None = None, name: str = "", **changes: object):
        config = {"seed": seed, **changes.pop("config", {})}
        started = script.started(config=config, total_params=params, **changes)
        ended = script.finished(20, score, weights_sha256=f"{seed:064}")
        return new_run(started, script.epoch(1, score), ended, group_id=group, name=name)

    return make


def mine(points: list[Point]) -> list[Point]:
    return [point for point in points if not point.kind.startswith("published")]


def test_groups_are_means_and_single_runs_are_themselves(finish, store):
    for seed, score in enumerate((0.9940, 0.9945, 0.9950)):
        finish(17_002, score, seed, group="g1", name=f"base-{seed}")
    single = finish(8_000, 0.9955, name="lucky")
    run, group = mine(frontier(store))
    assert (run.kind, run.id, run.label, run.params, run.accuracy, run.n) == (
        "run",
        single.id,
        "lucky",
        8000,
        0.9955,
        1,
    )
    assert (run.low, run.high) == pytest.approx((0.99399, 0.99664), abs=2e-5)  # Wilson's, of 9,955 in 10,000
    assert (group.kind, group.id, group.label, group.params, group.n) == ("group", "g1", "base", 17_002, 3)
    assert group.accuracy == pytest.approx(0.9945)
    assert (group.low, group.high) == pytest.approx((0.9945 - 0.001242, 0.9945 + 0.001242), abs=1e-6)


def test_only_finished_runs_on_the_whole_of_mnist_count(finish, store, new_run, script):
    finish(8_000, 0.999, dataset="mnist-5k")
    finish(8_000, 0.999, dataset="fashion")
    finish(8_000, 0.999, test_images=1000)
    finish(8_000, 0.999, config={"limit_train": 50_000})
    for seed in (0, 1):
        finish(8_000, 0.999, seed, group="g1", dataset="mnist-5k")
    new_run(script.started(), script.epoch(1, 0.999))
    new_run(script.started(), script.epoch(1, 0.999), script.stopped())
    assert mine(frontier(store)) == []


def test_on_another_data_set_its_runs_are_points_and_nothing_is_published(finish, store):
    finish(8_000, 0.999)
    finish(8_000, 0.95, dataset="mnist-5k", test_images=1000, config={"limit_train": 100})
    small = finish(8_000, 0.95, dataset="mnist-5k", test_images=1000)
    (point,) = frontier(store, "mnist-5k")
    assert (point.id, point.accuracy, point.on_front) == (small.id, 0.95, True)
    assert (point.low, point.high) == pytest.approx((0.93469, 0.96187), abs=2e-5)  # Wilson's, of 950 in 1,000


def test_a_group_of_several_recipes_is_several_runs(finish, store):
    finish(8_000, 0.994, group="g1", config={"lr": 0.1})
    finish(9_000, 0.995, group="g1", config={"lr": 0.2})
    assert [(point.kind, point.params, point.n) for point in mine(frontier(store))] == [
        ("run", 8000, 1),
        ("run", 9000, 1),
    ]


def test_the_published_results_are_always_there(store):
    points = frontier(store)
    best = [(point.params, point.accuracy) for point in points if point.kind == "published"]
    assert best == [(result.params, result.best) for result in PUBLISHED]
    second = {point.params: point.accuracy for point in points if point.kind == "published_second"}
    assert second == {7_076: 0.9952, 9_768: 0.9957, 14_372: 0.9956, 18_594: 0.9958}
    assert [point.params for point in points if point.on_front] == [
        *(697, 1_936, 4_968, 6_750, 7_076, 8_172, 9_768, 9_900)
    ]
    assert {point.kind for point in points if point.on_front} == {"published"}


def test_a_source_that_nobody_knows_is_said_to_be_unknown():
    assert {result.source for result in PUBLISHED if "/" not in result.source} == {"unknown"}
    assert [result.params for result in PUBLISHED if "/" in result.source] == [697, 1_936, 7_076, 9_768, 18_594]


def point(params: int, accuracy: float) -> Point:
    return Point("run", "", "", params, accuracy, None, None, 1)


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(9000, 9020)), max_size=30))
def test_a_point_is_on_the_front_unless_another_beats_it(values):
    points = with_front([point(params, correct / 10_000) for params, correct in values])
    front = {(one.params, one.accuracy) for one in points if one.on_front}
    expected = {
        (params, correct / 10_000)
        for params, correct in values
        if not any(p <= params and c >= correct and (p, c) != (params, correct) for p, c in values)
    }
    assert front == expected
    assert len(front) == sum(one.on_front for one in points)
