"""The orders of lists: unknown values last whichever way round."""

from __future__ import annotations

import pytest

from experiments.results.ordering import ORDERS, STATUS, ordered


@pytest.fixture
def three(new_run, script, store):
    """A good run, a bad one, and one of which nothing is known."""
    for name, accuracy in (("good", 0.99), ("bad", 0.95)):
        new_run(script.started(), script.epoch(1, accuracy), script.finished(1, accuracy), name=name)
    new_run(script.stopped(), name="unknown")
    return store.rows()


@pytest.mark.parametrize("key", ["best", "final"])
def test_unknown_values_are_last_whichever_way_round(three, key):
    assert [row.name for row, _ in ordered(three, key)] == ["good", "bad", "unknown"]
    assert [row.name for row, _ in ordered(three, key, reverse=True)] == ["bad", "good", "unknown"]


def test_a_run_that_never_trained_has_no_duration(three):
    assert [row.name for row, _ in ordered(three, "seconds")][-1] == "unknown"


@pytest.mark.parametrize("key", [*ORDERS, STATUS])
def test_every_order_has_every_run_and_turns_round(three, key):
    for reverse in (False, True):
        assert sorted(row.name for row, _ in ordered(three, key, reverse=reverse)) == ["bad", "good", "unknown"]
