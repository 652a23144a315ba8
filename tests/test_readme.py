"""The README keeps up with the project."""

from __future__ import annotations

import re
from pathlib import Path

from core.models.spec import GRAMMAR
from tui.command_line.exit_codes import ExitCode

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_every_test_that_is_named_exists():
    promised = README.partition("## What is promised")[2].partition("\n## ")[0]
    for file, _, name in re.findall(r"`(tests/[\w/]+\.py)(::(\w+))?`", promised):
        content = (ROOT / file).read_text()
        assert not name or f"def {name}(" in content, f"{file}::{name}"


def test_every_layer_and_exit_code_is_explained():
    for token in " ".join(GRAMMAR).split():
        assert f"`{token}`" in README
    for code in ExitCode:
        assert re.search(rf"\b{code.value}\b", README)


def test_both_commands_make_their_own_environment():
    commands = re.findall(r"^python3 -m venv \.venv && \. \.venv/bin/activate && .*$", README, re.MULTILINE)
    assert [command.rpartition(" && ")[2] for command in commands] == ["mnist-tui run", "pytest -n auto"]


def test_nothing_is_left_to_be_filled_in():
    assert "@@" not in README
