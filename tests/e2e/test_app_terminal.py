"""What terminals do to a program: signals, hang-ups, stalls, resizes, and others writing onto the screen."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from contextlib import suppress

import pexpect
import psutil
import pytest
from waiting import wait_until

from experiments.runs.row import Status
from experiments.runs.store import Store


def _is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("name", "code"), [("SIGHUP", 129), ("SIGTERM", 143), ("SIGINT", 130)])
def test_a_signal_saves_the_run_and_leaves_the_terminal_as_it_was(in_training, tmp_path, name, code):
    app = in_training("--on-hangup", "stop")
    os.kill(app.process.pid, getattr(signal, name))
    assert app.exit_code() == code
    run = Store(tmp_path / "home").find("latest")
    assert run.status() is Status.STOPPED
    assert run.view().end.reason == name
    assert run.checkpoint.is_file()


def test_a_closed_terminal_saves_the_run_where_that_is_wanted_and_nothing_is_left(in_training, lab, tmp_path):
    app = in_training("--on-hangup", "stop")
    process = psutil.Process(app.process.pid)
    with suppress(pexpect.ExceptionPexpect):  # which is impatient: saving takes a moment
        app.process.close(force=False)
    wait_until(lambda: _is_gone(process))
    run = Store(tmp_path / "home").find("latest")
    assert run.status() is Status.STOPPED
    assert run.checkpoint.is_file()


def test_a_terminal_that_stalls_stops_neither_the_training_nor_a_signal(in_training, tmp_path):
    app = in_training()
    process, run = psutil.Process(app.process.pid), Store(tmp_path / "home").find("latest")

    def stall() -> None:
        """Until there has long been something to write."""
        app.stall()
        before = run.row().epochs_done
        wait_until(lambda: run.row().epochs_done > before + 20)

    stall()
    app.go_on()
    app.press("3")
    app.wait_for("1 run, 1 live")
    stall()
    os.kill(app.process.pid, signal.SIGTERM)
    wait_until(lambda: _is_gone(process))
    assert run.status() is Status.STOPPED
    assert run.view().end.reason == "SIGTERM"


def test_ctrl_z_and_back(in_training, lab):
    app = in_training()
    process = psutil.Process(app.process.pid)
    app.press("ctrl+z")
    app.wait_for(lambda _: process.status() == psutil.STATUS_STOPPED)
    os.kill(app.process.pid, signal.SIGCONT)
    app.wait_for(lambda text: "1 Lab" in text and "● running" in text and "Best" in text)
    app.press("x")
    app.wait_for("■ stopped")


@pytest.mark.sampled(1)
@pytest.mark.parametrize("seed", range(10))
def test_resizes_in_a_row_leave_a_whole_screen(in_training, seed):
    app, rng = in_training(), random.Random(seed)
    for _ in range(40):
        app.resize(rng.randrange(20, 160), rng.randrange(5, 60))
        app.read_for(0.02)
    app.resize(100, 30)
    app.wait_for(lambda text: "1 Lab" in text and "Best" in text and "╰" in text)
    app.press("x")
    app.wait_for("■ stopped")


def test_stray_output_of_python_and_of_the_system_goes_to_the_log(in_training, tmp_path):
    (tmp_path / "noisy.py").write_text(
        "import os, sys\n"
        "from torch import nn\n"
        "class Net(nn.Sequential):\n"
        "    def __init__(self):\n"
        "        super().__init__(nn.Flatten(), nn.Linear(784, 10))\n"
        "    def forward(self, x):\n"
        "        print('PYTHON OUT'); print('PYTHON ERR', file=sys.stderr)\n"
        "        os.write(1, b'NATIVE OUT\\n'); os.write(2, b'NATIVE ERR\\n')\n"
        "        return super().forward(x)\n"
    )
    app = in_training()
    app.press("x")
    app.wait_for("■ stopped")
    app.press("1", "e", "ctrl+u", f"{tmp_path}/noisy.py:Net", "ctrl+r")
    app.wait_for(lambda text: "/10000 loss=" in text and "noisy" in text)
    app.press("x")
    text = app.wait_for("■ stopped")
    log = (tmp_path / "home" / "interface.log").read_text()
    for word in ("PYTHON OUT", "PYTHON ERR", "NATIVE OUT", "NATIVE ERR"):
        assert word not in text
        assert word in log


def test_noise_on_the_line_does_not_make_it_deaf(terminal):
    app = terminal((120, 40))
    app.wait_for("19,458 of 20,000")
    reports = (b"\x1b[99999999999u", b"\x1b[48;24;99999999;1;1t", b"\x1b[<0;99999999;99999999M")
    for sent in (b"\xe9", b"\xc3", *reports, bytes(random.Random(0).choices(range(0x80, 0x100), k=500))):
        app.process.send(sent)
        app.read_for(0.2)
    app.process.send(b"\x1b[200~lost")  # a paste without its end
    app.read_for(4)
    app.press("ctrl+q")
    assert app.exit_code() == 0


def test_a_spec_of_several_lines_is_pasted_as_one(terminal):
    app = terminal((120, 40))
    app.wait_for("19,458 of 20,000")
    app.press("e")
    app.press("ctrl+u")
    app.process.send(b"\x1b[200~c8p1 p2\r\n  c16\n\ngap fc10\n\x1b[201~")
    app.wait_for("c8p1 p2 c16 gap fc10")
    app.press("ctrl+q")
    assert app.exit_code() == 0


def test_without_a_terminal_it_says_so_and_exits_2():
    done = subprocess.run([sys.executable, "-m", "tui"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 2
    assert "mnist-tui run" in done.stderr
    assert done.stdout == ""
