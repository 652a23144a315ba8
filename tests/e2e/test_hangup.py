"""What a terminal that closes, or takes nothing more, does to training: nothing, unless that is asked for."""

from __future__ import annotations

import os
import signal
import subprocess
import termios
from contextlib import suppress

import pexpect
import psutil
import pytest
from waiting import wait_until

from experiments.runs.row import Status
from experiments.runs.store import Store

WORDS = "--dataset mnist-5k --limit-train 512 --limit-test 200 --batch-size 64 --device cpu --no-budget"
SHORT = ("run", *WORDS.split(), "--arch", "c4 p2 c8 gap fc10", "--epochs", "60")
"""A run that is over in some ten seconds."""


@pytest.fixture
def in_terminal(lab):
    """Start a command in a pseudo-terminal of its own."""
    opened: list[pexpect.spawn] = []

    def start(*arguments: str) -> pexpect.spawn:
        command, *words = [*lab.command, *arguments]
        opened.append(pexpect.spawn(command, words, env=lab.environment, encoding="utf-8", timeout=60))
        return opened[-1]

    yield start
    for process in opened:
        with suppress(pexpect.ExceptionPexpect):
            process.close(force=True)


def hang_up(process: pexpect.spawn) -> psutil.Process:
    """Take the terminal away, as the end of a connection does; returns the process that had it."""
    left = psutil.Process(process.pid)
    process.ptyproc.fileobj.close()
    process.ptyproc.closed = True  # else pexpect would send it signals in the end
    return left


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def hash_of(run) -> str:
    return run.view().end.weights_sha256


def test_a_run_in_the_foreground_goes_on_without_its_terminal_to_the_weights_of_one_left_alone(lab, in_terminal):
    process = in_terminal(*SHORT)
    process.expect(r"epoch 2/60 loss=")
    left = hang_up(process)
    [run] = Store(lab.home).runs()
    wait_until(lambda: is_gone(left))
    assert run.status() is Status.FINISHED
    said = (lab.home / "detached.log").read_text()
    assert "SIGHUP; it goes on without a terminal\n" in said
    assert f"run {run.id} (seed 0) finished" in said
    assert lab.run(*SHORT, "--quiet").returncode == 0
    assert hash_of(run) == hash_of(Store(lab.home).find("latest"))


def test_a_group_in_the_foreground_goes_on_to_its_last_seed(lab, in_terminal):
    process = in_terminal(*SHORT[:-1], "20", "--seeds", "0-2", "--jobs", "2")
    process.expect(r"seed 0, epoch 1/20")
    left = hang_up(process)
    wait_until(lambda: is_gone(left))
    runs = Store(lab.home).runs()
    assert [run.status() for run in runs] == [Status.FINISHED] * 3
    assert "3 of 3 runs finished" in (lab.home / "detached.log").read_text()


def test_the_variable_says_what_a_lost_terminal_means_too(lab, in_terminal):
    lab.environment["MNIST_TUI_ON_HANGUP"] = "stop"
    process = in_terminal(*SHORT)
    process.expect(r"epoch 2/60 loss=")
    left = hang_up(process)
    wait_until(lambda: is_gone(left))
    [run] = Store(lab.home).runs()
    assert run.view().end.reason == "SIGHUP"


def test_a_terminal_that_takes_nothing_holds_up_no_run_in_the_foreground(lab, in_terminal):
    process = in_terminal(*SHORT)
    process.expect(r"epoch 2/60 loss=")
    terminal = os.open(f"/proc/{process.pid}/fd/0", os.O_RDWR | os.O_NOCTTY)
    termios.tcflow(terminal, termios.TCOOFF)
    try:
        [run] = Store(lab.home).runs()
        wait_until(lambda: run.status() is Status.FINISHED)
    finally:
        termios.tcflow(terminal, termios.TCOON)
        os.close(terminal)
    process.expect(rf"run {run.id} \(seed 0\) finished")  # the last words have waited
    process.expect(pexpect.EOF)


def test_hangups_in_a_row_do_nothing_and_another_signal_stops_with_a_checkpoint(lab, training):
    for _ in range(3):
        training.send_signal(signal.SIGHUP)
    before = len(lab.events())
    wait_until(lambda: len(lab.events()) > before + 20)
    training.send_signal(signal.SIGTERM)
    training.send_signal(signal.SIGHUP)
    assert training.wait(60) == 143
    assert lab.events()[-1]["reason"] == "SIGTERM"


def test_ctrl_c_just_before_stops_the_run_all_the_same(lab, training):
    training.send_signal(signal.SIGINT)
    training.send_signal(signal.SIGHUP)
    assert training.wait(60) == 130
    assert lab.events()[-1]["reason"] == "SIGINT"


def test_a_run_whose_reader_has_had_enough_ends_as_ever(lab, endless):
    """A pipe that is closed is no connection that is lost."""
    shell = '"$@" 2>/dev/null | head -n 1'
    done = subprocess.run(["bash", "-c", shell, "sh", *lab.command, *endless], env=lab.environment, timeout=100)
    assert done.returncode == 0
    [run] = Store(lab.home).runs()
    wait_until(lambda: not run.is_alive())


@pytest.mark.parametrize("times", [1, 3])
def test_the_interface_without_its_terminal_trains_on_until_it_is_stopped_from_elsewhere(in_training, lab, times):
    app = in_training()
    for _ in range(times - 1):
        os.kill(app.process.pid, signal.SIGHUP)
    process = hang_up(app.process)
    [run] = Store(lab.home).runs()
    before = run.row().epochs_done
    wait_until(lambda: run.row().epochs_done > before + 5)
    assert run.status() is Status.RUNNING
    assert lab.run("stop", run.id).returncode == 0
    wait_until(lambda: is_gone(process))
    assert run.view().end.reason == "stop"
    assert f"the terminal is gone: {run.id} goes on without it" in (lab.home / "interface.log").read_text()


def test_seeds_that_wait_in_the_interface_are_trained_without_its_terminal(terminal, endless_form, lab):
    endless_form(seed="0-2", epochs="15")
    app = terminal((100, 30))
    app.wait_for("3 runs: ")
    app.press("ctrl+r")
    store = Store(lab.home)
    wait_until(lambda: any(run.view().epochs for run in store.runs()))
    process = hang_up(app.process)
    wait_until(lambda: is_gone(process))
    assert [run.status() for run in store.runs()] == [Status.FINISHED] * 3


def test_a_hangup_while_the_run_is_prepared_is_no_end_of_it(terminal, endless_form, lab):
    endless_form(epochs="15")
    app = terminal((100, 30))
    app.wait_for("Ready")
    app.press("ctrl+r")
    app.wait_for("Preparing the run")
    process = hang_up(app.process)
    wait_until(lambda: is_gone(process))
    [run] = Store(lab.home).runs()
    assert run.status() is Status.FINISHED


def test_the_interface_without_a_run_ends_with_its_terminal(terminal):
    app = terminal((100, 30))
    app.wait_for("Ready")
    process = hang_up(app.process)
    wait_until(lambda: is_gone(process))
