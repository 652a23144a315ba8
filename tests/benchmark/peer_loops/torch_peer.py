"""The project's own engine, and a tuned loop of PyTorch, plain or compiled: ``torch_peer.py FOLDER NETWORK LOOP``."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from serving import EPOCHS, Peer, Reached, StepPeer, Task, serve
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import TrainConfig
from core.data.loader import Dataset
from core.device.allocator import keep_freed_memory
from core.device.device import flushed_denormals
from core.events import EpochFinished
from core.models.network import build_network
from core.training.evaluate import Pixels
from core.training.trainer import Trainer
from experiments.bench.busy import TunedLoop
from experiments.bench.example_loop import WARM_UP_STEPS
from experiments.bench.loops import TrainerLoop


def data(folder: Path) -> Dataset:
    with np.load(folder / "data.npz") as found:
        names = ("train_images", "train_labels", "test_images", "test_labels")
        parts = {name: torch.from_numpy(found[name]) for name in names}
        parts |= {name: parts[name].long() for name in names if "labels" in name}
        return Dataset("mnist", **parts, mean=float(found["mean"]), std=float(found["std"]))


class TorchPeer:
    """What both have in common: `model`, on images as the project gives them to a network."""

    model: nn.Module

    def __init__(self, task: Task) -> None:
        values = {"arch": task.spec, "lr": task.lr, "momentum": task.momentum, "batch_size": task.batch_size}
        self.config = TrainConfig.checked({**values, "device": "cpu", "engine": "native", "epochs": EPOCHS})
        self.data = data(Path(sys.argv[1]))
        self._pixels = Pixels(self.data.mean, self.data.std)

    def counted(self) -> int:
        return sum(each.numel() for each in self.model.parameters())

    @torch.no_grad()
    def logits(self, images: Tensor) -> Tensor:
        was_training = self.model.training
        self.model.eval()
        found = torch.cat([self.model(self._pixels(part)) for part in images.split(1000)])
        self.model.train(was_training)
        return found

    def accuracy(self) -> float:
        return float((self.logits(self.data.test_images).argmax(1) == self.data.test_labels).float().mean())


class NativePeer(TorchPeer, Peer):
    """Draws its batches itself, as a run does."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self._loop = TrainerLoop(self.config, self.data)
        self.model = self._loop.trainer.model
        self.parameters = self.counted()
        if self._loop.note:
            raise RuntimeError(self._loop.note)

    def timed(self, order: np.ndarray) -> tuple[float, float, float]:
        computed = time.process_time()
        seconds = sum(self._loop.time_steps(len(order)))  # after some that are not timed
        share = len(order) / (len(order) + WARM_UP_STEPS)
        computed = share * (time.process_time() - computed)
        few = slice(1000)
        loss = F.cross_entropy(self.logits(self.data.train_images[few]), self.data.train_labels[few])
        return seconds, computed, float(loss)

    def time_to(self, targets: Sequence[float], task: Task) -> list[float | None]:
        network = build_network(self.config)
        trainer = Trainer(self.config, self.data, network.summary, network.module, torch.device("cpu"))
        reached, started = Reached(targets), time.perf_counter()
        for event in trainer.run():
            if isinstance(event, EpochFinished) and reached.all_by(
                event.test_accuracy or 0.0, time.perf_counter() - started
            ):
                break
        return reached.seconds


class TunedPeer(TorchPeer, StepPeer):
    def __init__(self, task: Task, *, compiled: bool) -> None:
        super().__init__(task)
        self._loop = TunedLoop(self.config, self.data)
        self.model = self._loop.model
        self.parameters = self.counted()
        if compiled:
            self._loop.model = torch.compile(self._loop.model)

    def train(self, order: np.ndarray) -> Sequence[float]:
        self._loop.train(torch.from_numpy(order).long())
        return [self._loop.loss.item()]


if __name__ == "__main__":
    keep_freed_memory()
    kind = sys.argv[3]
    with flushed_denormals():
        serve(NativePeer if kind == "native" else partial(TunedPeer, compiled=kind == "compiled"))
