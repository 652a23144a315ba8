"""`sweeps` on the command line: the list, one study, and stopping its driver."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from sweep_tools import Scripted, drive, three_epochs, tiny_plan

from experiments.locations import Locations
from experiments.studies.folder import StudyFolder

DRIVER = """
import sys, time
from pathlib import Path
from experiments.studies.folder import StudyFolder
from tui.command_line.signals import stop_on_signals
with StudyFolder.of(Path(sys.argv[1]), "s").held(), stop_on_signals() as stop:
    print("driving", flush=True)
    while not stop():
        time.sleep(0.05)
"""


@pytest.fixture
def study(home, script):
    """The study `s`, with three of its four trials done."""
    locations = Locations.resolve(home, home / "data")
    drive(locations, tiny_plan(), Scripted(script, three_epochs(script, 0.8)))
    folder = StudyFolder.of(home, "s")
    folder.write_plan(tiny_plan(trials=4))
    return folder


def test_a_home_without_sweeps_says_how_to_begin_one(cli):
    answer = cli("sweeps")
    assert (answer.code, answer.out) == (0, "")
    assert "no sweeps yet: mnist-tui sweep --lr" in answer.err
    assert json.loads(cli("sweeps", "--json").out) == []


def test_the_list_says_how_each_stands_and_what_is_wrong_with_it(cli, home, study):
    broken = StudyFolder.of(home, "broken")
    broken.write_plan(tiny_plan())
    (broken.folder / "study.json").write_text("{")
    answer = cli("sweeps")
    assert answer.code == 0
    assert [line.split()[:4] for line in answer.out.splitlines()[1:]][-1] == ["s", "stopped", "3/4", "80.00%"]
    assert "lr 0.001:1:log" in answer.out
    assert "broken: study.json: damaged" in answer.err
    records = {record["study"]: record for record in json.loads(cli("sweeps", "--json").out)}
    assert (records["broken"]["status"], records["broken"]["done"]) == ("damaged", None)
    assert records["broken"]["problem"].startswith("study.json: damaged")
    found = records["s"]
    assert (found["status"], found["done"], found["planned"], found["best"]) == ("stopped", 3, 4, 0.8)
    assert (found["objective"], found["sampler"], found["space"]) == ("val", "tpe", {"lr": "0.001:1:log"})


def test_one_sweep_is_shown_as_at_its_end(cli, study):
    answer = cli("sweeps", "s")
    assert answer.code == 0
    assert "study s: 3 of 4 trials done: 3 finished" in answer.out
    assert "mnist-tui sweep --study s goes on with it" in answer.out
    assert "best: mnist-tui run " in answer.out
    record = json.loads(cli("sweeps", "s", "--json").out)
    assert (record["study"], record["is_driven"], record["states"]["finished"]) == ("s", False, 3)
    assert [trial["trial"] for trial in record["results"]] == [0, 1, 2]


def test_a_deleted_run_is_marked_and_hints_do_not_need_the_presets_file(cli, home, store, script, tmp_path):
    locations = Locations.resolve(home, home / "data")
    preset = tmp_path / "mine.toml"
    preset.write_text('base = "seed-conv9"\nbatch_size = 512\n')
    plan = replace(tiny_plan(trials=1), origin=("--config", str(preset)))
    drive(locations, plan, Scripted(script, three_epochs(script, 0.8)))
    store.remove(store.runs()[0])
    preset.unlink()
    answer = cli("sweeps", "s")
    assert " (deleted)" in answer.out
    assert "best: mnist-tui run --preset seed-conv9 " in answer.out
    assert json.loads(cli("sweeps", "s", "--json").out)["best"]["run_is_kept"] is False


def test_stop_ends_the_process_that_drives_it_and_says_how_to_go_on(cli, home, study):
    command = [sys.executable, "-c", DRIVER, str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "driving\n"
        assert json.loads(cli("sweeps", "--json").out)[0]["status"] == "running"
        answer = cli("sweeps", "s", "--stop")
        assert process.wait(10) == 0
    assert answer.code == 0
    assert answer.err == "study s is stopped; mnist-tui sweep --study s goes on with it\n"


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (("--stop",), 2, "study = '': is missing"),
        (("t",), 5, "no such study: 't'"),
        (("t", "--stop"), 5, "no such study: 't'"),
        (("../s",), 2, "study = ../s"),
        (("s", "--stop"), 2, "study = s: no process is at work on it"),
    ],
)
def test_what_cannot_be_shown_or_stopped_is_refused(cli, refused, study, arguments, code, named):
    refused(cli("sweeps", *arguments), code, named)
