"""What terminals do to a program: signals, hang-ups, stalls, resizes, and others writing onto the screen."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

import pexpect
import psutil
import pytest
from pseudo_terminal import TerminalApp

from experiments.runs.row import Status
from experiments.runs.store import Store


@pytest.fixture
def training(tmp_path, cache_home):
    """The interface with a run that has begun."""
    opened: list[TerminalApp] = []

    def open_app(**variables: str) -> TerminalApp:
        environment = {
            "XDG_CACHE_HOME": str(cache_home),
            "MNIST_TUI_DATA": str(tmp_path / "data"),
            "OMP_NUM_THREADS": "1",
            **variables,
        }
        app = TerminalApp(tmp_path / "home", (100, 30), environment=environment)
        opened.append(app)
        app.wait_for("Ready")
        app.press("v", "up", "m", "m", "ctrl+r")
        app.wait_for("/20 loss=")
        return app

    yield open_app
    for app in opened:
        app.close()


def _gone_within(process: psutil.Process, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize(("name", "code"), [("SIGHUP", 129), ("SIGTERM", 143), ("SIGINT", 130)])
def test_a_signal_saves_the_run_and_leaves_the_terminal_as_it_was(training, tmp_path, name, code):
    app = training()
    os.kill(app.process.pid, getattr(signal, name))
    assert app.exit_code(10) == code
    run = Store(tmp_path / "home").find("latest")
    assert run.status() is Status.STOPPED
    assert run.view().end.reason == name
    assert run.checkpoint.is_file()


def test_a_closed_terminal_saves_the_run_and_nothing_is_left(training, tmp_path):
    app = training()
    process = psutil.Process(app.process.pid)
    with suppress(pexpect.ExceptionPexpect):  # which is impatient: saving takes a moment
        app.process.close(force=False)
    assert _gone_within(process, 10)
    run = Store(tmp_path / "home").find("latest")
    assert run.status() is Status.STOPPED
    assert run.checkpoint.is_file()


def test_a_terminal_that_stops_reading_does_not_stop_the_training(training, tmp_path):
    app = training()
    run = Store(tmp_path / "home").find("latest")
    before = len(run.log.read_bytes())
    time.sleep(6)  # nobody reads
    assert len(run.log.read_bytes()) > before
    app.read_for(1)
    app.press("x")
    app.wait_for("■ stopped")
    app.press("q")
    assert app.exit_code() == 0


def test_a_stalled_terminal_and_a_signal_do_not_hang(training, tmp_path):
    app = training()
    process = psutil.Process(app.process.pid)
    time.sleep(3)
    os.kill(app.process.pid, signal.SIGTERM)
    assert _gone_within(process, 10)
    assert Store(tmp_path / "home").find("latest").status() is Status.STOPPED


def test_ctrl_z_and_back(training):
    app = training()
    process = psutil.Process(app.process.pid)
    app.press("ctrl+z")
    deadline = time.monotonic() + 5
    while process.status() != psutil.STATUS_STOPPED and time.monotonic() < deadline:
        app.read(0.05)
    assert process.status() == psutil.STATUS_STOPPED
    os.kill(app.process.pid, signal.SIGCONT)
    app.wait_for(lambda text: "1 Lab" in text and "● running" in text and "Best" in text)
    app.press("x")
    app.wait_for("■ stopped")


def test_resizes_in_a_row_leave_a_whole_screen(training):
    app = training()
    for turn in range(200):
        app.resize(60 + turn % 80, 20 + turn % 30)
        app.read_for(0.02)
    app.resize(100, 30)
    app.wait_for(lambda text: "1 Lab" in text and "Best" in text and "╰" in text)
    app.press("x")
    app.wait_for("■ stopped")


def test_stray_output_of_python_and_of_the_system_goes_to_the_log(training, tmp_path):
    (tmp_path / "noisy.py").write_text(
        "import os, sys\n"
        "from torch import nn\n"
        "class Net(nn.Sequential):\n"
        "    def __init__(self):\n"
        "        super().__init__(nn.Flatten(), nn.Linear(784, 10))\n"
        "    def forward(self, x):\n"
        "        print('PYTHON OUT'); print('PYTHON ERR', file=sys.stderr)\n"
        "        os.write(1, b'NATIVE OUT\\n'); os.write(2, b'NATIVE ERR\\n')\n"
        "        import time; time.sleep(0.05)\n"
        "        return super().forward(x)\n"
    )
    app = training()
    app.press("x")
    app.wait_for("■ stopped")
    app.press("1", "e", "ctrl+u", f"{tmp_path}/noisy.py:Net", "ctrl+r")
    app.wait_for(lambda text: "/20 loss=" in text and "noisy" in text)
    app.press("x")
    text = app.wait_for("■ stopped")
    log = (tmp_path / "home" / "interface.log").read_text()
    for word in ("PYTHON OUT", "PYTHON ERR", "NATIVE OUT", "NATIVE ERR"):
        assert word not in text
        assert word in log


def test_without_a_terminal_it_says_so_and_exits_2():
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-m", "tui"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 2
    assert "mnist-tui run" in done.stderr
    assert done.stdout == ""
