"""Driving a study: trials that are trained, rejected, pruned, retried, left and taken up."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sweep_tools import Inline, Scripted, drive, sweeping, three_epochs, tiny_plan

from core.errors import InvalidValue, OverBudget, RunError
from experiments.execution.executor import Ended
from experiments.execution.runner import Runner
from experiments.runs.folder import Meta
from experiments.runs.row import Status
from experiments.studies.events import TrialFinished, WorkerDied
from experiments.studies.view import add_trial, check_trial, prune_trial, study_view


@pytest.fixture
def view(locations):
    return lambda name="s": study_view(locations.home, name)


def ends(events, state=""):
    return [event for event in events if isinstance(event, TrialFinished) and event.state.startswith(state)]


def test_every_trial_is_a_run_of_the_store_scored_on_held_out_images(locations, store, view):
    events = drive(locations, tiny_plan(), Inline(locations))
    assert [event.trial for event in ends(events, "finished")] == [0, 1, 2]
    study = view()
    assert [trial.state for trial in study.trials] == ["finished"] * 3
    for trial in study.trials:
        run = store.run(trial.run_id)
        assert run.status() is Status.FINISHED
        assert run.meta() == Meta(f"s-{trial.number}", ("study:s", f"trial:{trial.number}"))
        assert run.config()["lr"] == trial.params["lr"]
        accuracies = run.view().accuracies
        assert dict(trial.values) == accuracies
        assert trial.value == accuracies[2]
        assert run.view().epochs[-1].test_accuracy is None
    assert study.best.value == max(trial.value for trial in study.trials)
    assert not study.is_driven


@pytest.mark.parametrize("sampler", ["random", "grid"])
def test_a_trial_that_stops_early_is_whole_and_has_its_last_score(locations, store, view, sampler):
    plan = tiny_plan(
        {"lr": "1e-7,2e-7", "arch": "fc10", "epochs": "6", "early_stop": "2"},
        sampler=sampler,
        trials=2,
        pruner="median",
    )
    events = drive(locations, plan, Inline(locations))
    assert [event.epochs for event in ends(events, "finished")] == [3, 3]
    for trial in view().trials:
        run = store.run(trial.run_id)
        assert (run.view().end.epochs, run.view().end.ended_by) == (3, "early_stop")
        assert trial.value == run.view().accuracies[3]
    assert view().is_complete
    assert drive(locations, plan, Inline(locations)) == []


@pytest.mark.parametrize(
    "changes", [{"schedule": "cosine,onecycle,step,multistep,plateau"}, {"cycle_momentum": "true,false"}]
)
def test_every_schedule_can_be_searched(locations, view, changes):
    base = {"lr": "0.05", "warmup_epochs": "0.5"} if "schedule" in changes else {"lr": "0.05", "schedule": "onecycle"}
    plan = tiny_plan({**base, **changes}, sampler="grid", trials=5)
    drive(locations, plan, Inline(locations))
    assert view().count("finished") == len(next(iter(changes.values())).split(","))


def test_the_test_set_is_the_objective_only_on_demand_and_then_labelled(locations, store, view):
    plan = tiny_plan({"val_split": "0"}, objective="test", trials=1)
    drive(locations, plan, Inline(locations))
    trial = view().trials[0]
    run = store.run(trial.run_id)
    assert trial.value == run.view().final_test_accuracy
    assert "objective:test" in run.meta().tags
    assert view().plan.objective == "test"


def test_a_study_is_continued_up_to_its_number_of_trials_and_proposes_nothing_twice(locations, view):
    plan = tiny_plan(sampler="random", trials=2)
    drive(locations, plan, Inline(locations))
    first = view().trials
    assert drive(locations, plan, Inline(locations)) == []
    drive(locations, replace(plan, trials=5), Inline(locations))
    assert view().trials[:2] == first
    assert len({trial.params["lr"] for trial in view().trials}) == 5


def test_over_budget_proposals_are_counted_and_never_trained(locations, store, view):
    plan = tiny_plan({"arch": "c4 p2 c8 gap fc10,conv9", "max_params": "1000"}, sampler="random", trials=3)
    drive(locations, plan, Inline(locations))
    study = view()
    assert study.count("finished") == len(study.trained) == 3
    assert study.count("rejected") > 0
    assert {trial.params["arch"] for trial in study.trials if trial.state == "rejected"} == {"conv9"}
    assert all("over the budget" in trial.reason for trial in study.trials if trial.state == "rejected")
    assert len(store.runs()) == 3


def test_tpe_learns_what_is_over_the_budget(locations, script, view):
    plan = tiny_plan({"arch": "c4 p2 c8 gap fc10,conv9", "max_params": "1000"}, sampler="tpe", trials=30)
    drive(locations, plan, Scripted(script, three_epochs(script)))
    assert view().count("finished") == 30
    assert 0 < view().count("rejected") < 15


def test_tpe_begins_once_ten_trials_were_trained_whatever_was_rejected_before(locations, script):
    options = {"arch": "c4 p2 c8 gap fc10,conv9", "max_params": "1000"}
    for sampler in ("tpe", "random"):
        drive(
            locations,
            tiny_plan(options, sampler=sampler, trials=15),
            Scripted(script, three_epochs(script)),
            name=sampler,
        )
    by_tpe, by_chance = (study_view(locations.home, name).trials for name in ("tpe", "random"))
    ended = [number for number, trial in enumerate(by_tpe) if trial.state == "finished"]
    tenth = ended[9] + 1
    assert tenth > 12, "some were rejected"
    assert [trial.params for trial in by_tpe[:tenth]] == [trial.params for trial in by_chance[:tenth]]
    assert by_tpe[tenth].params != by_chance[tenth].params


def test_tpe_learns_with_what_values_training_fails(locations, script, view):
    def play(run, life):
        if run.config()["lr"] > 10:
            yield script.failed(error="the loss is not finite")
        else:
            yield from three_epochs(script)(run, life)

    drive(locations, tiny_plan({"lr": "0.01:100:log"}, sampler="tpe", trials=40), Scripted(script, play))
    assert {trial.state for trial in view().trials} == {"finished", "failed"}
    assert sum(trial.state == "failed" for trial in view().trials[20:]) < 5  # of 20, as many as by chance


def test_when_nothing_is_left_to_propose_trials_under_way_come_to_their_end(locations, script, view, monkeypatch):
    monkeypatch.setattr("experiments.studies.driver.MAX_REJECTED", 1)
    options = {"arch": "c4 p2 c8 gap fc10,c4 p2 c6 gap fc10,conv9", "max_params": "1000"}
    plan = tiny_plan(options, sampler="random", trials=30)
    with pytest.raises(OverBudget, match="1 proposals in a row rejected"):
        drive(locations, plan, Scripted(script, three_epochs(script), room=2))
    assert view().count("rejected") == 1
    assert 0 < view().count("finished") == len(view().trained) < 30


def test_a_grid_is_gone_through_once_over_interruptions_with_what_is_over_budget_left_out(locations, script, view):
    options = {"arch": "c4 p2 c8 gap fc10,conv9", "lr": "0.1:0.3:0.1", "batch_size": "64,128", "max_params": "1000"}
    plan = tiny_plan(options, sampler="grid", trials=100)
    drive(locations, replace(plan, trials=2), Scripted(script, three_epochs(script)))
    drive(locations, plan, Scripted(script, three_epochs(script), room=2))
    tried = [(trial.params["arch"], trial.params["lr"], trial.params["batch_size"]) for trial in view().trials]
    assert len(tried) == len(set(tried)) == 12
    assert (view().count("finished"), view().count("rejected")) == (6, 6)


def test_a_proposal_that_repeats_a_finished_trial_takes_its_result_as_long_as_its_run_is_kept(
    locations, store, script, view
):
    plan = tiny_plan({"lr": "0.1,0.2"}, sampler="random", trials=8)
    events = drive(locations, plan, Scripted(script, three_epochs(script, 0.8)))
    trials = view().trials
    first = {lr: next(trial for trial in trials if trial.params["lr"] == lr) for lr in (0.1, 0.2)}
    assert len(store.runs()) == 2
    assert [event.trial for event in ends(events, "finished")] == list(range(8))
    for trial in trials:
        twin = first[trial.params["lr"]]
        assert (trial.state, trial.run_id, trial.value, trial.values) == ("finished", twin.run_id, 0.8, twin.values)
        assert trial.reason == ("" if trial is twin else f"repeats trial {twin.number}")
    add_trial(locations.home, "s", {"lr": "0.1"})
    drive(locations, plan, Scripted(script, three_epochs(script)))
    assert len(store.runs()) == 3
    assert view().trials[8].reason == ""
    for run in store.runs():
        store.remove(run)
    drive(locations, replace(plan, trials=9), Scripted(script, three_epochs(script)))
    assert len(store.runs()) == 1


@pytest.mark.parametrize("sampler", ["random", "tpe", "grid"])
def test_no_two_trials_with_the_same_values_are_trained_and_the_second_has_the_result_of_the_first(
    locations, store, script, view, sampler
):
    trials = 2 if sampler == "grid" else 14
    plan = tiny_plan({"lr": "0.1,0.2"}, sampler=sampler, trials=trials)
    events = drive(locations, plan, Scripted(script, three_epochs(script, 0.8), room=4))
    assert len(store.runs()) == 2
    assert sorted(event.trial for event in ends(events, "finished")) == list(range(trials))
    twins = {trial.params["lr"]: trial.run_id for trial in view().trials if not trial.repeats}
    assert all(trial.run_id == twins[trial.params["lr"]] for trial in view().trials)


def test_a_trial_that_waited_for_one_that_was_given_up_is_trained_after_it(locations, store, script, view):
    def play(run, life):
        if run.meta().name == "s-0":
            run.ask_to_stop()
            yield script.epoch(1, 0.5, on_test=False)
        yield from three_epochs(script)(run, life)

    add = {"lr": "0.1,0.2", "epochs": "3"}
    plan = tiny_plan(add, sampler="random", trials=10)
    drive(locations, plan, Scripted(script, play, room=3))
    trials = view().trials
    assert trials[0].state == "pruned"
    same = [trial for trial in trials[1:] if trial.params == trials[0].params]
    assert same[0].state == "finished"
    assert not same[0].repeats
    assert all(trial.repeats for trial in same[1:])
    assert len(store.runs()) == 3


def test_the_run_of_a_trial_that_somebody_has_extended_counts_as_it_was_after_the_trials_epochs(
    locations, store, script, view
):
    def left(run, life):
        yield script.epoch(1, 0.5, on_test=False)
        yield Ended(run.id, worker_died="killed")

    plan = tiny_plan(trials=1)
    events = sweeping(locations, plan, Scripted(script, left))
    next(event for event in events if isinstance(event, WorkerDied))
    events.close()
    (run,) = store.runs()
    config = run.config() | {"epochs": 4}
    extended = [script.epoch(epoch, epoch / 10, on_test=False) for epoch in (2, 3, 4)]
    script.write(run, script.started(config=config), *extended, script.finished(4, best_test_accuracy=None))
    run.release()
    (end,) = ends(drive(locations, plan, Scripted(script, left)))
    assert (end.state, end.value, end.epochs) == ("finished", 0.2, 2)
    assert list(view().trials[0].values) == [1, 2]


def test_without_the_early_signal_a_trial_is_given_up_after_three_epochs(locations, store, script, view):
    def play(run, life):
        accuracy = 0.995 if run.config()["batch_size"] == 64 else 0.98
        for epoch in range(1, 6):
            yield script.epoch(epoch, accuracy, on_test=False)
        yield script.finished(epochs=5, best_test_accuracy=None, best_epoch=None)

    plan = tiny_plan({"batch_size": "64,128", "lr": "0.1", "epochs": "5"}, sampler="grid", pruner="early-signal")
    drive(locations, plan, Scripted(script, play))
    by_batch = {trial.params["batch_size"]: trial for trial in view().trials}
    assert (by_batch[64].state, by_batch[64].value) == ("finished", 0.995)
    assert (by_batch[128].state, list(by_batch[128].values)) == ("pruned", [1, 2, 3])
    assert by_batch[128].reason == "by the early-signal pruner"
    assert store.run(by_batch[128].run_id).status() is Status.STOPPED


class Late(Scripted):
    """Its runs hear of a wish to stop when they have nothing left to play."""

    def wait(self, seconds):
        for run, play in self._plays.values():
            if run.wants_stop():
                self._script.write(run, *play)
        return super().wait(seconds)


@pytest.mark.parametrize("done", [4, 5])
def test_a_trial_faster_than_its_pruner_counts_up_to_the_decision_and_as_finished_once_it_is_whole(
    locations, store, script, view, done
):
    def play(run, life):
        if life == 1:
            for epoch in range(1, done + 1):
                yield script.epoch(epoch, epoch / 8, on_test=False)
        else:
            yield script.finished(epochs=5, best_test_accuracy=None, best_epoch=None)

    plan = tiny_plan({"epochs": "5"}, pruner="early-signal", trials=1)
    (end,) = ends(drive(locations, plan, Late(script, play)))
    (trial,) = view().trials
    if done == 4:
        assert (trial.state, list(trial.values), end.epochs) == ("pruned", [1, 2, 3], 3)
    else:
        assert (trial.state, trial.value, list(trial.values), end.epochs) == ("finished", 0.625, [1, 2, 3, 4, 5], 5)
        assert store.run(trial.run_id).status() is Status.FINISHED


@pytest.mark.parametrize(("pruner", "epochs"), [("median", 3), ("halving", 2)])
def test_a_trial_worse_than_the_others_is_given_up(locations, script, view, pruner, epochs):
    def play(run, life):
        bad = run.meta().name == "s-6"
        for epoch in range(1, 6):
            yield script.epoch(epoch, 0.2 if bad else 0.9, on_test=False)
        yield script.finished(epochs=5, best_test_accuracy=None, best_epoch=None)

    drive(locations, tiny_plan({"epochs": "5"}, pruner=pruner, trials=7), Scripted(script, play))
    assert view().trials[6].state == "pruned"
    assert max(view().trials[6].values) == epochs


def test_a_trial_that_fails_counts_and_says_why(locations, script, view):
    def play(run, life):
        yield script.failed(error="the loss is not finite")

    events = drive(locations, tiny_plan(), Scripted(script, play))
    assert [event.reason for event in ends(events, "failed")] == ["the loss is not finite"] * 3
    assert view().best is None


def test_a_trial_whose_worker_dies_goes_on_with_another_and_is_given_up_at_the_third(locations, store, script, view):
    def play(run, life):
        yield script.epoch(1, 0.5, on_test=False)
        if run.meta().name == "s-0" or life == 1:
            yield Ended(run.id, worker_died="worker process 1 was killed by SIGKILL")
        yield script.epoch(2, 0.5, on_test=False)
        yield script.finished(epochs=2, best_test_accuracy=None, best_epoch=None)

    events = drive(locations, tiny_plan(trials=2), Scripted(script, play))
    deaths = [(event.trial, event.retried) for event in events if isinstance(event, WorkerDied)]
    assert deaths == [(0, True), (0, True), (0, False), (1, True)]
    lost, finished = view().trials
    assert (lost.state, finished.state) == ("failed", "finished")
    assert "lost 3 workers" in lost.reason
    assert store.run(lost.run_id).status() is Status.FAILED


def test_trials_are_pruned_and_added_from_outside_while_the_driver_runs(locations, script, view):
    plan = tiny_plan({"batch_size": "64,128"}, trials=2)
    events = sweeping(locations, plan, Scripted(script, three_epochs(script)))
    assert next(events).trial == 0
    assert view().is_driven
    prune_trial(locations.home, "s", 0)
    number = add_trial(locations.home, "s", {"lr": "0.125"})
    list(events)
    study = view()
    assert (study.trials[0].state, study.trials[0].reason) == ("pruned", "by hand")
    assert study.trials[number].params["lr"] == 0.125
    assert study.trials[number].added
    assert len(study.trials) == 3
    assert study.count("finished") == 2


def test_only_a_running_trial_is_pruned_and_only_values_of_the_space_are_added(locations, view):
    drive(locations, tiny_plan(trials=1), Inline(locations))
    with pytest.raises(InvalidValue, match="not running"):
        prune_trial(locations.home, "s", 0)
    with pytest.raises(InvalidValue, match="not running"):
        prune_trial(locations.home, "s", 7)
    with pytest.raises(InvalidValue, match=r"within 0.001:1:log"):
        add_trial(locations.home, "s", {"lr": "2"})
    with pytest.raises(InvalidValue, match=r"within 0:0.2:0.05"):
        check_trial(tiny_plan({"dropout": "0:0.2:0.05"}), {"dropout": "0.07"})
    with pytest.raises(InvalidValue, match="not searched"):
        add_trial(locations.home, "s", {"momentum": "0.5"})
    with pytest.raises(RunError, match="no such study"):
        study_view(locations.home, "other")
    assert len(view().trials) == 1


def test_a_trial_added_to_a_study_at_rest_waits_for_the_next_driver(locations, view):
    plan = tiny_plan(trials=1)
    drive(locations, plan, Inline(locations))
    number = add_trial(locations.home, "s", {"lr": "0.5"})
    assert view().trials[number].state == "waiting"
    drive(locations, plan, Inline(locations))
    assert (view().trials[number].state, len(view().trials)) == ("finished", 2)


def test_one_study_has_one_driver_and_two_studies_in_a_home_do_not_mix(locations, script, view):
    plan = tiny_plan()
    sweeps = [sweeping(locations, plan, Scripted(script, three_epochs(script)), name) for name in ("a", "b")]
    firsts = [next(events) for events in sweeps]
    with pytest.raises(InvalidValue, match="being run by another process"):
        drive(locations, plan, Inline(locations), name="a")
    while any(next(events, None) for events in sweeps):
        pass
    for name, first in zip("ab", firsts, strict=True):
        assert [trial.state for trial in view(name).trials] == ["finished"] * 3
        assert view(name).trials[0].run_id == first.run_id
        runs = [run for run in Runner(locations).store.runs() if f"study:{name}" in run.meta().tags]
        assert {run.id for run in runs} == {trial.run_id for trial in view(name).trials}


def test_importance_is_worked_out_once_there_is_something_to_work_it_out_from(locations, script, view):
    def play(run, life):
        accuracy = 0.9 if run.config()["batch_size"] == 64 else 0.5
        yield script.epoch(1, accuracy, on_test=False)
        yield script.epoch(2, accuracy, on_test=False)
        yield script.finished(epochs=2, best_test_accuracy=None, best_epoch=None)

    plan = tiny_plan({"batch_size": "64,128"}, sampler="random")
    drive(locations, plan, Scripted(script, play))
    assert view().importance == {}
    drive(locations, replace(plan, trials=14), Scripted(script, play))
    importance = view().importance
    assert sum(importance.values()) == pytest.approx(1)
    assert importance["batch_size"] > importance["lr"]
