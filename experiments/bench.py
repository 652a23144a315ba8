"""How fast training is, beside the loop of the PyTorch MNIST example on the same network.

The two take turns, so that whatever else the machine does falls on both alike. The example runs in a process of its
own, because what the trainer asks of the memory allocator would make it faster too.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader

from core.allocator import keep_freed_memory
from core.config import TrainConfig
from core.data import FILES, Dataset, published_class
from core.device import flushed_denormals, pick_device
from core.network import make_network
from core.trainer import Trainer

WARM_UP_STEPS = 5
"""Left out of each round: first allocations, and the batches that a worker had ready."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds a step: median over all steps, and the lowest and highest median of a round."""

    arch: str
    loop: str
    batch_size: int
    ms_per_step: float
    ms_lowest: float
    ms_highest: float
    images_per_second: float
    ratio_to_example: float


def compare_loops(config: TrainConfig, dataset: Dataset, *, rounds: int, steps: int) -> list[Timing]:
    """Time the example's loop and the trainer's, one round of so many steps after the other."""
    keep_freed_memory()
    samples: dict[str, list[list[float]]] = {"example": [], "trainer": []}
    with tempfile.TemporaryDirectory() as folder, _example_process(config, dataset, Path(folder)) as example:
        for _ in range(rounds):
            example.send(steps)
            samples["example"].append(example.recv())
            samples["trainer"].append(time_trainer(config, dataset, steps))
    baseline = median(chain.from_iterable(samples["example"]))
    return [_timing(config, loop, times, baseline) for loop, times in samples.items()]


@contextmanager
def _example_process(config: TrainConfig, dataset: Dataset, folder: Path) -> Iterator[Connection]:
    """A process that answers each number of steps with the seconds that each of them took."""
    _write_idx_files(dataset, folder / "MNIST" / "raw")
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_serve_example, args=(there, config, folder, dataset.mean, dataset.std)
    )
    process.start()
    there.close()
    try:
        yield here
    finally:
        here.close()
        process.join()


def _serve_example(connection: Connection, config: TrainConfig, folder: Path, mean: float, std: float) -> None:
    example, batches = Example(config), example_batches(config.batch_size, folder, mean, std)
    while True:
        try:
            steps = connection.recv()
        except EOFError:
            batches.close()
            return
        connection.send(example.time_steps(islice(batches, steps + WARM_UP_STEPS)))


def _timing(config: TrainConfig, loop: str, rounds: list[list[float]], baseline: float) -> Timing:
    seconds = median(chain.from_iterable(rounds))
    medians = [median(times) for times in rounds]
    return Timing(
        arch=config.arch,
        loop=loop,
        batch_size=config.batch_size,
        ms_per_step=1e3 * seconds,
        ms_lowest=1e3 * min(medians),
        ms_highest=1e3 * max(medians),
        images_per_second=config.batch_size / seconds,
        ratio_to_example=baseline / seconds,
    )


def time_trainer(config: TrainConfig, dataset: Dataset, steps: int) -> list[float]:
    """Seconds of each step of a real run, read off where the trainer asks, before each batch, whether to stop."""
    clock: list[float] = []
    steps += WARM_UP_STEPS

    def should_stop() -> str:
        clock.append(time.perf_counter())
        return "enough" if len(clock) > steps else ""

    summary, model = make_network(config)
    trainer = Trainer(config, dataset, summary, model, pick_device(config.device))
    with flushed_denormals():
        for _ in trainer.run(should_stop):
            pass
    return _differences(clock)[WARM_UP_STEPS:]


class Example:
    """The training loop of github.com/pytorch/examples, mnist/main.py, with this config's network, SGD and rate."""

    def __init__(self, config: TrainConfig) -> None:
        self._device = pick_device(config.device)
        self._model = make_network(config)[1].to(self._device)
        for module in self._model.modules():
            if isinstance(module, torch.nn.ReLU):
                module.inplace = False  # the example does not work in place
        self._optimizer = torch.optim.SGD(self._model.parameters(), lr=config.lr, momentum=config.momentum)

    def time_steps(self, batches: Iterator[tuple[Tensor, Tensor]]) -> list[float]:
        self._model.train()
        clock = [time.perf_counter()]
        for images, labels in batches:
            data, target = images.to(self._device), labels.to(self._device)
            self._optimizer.zero_grad()
            loss = F.nll_loss(F.log_softmax(self._model(data), dim=1), target)
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            self._optimizer.step()
            clock.append(time.perf_counter())
        return _differences(clock)[WARM_UP_STEPS:]


def example_batches(
    batch_size: int, folder: Path, mean: float, std: float
) -> Generator[tuple[Tensor, Tensor], None, None]:
    """The example's batches without end: torchvision's data set and transforms behind a DataLoader with one worker."""
    from torchvision import transforms

    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((mean,), (std,))])
    images = published_class("mnist")(folder, train=True, transform=transform)
    loader = DataLoader(images, batch_size, shuffle=True, num_workers=1)
    while True:
        yield from loader


def _write_idx_files(dataset: Dataset, folder: Path) -> None:
    """The data set unpacked, as torchvision wants it."""
    folder.mkdir(parents=True)
    parts = (dataset.train_images, dataset.train_labels, dataset.test_images, dataset.test_labels)
    for (name, shape), tensor in zip(FILES.items(), parts, strict=True):
        header = bytes([0, 0, 8, len(shape)]) + b"".join(side.to_bytes(4, "big") for side in tensor.shape)
        (folder / name).write_bytes(header + tensor.to(torch.uint8).numpy().tobytes())


def _differences(clock: list[float]) -> list[float]:
    return [after - before for before, after in pairwise(clock)]
