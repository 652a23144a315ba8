"""The installed program as processes of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pseudo_terminal import TerminalApp
from waiting import wait_until

PROGRAM = Path(sys.executable).with_name("mnist-tui")
DEADLINE = 120.0
"""Seconds after which waiting for something that should happen is given up."""


@dataclass(frozen=True)
class Lab:
    """A home, and the program run on it."""

    home: Path
    environment: dict[str, str]

    @property
    def command(self) -> list[str]:
        return [str(PROGRAM), "--home", str(self.home)]

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        options = {"stdin": subprocess.DEVNULL, "capture_output": True, "timeout": DEADLINE} | options
        return subprocess.run([*self.command, *arguments], text=True, env=self.environment, **options)

    def rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(self.run("runs", "--json").stdout)
        return rows

    def events(self) -> list[dict[str, Any]]:
        """Of the only run, as far as its log has come."""
        logs = list(self.home.glob("runs/2*/events.jsonl"))
        lines = logs[0].read_text().split("\n")[:-1] if logs else []
        return [json.loads(line) for line in lines]

    def wait_for(self, event: str) -> None:
        """Until the log of the only run has such an event."""
        wait_until(lambda: any(record["event"] == event for record in self.events()))


@pytest.fixture
def lab(tmp_path: Path, cache_home: Path) -> Lab:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MNIST_TUI_")}
    environment |= {"XDG_CACHE_HOME": str(cache_home), "COLUMNS": "200", "OMP_NUM_THREADS": "1"}
    return Lab(tmp_path / "home", environment)


@pytest.fixture
def endless() -> tuple[str, ...]:
    """A run that would go on for hours."""
    words = "run --dataset mnist-5k --limit-train 512 --limit-test 200 --batch-size 64 --device cpu --epochs 10000"
    return (*words.split(), "--no-budget", "--arch", "c4 p2 c8 gap fc10")


@pytest.fixture
def training(lab: Lab, endless: tuple[str, ...]) -> Iterator[subprocess.Popen[str]]:
    """A process in the middle of training; ends with the test."""
    command = [*lab.command, *endless]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env=lab.environment, **pipes) as process:
        try:
            lab.wait_for("epoch_finished")
            yield process
        finally:
            process.kill()


@pytest.fixture
def terminal(tmp_path, cache_home):
    """Open the interface in terminals that are closed at the end."""
    opened: list[TerminalApp] = []

    def open_app(size: tuple[int, int], *arguments: str, **variables: str) -> TerminalApp:
        environment = {
            "XDG_CACHE_HOME": str(cache_home),
            "MNIST_TUI_DATA": str(tmp_path / "data"),
            "OMP_NUM_THREADS": "1",
            **variables,
        }
        opened.append(TerminalApp(tmp_path / "home", size, arguments=arguments, environment=environment))
        return opened[-1]

    yield open_app
    for app in opened:
        app.close()


@pytest.fixture
def endless_form(tmp_path: Path) -> Callable[..., None]:
    """Fill the Lab's form with a run that would go on for hours, as if it had been typed the last time."""

    def fill(**changes: str) -> None:
        form = {"arch": "c4 p2 c8 gap fc10", "dataset": "mnist-5k", "limit_train": "512", "limit_test": "200"}
        form |= {"batch_size": "64", "epochs": "10000", "max_epochs": "10000", "device": "cpu"}
        state = tmp_path / "home" / "state.json"
        state.parent.mkdir(exist_ok=True)
        state.write_text(json.dumps({"form": form | changes}))

    return fill


@pytest.fixture
def in_training(terminal, endless_form) -> Callable[..., TerminalApp]:
    """Open the interface and begin such a run in it."""

    def begin(*arguments: str) -> TerminalApp:
        endless_form()
        app = terminal((100, 30), *arguments)
        app.wait_for("Ready")
        app.press("ctrl+r")
        app.wait_for("/10000 loss=")
        return app

    return begin
