"""The list of runs: folds, and what a changed folder makes of it."""

from __future__ import annotations

import os
import random

import pytest
from app_pilot import make_run

from experiments.results.filters.language import parse_filter
from experiments.results.ordering import ORDERS, STATUS, ordered, value_of
from experiments.runs.folder import Meta
from experiments.runs.row import RunRow, Status, standing
from experiments.runs.store import Store
from tui.live.catalog import Catalog
from tui.live.runs.listing import _FIRST, NEWEST, Folds, Listing
from tui.live.runs.marks import Marks

GROUP = "g20260101-000000-aaaa"


def _run(home, script, name: str, accuracy: float, meta: Meta | None = None, **config: object):
    events = (script.started(config=config), script.epoch(1, accuracy), script.finished(1, accuracy))
    return make_run(home, script, *events, meta=meta or Meta(name), **config)


def _home(tmp_path, script) -> Store:
    """A group of three seeds, a sweep of two trials, and a run by itself."""
    for seed, accuracy in enumerate((0.99, 0.992, 0.994)):
        _run(tmp_path, script, "", accuracy, Meta(f"base-{seed}", ("mine",), GROUP), seed=seed)
    for lr, accuracy in ((0.1, 0.98), (0.2, 0.993)):
        _run(tmp_path, script, "", accuracy, Meta(f"first-{lr}", ("study:first",)), lr=lr)
    _run(tmp_path, script, "alone", 0.985)
    return Store(tmp_path)


def _lines(store: Store, text: str = "", sort: str = "best", *, is_open: bool = False, **options: bool):
    return Listing().arrange(store.rows(), parse_filter(text), sort, is_open=lambda _: is_open, **options)


def test_a_group_has_the_mean_and_a_sweep_its_best_trial(tmp_path, script):
    store = _home(tmp_path, script)
    lines = _lines(store)
    assert [(line.row.name, line.row.best_test_accuracy) for line in lines] == [
        ("first", 0.993),
        ("base", 0.992),
        ("alone", 0.985),
    ]
    sweep, group, _ = lines
    assert (sweep.fold.words, group.fold.words) == ("best of 2", "mean of 3")
    assert (sweep.row.lr, group.row.seed, group.row.tags, sweep.row.tags) == (0.2, None, ("mine",), ())
    assert [line.shown[0].name for line in lines] == ["first-0.2", "base-2", "alone"]


def test_an_open_fold_is_followed_by_its_runs_in_the_same_order(tmp_path, script):
    lines = _lines(_home(tmp_path, script), is_open=True)
    names = [("  " if line.is_inside else "") + line.row.name for line in lines]
    assert names == ["first", "  first-0.2", "  first-0.1", "base", "  base-2", "  base-1", "  base-0", "alone"]
    turned = _lines(Store(tmp_path), is_open=True, reverse=True)
    assert [line.row.name for line in turned][:4] == ["alone", "base", "base-0", "base-1"]


def test_a_filter_leaves_of_a_fold_what_it_finds_and_one_run_stands_alone(tmp_path, script):
    store = _home(tmp_path, script)
    (part,) = _lines(store, "group:base acc>99.1")
    assert (part.fold.words, len(part.runs)) == ("mean of 2 (3 in all)", 2)
    (one,) = _lines(store, "base-1")
    assert (one.fold, one.row.name) == (None, "base-1")


def test_a_group_with_a_run_that_has_no_score_yet_says_of_how_many_the_mean_is(tmp_path, script):
    store = _home(tmp_path, script)
    make_run(tmp_path, script, script.started(config={"seed": 3}), meta=Meta("base-3", (), GROUP), seed=3)
    group = next(line for line in _lines(store) if line.row.name == "base")
    assert (group.fold.words, group.fold.live, len(group.runs)) == ("mean of 3", 1, 4)


