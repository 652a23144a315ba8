"""Seeds that are trained at once from the interface, in a real pseudo-terminal and with real workers."""

from __future__ import annotations

import os
import signal

import psutil
import pytest
from pseudo_terminal import TerminalApp
from waiting import wait_until

from experiments.execution.local_executor import local_slots
from experiments.runs.row import Status
from experiments.runs.store import Store

pytestmark = pytest.mark.skipif(len(local_slots("cpu", None, None)) < 2, reason="one core trains one seed at a time")


@pytest.fixture
def seeds(terminal, endless_form, tmp_path):
    """The interface with two seeds live or more, each in a process of its own."""
    endless_form(seed="0-2")
    app = terminal((100, 30))
    app.wait_for("3 runs: ")
    app.press("ctrl+r")
    store = Store(tmp_path / "home")
    wait_until(lambda: sum(bool(run.view().epochs) for run in store.runs()) > 1)
    app.wait_for("live")
    return app, store


def _workers(app: TerminalApp) -> list[psutil.Process]:
    return psutil.Process(app.process.pid).children(recursive=True)


def test_a_signal_saves_every_seed_and_leaves_no_worker_behind(seeds):
    app, store = seeds
    workers = _workers(app)
    os.kill(app.process.pid, signal.SIGTERM)
    assert app.exit_code(30) == 143
    wait_until(lambda: not any(worker.is_running() for worker in workers))
    for run in store.runs():
        assert run.status() is Status.STOPPED
        assert run.view().end.reason == "SIGTERM"
        assert run.checkpoint.is_file() or not run.view().epochs  # one that still waited


def test_x_stops_every_seed_and_c_continues_them(seeds):
    app, store = seeds
    app.press("x")
    app.wait_for("runs are being trained")
    app.press("enter")
    wait_until(lambda: all(run.status() is Status.STOPPED for run in store.runs()))
    stopped = {run.id: run.row().epochs_done for run in store.runs()}
    app.wait_for(f": {len(stopped)} stopped")
    app.press("c")
    app.wait_for("of its group")
    app.press("down", "enter")
    wait_until(lambda: any(run.row().epochs_done > stopped[run.id] for run in store.runs()))
    app.press("q")
    app.wait_for("Discard")
    app.press("enter")
    assert app.exit_code(30) == 0
    assert len(store.runs()) == len(stopped)


def test_discard_deletes_every_live_seed(seeds):
    app, store = seeds
    app.press("q")
    app.wait_for("runs are being trained")
    app.press("down", "down", "enter")
    assert app.exit_code(30) == 0
    assert store.runs() == []
