"""The training loop of the PyTorch MNIST example, timed in a process of its own.

In the trainer's process the allocator settings of `core.device.allocator` would make the example faster, too.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from itertools import islice, pairwise
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader

from core.config import TrainConfig
from core.data.loader import Dataset
from core.data.sources import FILES, published_class
from core.device.device import pick_device
from core.models.network import make_network
from experiments.bench.peak import wait_for
from experiments.execution.spawning import hear_signals, signals_held_back

WARM_UP_STEPS = 5
"""Steps of each round that are not timed: they allocate memory and use batches that a worker had ready."""


@contextmanager
def example_process(config: TrainConfig, dataset: Dataset, folder: Path) -> Iterator[Connection]:
    """Start the process. Send it a number of steps; it answers with the list of seconds that each of them took."""
    write_idx_files(dataset, folder)
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_serve_example, args=(there, config, folder, dataset.mean, dataset.std)
    )
    try:
        with signals_held_back():
            process.start()
            there.close()
        yield here
    except BaseException:
        process.kill()  # do not wait for the round to end
        raise
    finally:
        here.close()
        if process.pid is not None:
            process.join()


def _serve_example(connection: Connection, config: TrainConfig, folder: Path, mean: float, std: float) -> None:
    """Time steps as asked, until the other end of the pipe is closed."""
    hear_signals()
    example = Example(config)
    batches = example_batches(config.batch_size, folder, mean, std, on_gpu=example.device.type == "cuda")
    with closing(batches), suppress(EOFError, ConnectionError):
        while True:
            steps = connection.recv()
            seconds = example.time_steps(islice(batches, steps + WARM_UP_STEPS))
            connection.send(seconds)


class Example:
    """The training loop of github.com/pytorch/examples, mnist/main.py, with this config's network, SGD and rate."""

    def __init__(self, config: TrainConfig) -> None:
        self.device = pick_device(config.device)
        self._model = make_network(config)[1].to(self.device)
        for module in self._model.modules():
            if isinstance(module, torch.nn.ReLU):
                module.inplace = False  # the example does not work in place
        self._optimizer = torch.optim.SGD(self._model.parameters(), lr=config.lr, momentum=config.momentum)

    def time_steps(self, batches: Iterator[tuple[Tensor, Tensor]]) -> list[float]:
        """Seconds of each step after the warm-up. On a GPU, which works asynchronously, one number: their mean."""
        self._model.train()
        clock = [time.perf_counter()]
        for images, labels in batches:
            data, target = images.to(self.device), labels.to(self.device)
            self._optimizer.zero_grad()
            loss = F.nll_loss(F.log_softmax(self._model(data), dim=1), target)
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            self._optimizer.step()
            if len(clock) == WARM_UP_STEPS:
                wait_for(self.device)
            clock.append(time.perf_counter())
        if self.device.type == "cpu":
            return differences(clock)[WARM_UP_STEPS:]
        wait_for(self.device)
        return [(time.perf_counter() - clock[WARM_UP_STEPS]) / (len(clock) - 1 - WARM_UP_STEPS)]


def example_batches(
    batch_size: int, folder: Path, mean: float, std: float, *, on_gpu: bool
) -> Generator[tuple[Tensor, Tensor], None, None]:
    """The example's batches, epoch after epoch without end: torchvision's data set and transforms in a DataLoader.

    As in the example, a worker process loads images only for a GPU; on a CPU they are loaded between the steps.
    """
    from torchvision import transforms

    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((mean,), (std,))])
    images = published_class("mnist")(folder, train=True, transform=transform)
    loader = DataLoader(images, batch_size, shuffle=True, num_workers=int(on_gpu), pin_memory=torch.cuda.is_available())
    while True:
        yield from loader


def write_idx_files(dataset: Dataset, folder: Path) -> None:
    """Write the data set as unpacked IDX files into a folder, in torchvision's layout."""
    folder = folder / "MNIST" / "raw"
    folder.mkdir(parents=True)
    parts = (dataset.train_images, dataset.train_labels, dataset.test_images, dataset.test_labels)
    for (name, shape), tensor in zip(FILES.items(), parts, strict=True):
        header = bytes([0, 0, 8, len(shape)]) + b"".join(side.to_bytes(4, "big") for side in tensor.shape)
        (folder / name).write_bytes(header + tensor.to(torch.uint8).numpy().tobytes())


def differences(clock: list[float]) -> list[float]:
    """Seconds between each pair of successive clock readings."""
    return [after - before for before, after in pairwise(clock)]
