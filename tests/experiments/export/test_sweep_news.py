"""News of a sweep, posted to a real server: the first failure, the first trial at the target, the end."""

from __future__ import annotations

import pytest
from post_office import post_office
from sweep_tools import Scripted, sweeping, tiny_plan

from core.errors import OverBudget
from experiments.export.notifications import Announcer
from experiments.export.sweep_news import SweepNews
from experiments.locations import Locations
from experiments.studies.events import RaceRunEnded
from experiments.studies.folder import StudyFolder
from experiments.studies.view import StudyView, study_view


def play_of(script):
    """Trials 0 and 1 fail, trial 2 reaches the target in its second epoch, trial 3 in its first."""

    def play(run, life):
        number = int(run.meta().name.rpartition("-")[2])
        for epoch, accuracy in enumerate((0.99 + number / 1000, 0.9921 + number / 1000), start=1):
            yield script.epoch(epoch, accuracy + 0.0003, on_test=False)
        yield script.failed(2, "the loss is not finite") if number < 2 else script.finished(2, 0.99)

    return play


@pytest.fixture
def told(tmp_path, script, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    locations, plan = Locations.resolve(tmp_path, tmp_path / "data"), tiny_plan(trials=4)
    with post_office() as office:
        events = sweeping(locations, plan, Scripted(script, play_of(script)))
        before = StudyView(name="s", plan=plan, trials=(), best=None, importance={}, is_driven=True)
        news, announcer = SweepNews(before), Announcer(None, f"{office.address}/topic", pytest.fail)
        for event in events:
            if (said := news.of(event)) is not None:
                announcer.tell(said)
        after = study_view(tmp_path, "s")
        announcer.tell(news.end(after, ""))
        announcer.wait()
        yield {letter.headers["title"]: letter.text for letter in office.letters}, news, after


def test_the_first_failure_the_target_and_the_end_are_told_each_once(told):
    letters, _, _ = told
    assert list(letters) == ["s: trial 0 failed", "s: target reached", "s: sweep finished"]
    assert letters["s: trial 0 failed"] == "the loss is not finite"
    assert letters["s: target reached"] == "99.44% (held-out) by trial 2 in epoch 2, of 99.4%"
    assert letters["s: sweep finished"] == "4 trials: 2 finished, 2 failed, best 99.54% (held-out) by trial 3"


def test_a_sweep_that_goes_on_tells_of_nothing_again_and_a_stop_by_a_signal_is_news(told):
    _, _, view = told
    again = SweepNews(view)
    assert again.of(RaceRunEnded(trial=2, run_id="r", value=None, reason="lost")) is None
    assert again.end(view, "stop") is None
    assert (again.end(view, "SIGTERM").kind, again.end(view, "SIGTERM").title) == ("stopped", "s: sweep stopped")
    broken = again.broken(OverBudget("500 proposals in a row rejected"))
    assert (broken.kind, broken.text) == ("failed", "500 proposals in a row rejected")


def test_a_run_of_the_race_that_fails_is_told(told, tmp_path):
    plan = StudyFolder.of(tmp_path, "s").plan()
    news = SweepNews(StudyView(name="s", plan=plan, trials=(), best=None, importance={}, is_driven=True))
    said = news.of(RaceRunEnded(trial=2, run_id="r", value=None, reason="it diverged"))
    assert (said.title, said.text) == ("s: a run of trial 2 in the race failed", "it diverged")
