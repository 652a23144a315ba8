"""What every peer is: a network made from the project's own layer table, which trains when it is told to.

A peer is a process. It is given a folder with `data.npz` and a file with the network, says how many parameters it has,
and then answers one order a line: `steps N`, or `targets` with accuracies to reach.
"""

from __future__ import annotations

import json
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

EPOCHS = 20
"""The most epochs to an accuracy."""


@dataclass(frozen=True)
class Task:
    """`layers` are rows of the project's table: `kind` and `options` of a module of torch. Images are float32 of shape
    (N, 28, 28), normalised, labels int32."""

    layers: list[dict[str, Any]]
    spec: str
    lr: float
    momentum: float
    batch_size: int
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray

    @classmethod
    def read(cls, folder: Path, network: Path) -> Task:
        about = json.loads(network.read_text())
        with np.load(folder / "data.npz") as data:
            mean, std = data["mean"], data["std"]

            def images(part: str) -> np.ndarray:
                return ((data[f"{part}_images"].astype(np.float32) / 255 - mean) / std).astype(np.float32)

            labels = {part: data[f"{part}_labels"].astype(np.int32) for part in ("train", "test")}
            return cls(**about, train_images=images("train"), train_labels=labels["train"],
                       test_images=images("test"), test_labels=labels["test"])  # fmt: skip


class Peer(ABC):
    """A network and its optimizer."""

    parameters: int
    """Those that are trained."""

    @abstractmethod
    def timed(self, order: np.ndarray) -> tuple[float, float, float]:
        """Train on as many batches as there are rows; the seconds that it took, those of processor time, and a loss at
        its end."""

    @abstractmethod
    def time_to(self, targets: Sequence[float], task: Task) -> list[float | None]:
        """Seconds of training and scoring until each accuracy was first reached after an epoch, from the weights as
        they are; None where it was not."""


class StepPeer(Peer):
    """A peer that is given its batches, step by step."""

    @abstractmethod
    def train(self, order: np.ndarray) -> Sequence[float]:
        """Train a step on each row of image indices, of shape (steps, batch size). Returns losses, the last ones at
        least, when all has been computed."""

    @abstractmethod
    def accuracy(self) -> float:
        """The share of test images that are classified right, in evaluation mode."""

    def timed(self, order: np.ndarray) -> tuple[float, float, float]:
        started, computed = time.perf_counter(), time.process_time()
        losses = self.train(order)
        return time.perf_counter() - started, time.process_time() - computed, float(np.mean(losses[-10:]))

    def time_to(self, targets: Sequence[float], task: Task) -> list[float | None]:
        numbers, count, size = np.random.default_rng(1), len(task.train_labels), task.batch_size
        started = time.perf_counter()
        reached = Reached(targets)
        for _ in range(EPOCHS):
            self.train(numbers.permutation(count)[: count // size * size].astype(np.int32).reshape(-1, size))
            if reached.all_by(self.accuracy(), time.perf_counter() - started):
                break
        return reached.seconds


class Reached:
    """When accuracies were first reached."""

    def __init__(self, targets: Sequence[float]) -> None:
        self._targets = targets
        self.seconds: list[float | None] = [None for _ in targets]

    def all_by(self, accuracy: float, seconds: float) -> bool:
        """Take in an epoch's accuracy; whether all are reached."""
        for place, target in enumerate(self._targets):
            if accuracy >= target and self.seconds[place] is None:
                self.seconds[place] = seconds
        return None not in self.seconds


def serve(make: Callable[[Task], Peer]) -> None:
    """Answer the orders on stdin until it ends."""
    answers, sys.stdout = sys.stdout, sys.stderr  # whatever libraries print

    def say(**answer: object) -> None:
        print(json.dumps(answer), file=answers, flush=True)

    task = Task.read(Path(sys.argv[1]), Path(sys.argv[2]))
    peer, numbers = make(task), np.random.default_rng(0)
    say(parameters=peer.parameters)
    for line in sys.stdin:
        order = json.loads(line)
        if "steps" in order:
            batches = numbers.integers(len(task.train_labels), size=(order["steps"], task.batch_size), dtype=np.int32)
            seconds, computed, loss = peer.timed(batches)
            say(seconds=seconds, computed=computed, loss=loss)
        else:
            say(reached=peer.time_to(order["targets"], task))
