"""A study's folder: what a crash or a hand may have done to its files."""

from __future__ import annotations

import json
import os
from shutil import copytree

import pytest
from sweep_tools import Inline, Scripted, drive, sweeping, three_epochs, tiny_plan
from waiting import wait_until

from core.advice import Action, Tip
from core.errors import InvalidValue, LabError, RunError
from experiments.execution.runner import Runner
from experiments.runs.row import Status
from experiments.runs.store import Store
from experiments.studies.driver import SweepDriver
from experiments.studies.events import TrialStarted
from experiments.studies.folder import StudyFolder, study_names
from experiments.studies.view import StudyReader, add_trial, study_view


@pytest.fixture
def journal(locations, script):
    """That of a study with one failed trial."""
    drive(locations, tiny_plan(trials=1), Scripted(script, lambda run, life: iter([script.failed()])))
    return StudyFolder.of(locations.home, "s").journal


def test_a_torn_last_line_is_passed_over_by_readers_and_cut_off_by_the_next_writer(locations, journal):
    whole = journal.read_bytes()
    for torn in (b'{"op_code": 4, "wor', b"x" * 10_000, b"\xff\x00"):
        journal.write_bytes(whole + torn)
        assert len(study_view(locations.home, "s").trials) == 1
    number = add_trial(locations.home, "s", {"lr": "0.5"})
    assert number == 1
    assert len(study_view(locations.home, "s").trials) == 2
    assert journal.read_bytes().startswith(whole)
    assert all(json.loads(line) for line in journal.read_text().splitlines())


def test_a_damaged_line_within_is_named_and_left_alone(locations, journal, script):
    lines = journal.read_text().splitlines()
    journal.write_text("\n".join([lines[0], "damage", *lines[1:]]) + "\n")
    damaged = journal.read_bytes()
    executor = Scripted(script, lambda run, life: iter(()))
    for use in (
        lambda: study_view(locations.home, "s"),
        lambda: drive(locations, tiny_plan(trials=2), executor),
    ):
        with pytest.raises(RunError, match=r"journal\.jsonl: damaged"):
            use()
    assert executor.is_closed
    assert journal.read_bytes() == damaged


@pytest.mark.parametrize("line", ["not json", "[]", '{"op_code": 4}', "\udcff", '"' + "x" * 9_000])
def test_a_whole_last_line_that_is_damaged_is_named_to_readers_and_writers_alike(locations, journal, line):
    whole, reader = journal.read_bytes(), StudyReader(locations.home, "s")
    assert len(reader.view().trials) == 1
    damaged = whole + line.encode(errors="surrogateescape") + b"\n"
    journal.write_bytes(damaged)
    for use in (reader.view, lambda: study_view(locations.home, "s"), lambda: add_trial(locations.home, "s", {})):
        with pytest.raises(RunError, match=r"journal\.jsonl: damaged") as caught:
            use()
        assert Tip(Action.CHANGE, "study") in caught.value.advice.parts
    assert journal.read_bytes() == damaged
    journal.write_bytes(whole)
    assert len(reader.view().trials) == 1


def test_a_folder_that_was_renamed_or_copied_is_the_study_under_its_new_name(locations, journal, script):
    copytree(journal.parent, journal.parent.with_name("copy"))
    journal.parent.rename(journal.parent.with_name("moved"))
    for name in ("copy", "moved"):
        drive(locations, tiny_plan(trials=10), Inline(locations), name=name)
        view = study_view(locations.home, name)
        assert [trial.state for trial in view.trials] == ["failed"] + ["finished"] * 9
        assert bool(view.importance) is (len({trial.value for trial in view.trials[1:]}) > 1)
        assert f"study:{name}" in Store(locations.home).run(view.trials[1].run_id).meta().tags


def test_a_study_that_has_lost_its_plan_is_no_new_one(locations, journal):
    journal.with_name("study.json").unlink()
    with pytest.raises(RunError, match=r"study\.json: missing"):
        study_view(locations.home, "s")


def test_of_a_study_that_is_not_there_those_of_a_like_name_are_named(locations, journal):
    with pytest.raises(RunError, match="no such study: 's1'") as caught:
        study_view(locations.home, "s1")
    assert caught.value.hint == "did you mean s?"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"space": {"lr": "0.1"}}', '{"space": 3}'])
def test_a_damaged_plan_is_named(locations, journal, content):
    plan = journal.with_name("study.json")
    plan.write_text(content)
    with pytest.raises(RunError, match=r"study\.json: damaged"):
        study_view(locations.home, "s")


