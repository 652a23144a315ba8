"""A detached run and the terminals that come and go around it, each a real pseudo-terminal."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pexpect
import pytest
from waiting import wait_until

from experiments.runs.row import Status
from experiments.runs.store import Store


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


def test_a_detached_run_survives_its_terminal_and_is_watched_stopped_and_resumed_from_others(
    terminal, tmp_path, endless
):
    first = terminal()
    first.sendline(shlex.join(["mnist-tui", *endless, "--detach"]))
    first.expect(r"([0-9]{8}-[0-9]{6}-[0-9a-f]{4})\r\n\$ ")
    run_id = first.match[1]
    first.close(force=True)  # the terminal is gone, its children get a SIGHUP

    run = Store(tmp_path / "home").run(run_id)
    second = terminal()
    second.sendline(f"mnist-tui watch {run_id}")
    second.expect(r"epoch \d+/10000 loss=")
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
    epoch = 0
    while epoch < stopped_at.epoch:
        second.expect(r"epoch (\d+)/10000 loss=")
        epoch = int(second.match[1])
    second.sendintr()
    second.expect_exact("$ ")
    second.sendline(f"mnist-tui stop {run_id}; echo exit $?")
    second.expect_exact("exit 0")


def test_a_run_in_the_foreground_is_stopped_by_the_death_of_its_terminal_where_that_is_wanted(
    terminal, tmp_path, endless
):
    shell = terminal()
    shell.sendline(shlex.join(["mnist-tui", *endless, "--on-hangup", "stop"]))
    shell.expect(r"epoch 1/10000 loss=")
    [run] = Store(tmp_path / "home").runs()
    shell.close(force=False)
    wait_until(lambda: run.status() is not Status.RUNNING)
    assert run.status() is Status.STOPPED
    assert run.view().end.reason == "SIGHUP"
    assert run.checkpoint.is_file()
