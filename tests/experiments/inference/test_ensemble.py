"""A group as one classifier."""

from __future__ import annotations

import pytest

from core.data.loader import Loader
from core.errors import InvalidValue, RunError
from experiments.execution.runner import Runner
from experiments.inference.ensemble import score_ensemble
from experiments.inference.network import load_network


@pytest.fixture
def trained(locations, store, tiny):
    for seed in range(3):
        list(Runner(locations).run(tiny.changed(seed=seed)))
    return store.runs()


def test_the_mean_of_the_probabilities_is_scored_beside_each_run_alone(locations, trained, tiny):
    found = score_ensemble(trained, locations, should_stop=lambda: "")
    data = Loader(locations.data, locations.cache).load(tiny.dataset).limited(None, tiny.limit_test)
    total = sum(load_network(run).probabilities(data.test_images).double() for run in trained)
    assert found.correct == int((total.argmax(1) == data.test_labels).sum())
    assert found.members == tuple(run.view().epochs[-1].test_correct for run in trained)
    assert found.images == len(data.test_labels)
    record = found.to_json()
    assert record["test_accuracy"] == found.correct / found.images
    assert record["low"] < record["test_accuracy"] < record["high"]
    assert record["mean_test_accuracy"] == pytest.approx(sum(found.members) / 3 / found.images)


def test_a_run_three_times_is_itself(locations, trained):
    found = score_ensemble([trained[0]] * 3, locations, should_stop=lambda: "")
    assert found.correct == found.members[0]


def test_it_takes_two_runs_scored_on_the_same_images_with_weights(locations, store, trained, tiny):
    with pytest.raises(InvalidValue, match="needs at least two finished runs"):
        score_ensemble(trained[:1], locations, should_stop=lambda: "")
    entries = list(Runner(locations).run(tiny.changed(limit_test=50)))
    other = store.run(entries[0].run_id)
    with pytest.raises(InvalidValue, match="was not scored on the images of"):
        score_ensemble([trained[0], other], locations, should_stop=lambda: "")
    trained[0].final_weights.unlink()
    with pytest.raises(RunError):
        score_ensemble(trained, locations, should_stop=lambda: "")
