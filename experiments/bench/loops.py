"""Speed of training with each engine, compared with the loop of the PyTorch MNIST example on the same network.

The loops take turns, so that other load of the machine affects all of them alike.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from statistics import median

from core.config import EngineChoice, TrainConfig
from core.data.loader import Dataset
from core.device.allocator import keep_freed_memory
from core.device.device import flushed_denormals, pick_device
from core.engines.choose import available_engines
from core.errors import TrainingFailed
from core.events import EpochFinished, RunFailed, RunFinished, RunStarted, StepProgress, TrainEvent
from core.models.network import make_network
from core.training.trainer import Trainer
from experiments.bench.example_loop import WARM_UP_STEPS, differences, example_process
from experiments.bench.peak import MatrixProducts, step_flops, wait_for


@dataclass(frozen=True, slots=True)
class Timing:
    """The time of one training step, in milliseconds: the median of all steps, and the lowest and highest median of a
    round.

    `loop` is ``example`` or the name of the trainer's engine. `peak_gflops` is the measured rate of matrix products in
    10^9 operations a second, and `share_of_peak` the loop's own rate as a share of it. `ready_seconds` is the time that
    recording or compiling took beforehand. `note` says why an engine did not do what its name says.
    """

    arch: str
    loop: str
    precision: str
    batch_size: int
    ms_per_step: float
    ms_lowest: float
    ms_highest: float
    images_per_second: float
    ratio_to_example: float
    share_of_peak: float
    peak_gflops: float
    ready_seconds: float
    note: str


@dataclass(frozen=True, slots=True)
class TimeToTarget:
    """A whole run up to its target accuracy, in percent; `reached` is False when no epoch reached it."""

    arch: str
    engine: str
    target: float
    reached: bool
    epochs: int
    seconds: float


def compare_loops(
    config: TrainConfig,
    dataset: Dataset,
    *,
    rounds: int,
    steps: int,
    engines: tuple[EngineChoice, ...] = (),
) -> list[Timing]:
    """Time matrix products, the example's loop and the trainer with each engine, one after the other in each round.

    Args:
        engines: the engines to time; all that the device has where none is named.
    """
    keep_freed_memory()
    device = pick_device(config.device)
    names = engines or tuple(available_engines(device))
    samples: dict[str, list[list[float]]] = {"example": []}
    products, peaks = MatrixProducts(device), []
    with ExitStack() as stack, flushed_denormals():
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        example = stack.enter_context(example_process(config, dataset, folder))
        loops: dict[str, TrainerLoop] = {name: TrainerLoop(config.changed(engine=name), dataset) for name in names}
        for loop in loops.values():
            stack.callback(loop.close)
        for _ in range(rounds):
            peaks.append(products.rate())
            example.send(steps)
            samples["example"].append(example.recv())
            for name, loop in loops.items():
                samples.setdefault(name, []).append(loop.time_steps(steps))
    baseline = median(chain.from_iterable(samples["example"]))
    flops, peak = step_flops(make_network(config)[0], config.batch_size), median(peaks)
    return [_timing(config, name, times, baseline, flops, peak, loops.get(name)) for name, times in samples.items()]


def time_to_target(config: TrainConfig, dataset: Dataset) -> TimeToTarget:
    """Train until the config's target is reached."""
    config = config.changed(stop_at_target=True)
    keep_freed_memory()
    with flushed_denormals():
        started, *_, last = _trainer(config, dataset).run()
    assert isinstance(started, RunStarted)
    assert isinstance(last, RunFinished), last
    return TimeToTarget(
        arch=config.arch,
        engine=started.engine,
        target=config.target,
        reached=last.first_epoch_at_target is not None,
        epochs=last.epochs,
        seconds=last.seconds,
    )


class TrainerLoop:
    """A run with one engine that is timed in rounds; it goes on where the last round ended.

    The trainer calls `should_stop` before each batch, and the clock is read there. A GPU works asynchronously, so its
    steps are timed together, from one wait for the device to the next.
    """

    def __init__(self, config: TrainConfig, dataset: Dataset) -> None:
        self.trainer = _trainer(config.changed(epochs=10_000, budget=False, schedule="constant"), dataset)
        self._events: Iterator[TrainEvent] = self.trainer.run(self._read_clock)
        self._clock: list[float] = []  # readings in the current epoch
        self._seconds: list[float] = []  # of each step in earlier epochs of the round
        self._last_step = 0
        start = time.perf_counter()
        started = next(self._events)
        assert isinstance(started, RunStarted)
        self.ready_seconds, self.note = time.perf_counter() - start, started.note

    def time_steps(self, steps: int) -> list[float]:
        """Seconds of each of so many steps after the warm-up. On a GPU one number: their mean.

        Raises:
            TrainingFailed: when the run has come to an end.
        """
        self._seconds, self._last_step, trained = [], WARM_UP_STEPS + steps, 0
        self._clock.clear()
        for event in self._events:
            if isinstance(event, StepProgress):
                trained = len(self._clock)
            if isinstance(event, RunFailed):
                raise TrainingFailed(f"{self.trainer.config.arch}: {event.error}", hint=event.advice)
            if isinstance(event, EpochFinished):  # readings after the epoch's last step are of evaluation
                self._seconds += differences(self._clock[: trained + 1])
                self._clock.clear()
                trained = 0
            if len(self._seconds) + len(self._clock) > self._last_step:
                break
        seconds = (self._seconds + differences(self._clock))[WARM_UP_STEPS : self._last_step]
        return seconds if self.trainer.device.type == "cpu" else [sum(seconds) / steps]

    def close(self) -> None:
        """End the run."""
        close = getattr(self._events, "close", None)
        if close is not None:
            close()

    def _read_clock(self) -> str:
        done = len(self._seconds) + len(self._clock)
        if done in (WARM_UP_STEPS, self._last_step):
            wait_for(self.trainer.device)
        self._clock.append(time.perf_counter())
        return ""


def _trainer(config: TrainConfig, dataset: Dataset) -> Trainer:
    return Trainer(config, dataset, *make_network(config), pick_device(config.device))


def _timing(
    config: TrainConfig,
    loop: str,
    rounds: list[list[float]],
    baseline: float,
    flops: int,
    peak: float,
    trainer: TrainerLoop | None,
) -> Timing:
    seconds = median(chain.from_iterable(rounds))
    medians = [median(times) for times in rounds]
    return Timing(
        arch=config.arch,
        loop=loop,
        precision=config.precision if trainer else "fp32",
        batch_size=config.batch_size,
        ms_per_step=1e3 * seconds,
        ms_lowest=1e3 * min(medians),
        ms_highest=1e3 * max(medians),
        images_per_second=config.batch_size / seconds,
        ratio_to_example=baseline / seconds,
        share_of_peak=flops / peak / seconds,
        peak_gflops=peak / 1e9,
        ready_seconds=trainer.ready_seconds if trainer else 0.0,
        note=trainer.note if trainer else "",
    )
