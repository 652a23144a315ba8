"""A sweep whose processes are killed, stopped and started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from waiting import wait_until

from experiments.studies.view import study_view

DEADLINE = 120.0
SWEEP = "sweep --study s --trials 12 --jobs 2 --sampler random --lr 0.01:1:log --epochs 2 --batch-size 32 --device cpu"
DATA = "--dataset mnist-5k --limit-train 512 --limit-test 100"
LONG = ("--epochs", "15", "--limit-train", "4000")
"""Trials that last long enough to be stopped in the middle."""


@contextmanager
def sweeping(lab, *more: str) -> Iterator[subprocess.Popen[str]]:
    command = [*lab.command, *SWEEP.split(), *DATA.split(), "--arch", "c4 p2 c8 gap fc10", *more]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env=lab.environment, start_new_session=True, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def count(lab, event: str) -> int:
    """Runs that have said this."""
    return sum(event in log.read_text() for log in lab.home.glob("runs/2*/events.jsonl"))


def kill(process: subprocess.Popen[str], *, with_workers: bool) -> None:
    workers = psutil.Process(process.pid).children(recursive=True) if with_workers else []
    process.kill()
    for worker in workers:
        worker.kill()
    process.wait(DEADLINE)


def test_a_sweep_killed_twice_and_continued_by_name_has_all_its_trials_and_none_twice(lab):
    with sweeping(lab) as process:
        wait_until(lambda: count(lab, "run_finished") >= 2)
        kill(process, with_workers=True)
    with sweeping(lab) as process:
        wait_until(lambda: count(lab, "run_finished") >= 6)
        kill(process, with_workers=False)  # they stop by themselves
    with sweeping(lab, "--json") as process:
        out, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, err
    summary = json.loads(out.splitlines()[-1])
    assert (summary["trials"], summary["rejected"], summary["states"]["finished"]) == (12, 0, 12)
    rows = lab.rows()
    assert [row["status"] for row in rows] == ["finished"] * 12
    assert sorted(int(row["name"].removeprefix("s-")) for row in rows) == list(range(12))
    study = study_view(lab.home, "s")
    assert {trial.run_id for trial in study.trials} == {row["run_id"] for row in rows}
    assert len({trial.params["lr"] for trial in study.trials}) == 12
    for log in lab.home.glob("runs/2*/events.jsonl"):
        events = [json.loads(line) for line in log.read_text().splitlines()]
        epochs = [event["epoch"] for event in events if event["event"] == "epoch_finished"]
        assert sorted(set(epochs)) == [1, 2]
        assert epochs == sorted(epochs), "an epoch that had a checkpoint was done again"


@pytest.mark.parametrize("trials", [9, pytest.param(24, marks=pytest.mark.slow)])
def test_a_search_over_a_template_with_two_objectives_killed_twice_has_its_trials_and_the_front_of_their_logs(
    lab, trials
):
    template = "c{4:8:2}p1 p2 s{8,12}p1 [s8p1] p2 s{8:24}p1 gap fc10"
    search = ("--arch", template, "--lr", "0.1", "--objective", "val,params", "--trials", str(trials))
    search += ("--val-split", "100", "--epochs", "1", "--max-params", "1200", "--sampler", "nsga2")
    for finished in (trials // 6 + 1, trials // 2):
        with sweeping(lab, *search) as process:
            wait_until(lambda finished=finished: count(lab, "run_finished") >= finished)
            kill(process, with_workers=finished < trials // 2)
    with sweeping(lab, *search, "--json") as process:
        out, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, err
    summary = json.loads(out.splitlines()[-1])
    assert (summary["trials"], summary["rejected"], summary["states"]["finished"]) == (trials, 0, trials)
    own = [trial for trial in summary["results"] if not trial["reason"]]
    rows = lab.rows()
    assert sorted(row["run_id"] for row in rows) == sorted(trial["run_id"] for trial in own)
    assert len({row["arch"] for row in rows}) == len(rows)
    logged = {}
    for log in lab.home.glob("runs/2*/events.jsonl"):
        events = [json.loads(line) for line in log.read_text().splitlines()]
        (start,) = {event["total_params"] for event in events if event["event"] == "run_started"}
        accuracy = next(event["val_accuracy"] for event in events if event["event"] == "epoch_finished")
        logged[log.parent.name] = (accuracy, start)
    assert max(params for _, params in logged.values()) <= 1200
    front = {
        run
        for run, (accuracy, params) in logged.items()
        if not any(a >= accuracy and p <= params and (a, p) != (accuracy, params) for a, p in logged.values())
    }
    assert {trial["run_id"] for trial in own if trial["trial"] in summary["front"]} == front


def test_ctrl_c_stops_the_workers_with_checkpoints_and_the_study_goes_on(lab):
    with sweeping(lab, *LONG, "--json") as process:
        wait_until(lambda: count(lab, "epoch_finished") > 0)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to all of them
        out, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == 130, err
    summary = json.loads(out.splitlines()[-1])
    assert (summary["event"], summary["stopped"], summary["states"]["running"]) == ("sweep_finished", True, 0)
    assert summary["states"]["stopped"] > 0
    assert "mnist-tui sweep --study s goes on" in err
    stopped = {row["run_id"] for row in lab.rows() if row["status"] == "stopped"}
    assert stopped
    assert {row["status"] for row in lab.rows()} <= {"stopped", "finished"}
    done = lab.run("sweep", "--study", "s", "--trials", "2", "--jobs", "2", "--json")
    assert done.returncode == 0, done.stderr
    assert {row["run_id"] for row in lab.rows()} == stopped
    assert {row["status"] for row in lab.rows()} == {"finished"}


def test_a_sweep_whose_journal_is_damaged_while_it_runs_stops_with_checkpoints_and_one_line(lab):
    with sweeping(lab, *LONG) as process:
        wait_until(lambda: count(lab, "checkpoint_saved") > 0)
        with (lab.home / "studies" / "s" / "journal.jsonl").open("a") as journal:
            journal.write("not json\n")
        _, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == 5, err
    assert "journal.jsonl: damaged" in err
    assert "Traceback" not in err
    assert {row["status"] for row in lab.rows()} <= {"stopped", "finished"}


def test_two_sweeps_at_once_in_one_home_do_not_disturb_each_other(lab):
    few = ("--trials", "3", "--jobs", "1")
    with sweeping(lab, *few) as one, sweeping(lab, *few, "--study", "other") as other:
        for process in (one, other):
            _, err = process.communicate(timeout=DEADLINE)
            assert process.returncode == 0, err
    rows = lab.rows()
    assert sorted(row["name"] for row in rows) == ["other-0", "other-1", "other-2", "s-0", "s-1", "s-2"]
    for name in ("s", "other"):
        trials = study_view(lab.home, name).trials
        assert [trial.state for trial in trials] == ["finished"] * 3
        assert {trial.run_id for trial in trials} == {row["run_id"] for row in rows if f"study:{name}" in row["tags"]}


@pytest.fixture(autouse=True)
def no_worker_is_left(lab):
    """Nothing goes on once a sweep is over."""
    before = {process.pid for process in psutil.process_iter()}
    yield
    wait_until(lambda: not _processes_of(lab.home, before))


def _processes_of(home: Path, before: set[int]) -> list[psutil.Process]:
    return [p for p in psutil.process_iter() if p.pid not in before and str(home) in " ".join(_command(p))]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
