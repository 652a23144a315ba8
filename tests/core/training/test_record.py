"""What a run keeps beside its network: seconds across interruptions, on a clock that the test moves."""

import time

from core.training.clock import Clock


def test_a_clock_counts_from_its_first_start_on_top_of_what_was_before(monkeypatch):
    now = 100.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    clock = Clock(30.0)
    now = 105.0
    assert clock.seconds() == 30.0
    clock.start()
    now = 107.0
    assert clock.seconds() == 32.0
    clock.start()
    now = 110.0
    assert clock.seconds() == 35.0
