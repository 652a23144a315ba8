"""Random runs that are stopped, killed and extended at random end as those that nothing happened to."""

from __future__ import annotations

from pathlib import Path

import pytest
from disturbed_runs import Cases, Kills


@pytest.fixture(scope="module")
def cases(tmp_path_factory, cache_home: Path) -> Cases:
    return Cases(tmp_path_factory.mktemp("cases"), cache_home, Kills())


@pytest.mark.sampled(20)  # some seconds of work; `tests/benchmark/resume.py` does as many as are wanted
@pytest.mark.parametrize("number", range(1000))
def test_a_disturbed_run_ends_as_one_that_was_left_in_peace(cases, number):
    kind, found = cases.check(number)
    assert found == [], kind
