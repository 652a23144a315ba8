"""How many threads to use while others use cores: by a clock and waits that are made up, and by those of the system."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from core.device.cores import LEAST_LOST, LONGEST_PAUSE, WINDOW, RunQueue, ThreadCount, waited_for_core


@dataclass
class Machine:
    """So many cores, of which others take `taken`: what a computation's threads lose there by waiting."""

    cores: int
    taken: float = 0.0
    now: float = 0.0
    waited: float = 0.0

    def run(self, count: ThreadCount, seconds: float, step: float = 0.01) -> Iterator[int]:
        """The number of threads of each step."""
        for _ in range(round(seconds / step)):
            yield (threads := count.now())
            self.now += step
            self.waited += step * self.lost(threads)

    def lost(self, threads: int) -> float:
        """Seconds in a second: all that would run take turns on the cores."""
        wanted = threads + self.taken
        return max(0.0, wanted - self.cores) * threads / wanted

    def count(self, most: Callable[[], int]) -> ThreadCount:
        return ThreadCount(most, lambda: self.waited, lambda: self.now)


def test_where_nobody_else_computes_all_threads_are_used_all_the_time():
    machine = Machine(8)
    assert set(machine.run(machine.count(lambda: 8), 60)) == {8}


@pytest.mark.parametrize("cores", [2, 3, 4, 8, 64])
@pytest.mark.parametrize("share", [0.5, 1.0])
def test_where_others_take_cores_the_rest_are_used(cores, share):
    machine = Machine(cores, taken=max(1, int(cores * share)))
    left = max(1, cores - int(machine.taken))
    count = machine.count(lambda: cores)
    list(machine.run(count, 3))  # until it has found out
    used = list(machine.run(count, 60))
    assert min(used) >= left
    assert sum(threads == left or machine.lost(threads) < LEAST_LOST for threads in used) > 0.95 * len(used)


@pytest.mark.parametrize("cores", [2, 8, 64])
def test_cores_that_become_free_are_used_again(cores):
    machine = Machine(cores, taken=cores // 2)
    count = machine.count(lambda: cores)
    list(machine.run(count, 30))
    machine.taken = 0
    list(machine.run(count, LONGEST_PAUSE + 20 * WINDOW))
    assert set(machine.run(count, 60)) == {cores}


def test_what_every_system_does_now_and_then_takes_no_thread():
    machine = Machine(8, taken=0.1)
    assert set(machine.run(machine.count(lambda: 8), 60)) == {8}


def test_one_thread_stays_whatever_others_do():
    machine = Machine(1, taken=5)
    assert set(machine.run(machine.count(lambda: 1), 10)) == {1}


def test_what_was_lost_while_the_threads_did_something_else_does_not_count():
    machine = Machine(4)
    count = machine.count(lambda: 4)
    list(machine.run(count, 1))
    machine.now, machine.waited = machine.now + 10, machine.waited + 30
    count.begin_anew()
    assert set(machine.run(count, 10)) == {4}


def test_when_there_may_be_fewer_there_are_at_once_and_more_when_there_may_be_more():
    machine, most = Machine(8), [8]
    count = machine.count(lambda: most[0])
    list(machine.run(count, 1))
    most[0] = 3
    assert set(machine.run(count, 1)) == {3}
    most[0] = 5
    *_, last = machine.run(count, 3)
    assert last == 5


def test_the_waits_of_threads_are_added_from_when_each_was_first_asked_about(monkeypatch):
    waits, others = {1: 5.0, 2: 7.0, 3: None}, [2]
    monkeypatch.setattr("core.device.cores.waited_for_core", waits.get)
    monkeypatch.setattr(threading, "get_native_id", lambda: 1)
    queue = RunQueue(lambda: others)
    assert queue.seconds() == 0
    waits |= {1: 5.5, 2: 8.0}
    assert queue.seconds() == 1.5
    others.append(3)  # of which the system does not tell
    waits[3] = None
    assert queue.seconds() == 1.5
    waits |= {2: 8.25, 3: 100.0}
    assert queue.seconds() == 1.75
    waits[3] = 101.0
    assert queue.seconds() == 2.75


def test_the_system_tells_how_long_a_thread_of_this_process_has_waited_and_of_no_other():
    if waited_for_core(threading.get_native_id()) is None:
        pytest.skip("the system does not tell")
    assert waited_for_core(threading.get_native_id()) >= 0
    assert waited_for_core(1 << 30) is None
