"""Trials of several seeds, and searches with several objectives, taken up by another driver."""

from __future__ import annotations

import pytest
from sweep_tools import Inline, Scripted, drive, three_epochs, tiny_plan

from core.errors import InvalidValue
from experiments.results.groups import find_group
from experiments.studies.events import SweepStopped, TrialFinished, TrialStarted
from experiments.studies.objectives import front
from experiments.studies.trials import Trials
from experiments.studies.view import prune_trial, study_view


@pytest.fixture
def view(locations):
    return lambda: study_view(locations.home, "s")


def test_a_trial_is_scored_by_the_mean_of_its_seeds_which_are_a_group(locations, store, view):
    plan = tiny_plan(seeds_per_trial=3, trials=2)
    events = drive(locations, plan, Inline(locations))
    assert [event.seed for event in events if isinstance(event, TrialStarted)] == [0, 1, 2, 0, 1, 2]
    for trial in view().trials:
        group = find_group(store, trial.group_id)
        assert [member.run_id for member in group.members] == list(trial.runs)
        assert [member.seed for member in group.members] == [0, 1, 2]
        assert group.name == f"s-{trial.number}"
        assert not group.varying()
        scores = [store.run(run_id).view().accuracies[2] for run_id in trial.runs]
        assert trial.value == pytest.approx(sum(scores) / 3)
        assert trial.run_id == trial.runs[0]
    assert len(store.runs()) == 6


@pytest.mark.parametrize("killed_after", [1, 2, 3])
def test_of_a_trial_that_a_killed_driver_left_no_seed_is_trained_twice(locations, store, script, view, killed_after):
    class Killed(Scripted):
        """Its driver is killed when it is about to train one more run."""

        def start(self, run):
            if len(store.runs()) > killed_after:
                raise KeyboardInterrupt
            super().start(run)

    plan = tiny_plan(seeds_per_trial=3, trials=2)
    with pytest.raises(KeyboardInterrupt):
        drive(locations, plan, Killed(script, three_epochs(script)))
    for run in store.runs():
        run.release()
    drive(locations, plan, Scripted(script, three_epochs(script)))
    assert [(trial.state, len(set(trial.runs))) for trial in view().trials] == [("finished", 3)] * 2
    assert len(store.runs()) == 6
    assert sorted(run.meta().name for run in store.runs()) == [
        f"s-{trial}-{seed}" for trial in (0, 1) for seed in range(3)
    ]


def test_a_pruner_looks_at_the_first_seed_alone(locations, script, view):
    def play(run, life):
        yield from three_epochs(script, 0.9 if run.config()["seed"] == 0 else 0.1)(run, life)

    plan = tiny_plan({"epochs": "3"}, seeds_per_trial=2, trials=8, pruner="median")
    drive(locations, plan, Scripted(script, play))
    assert [trial.state for trial in view().trials] == ["finished"] * 8
    assert view().best.value == pytest.approx(0.5)


@pytest.mark.parametrize("is_noted", [True, False])
def test_a_run_that_somebody_renames_and_tags_while_no_driver_is_there_keeps_its_place_in_the_trial(
    locations, store, script, view, monkeypatch, is_noted
):
    def killed(*_):
        if len(store.runs()) == 2:
            raise KeyboardInterrupt

    class Killed(Scripted):
        """Its driver is killed when it is about to train the second seed."""

        def start(self, run):
            killed()
            super().start(run)

    def play(run, life):
        yield from three_epochs(script, [0.3, 0.6, 0.9][run.config()["seed"]])(run, life)

    plan = tiny_plan(seeds_per_trial=3, trials=1)
    with monkeypatch.context() as patch:
        if not is_noted:
            remember = Trials.remember_run
            patch.setattr(Trials, "remember_run", lambda *told: killed() or remember(*told))
        with pytest.raises(KeyboardInterrupt):
            drive(locations, plan, Killed(script, play))
    for run in store.runs():
        run.release()
        run.change_meta(name=f"mine {run.config()['seed']}", tags=(*run.meta().tags, "good"))
    drive(locations, plan, Scripted(script, play))
    (trial,) = view().trials
    assert (trial.state, trial.value) == ("finished", pytest.approx(0.6))
    assert [store.run(run_id).config()["seed"] for run_id in trial.runs] == [0, 1, 2]
    assert len(store.runs()) == 3


