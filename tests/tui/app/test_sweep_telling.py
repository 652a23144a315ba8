"""What is told of sweeps that other processes drive: the target, the first failure and the end, each once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sweep_tools import Scripted, drive, tiny_plan

from experiments.locations import Locations
from experiments.studies.list import StudyEntry
from experiments.studies.view import study_view
from tui.app.sweep_telling import SweepTelling, title_of_sweep


class Watch:
    """Stands in for the thread that reads studies."""

    entries: tuple[StudyEntry, ...] = ()

    def look_at_driven(self) -> None:
        pass


@pytest.fixture
def view(tmp_path, script):
    """A study whose trial 0 has failed and whose trial 1 has reached the target in its first epoch."""

    def play(run, life):
        if run.meta().name.endswith("-1"):
            yield script.epoch(1, 0.995, on_test=False)
            yield script.finished(1, 0.99)
        else:
            yield script.failed(error="nan")

    plan = tiny_plan({"epochs": "1"}, trials=2)
    drive(Locations.resolve(tmp_path, tmp_path / "data"), plan, Scripted(script, play))
    return study_view(tmp_path, "s")


def entry(view, trials: int, *, driven: bool = True, problem: str = "") -> StudyEntry:
    best = view.best if trials > 1 else None
    part = replace(view, trials=view.trials[:trials], best=best, is_driven=driven)
    return StudyEntry(name="s", view=part, is_driven=driven, problem=problem, touched=0.0)


def test_each_is_told_once_and_what_was_so_from_the_first_look_is_no_news(view):
    watch, told = Watch(), []
    telling = SweepTelling(watch)

    def look(*entries: StudyEntry) -> list[tuple[object, ...]]:
        told.clear()
        watch.entries = entries
        telling.look(lambda *said: told.append(said), lambda *said: told.append(said))
        return list(told)

    start = entry(view, 0)
    assert look(start) == look(start) == []
    assert telling.driven() is start.view
    assert look(entry(view, 1)) == [("Failed", "s, trial 0: nan")]
    assert look(entry(view, 2)) == [("Target reached", "s, 99.4% by trial 1 in epoch 1")]
    words = "sweep s, 2 trials: 1 finished, 1 failed, best 99.50% (held-out) by trial 1"
    assert look(entry(view, 2, driven=False)) == [("Finished", words, False)]
    assert look(entry(view, 2, driven=False)) == []
    assert telling.driven() is None


def test_one_that_ends_by_an_error_has_failed(view):
    watch, told = Watch(), []
    telling = SweepTelling(watch)
    for each in (entry(view, 0), entry(view, 0, driven=False, problem="out of budget")):
        watch.entries = (each,)
        telling.look(lambda *said: told.append(said), lambda *said: told.append(said))
    assert told == [("Failed", "sweep s, 0 trials: out of budget", True)]


def test_the_title_says_how_far_it_has_come(view):
    assert title_of_sweep(replace(view, trials=view.trials[:1], best=None)) == "50% s 1/2 trials"
    assert title_of_sweep(view) == "100% s 2/2 trials 99.50%"
