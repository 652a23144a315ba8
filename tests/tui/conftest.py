"""The command line inside the test's own process, on a home of the test's own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from experiments.runs.store import Store
from tui.cli import app

TINY = ("--dataset", "mnist-5k", "--limit-train", "256", "--limit-test", "200", "--batch-size", "128")
TINY += ("--arch", "c4 p2 c8 gap fc10", "--epochs", "2", "--device", "cpu")


@dataclass(frozen=True)
class Answer:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def records(self) -> list[dict[str, Any]]:
        """One JSON object a line."""
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch, cache_home):
    for variable in ("MNIST_TUI_HOME", "MNIST_TUI_DATA"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_home))
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def no_network(monkeypatch):
    """Every download fails at once."""
    for variable in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")  # nobody listens there


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def store(home: Path) -> Store:
    return Store(home)


@pytest.fixture
def cli(home: Path, tmp_path: Path):
    """Run a command; what it does not handle itself is raised."""

    def call(*arguments: object, at: Path = home, data: Path = tmp_path / "data") -> Answer:
        words = ["--home", str(at), "--data-dir", str(data), *map(str, arguments)]
        result = CliRunner().invoke(app, words, catch_exceptions=False)
        return Answer(result.exit_code, result.stdout, result.stderr)

    return call


@pytest.fixture
def train(cli):
    """`run` on a few images, over in a tenth of a second."""
    return lambda *arguments: cli("run", *TINY, *arguments)


@pytest.fixture
def refused():
    """Check that a command was refused in one line that names this and a hint, and did nothing else."""

    def check(answer: Answer, code: int, *named: str) -> None:
        lines = answer.err.splitlines()
        assert answer.code == code, answer
        assert answer.out == ""
        assert len(lines) == 2, answer.err
        assert lines[0].startswith("error: ")
        assert lines[1].startswith("hint: ")
        assert all(line.isprintable() and len(line) < 500 for line in lines), answer.err
        for name in named:
            assert name in lines[0], lines[0]

    return check