def test_a_sweep_that_is_stopped_as_a_seed_ends_begins_no_other_and_goes_on_with_that_later(
    locations, store, script, view
):
    class Deaf(Scripted):
        """Its runs come to their end before they hear of a stop."""

        def stop(self, reason):
            pass

    plan = tiny_plan(seeds_per_trial=3, trials=1)
    executor = Deaf(script, three_epochs(script))
    *_, event = drive(locations, plan, executor, should_stop=lambda: "SIGINT" if store.runs() else "")
    assert event == SweepStopped(reason="SIGINT")
    (trial,) = view().trials
    assert (trial.state, len(trial.runs), len(store.runs())) == ("running", 1, 1)
    drive(locations, plan, Scripted(script, three_epochs(script)))
    (trial,) = view().trials
    assert (trial.state, len(set(trial.runs)), len(store.runs())) == ("finished", 3, 3)


def test_a_trial_that_was_too_fast_for_its_pruner_is_not_given_up_with_another_seed(locations, store, script, view):
    class Killed(Scripted):
        """Its runs hear of no wish to stop, and its driver is killed when it is about to train the second seed."""

        def start(self, run):
            if run.config()["seed"] == 1:
                raise KeyboardInterrupt
            super().start(run)

        def wait(self, seconds):
            for run, _ in self._plays.values():
                run.forget_stop()
            return super().wait(seconds)

    def play(run, life):
        for epoch in range(1, 6):
            yield script.epoch(epoch, 0.5, on_test=False)
        yield script.finished(epochs=5, best_test_accuracy=None, best_epoch=None)

    plan = tiny_plan({"epochs": "5"}, seeds_per_trial=2, trials=1, pruner="early-signal")
    with pytest.raises(KeyboardInterrupt):
        drive(locations, plan, Killed(script, play))
    for run in store.runs():
        run.release()
    drive(locations, plan, Scripted(script, play))
    (trial,) = view().trials
    assert (trial.state, len(trial.runs)) == ("finished", 2)


@pytest.mark.parametrize("sampler", ["tpe", "random", "nsga2"])
def test_of_several_objectives_the_front_is_kept_and_proposals_go_on(locations, script, view, sampler):
    def play(run, life):
        width = int(run.config()["arch"].split()[0][1:])
        yield from three_epochs(script, 0.5 + (width % 7) / 20)(run, life)

    plan = tiny_plan({"arch": "c{4:16} p2 c{4:12}p1 gap fc10", "lr": "0.1"}, objective="val,params", sampler=sampler)
    plan = type(plan)(**{**{f: getattr(plan, f) for f in plan.__dataclass_fields__}, "trials": 30})
    events = drive(locations, plan, Scripted(script, play))
    study = view()
    assert study.count("finished") == 30
    own = [trial for trial in study.trials if not trial.repeats]
    places = front([trial.scores for trial in own], plan.objectives)
    assert set(study.front) == {own[place].number for place in places}
    assert study.best.number in study.front
    assert all(set(event.scores) == {"val", "params"} for event in events if isinstance(event, TrialFinished))


def test_a_trial_pruned_by_hand_or_failed_does_not_end_a_search_with_several_objectives(locations, script, view):
    def play(run, life):
        number = int(run.meta().name.removeprefix("s-"))
        yield script.epoch(1, 0.5, on_test=False)
        if number == 1 and life == 1:
            prune_trial(locations.home, "s", 1)
        if number == 2:
            yield script.failed()
            return
        yield from list(three_epochs(script)(run, life))[1:]

    plan = tiny_plan({"epochs": "3"}, objective="val,params", trials=14)
    drive(locations, plan, Scripted(script, play))
    states = [trial.state for trial in view().trials]
    assert (states[1], states[2]) == ("pruned", "failed")
    assert states.count("finished") == 12


def test_a_pruner_that_compares_trials_is_refused_with_several_objectives():
    with pytest.raises(InvalidValue, match="compares trials by one number"):
        tiny_plan(objective="val,params", pruner="median").check()
    tiny_plan(objective="val,params", pruner="early-signal").check()
    with pytest.raises(InvalidValue, match="a race needs at least two"):
        tiny_plan(race=1).check()
