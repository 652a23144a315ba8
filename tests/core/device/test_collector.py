"""The garbage collector and what is imported."""

from __future__ import annotations

import gc
import subprocess
import sys

_HOLD_AND_LET_GO = """
import gc
from core.device.collector import hold_back_collector, let_collector_go
usual = gc.get_threshold()
let_collector_go()
print(gc.get_freeze_count(), gc.get_threshold() == usual)
hold_back_collector()
looks = []
gc.callbacks.append(lambda phase, _: looks.append(phase))
there = [[] for _ in range(50_000)]
print(len(looks))
let_collector_go()
print(gc.get_freeze_count() > 50_000, gc.get_threshold() == usual)
del there
before = gc.get_freeze_count()
later = [[] for _ in range(5_000)]
let_collector_go()
print(len(looks) > 0, gc.get_freeze_count() == before)
"""


def test_the_collector_does_not_look_while_it_is_held_back_nor_ever_at_what_was_there_then():
    done = subprocess.run([sys.executable, "-c", _HOLD_AND_LET_GO], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:4] == ["0 True", "0", "True True", "True True"]


def test_tests_run_with_the_usual_collector():
    assert gc.get_threshold()[0] < 10_000
