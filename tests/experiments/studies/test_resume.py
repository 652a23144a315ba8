"""Sweeps that were broken off, and are taken up by another driver."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sweep_tools import Inline, Scripted, drive, three_epochs, tiny_plan

from experiments.execution.runner import Runner
from experiments.runs.folder import Meta
from experiments.studies.driver import SweepDriver
from experiments.studies.events import SweepStopped, TrialFinished, TrialStarted
from experiments.studies.folder import StudyFolder
from experiments.studies.trials import Trials
from experiments.studies.view import study_view


@pytest.fixture
def view(locations):
    return lambda: study_view(locations.home, "s")


def test_a_sweep_that_is_stopped_goes_on_with_the_same_runs(locations, script, view):
    plan, reasons = tiny_plan(trials=4), []
    folder = StudyFolder.of(locations.home, "s")
    folder.write_plan(plan)
    sweep = SweepDriver(Runner(locations), folder, plan, Scripted(script, three_epochs(script)))
    for event in sweep.run(lambda: reasons[0] if reasons else ""):
        if isinstance(event, TrialStarted) and event.trial == 1:
            reasons.append("SIGINT")
    assert event == SweepStopped(reason="SIGINT")
    before = view()
    assert [trial.state for trial in before.trials] == ["finished", "running"]
    events = drive(locations, plan, Inline(locations))
    assert next(event.resumed for event in events if isinstance(event, TrialStarted))
    after = view()
    assert [trial.state for trial in after.trials] == ["finished"] * 4
    assert [trial.run_id for trial in after.trials[:2]] == [trial.run_id for trial in before.trials]
    assert len(list((locations.home / "runs").glob("2*"))) == 4


def test_what_a_killed_driver_did_not_come_to_do_is_done_by_the_next(locations, store, view):
    """A trial with half of its values, one with a run that it does not know, one whose run has ended meanwhile."""
    plan = tiny_plan({"batch_size": "64,128"}, trials=3)
    folder = StudyFolder.of(locations.home, "s")
    folder.write_plan(plan)
    trials, runner = Trials(folder, plan), Runner(locations)
    half = trials._study.ask()
    half.suggest_categorical("batch_size", (64, 128))
    _, params = trials.propose()
    adopted = runner.create(plan.base.changed(**params), Meta("s-1", ("study:s", "trial:1")))
    adopted.release()
    ended, params = trials.propose()
    finished = runner.create(plan.base.changed(**params), Meta("s-2", ("study:s", "trial:2")))
    trials.remember_run(ended.number, finished.id)
    list(runner.resume(finished))
    log = finished.log.read_bytes()

    drive(locations, plan, Inline(locations))
    assert [trial.state for trial in view().trials] == ["finished"] * 3
    assert view().trials[0].params["batch_size"] == half.params["batch_size"]
    assert [trial.run_id for trial in view().trials[1:]] == [adopted.id, finished.id]
    assert finished.log.read_bytes() == log
    assert len(store.runs()) == 3


def test_a_proposal_that_a_killed_driver_did_not_come_to_train_takes_the_result_of_the_trial_that_it_repeats(
    locations, store, script, view
):
    plan = tiny_plan({"lr": "0.1,0.2"}, sampler="random", trials=8)
    drive(locations, plan, Scripted(script, three_epochs(script)))
    plan = replace(plan, trials=9)
    Trials(StudyFolder.of(locations.home, "s"), plan).propose()
    (end,) = drive(locations, plan, Scripted(script, three_epochs(script)))
    assert (end.trial, end.state) == (8, "finished")
    assert view().trials[8].repeats
    assert len(store.runs()) == 2


def test_of_two_trials_with_the_same_values_that_a_killed_driver_left_one_is_trained(locations, store, script, view):
    class Killed(Scripted):
        """Its driver is killed while one is trained and others wait for it."""

        def wait(self, seconds):
            if len(view().trials) > 2:
                raise KeyboardInterrupt
            return super().wait(seconds)

    plan = tiny_plan({"lr": "0.1,0.2"}, sampler="random", trials=8)
    with pytest.raises(KeyboardInterrupt):
        drive(locations, plan, Killed(script, three_epochs(script), room=3))
    waiting = [trial.number for trial in view().trials if trial.run_id is None]
    assert waiting
    for run in store.runs():
        run.release()
    drive(locations, plan, Scripted(script, three_epochs(script), room=3))
    assert [trial.state for trial in view().trials] == ["finished"] * 8
    assert all(view().trials[number].repeats for number in waiting)
    assert len(store.runs()) == 2


@pytest.mark.parametrize("has_asked", [True, False])
def test_a_trial_that_a_killed_driver_gave_up_was_given_up_by_its_pruner(locations, store, script, view, has_asked):
    class Killed(Scripted):
        """Its driver is killed once it has decided to give a run up."""

        def wait(self, seconds):
            if any(run.wants_stop() for run, _ in self._plays.values()):
                raise KeyboardInterrupt
            return super().wait(seconds)

    def play(run, life):
        for epoch in range(1, 5):
            yield script.epoch(epoch, epoch / 8, on_test=False)

    plan = tiny_plan({"epochs": "5"}, pruner="early-signal", trials=1)
    with pytest.raises(KeyboardInterrupt):
        drive(locations, plan, Killed(script, play))
    (run,) = store.runs()
    run.release()
    if not has_asked:
        run.forget_stop()
    *_, end = drive(locations, replace(plan, pruner="none"), Scripted(script, play))
    assert isinstance(end, TrialFinished)
    assert (end.state, end.epochs, end.reason) == ("pruned", 3, "by the early-signal pruner")
    (trial,) = view().trials
    assert (trial.state, list(trial.values), trial.reason) == ("pruned", [1, 2, 3], "by the early-signal pruner")


def test_a_run_of_a_deleted_study_of_the_same_name_is_not_taken_for_a_trials_own(locations, store, view):
    old = Runner(locations).create(tiny_plan().base, Meta("s-0", ("study:s", "trial:0")))
    old.folder.rename(old.folder.with_name("20200101-000000-abcd"))
    plan = tiny_plan(trials=1)
    folder = StudyFolder.of(locations.home, "s")
    folder.write_plan(plan)
    Trials(folder, plan).propose()
    drive(locations, plan, Inline(locations))
    assert view().trials[0].run_id != "20200101-000000-abcd"
