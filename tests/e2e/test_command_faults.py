"""Commands that are killed while they change files: each has happened or not, nothing else is lost, and the command
works when it is called again."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_faults import Homes, attempt
from faulted_commands import OPERATIONS

TRAINING = ("run", "compile", "resume", "extend")
"""Take long; `test_faults.py` kills runs at their file operations, and `tests/benchmark/faults.py` these commands."""
NAMES = [name for name in OPERATIONS if name not in (*TRAINING, "verify a run", "report")]


@pytest.fixture(scope="module")
def homes(tmp_path_factory, cache_home: Path) -> Homes:
    return Homes(tmp_path_factory.mktemp("homes"), cache_home)


@pytest.mark.sampled(4)
@pytest.mark.parametrize("at", range(1, 60))
@pytest.mark.parametrize("name", NAMES)
def test_a_command_that_is_killed_has_happened_or_not(homes, name, at):
    attempt(homes, OPERATIONS[name], at)
