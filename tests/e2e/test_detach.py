"""A detached run and the terminals that come and go around it, each a real pseudo-terminal."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pexpect
import pytest

from experiments.runs.row import Status
from experiments.runs.store import Store

SLOW_RUN = (
    "run --dataset mnist-5k --arch conv5 --epochs 20 --batch-size 8 --device cpu --limit-train 2000 --limit-test 200"
)


@pytest.fixture
def terminal(tmp_path, cache_home, monkeypatch):
    """Open a shell in a pseudo-terminal of its own, with `mnist-tui` on its path."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_home))
    environment = {
        **os.environ,
        "MNIST_TUI_HOME": str(tmp_path / "home"),
        "MNIST_TUI_DATA": str(tmp_path / "data"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
        "PS1": "$ ",
    }
    opened = []

    def open_terminal() -> pexpect.spawn:
        shell = pexpect.spawn("/bin/sh", ["-i"], env=environment, encoding="utf-8", dimensions=(40, 120), timeout=60)
        opened.append(shell)
        shell.expect_exact("$ ")
        return shell

    yield open_terminal
    for shell in opened:
        shell.close(force=True)


def test_a_detached_run_survives_its_terminal_and_is_watched_stopped_and_resumed_from_others(terminal, tmp_path):
    first = terminal()
    first.sendline(f"mnist-tui {SLOW_RUN} --detach")
    first.expect(r"([0-9]{8}-[0-9]{6}-[0-9a-f]{4})\r\n\$ ")
    run_id = first.match[1]
    first.close(force=True)  # the terminal is gone, its children get a SIGHUP

    run = Store(tmp_path / "home").run(run_id)
    second = terminal()
    second.sendline(f"mnist-tui watch {run_id}")
    second.expect(r"epoch \d+/20 loss=")
    second.sendintr()
    second.expect_exact("$ ")
    assert run.status() is Status.RUNNING

    second.sendline(f"mnist-tui stop {run_id}; echo exit $?")
    second.expect_exact(f"run {run_id} is stopped")
    second.expect_exact("exit 0")
    assert run.status() is Status.STOPPED
    assert run.checkpoint.is_file()
    stopped_at = run.view().progress

    second.sendline(f"mnist-tui resume {run_id} --detach; echo exit $?")
    second.expect_exact("exit 0")
    second.sendline(f"mnist-tui watch {run_id}")
    second.expect(rf"epoch {stopped_at.epoch}/20 loss=")
    second.sendintr()
    second.expect_exact("$ ")
    second.sendline(f"mnist-tui stop {run_id}; echo exit $?")
    second.expect_exact("exit 0")


def test_a_run_in_the_foreground_is_stopped_by_the_death_of_its_terminal(terminal, tmp_path):
    shell = terminal()
    shell.sendline(f"mnist-tui {SLOW_RUN}")
    shell.expect(r"epoch 1/20 loss=")
    [run] = Store(tmp_path / "home").runs()
    shell.close(force=False)
    while run.status() is Status.RUNNING:  # for ever, were the signal not heard: the test's own limit would end it
        time.sleep(0.1)
    assert run.status() is Status.STOPPED
    assert run.view().end.reason == "SIGHUP"
    assert run.checkpoint.is_file()
