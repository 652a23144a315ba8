"""Groups of seeds: what counts, what does not and is named, and what the counted runs come to."""

import pytest

from core.events import EpochFinished
from experiments.results.groups import accuracy, all_groups, find_group
from experiments.runs.row import Status


@pytest.fixture
def seed_run(new_run, script):
    """A run of group g1 that scores these accuracies; without an end it is live, as this process owns it."""

    def make(seed: int, accuracies: tuple[float, ...], end: object = "finished", group: str = "g1", **changes: object):
        config = {"seed": seed, "epochs": 3, **changes.pop("config", {})}
        events = [script.started(config=config), *(script.epoch(n, a) for n, a in enumerate(accuracies, 1))]
        if end == "finished":
            first = next((n for n, a in enumerate(accuracies, 1) if a >= 0.994), None)
            values = {"best_test_accuracy": max(accuracies), "first_epoch_at_target": first}
            end = script.finished(len(accuracies), accuracies[-1], **values, weights_sha256=f"{seed:064}", **changes)
        return new_run(*events, *([end] if end else []), group_id=group)

    return make


def test_scores_of_finished_runs_are_summed_up_and_the_others_are_named(seed_run, store, script):
    seed_run(1, (0.990, 0.994, 0.992))
    seed_run(0, (0.991, 0.992, 0.994))
    seed_run(2, (0.990, 0.991, 0.993))
    live = seed_run(3, (0.99,), end=None)
    stopped = seed_run(4, (0.995,), end=script.stopped(1))
    group = find_group(store, "g1")
    assert [member.seed for member in group.members] == [0, 1, 2, 3, 4]
    assert group.scores("final") == [0.994, 0.992, 0.993]
    assert group.scores("best") == [0.994, 0.994, 0.993]
    assert group.sample("final").mean == pytest.approx(0.993)
    assert group.sample("final").sd == pytest.approx(0.001)
    assert group.sample("selected") is None
    named = {(member.run_id, member.status) for member in group.unfinished}
    assert named == {(live.id, Status.RUNNING), (stopped.id, Status.STOPPED)}
    record = group.to_json()
    assert (record["runs"], record["n"], record["final_test_accuracy"]["n"]) == (5, 3, 3)
    assert record["unfinished"] == [
        {"run_id": live.id, "seed": 3, "status": "running"},
        {"run_id": stopped.id, "seed": 4, "status": "stopped"},
    ]


def test_those_that_never_reach_the_target_count_as_such(seed_run, store, script):
    seed_run(0, (0.99, 0.994, 0.993))
    seed_run(1, (0.995, 0.99, 0.99))
    seed_run(2, (0.99, 0.99, 0.99))
    group = find_group(store, "g1")
    assert group.epochs_to_target() == [2, 1, None]
    assert (group.reached().count, group.reached().n, group.median_epoch_to_target()) == (2, 3, 2)
    assert group.target_in_words().endswith(", half of them by epoch 2")
    seed_run(3, (0.98,), end=script.failed(2))  # a failure is an outcome
    seed_run(4, (0.995,), end=script.stopped(1))  # what a stopped run would have done is not known
    group = find_group(store, "g1")
    assert group.epochs_to_target() == [2, 1, None, None]
    assert (group.reached().count, group.reached().n, group.median_epoch_to_target()) == (2, 4, None)
    assert group.target_in_words().endswith(", half or more never did, so no median epoch")
    assert group.to_json()["target"]["median_epoch"] is None


def test_a_run_that_failed_after_it_had_reached_the_target_has_reached_it(seed_run, store, script):
    seed_run(0, (0.995,), end=script.failed(2))
    assert find_group(store, "g1").epochs_to_target() == [1]


def test_the_curve_is_the_median_with_its_band_epoch_by_epoch(seed_run, store, script):
    for seed, accuracies in enumerate([(0.90, 0.99), (0.92, 0.98), (0.96, 0.97), (0.94,)]):
        seed_run(seed, accuracies)
    seed_run(9, (0.1, 0.1), end=script.stopped(2))
    curve = find_group(store, "g1").curve(accuracy)
    assert list(curve) == [1, 2]
    first, second = curve.values()
    assert (first.n, first.min, first.max) == (4, 0.90, 0.96)
    assert (first.q1, first.median, first.q3) == pytest.approx((0.915, 0.93, 0.945))
    assert (second.n, second.median) == (3, 0.98)
    points = find_group(store, "g1").to_json()["curves"]["accuracy"]
    assert points[1] == {
        "epoch": 2, "n": 3, "least": 0.97, "lower": 0.975, "median": 0.98, "upper": 0.985, "greatest": 0.99
    }  # fmt: skip


def test_behind_a_validation_split_the_curve_is_that_of_the_held_out_images(script):
    event = script.epoch(1, 0.9, on_test=False)
    assert isinstance(event, EpochFinished)
    assert accuracy(event) == 0.9


def test_the_same_run_again_does_not_count_twice(seed_run, store):
    first = seed_run(0, (0.99, 0.99))
    again = seed_run(0, (0.99, 0.99))
    other = seed_run(1, (0.98, 0.98))
    group = find_group(store, "g1")
    counted = {member.run_id for member in group.finished}
    assert counted | {member.run_id for member in group.repeated} == {first.id, again.id, other.id}
    assert other.id in counted
    assert len(group.scores("final")) == 2


def test_runs_of_several_recipes_are_not_one_group(seed_run, store):
    seed_run(0, (0.99,), config={"lr": 0.1})
    seed_run(1, (0.99,), config={"lr": 0.2, "batch_size": 64, "device": "cpu"})
    assert find_group(store, "g1").varying() == ["batch_size", "lr"]


def test_a_run_that_waits_and_does_not_know_its_data_set_yet_is_of_the_recipe_of_the_others(seed_run, store, new_run):
    seed_run(0, (0.99,), config={"dataset": "mnist-5k"})
    waiting = new_run(group_id="g1")
    assert waiting.config()["dataset"] == "auto"
    group = find_group(store, "g1")
    assert len(group.members) == 2
    assert group.varying() == []
    assert group.shared_config()["dataset"] == "mnist-5k"


def test_a_group_without_a_finished_run_has_no_scores(seed_run, store, script):
    seed_run(0, (), end=script.stopped(1))
    group = find_group(store, "g1")
    assert group.sample("final") is None
    assert group.reached().share is None
    assert group.target_in_words() == ""
    record = group.to_json()
    assert record["n"] == 0
    for score in ("final", "best", "selected"):
        assert record[f"{score}_test_accuracy"] is None


def test_groups_are_told_apart_and_runs_without_one_are_in_none(seed_run, store, new_run, script):
    seed_run(0, (0.99,), group="g1")
    seed_run(0, (0.99,), group="g2")
    new_run(script.started(), script.finished())
    assert sorted(group.id for group in all_groups(store)) == ["g1", "g2"]
    assert [len(group.members) for group in all_groups(store)] == [1, 1]
    assert find_group(store, "g3") is None
    assert find_group(store, "") is None


def test_the_shared_config_is_what_all_runs_have_the_same(seed_run, store):
    seed_run(0, (0.99,), config={"lr": 0.1})
    seed_run(1, (0.99,), config={"lr": 0.2})
    shared = find_group(store, "g1").shared_config()
    assert (shared["arch"], shared["epochs"]) == ("conv9", 3)
    assert not {"seed", "lr"} & set(shared)
