"""What a run was made from, and its place among the others."""

from __future__ import annotations

import pytest

from core.config import TrainConfig
from experiments.presets.loader import load_preset, preset_names
from experiments.results.origin import changes, origin_of, row_changes
from experiments.results.ranking import rank_of
from experiments.runs.folder import Meta


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_as_it_is_has_no_changes(store, name):
    run = store.create(load_preset(name).config, Meta(), {})
    origin = origin_of(run, run.config())
    assert (origin.name, origin.is_parent, origin.changes) == (name, False, ())


def test_without_a_parent_it_is_the_nearest_preset(store):
    config = load_preset("seed-conv5").config.changed(lr=0.05, seed=7, device="cpu")
    origin = origin_of(run := store.create(config, Meta(), {}), run.config())
    assert (origin.name, origin.changes) == ("seed-conv5", (("lr", 0.05, load_preset("seed-conv5").config.lr),))


def test_a_fork_is_held_against_its_parent_whatever_becomes_of_that(store):
    parent = store.create(TrainConfig(lr=0.1), Meta("first"), {})
    child = store.create(TrainConfig(lr=0.1, batch_size=64), Meta(parent=parent.id), {})
    parent.release()
    store.remove(parent)
    origin = origin_of(child, child.config())
    assert (origin.name, origin.is_parent, origin.changes) == ("first", True, (("batch_size", 64, 256),))


def test_a_damaged_record_of_the_parent_is_as_none(store):
    parent = store.create(TrainConfig(), Meta("first"), {})
    child = store.create(TrainConfig(), Meta(parent=parent.id), {})
    (child.folder / "parent.json").write_text('{"run_id": 3}')
    assert not origin_of(child, child.config()).is_parent


def test_what_has_no_effect_is_no_change():
    plain = TrainConfig().model_dump()
    assert changes(plain | {"step_size": 3, "elastic": 5.0}, plain) == ()
    assert changes(plain | {"dataset": "mnist"}, plain | {"dataset": "auto"}) == ()


def test_a_run_has_its_place_among_those_on_the_same_data(new_run, script, store):
    for name, accuracy, values in (
        ("a", 0.99, {}),
        ("b", 0.995, {"lr": 0.1}),
        ("other data", 0.999, {}),
        ("a part", 0.998, {"limit_train": 100}),
    ):
        dataset = "fashion" if name == "other data" else "mnist"
        started = script.started(config=values, dataset=dataset)
        new_run(started, script.epoch(1, accuracy), script.finished(1, accuracy), name=name)
    new_run(script.started(), name="nothing yet")
    rows = {row.name: row for row, _ in store.rows()}
    first, second = rank_of(rows["b"], rows.values()), rank_of(rows["a"], rows.values())
    assert (first.place, first.n, first.rival.name) == (1, 2, "a")
    assert (second.place, second.rival.name) == (2, "b")
    assert first.gap == pytest.approx(0.005) == -second.gap
    assert rank_of(rows["a part"], rows.values()).n == 1
    assert rank_of(rows["nothing yet"], rows.values()) is None
    assert row_changes(rows["b"], rows["a"]) == (("lr", 0.1, 0.03772),)