def test_a_reader_sees_what_has_come_since_its_last_look(locations, journal):
    reader = StudyReader(locations.home, "s")
    assert len(reader.view().trials) == 1
    add_trial(locations.home, "s", {})
    assert [trial.state for trial in reader.view().trials] == ["failed", "waiting"]


def test_a_study_that_has_not_begun_has_no_trials_and_takes_none(locations):
    folder = StudyFolder.of(locations.home, "s")
    folder.write_plan(tiny_plan())
    assert study_view(locations.home, "s").trials == ()
    assert not folder.journal.exists(), "looking makes no files"


def test_a_plan_reads_what_it_writes_and_studies_are_listed_by_name(locations):
    plan = tiny_plan({"batch_size": "64,128"}, pruner="median", trials=7)
    for name in ("a", "b"):
        StudyFolder.of(locations.home, name).write_plan(plan)
    assert StudyFolder.of(locations.home, "b").plan() == plan
    assert sorted(study_names(locations.home)) == ["a", "b"]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "-x", "x" * 61, "a b", "a\n"])
def test_what_is_no_name_never_becomes_a_path(locations, name):
    with pytest.raises(InvalidValue, match="study"):
        StudyFolder.of(locations.home, name)


def test_the_process_that_drives_a_study_shows_that_it_lives(locations, monkeypatch):
    monkeypatch.setattr("experiments.runs.owner.BEAT_INTERVAL", 0.01)
    folder = StudyFolder.of(locations.home, "s")
    with folder.held():
        owner = folder.folder / "owner.json"
        os.utime(owner, (0, 0))
        wait_until(lambda: owner.stat().st_mtime > 0)
    assert not owner.exists()


def damage(folder):
    folder.journal.write_text(folder.journal.read_text() + "not json\n")


def remove(folder):
    folder.folder.rename(folder.folder.with_name("elsewhere"))


@pytest.mark.parametrize(("harm", "said"), [(damage, "journal.jsonl: damaged"), (remove, "studies/s: is gone")])
def test_a_driver_whose_study_is_harmed_stops_its_trials_and_says_why(locations, store, script, harm, said):
    folder = StudyFolder.of(locations.home, "s")
    folder.write_plan(tiny_plan())
    executor = Scripted(script, three_epochs(script), room=2)
    sweep = SweepDriver(Runner(locations), folder, tiny_plan(), executor).run(lambda: "")
    started = [next(sweep) for _ in range(2)]
    harm(folder)
    with pytest.raises(LabError, match=said):
        list(sweep)
    runs = [store.run(event.run_id) for event in started]
    assert [run.status() for run in runs] == [Status.STOPPED] * 2
    assert all(said in run.view().end.reason for run in runs)


def test_what_the_values_by_epoch_are_is_said_whatever_the_objective(locations, script):
    for name, objective, split in (("v", "val", "50"), ("t", "test", "0"), ("tv", "test", "50")):
        plan = tiny_plan({"val_split": split}, objective=objective)
        StudyFolder.of(locations.home, name).write_plan(plan)
    assert [study_view(locations.home, name).values_are for name in ("v", "t", "tv")] == ["val", "test", "val"]


@pytest.mark.parametrize("sampler", ["tpe", "random"])
@pytest.mark.filterwarnings("error")
def test_steps_are_proposed_to_the_last_one_and_without_noise(locations, script, sampler):
    plan = tiny_plan({"lr": "0.01:0.1:0.045"}, sampler=sampler, trials=15)
    drive(locations, plan, Scripted(script, three_epochs(script)))
    assert {trial.params["lr"] for trial in study_view(locations.home, "s").trials} == {0.01, 0.055, 0.1}
    view = study_view(locations.home, "s")
    assert (view.repeated, view.importance) == (12, {}), "all score the same"


def test_a_trial_that_is_left_under_way_is_stopped_and_one_of_a_grid_is_not_missed(locations, store, script):
    options = {"arch": "c4 p2 c8 gap fc10,conv9", "lr": "0.1,0.2", "max_params": "1000"}
    plan = tiny_plan(options, sampler="grid", trials=20)
    sweep = sweeping(locations, plan, Scripted(script, three_epochs(script)))
    started = next(event for event in sweep if isinstance(event, TrialStarted))
    states = study_view(locations.home, "s").states
    assert (states["running"], states["stopped"]) == (1, 0)
    sweep.close()
    store.run(started.run_id).release()
    states = study_view(locations.home, "s").states
    assert (states["running"], states["stopped"]) == (0, 1)
    drive(locations, plan, Inline(locations))
    view = study_view(locations.home, "s")
    assert (view.combinations, view.planned, view.is_complete) == (4, 2, True)
