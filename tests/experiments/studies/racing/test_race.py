"""A race between the best trials of a study, trained for real, and broken off."""

from __future__ import annotations

import pytest
from sweep_tools import Inline, Scripted, drive, tiny_plan

from experiments.execution.runner import Runner
from experiments.results.groups import find_group
from experiments.runs.row import Status
from experiments.studies.events import RaceJudged, RaceRunEnded
from experiments.studies.folder import StudyFolder
from experiments.studies.list import StudyList
from experiments.studies.racing.race import RaceRuns, run_race
from experiments.studies.racing.rule import LOOKS
from experiments.studies.view import study_view


@pytest.fixture
def view(locations):
    return lambda: study_view(locations.home, "s")


def scored(script, scores):
    """A play in which a run's accuracy is told by its learning rate and seed."""

    def play(run, life):
        config = run.config()
        accuracy = scores(config["lr"], config["seed"])
        for epoch in (1, 2):
            yield script.epoch(epoch, accuracy, on_test=False)
        yield script.finished(epochs=2, best_test_accuracy=None, best_epoch=None)

    return play


def racing(locations, view, executor, should_stop=lambda: ""):
    folder = StudyFolder.of(locations.home, "s")
    with folder.held():
        yield from run_race(Runner(locations), folder, view, executor, should_stop)


def by_rate(lr, seed):
    return 0.5 + lr / 10 + (seed % 5) / 1000


def study_of(locations, script, play, changes=None, **fields):
    plan = tiny_plan({"lr": "1,2,3,4"} | (changes or {}), sampler="grid", trials=4, race=3, **fields)
    drive(locations, plan, Scripted(script, play))
    return plan


def test_the_best_race_on_new_seeds_and_the_clear_winner_is_told_after_the_first_look(locations, store, script, view):
    play = scored(script, by_rate)
    study_of(locations, script, play)
    before = view()
    assert before.race_is_due
    assert not before.is_complete
    events = list(racing(locations, before, lambda: Scripted(script, play)))
    assert len([event for event in events if isinstance(event, RaceRunEnded)]) == 3 * LOOKS[0]
    after = view()
    best = next(trial for trial in after.trials if trial.params["lr"] == 4)
    assert events[-1] == RaceJudged(left=[best.number], dropped=events[-1].dropped, failed=[], is_over=True)
    assert (after.race["winner"], after.race["is_over"]) == (best.number, True)
    assert after.is_complete
    assert 1 not in {run.config()["lr"] for run in store.runs() if "race" in run.meta().name}
    for racer in after.race["racers"]:
        group = find_group(store, racer["group_id"])
        assert [member.seed for member in group.members] == [1, 2, 3]
        assert not group.varying()
    assert list(racing(locations, after, lambda: Scripted(script, play))) == []
    assert StudyList(locations.home).refresh()[0].standing == "finished"


def test_those_that_cannot_be_told_apart_get_all_seeds_and_no_winner(locations, script, view):
    def alike(lr, seed):
        return 0.2 if lr == 1 else 0.5 + (seed % 4) / 100

    play = scored(script, alike)
    study_of(locations, script, play)
    events = list(racing(locations, view(), lambda: Scripted(script, play)))
    assert [event.is_over for event in events if isinstance(event, RaceJudged)] == [False, False, True]
    assert view().race["winner"] is None
    assert [len(racer["scores"]) for racer in view().race["racers"]] == [LOOKS[-1]] * 3


def test_a_race_that_is_broken_off_goes_on_and_trains_nothing_twice(locations, store, script, view):
    play = scored(script, by_rate)
    study_of(locations, script, play)
    seen = []
    for event in racing(locations, view(), lambda: Scripted(script, play)):
        seen.append(event)
        if len(seen) == 4:
            break
    assert view().race_is_due
    list(racing(locations, view(), lambda: Scripted(script, play)))
    names = [run.meta().name for run in store.runs() if "race" in run.meta().name]
    assert len(names) == len(set(names)) == 3 * LOOKS[0]
    assert view().race["winner"] is not None


def test_a_race_of_a_named_network_finds_its_runs_whose_network_is_written_for_the_classes(
    locations, store, script, view
):
    play = scored(script, by_rate)
    study_of(locations, script, play, changes={"arch": "conv9", "dataset": "emnist-letters", "max_params": "30000"})
    events = list(racing(locations, view(), lambda: Scripted(script, play)))
    assert events[-1].is_over
    assert list(racing(locations, view(), lambda: Scripted(script, play))) == []
    assert len([run for run in store.runs() if "race" in run.meta().name]) == 3 * LOOKS[0]


@pytest.mark.parametrize("stopped", [1, 2, 3 * LOOKS[0]])
def test_a_race_whose_runs_somebody_stops_is_judged_when_it_is_gone_on_with_and_they_are_whole(
    locations, store, script, view, stopped
):
    play = scored(script, by_rate)
    study_of(locations, script, play)
    asked = []

    def stopping(run, life):
        if len(asked) < stopped:
            asked.append(run.id)
            run.ask_to_stop()
        yield from play(run, life)

    events = list(racing(locations, view(), lambda: Scripted(script, stopping)))
    assert [event for event in events if isinstance(event, RaceJudged)] == []
    assert [event.value for event in events].count(None) == stopped
    events = list(racing(locations, view(), lambda: Scripted(script, play)))
    assert [event.is_over for event in events if isinstance(event, RaceJudged)] == [True]
    assert [event.run_id for event in events if isinstance(event, RaceRunEnded)] == asked


def test_a_racer_whose_run_fails_is_out(locations, store, script, view):
    play = scored(script, by_rate)
    plan = study_of(locations, script, play)

    def failing(run, life):
        if run.config()["lr"] == 4:
            yield script.failed()
        else:
            yield from play(run, life)

    events = list(racing(locations, view(), lambda: Scripted(script, failing)))
    race = RaceRuns(store, view()).standing()
    assert isinstance(events[-1], RaceJudged)
    failed = next(racer for racer in race.racers if racer.failed)
    assert view().trials[failed.trial].params["lr"] == 4
    assert race.is_over
    assert [view().trials[racer.trial].params["lr"] for racer in race.left] == [3]
    assert plan.race == 3


def test_real_runs_race(locations, store, view):
    plan = tiny_plan({"lr": "0.0001,0.1", "epochs": "1"}, sampler="grid", trials=2, race=2)
    drive(locations, plan, Inline(locations))
    list(racing(locations, view(), lambda: Inline(locations)))
    for racer in view().race["racers"]:
        runs = [store.run(member.run_id) for member in find_group(store, racer["group_id"]).members]
        assert {run.status() for run in runs} == {Status.FINISHED}
        assert [run.view().accuracies[1] for run in runs] == racer["scores"]


@pytest.mark.parametrize("text", ["", "[]", '{"left": [], "racers": [3]}', '{"left": 1, "racers": []}'])
def test_a_standing_that_is_damaged_is_made_again_from_the_runs(locations, store, script, view, text):
    play = scored(script, by_rate)
    study_of(locations, script, play)
    list(racing(locations, view(), lambda: Scripted(script, play)))
    whole, runs = view().race, len(store.runs())
    StudyFolder.of(locations.home, "s").race.write_text(text)
    assert view().race == {}
    list(racing(locations, view(), lambda: Scripted(script, play)))
    assert (view().race, len(store.runs())) == (whole, runs)