def test_what_has_not_changed_is_not_made_anew(tmp_path, script):
    store = _home(tmp_path, script)
    listing, items = Listing(), store.rows()
    first, second = (listing.arrange(items, parse_filter("!x"), "best", is_open=lambda _: False) for _ in range(2))
    assert [line.fold for line in first if line.fold] == [line.fold for line in second if line.fold]
    assert all(one.fold is other.fold for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("sort", [*ORDERS, STATUS])
def test_live_and_ended_runs_are_in_one_order_whatever_it_is_and_whichever_are_found(sort, reverse):
    rng = random.Random(f"{sort} {reverse}")
    items = [_drawn(rng, number) for number in range(80)]
    listing = Listing()
    for wanted in ("", "a", "a acc>50", "!b"):
        lines = listing.arrange(items, parse_filter(wanted), sort, reverse=reverse, is_open=lambda _: False)
        found = parse_filter(wanted).of(items)
        assert sorted(item[0].run_id for line in lines for item in line.runs) == sorted(row.run_id for row, _ in found)
        assert listing.count == len(found)
        shown = [(line.row, line.status) for line in lines]
        firsts = [_FIRST.get(standing(*item), 2) if sort == NEWEST else 0 for item in shown]
        assert firsts == sorted(firsts)
        for first in range(3):
            part = [item for item, place in zip(shown, firsts, strict=True) if place == first]
            values = [value_of(item, sort) for item in part]
            assert values == [value_of(item, sort) for item in ordered(part, sort, reverse=reverse)]
        items[rng.randrange(80)] = _drawn(rng, len(items) + len(wanted))


def _drawn(rng: random.Random, number: int) -> tuple[RunRow, Status]:
    status = rng.choice([Status.RUNNING, Status.FINISHED, Status.FINISHED, Status.CRASHED])
    values = {name: rng.choice([None, 1, 2, 3]) for name in ("seed", "total_params", "epochs", "batch_size")}
    values |= {name: rng.choice([None, 0.4, 0.6, 0.9]) for name in ("best_test_accuracy", "final_test_accuracy", "lr")}
    values |= {name: rng.choice(["", "a", "b"]) for name in ("name", "arch", "dataset", "schedule")}
    row = RunRow(
        **values,
        run_id=f"20260101-{number:06}-abcd",
        ended="" if status is Status.RUNNING else str(status),
        epochs_done=rng.randrange(3),
        started=f"2026-01-01T00:00:{number % 60:02}",
        seconds=float(rng.randrange(3)),
        group_id=rng.choice([None, None, "g1", "g2"]),
        tags=rng.choice([(), (), ("study:s",)]),
        limited=False,
        first_epoch_at_target=rng.choice([None, 1, 2]),
    )
    return row, status


def test_where_a_look_at_all_folders_takes_long_live_runs_are_still_followed(tmp_path, script, monkeypatch):
    monkeypatch.setattr("tui.live.catalog.SCAN", 0.0)
    monkeypatch.setattr("tui.live.catalog.SHARE", 1e6)
    ended = _run(tmp_path, script, "old", 0.9)
    live = make_run(tmp_path, script, script.started())
    catalog = Catalog(Store(tmp_path))
    catalog.load()
    catalog.refresh()
    ended.change_meta(name="new")
    script.write(live, script.epoch(1, 0.9))
    assert catalog.refresh()
    rows = {row.run_id: row for row, _ in catalog.items}
    assert (rows[live.id].epochs_done, rows[ended.id].name) == (1, "old")
    assert not catalog.refresh()


def test_folds_are_turned_one_by_one_and_all_at_once():
    folds = Folds(all_open=False)
    folds.turn("a", is_open=True)
    folds.turn("a", is_open=True)
    assert (folds.is_open("a"), folds.is_open("b")) == (True, False)
    folds.turn_all()
    assert folds.is_open("a")
    assert folds.is_open("b")


def test_marks_cover_groups_sweeps_and_runs(tmp_path, script):
    store = _home(tmp_path, script)
    sweep, group, alone = _lines(store)
    marks = Marks()
    for entry in (group, sweep, alone):
        marks.toggle(entry)
    assert marks.references[0] == GROUP
    assert len(marks.of(store.rows())) == 6
    assert (marks.number_of(group), marks.number_of(sweep), marks.number_of(alone)) == (1, 2, 4)
    marks.toggle(sweep)
    assert (len(marks.of(store.rows())), marks.number_of(alone)) == (4, 2)


def test_a_name_tags_and_a_note_that_another_process_gives_are_seen(tmp_path, script):
    run = _run(tmp_path, script, "old", 0.9)
    catalog = Catalog(Store(tmp_path))
    catalog.load()
    Store(tmp_path).run(run.id).change_meta(name="new", tags=("best",), note="why")
    assert catalog.refresh()
    ((row, _),) = catalog.items
    assert (row.name, row.tags, row.note) == ("new", ("best",), "why")


def test_a_run_is_not_read_again_before_its_folder_has_changed(tmp_path, script):
    run = _run(tmp_path, script, "old", 0.9)
    os.utime(run.folder, (1, 1))
    catalog = Catalog(Store(tmp_path))
    catalog.load()
    before = catalog.items
    (run.folder / "meta.json").write_text('{"name": "in place, so that the folder is as it was"}')
    os.utime(run.folder, (1, 1))
    assert not catalog.refresh()
    assert catalog.items[0][0] is before[0][0]
    os.utime(run.folder, (2, 2))
    assert catalog.refresh()
