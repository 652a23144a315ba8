"""Speed of training while other programs compute: the trainer, and a loop as somebody who knows PyTorch tunes it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from core.config import TrainConfig
from core.data.loader import Dataset
from core.device.allocator import keep_freed_memory
from core.device.device import flushed_denormals, pick_device
from core.device.threads import allow_threads, torch_threads
from core.errors import InvalidValue
from core.models.network import make_network
from core.training.evaluate import Pixels
from experiments.bench.example_loop import WARM_UP_STEPS, differences
from experiments.bench.loops import TrainerLoop

SETTLE = 1.0
"""Seconds that each loop runs beside other programs before it is timed."""
SPIN = "import os, sys\nwhile os.getppid() == int(sys.argv[1]):\n    for _ in range(10000): pass"
"""What such a program does, as long as the process that began it is there."""


@dataclass(frozen=True, slots=True)
class BusyTiming:
    """The time of one training step in milliseconds, medians of all steps: where nothing else computes, while as many
    programs as `busy` do, and for a loop whose results do not depend on its threads, where nothing else computes, on as
    many threads as others leave cores. `threads` are those that each loop may have.
    """

    arch: str
    loop: str
    batch_size: int
    busy: int
    threads: int
    ms_quiet: float
    ms_busy: float
    ms_on_fewer_threads: float | None

    @property
    def slowdown(self) -> float:
        """How many times as long a step takes while others compute."""
        return self.ms_busy / self.ms_quiet


class Loop(Protocol):
    """A training loop that is timed in rounds."""

    def time_steps(self, steps: int) -> list[float]:
        """Seconds of each of so many steps, after some that are not timed."""


class TunedLoop:
    """A plain loop of PyTorch with what is known to make it fast on a CPU: the data in memory as the network takes
    them, channels last, the fused optimizer, and nothing that waits for a number."""

    def __init__(self, config: TrainConfig, dataset: Dataset) -> None:
        pixels = Pixels(dataset.mean, dataset.std)
        self._images: Tensor = pixels(dataset.train_images)
        self._labels = dataset.train_labels
        self._size = config.batch_size
        self.model: Callable[[Tensor], Tensor]
        self.model = model = make_network(config)[1].to(memory_format=torch.channels_last).train()
        parameters = model.parameters()
        self._optimizer = torch.optim.SGD(parameters, lr=config.lr, momentum=config.momentum, fused=True)

    def time_steps(self, steps: int) -> list[float]:
        order = torch.randint(len(self._labels), ((steps + WARM_UP_STEPS), self._size))
        return self.train(order)[WARM_UP_STEPS:]

    def train(self, order: Tensor) -> list[float]:
        """Train a step on each row of indices of images; seconds of each."""
        clock = [time.perf_counter()]
        for index in order:
            self._optimizer.zero_grad(set_to_none=True)
            self.loss = F.cross_entropy(self.model(self._images[index]), self._labels[index])
            self.loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            self._optimizer.step()
            clock.append(time.perf_counter())
        return differences(clock)


@contextmanager
def busy_cores(count: int) -> Iterator[None]:
    """Within the block so many processes compute all the time. They end with it, and with this process, however it
    ends."""
    command = [sys.executable, "-I", "-S", "-c", SPIN, str(os.getpid())]
    with ExitStack() as stack:
        for _ in range(count):
            # Ctrl+C is for this process, which ends them.
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield


def check_busy(config: TrainConfig, busy: int) -> None:
    """Raise `InvalidValue` where it makes no difference what other programs do: on a GPU."""
    device = pick_device(config.device)
    if busy and device.type != "cpu":
        raise InvalidValue("busy", busy, f"is for a CPU, and this is {device}", hint="leave it out")


def compare_busy(
    config: TrainConfig, dataset: Dataset, *, rounds: int, steps: int, busy: int, engines: Sequence[str]
) -> list[BusyTiming]:
    """Time the tuned loop and the trainer with each engine, in each round first where nothing else computes, then while
    so many processes do. So a machine that becomes slower or faster meanwhile does so for both. Where something else
    computes all the time, nothing of it is true."""
    keep_freed_memory()
    threads = torch_threads()
    with ExitStack() as stack, flushed_denormals():

        def trained(names: Sequence[str]) -> dict[str, Loop]:
            found = {name: TrainerLoop(config.changed(engine=name), dataset) for name in names}
            for loop in found.values():
                stack.callback(loop.close)
            return dict(found)

        # Each has loops of its own, as a native one remembers for seconds that cores were taken.
        quiet = Samples({"tuned": TunedLoop(config, dataset), **trained(engines)})
        on_fewer = Samples(trained([name for name in engines if name == "native"]))
        taken = Samples({"tuned": TunedLoop(config, dataset), **trained(engines)})
        stack.callback(allow_threads, 0)
        for _ in range(rounds):
            quiet.take(steps)
            allow_threads(max(1, threads - busy))
            on_fewer.take(steps)
            allow_threads(0)
            with busy_cores(busy):
                taken.take(steps, settle=SETTLE)
    return [
        BusyTiming(
            *(config.arch, name, config.batch_size, busy, threads),
            ms_quiet=ms,
            ms_busy=taken.medians()[name],
            ms_on_fewer_threads=on_fewer.medians().get(name),
        )
        for name, ms in quiet.medians().items()
    ]


class Samples:
    """How long each step of some loops took."""

    def __init__(self, loops: Mapping[str, Loop]) -> None:
        self._loops = loops
        self._seconds: dict[str, list[float]] = {name: [] for name in loops}

    def take(self, steps: int, settle: float = 0.0) -> None:
        """Time so many steps of each, after so many seconds that are not timed."""
        for name, loop in self._loops.items():
            settled = time.perf_counter() + settle
            while time.perf_counter() < settled:
                loop.time_steps(steps)
            self._seconds[name] += loop.time_steps(steps)

    def medians(self) -> dict[str, float]:
        """The median time of a step of each, in milliseconds."""
        return {name: 1e3 * median(times) for name, times in self._seconds.items()}
