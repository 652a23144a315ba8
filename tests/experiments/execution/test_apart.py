"""Somebody's own module in a process of its own: the same run as in this one, whatever its code does to the process."""

from __future__ import annotations

import itertools
import textwrap
from dataclasses import replace

import pytest

from core.errors import DataError, InvalidValue, LabError, OverBudget, Stopped
from core.events import EpochFinished, RunFailed, RunFinished, RunStarted, RunStopped, StepProgress
from core.training.range_curve import RangeTest
from experiments.execution import apart
from experiments.execution.apart import examine, find_rate, train_new, train_on
from experiments.execution.lr_find import range_test
from experiments.execution.replicate import TrainingPlan, replicate
from experiments.execution.runner import Runner
from experiments.runs.folder import Meta, RunSpec
from experiments.runs.row import Status
from experiments.runs.seeds import seed_specs

NET = """
import os, random, signal, sys, time
import numpy as np
import torch
from torch import nn
{top}

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.head, self.passes = nn.Conv2d(1, 4, 5, stride=3), nn.Linear(256, 10), 0
        {constructor}

    def forward(self, x):
        self.passes += self.training
        {forward}
        if self.training:
            x = x + random.gauss(0, 0.1) + np.random.normal(0, 0.1)
        return self.head(self.conv(x).relu().view(-1, 256))
"""


@pytest.fixture
def runner(locations) -> Runner:
    return Runner(locations)


@pytest.fixture
def net(tmp_path, tiny):
    """Writes a module whose code has these statements in it; returns the config of a run of it."""

    def write(*, top: str = "", constructor: str = "pass", forward: str = "pass", **options: object):
        path = tmp_path / "net.py"
        inner = {"constructor": textwrap.indent(constructor, " " * 8).strip()}
        path.write_text(NET.format(top=top, forward=textwrap.indent(forward, " " * 8).strip(), **inner))
        return tiny.changed(arch=f"{path}:Net", engine="eager", **options)

    return write


def ends(entries):
    return [entry.event for entry in entries if not isinstance(entry.event, StepProgress)]


def test_a_run_apart_is_the_run_that_this_process_would_train_and_goes_on_exactly(runner, net):
    config = net()
    alone = ends(runner.run(config, Meta("here")))
    told = ends(train_new(runner, RunSpec(config, Meta("there", ("tag",)))))
    assert [type(event) for event in told] == [type(event) for event in alone]
    assert isinstance(told[-1], RunFinished)
    assert told[-1].weights_sha256 == alone[-1].weights_sha256
    run = runner.store.find("there")
    assert (run.meta().tags, run.status()) == (("tag",), Status.FINISHED)
    count = itertools.count()
    stopping = replace(runner, should_stop=lambda: "enough" if next(count) >= 3 else "")
    stopped = runner.store.run(list(stopping.run(config.changed(epochs=4)))[-1].run_id)
    again = ends(train_on(runner, stopped, arch=config.arch))
    whole = ends(runner.run(config.changed(epochs=4)))
    assert again[-1].weights_sha256 == whole[-1].weights_sha256
    assert isinstance(ends(train_on(runner, stopped, arch=config.arch, epochs=5))[-1], RunFinished)


