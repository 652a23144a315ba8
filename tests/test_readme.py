"""The README stays short and says how to begin."""

from __future__ import annotations

import re
from pathlib import Path

from tui.command_line.exit_codes import ExitCode

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_it_has_200_lines_at_most():
    assert README.count("\n") <= 200


def test_both_commands_make_their_own_environment():
    commands = re.findall(r"^python3 -m venv \.venv && \. \.venv/bin/activate && .*$", README, re.MULTILINE)
    assert [command.rpartition(" && ")[2] for command in commands] == ["mnist-tui run", "pytest -n auto"]


def test_every_exit_code_is_explained():
    table = README.partition("| exit code |")[2].partition("\n\n")[0]
    assert sorted(map(int, re.findall(r"\b\d+\b", table))) == sorted(ExitCode)
