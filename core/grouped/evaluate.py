"""Scoring all copies of a grouped network on the same images."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from core.device.device import float32_products
from core.engines.engine import Engine, batch_sizes
from core.grouped.network import GroupedNetwork
from core.training.evaluate import BATCH, BATCH_ON_GPU, Labelled, Pixels, Score


class GroupedEvaluator:
    """Scores the copies on one list of images as often as wanted. It is a step, which an engine may record and replay.

    A batch has as many images, counted once for each copy, as one that a single network is scored on, but not fewer
    than `least` for each, which there is room for in training.
    """

    def __init__(self, model: GroupedNetwork, data: Labelled, pixels: Pixels, least: int = 1) -> None:
        self._model = model
        self._data = data
        self._pixels = pixels
        self._device = device = data.images.device
        whole = BATCH_ON_GPU if device.type == "cuda" else BATCH
        self._size = min(max(least, whole // model.copies), len(data))
        self._places = torch.arange(self._size, device=device)  # of the images of the next batch
        dtype = torch.float32 if device.type == "mps" else torch.float64
        self._losses = torch.zeros(model.copies, device=device, dtype=dtype)
        self._predictions = torch.zeros(len(data), model.copies, device=device, dtype=torch.uint8)

    def scores(self, engine: Engine) -> list[Score]:
        """Score each copy as it is now, in evaluation mode and fp32."""
        self._model.eval()
        self.rewind()
        self._losses.zero_()
        for start in range(0, len(self._data), self._size):
            engine.run(self, min(self._size, len(self._data) - start))
        rows, labels = self._data.rows, self._data.labels
        labels = labels if rows is None else labels.index_select(0, rows)
        correct = (self._predictions == labels[:, None]).sum(0).tolist()
        predictions = self._predictions.t().to("cpu", copy=True).contiguous()
        total = len(labels)
        return [
            Score(loss / total, hits, total, predictions[copy].clone())
            for copy, (loss, hits) in enumerate(zip(self._losses.tolist(), correct, strict=True))
        ]

    def prepare(self, engine: Engine) -> None:
        """Let an engine get ready for scoring."""
        self._model.eval()
        engine.prepare(self)

    def __call__(self, size: int) -> None:
        """Score every copy on the next `size` images."""
        copies = self._model.copies
        with torch.no_grad(), float32_products(self._device):
            places = self._places[:size]
            images, labels = self._data.at(places)
            inputs = self._pixels(images).expand(-1, copies, -1, -1).reshape(size * copies, 1, *images.shape[1:])
            logits = self._model(inputs)
            losses = F.cross_entropy(logits, labels.repeat_interleave(copies), reduction="none")
            self._losses += losses.view(size, copies).sum(0)
            self._predictions[places] = logits.argmax(1).view(size, copies).to(torch.uint8)
            self._places += size

    def sizes(self) -> list[int]:
        """The sizes of the batches."""
        return batch_sizes(len(self._data), self._size)

    def rewind(self) -> None:
        """Make the first batch the next."""
        torch.arange(self._size, out=self._places)

    def changed(self) -> list[Tensor]:
        """All tensors that a call changes and a later one reads."""
        return [self._places, self._losses, self._predictions]