@pytest.mark.parametrize(
    ("place", "code", "named"),
    [
        ("top", "os._exit(0)", "left with exit code 0"),
        ("constructor", "os._exit(7)", "left with exit code 7"),
        ("constructor", "os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL"),
        ("forward", "os.kill(os.getpid(), signal.SIGSEGV)", "killed by SIGSEGV"),
        ("top", "raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("top", "sys.exit(3)", "SystemExit: 3"),
    ],
)
def test_code_that_ends_its_process_is_told_in_a_line_and_leaves_no_run(place, code, named, runner, net):
    config = net(**{place: code}, run_whole_file=True)
    for attempt in (lambda: examine(config), lambda: list(train_new(runner, RunSpec(config)))):
        with pytest.raises(InvalidValue) as caught:
            attempt()
        assert "net.py:Net" in caught.value.message
        assert named in caught.value.message
        assert caught.value.message.isprintable()
        assert caught.value.hint
    plan = TrainingPlan("processes", 2)
    with pytest.raises(InvalidValue):
        list(replicate(runner, seed_specs(config, range(2), Meta("group")), plan))
    assert list(runner.store.rows()) == []


@pytest.mark.parametrize(
    ("code", "named"),
    [("os._exit(3)", "left with exit code 3"), ("os.kill(os.getpid(), signal.SIGABRT)", "killed by SIGABRT")],
)
def test_a_process_that_ends_in_training_fails_its_run_which_keeps_its_checkpoint(code, named, runner, net):
    config = net(forward=f"if self.passes == 30:\n    {code}", epochs=20)
    told = ends(train_new(runner, RunSpec(config)))
    assert isinstance(told[-1], RunFailed)
    assert named in told[-1].error
    run = runner.store.find("latest")
    assert (run.status(), run.checkpoint.is_file()) == (Status.FAILED, True)
    net(epochs=20)  # the file is put right
    told = ends(train_on(runner, run, arch=config.arch))
    assert [event.epoch for event in told if isinstance(event, EpochFinished)][-1] == 20
    assert isinstance(told[-1], RunFinished)


@pytest.mark.parametrize("reason", ["", "enough"], ids=["it leaves", "it is stopped"])
def test_a_finished_run_keeps_its_result_where_the_process_that_shall_extend_it_ends_before_it_trains(
    reason, runner, net, monkeypatch
):
    config = net(constructor="os.environ.get('LEAVE') and os._exit(7)")
    run = runner.store.run(list(runner.run(config))[-1].run_id)
    monkeypatch.setenv("LEAVE", "" if reason else "1")
    with pytest.raises(Stopped if reason else InvalidValue):
        list(train_on(replace(runner, should_stop=lambda: reason), run, arch=config.arch, epochs=3))
    assert run.status() is Status.FINISHED
    monkeypatch.delenv("LEAVE")
    list(train_on(runner, run, arch=config.arch, epochs=3))
    assert run.view().end.epochs == 3


def test_code_that_forks_blocks_signals_and_prints_trains_once(runner, net, capfd):
    config = net(
        top="os.fork()\nsignal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())",
        constructor=r"os.write(1, b'\x00\xff'); print('hello')",
        forward="os.fork()",
        run_whole_file=True,
    )
    told = ends(train_new(runner, RunSpec(config)))
    assert isinstance(told[-1], RunFinished)
    assert [event.epoch for event in told if isinstance(event, EpochFinished)] == [1, 2]
    assert capfd.readouterr().out == ""


def test_code_that_does_not_return_is_given_up(runner, net, monkeypatch):
    config = net(top="while True: time.sleep(0.01)", run_whole_file=True)
    asked = itertools.count()
    with pytest.raises(Stopped, match="SIGINT"):
        examine(config, lambda: "SIGINT" if next(asked) > 2 else "")
    monkeypatch.setattr(apart, "GRACE", 0.1)
    asked = itertools.count()
    stopping = replace(runner, should_stop=lambda: "SIGINT" if next(asked) > 2 else "")
    with pytest.raises(Stopped, match="SIGINT"):
        list(train_new(stopping, RunSpec(config)))
    monkeypatch.setattr(apart, "PATIENCE", 0.2)
    with pytest.raises(InvalidValue, match="its code has not returned for"):
        list(train_new(runner, RunSpec(config)))
    assert list(runner.store.rows()) == []


@pytest.mark.parametrize("asks", ["this process", "another one"])
def test_a_forward_that_does_not_return_is_ended_on_demand_with_the_checkpoint_kept(asks, runner, net, monkeypatch):
    monkeypatch.setattr(apart, "STOP_PATIENCE", 3.0)
    config = net(forward="while self.passes == 30: time.sleep(0.01)", epochs=20)
    reason: list[str] = []
    told = []
    for entry in train_new(replace(runner, should_stop=lambda: "".join(reason)), RunSpec(config)):
        told.append(entry.event)
        if isinstance(entry.event, EpochFinished) and entry.event.epoch == 14:
            if asks == "this process":
                reason.append("SIGINT")
            else:
                runner.store.run(entry.run_id).ask_to_stop()
    assert isinstance(told[0], RunStarted)
    assert isinstance(told[-1], RunStopped)
    assert told[-1].reason == ("SIGINT" if asks == "this process" else "stop")
    run = runner.store.find("latest")
    assert (run.status(), run.checkpoint.is_file(), run.view().end) == (Status.STOPPED, True, told[-1])
    net(epochs=20)
    assert isinstance(ends(train_on(runner, run, arch=config.arch))[-1], RunFinished)


def test_an_examination_tells_the_table_the_trial_and_the_budget(runner, net):
    config = net()
    summary = examine(config).summary
    assert [(row.path, row.params) for row in summary.rows] == [("conv", 104), ("head", 2570)]
    assert summary.total_params == 2674
    assert [path.name for path in summary.files] == ["net.py"]
    with pytest.raises(OverBudget, match="2,674 parameters"):
        examine(config.changed(max_params=1000))
    never_trains = net(forward="assert not self.training")
    assert examine(never_trains).summary.total_params == 2674
    with pytest.raises(InvalidValue, match=r"net\.py:.*AssertionError"):
        examine(never_trains, runner=runner)


@pytest.mark.parametrize(
    "error",
    [
        InvalidValue("arch", "a:b", "is wrong", hint="mend it"),
        OverBudget("too many", hint="fewer"),
        DataError("no data"),
        Stopped("SIGTERM"),
    ],
)
def test_an_error_comes_through_the_pipe_as_it_was(error: LabError):
    from experiments.execution.records import error_of, error_record

    again = error_of(error_record(error))
    assert (type(again), again.message, again.advice) == (type(error), error.message, error.advice)


def test_the_range_test_of_a_module_is_made_apart_and_is_the_one_that_this_process_would_make(runner, net):
    test = RangeTest(1e-3, 1.0, 6)
    there = list(find_rate(runner, net(), test))
    assert there == list(range_test(runner, net(), test))
    assert isinstance(there[0], RunStarted)
    assert len(there) == 7
    with pytest.raises(InvalidValue, match="exit code 3"):
        list(find_rate(runner, net(forward="if self.passes > 3: os._exit(3)"), test))
    with pytest.raises(Stopped, match="enough"):
        list(find_rate(replace(runner, should_stop=lambda: "enough"), net(), test))
