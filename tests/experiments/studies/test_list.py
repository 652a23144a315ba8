"""The list of studies: how each stands, what is read again, and a driver that is started, seen and stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
from sweep_tools import Scripted, drive, tiny_plan
from waiting import wait_until

from core.errors import InvalidValue
from experiments.runs.owner import Owner
from experiments.studies.folder import StudyFolder
from experiments.studies.list import StudyList
from experiments.studies.process import start_sweep_detached, stop_study
from experiments.studies.view import add_trial, check_trial, study_view

DRIVER = """
import signal, sys
from pathlib import Path
from experiments.studies.folder import StudyFolder
with StudyFolder.of(Path(sys.argv[1]), "s").held():
    print("driving", flush=True)
    signal.pause()
"""


def finished(script):
    return Scripted(
        script,
        lambda run, life: iter(
            [script.epoch(1, 0.5, on_test=False), script.epoch(2, 0.6, on_test=False), script.finished(2)]
        ),
    )


@pytest.fixture
def driver(locations):
    """A process that does nothing but drive the study `s`."""
    command = [sys.executable, "-c", DRIVER, str(locations.home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "driving\n"
        yield process
        process.kill()


def test_each_study_stands_where_its_files_say_and_only_what_has_changed_is_read_again(locations, script):
    home = locations.home
    studies = StudyList(home)
    assert studies.refresh() == []
    drive(locations, tiny_plan(trials=2), finished(script), name="done")
    drive(locations, tiny_plan(trials=2), Scripted(script, lambda run, life: iter([script.failed()])), name="s")
    StudyFolder.of(home, "s").write_plan(tiny_plan(trials=3))
    begun = StudyFolder.of(home, "never")
    begun.folder.mkdir()
    begun.output.write_text("error: mnist: it cannot be downloaded\nhint: try again\n")
    (home / "studies" / "not ours").mkdir()
    first = {entry.name: entry for entry in studies.refresh()}
    assert {name: entry.standing for name, entry in first.items()} == {
        "done": "finished",
        "s": "stopped",
        "never": "failed",
    }
    assert first["never"].problem == "mnist: it cannot be downloaded"
    assert (first["s"].view.done, first["s"].view.planned) == (2, 3)
    add_trial(home, "done", {})
    second = {entry.name: entry for entry in studies.refresh()}
    assert [name for name in first if second[name] is not first[name]] == ["done"]
    assert second["done"].standing == "stopped", "a trial waits for a driver"
    assert (second["done"].view.done, second["done"].view.planned) == (2, 3)


@pytest.mark.parametrize("since", ["said", "begun"])
def test_the_error_of_a_driver_is_forgotten_once_another_has_begun(locations, script, since):
    drive(locations, tiny_plan(trials=1), finished(script))
    folder = StudyFolder.of(locations.home, "s")
    folder.output.write_text("error: the disk is full\nhint: make room\n")
    said = 10**18
    begun = said + (-1 if since == "said" else 1) * 1_000_000
    os.utime(folder.output, ns=(said, said))
    os.utime(folder.folder / "study.json", ns=(begun, begun))
    (entry,) = StudyList(locations.home).refresh()
    assert (entry.standing, entry.problem) == ("finished", "the disk is full" if since == "said" else "")


def test_a_damaged_study_is_in_the_list_with_what_is_wrong(locations, script):
    drive(locations, tiny_plan(trials=1), finished(script))
    StudyFolder.of(locations.home, "s").folder.joinpath("study.json").write_text("{}")
    (entry,) = StudyList(locations.home).refresh()
    assert (entry.view, entry.standing) == (None, "damaged")
    assert entry.problem.startswith("study.json: damaged")


def test_of_a_grid_no_more_trials_are_planned_than_it_has(locations, script):
    plan = tiny_plan({"lr": "0.1,0.2"}, sampler="grid", trials=20)
    drive(locations, plan, finished(script))
    view = study_view(locations.home, "s")
    assert (view.done, view.planned, view.is_complete) == (2, 2, True)
    with pytest.raises(InvalidValue, match="a grid leaves nothing open"):
        check_trial(plan, {})
    assert check_trial(plan, {"lr": "0.2"}) == {"lr": 0.2}


def test_a_driver_is_seen_and_stopped_by_another_process(locations, driver):
    (home, studies) = locations.home, StudyList(locations.home)
    StudyFolder.of(home, "s").write_plan(tiny_plan())
    (entry,) = studies.refresh()
    assert (entry.is_driven, entry.standing) == (True, "starting")
    stop_study(home, "s")
    assert driver.wait(30) == -signal.SIGTERM
    (entry,) = studies.refresh()
    assert (entry.is_driven, entry.standing) == (False, "stopped")
    with pytest.raises(InvalidValue, match="no process is at work on it"):
        stop_study(home, "s")


def test_a_driver_on_another_machine_is_not_stopped_from_here(locations):
    folder = StudyFolder.of(locations.home, "s")
    with folder.locked():
        folder.hand_over(Owner("elsewhere", 1, 0.0))
    with pytest.raises(InvalidValue, match="on another machine or container, elsewhere"):
        stop_study(locations.home, "s")


@pytest.mark.filterwarnings("ignore:subprocess:ResourceWarning")  # it is left to itself
def test_a_detached_sweep_owns_its_study_before_it_does_anything(locations):
    folder = StudyFolder.of(locations.home, "s")
    code = "import os, sys; print(os.getpid(), open(sys.argv[1]).read(), end='', flush=True)"
    pid = start_sweep_detached(folder, [sys.executable, "-c", code, str(folder.folder / "owner.json")])
    wait_until(lambda: folder.output.read_text().rstrip().endswith("}"))
    seen, owner = folder.output.read_text().split(" ", 1)
    assert int(seen) == pid == json.loads(owner)["pid"]


@pytest.mark.filterwarnings("ignore:subprocess:ResourceWarning")
def test_a_study_that_is_driven_is_handed_to_nobody_else(locations, driver):
    folder = StudyFolder.of(locations.home, "s")
    with pytest.raises(InvalidValue, match="is being run by another process"):
        start_sweep_detached(folder, [sys.executable, "-c", "print('ran')"])
    assert folder.owner().pid == driver.pid
    assert folder.output.read_text() == ""
