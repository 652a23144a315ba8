"""Runs at the same time, as text: their events are told apart, and nothing is said twice."""

import json

import pytest

from tui.text.group_progress import GroupProgress

FIRST, SECOND = "20260102-030405-aaaa", "20260102-030405-bbbb"


@pytest.fixture
def entries(script):
    """Two runs in turns: one finishes, the other fails."""
    note = "the bundled digits stand in"

    def of(run_id: str, seed: int, end: object):
        started = script.started(config={"seed": seed, "epochs": 3}, note=note)
        return script.entries(started, script.progress(1), script.epoch(1, 0.98), end, run_id=run_id)

    pairs = zip(of(FIRST, 4, script.finished()), of(SECOND, 5, script.failed()), strict=True)
    return [entry for pair in pairs for entry in pair]


def show(store, entries, **options) -> GroupProgress:
    progress = GroupProgress(store, **{"as_json": False, "quiet": False, **options})
    for entry in entries:
        progress.show(entry)
    return progress


def test_a_line_an_epoch_with_the_seed_and_a_line_a_run(store, entries, capsys):
    progress = show(store, entries)
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert [line.split(": ")[0] for line in lines[:2]] == ["seed 4, epoch 1/3", "seed 5, epoch 1/3"]
    assert lines[2].startswith(f"run {FIRST} (seed 4) finished")
    assert lines[3].startswith(f"run {SECOND} (seed 5) failed")
    assert err.count("the bundled digits stand in") == 1
    assert f"error: run {SECOND}: the loss is not finite" in err
    assert list(progress.views) == [FIRST, SECOND]


@pytest.mark.parametrize(("quiet", "count"), [(False, 8), (True, 2)])
def test_in_json_every_event_has_its_runs_id_and_quiet_leaves_the_ends(store, entries, capsys, quiet, count):
    show(store, entries, as_json=True, quiet=quiet)
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(records) == count
    assert [(record["run_id"], record["event"]) for record in records[-2:]] == [
        (FIRST, "run_finished"),
        (SECOND, "run_failed"),
    ]


def test_quiet_leaves_the_last_lines(store, entries, capsys):
    show(store, entries, quiet=True)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" ", 4)[:4] for line in lines] == [["run", FIRST, "(seed", "4)"], ["run", SECOND, "(seed", "5)"]]
