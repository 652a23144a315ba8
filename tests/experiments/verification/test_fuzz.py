"""Readers of files from anywhere, given bytes near those of a good file: they read them or refuse them in one line."""

from __future__ import annotations

import os
import random
import time

import pytest
from fuzzed_readers import NAMES, attempt, make_readers

from experiments.runs.folder import Run

SECONDS = 1.0
"""For each reader; `tests/benchmark/fuzz.py` gives them as many as are wanted."""


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_file_is_read_or_refused_in_one_line(finished: Run, locations, tmp_path, name):
    reader = make_readers(finished, locations, tmp_path)[name]
    end, cases = time.monotonic() + SECONDS, 0
    while time.monotonic() < end or cases < 20:
        cases += 1
        wrong = attempt(reader, random.Random(f"{os.environ['TEST_SEED']} {name} {cases}"))
        assert not wrong, f"case {cases}: {wrong}"
