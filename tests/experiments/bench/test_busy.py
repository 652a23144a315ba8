"""Speed beside other programs: these compute, end in any case, and all loops are timed with and without them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import psutil
import pytest
import torch
from waiting import wait_until

from core.config import TrainConfig
from core.device.threads import most_threads
from core.errors import InvalidValue
from experiments.bench import busy
from experiments.bench.busy import busy_cores, check_busy, compare_busy

STARTER = """
import time
from experiments.bench.busy import busy_cores
with busy_cores(2):
    print("here", flush=True)
    time.sleep(600)
"""


def children(process: psutil.Process) -> list[psutil.Process]:
    """Those that spin; an ended child of another test that nobody has waited for has no command line any more."""
    alive = (child for child in process.children() if child.status() != psutil.STATUS_ZOMBIE)
    return [child for child in alive if busy.SPIN in child.cmdline()]


@pytest.mark.parametrize("error", [None, KeyError, KeyboardInterrupt])
def test_the_processes_compute_within_the_block_and_are_gone_after_it_however_it_is_left(error):
    mine = psutil.Process()
    try:
        with busy_cores(2):
            both = children(mine)
            assert len(both) == 2
            wait_until(lambda: all(sum(one.cpu_times()[:2]) > 0.02 for one in both))
            if error:
                raise error
    except (KeyError, KeyboardInterrupt):
        pass
    assert not any(one.is_running() for one in both)


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_they_end_with_the_process_that_began_them(sent):
    starter = subprocess.Popen([sys.executable, "-c", STARTER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert starter.stdout is not None
    assert starter.stdout.readline() == b"here\n"
    left = children(psutil.Process(starter.pid))
    assert len(left) == 2
    os.kill(starter.pid, sent)
    starter.communicate(timeout=60)
    wait_until(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in left))


def test_each_loop_is_timed_with_and_without_them_in_turn_and_the_native_one_on_fewer_threads(blobs, monkeypatch):
    monkeypatch.setattr(busy, "SETTLE", 0.01)
    begun = []

    @contextmanager
    def noted(count):
        begun.append(count)
        with busy_cores(count):
            yield

    monkeypatch.setattr(busy, "busy_cores", noted)
    before = torch.get_num_threads()
    config = TrainConfig.checked({"arch": "c4 p2 c8 gap fc10", "batch_size": 64, "device": "cpu"})
    try:
        torch.set_num_threads(2)
        found = compare_busy(config, blobs, rounds=2, steps=3, busy=1, engines=("native", "eager"))
        assert most_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert [one.loop for one in found] == ["tuned", "native", "eager"]
    assert begun == [1, 1]
    for one in found:
        assert (one.arch, one.batch_size, one.busy, one.threads) == ("c4 p2 c8 gap fc10", 64, 1, 2)
        assert one.slowdown == pytest.approx(one.ms_busy / one.ms_quiet)
        assert (one.ms_on_fewer_threads is None) == (one.loop != "native")


def test_the_tuned_loop_learns(blobs):
    config = TrainConfig.checked({"arch": "c4 p2 c8 gap fc10", "batch_size": 64, "device": "cpu"})
    loop = busy.TunedLoop(config, blobs)
    images, labels = loop._images, loop._labels

    def accuracy() -> float:
        with torch.no_grad():
            return float((loop.model(images).argmax(1) == labels).float().mean())

    first = accuracy()
    assert len(loop.time_steps(100)) == 100
    assert accuracy() > max(0.5, first)


def test_on_a_gpu_it_is_refused(monkeypatch):
    config = TrainConfig.checked({"device": "cuda"})
    monkeypatch.setattr(busy, "pick_device", torch.device)
    with pytest.raises(InvalidValue, match="busy = 2: is for a CPU, and this is cuda"):
        check_busy(config, 2)
    check_busy(config, 0)
