"""The README keeps up with the project."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from core.arch import GRAMMAR
from tui.exit_codes import ExitCode

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
MODULES = [
    path for package in ("core", "experiments", "tui") for path in (ROOT / package).rglob("*.py") if path.stem[0] != "_"
]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_has_its_line_in_the_tree(path):
    tree = README.partition("## The tree")[2].partition("\n## ")[0]
    assert re.search(rf"^ +{re.escape(path.name)} +\S", tree, re.MULTILINE)


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
