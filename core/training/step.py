"""One step of training, as a function of tensors on the device alone.

A step gathers its batch, augments it, goes forward and backward, moves the weights and their average on, and adds to
the running totals. All that differs from one step to the next (the place in the epoch's order, the learning rate, the
share of the average) it reads from tensors, which it moves on itself. So it takes nothing from the host and gives
nothing back, and can be recorded once and replayed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.augmentation.augmentation import Augmentation
from core.config import TrainConfig
from core.device.device import float32_products, mixed
from core.device.torch_private import count_each
from core.engines.engine import Forward, batch_sizes
from core.models.translate.twin import InPlaceOf
from core.training.average import WeightAverage, copy_of
from core.training.evaluate import Pixels
from core.training.optimizers.optimizer import Optimizer
from core.training.sampling import EpochDraw
from core.training.schedule import cycles_momentum
from core.training.teacher import SoftTargets, distilled_losses

BatchNorm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the images of the epoch that have been trained on: of losses, and of correct predictions."""

    loss: float
    correct: int


class TrainStep:
    """Training, of one model or of several as one: call it with the size of each batch in turn, after `start_epoch`.

    Every tensor that is read or changed keeps its place in memory from the first epoch on.

    Args:
        model: on the device, in training mode when a step is taken.
        images: (N, S, S) uint8 on the device.
        labels: (N,) int64 on the device.
        average: brought up to date after each step, where there is one.
        forward: called in the model's place, images (B, 1, S, S) to logits (B, classes); the model itself by default.
        teacher: gives the targets beside the labels, where there is one.
        shape: () for one model, (K,) for K as one. The epoch's order, changes and rates have it behind their first
            dimension, the totals are of this shape, and a batch of B has B * K images, those of one place together.
        highest: for each model the learning rate of its config, where that is not `config`'s.
        in_use: names of parameters in the order in which the forward pass uses them, where that is not the model's own.
    """

    def __init__(
        self,
        model: nn.Module,
        config: TrainConfig,
        images: Tensor,
        labels: Tensor,
        pixels: Pixels,
        average: WeightAverage | None,
        forward: Forward | None = None,
        teacher: SoftTargets | None = None,
        shape: tuple[int, ...] = (),
        highest: Sequence[float] = (),
        in_use: Sequence[str] = (),
    ) -> None:
        self._model = model
        self._forward = forward or model
        self._teacher = teacher
        self._config = config
        self._images = images
        self._labels = labels
        self._pixels = pixels
        self._augmentation = Augmentation(config, images.shape[-1], images.device, pixels.dtype)
        self._average = average
        self._device = device = images.device
        self._shape = shape
        # The fused optimizer reads the rate as float64 on the CPU and as float32 on CUDA; MPS has no float64.
        self._lr = torch.zeros(1, *shape, device=device, dtype=torch.float64 if device.type == "cpu" else torch.float32)
        # Where it changes from step to step; the models have the same.
        self._momentum = torch.zeros(1, device=device, dtype=self._lr.dtype) if cycles_momentum(config) else None
        self._momenta: Tensor | None = None
        self._optimizer = Optimizer(model, config, self._lr, self._momentum, highest, in_use)
        network = forward.network if isinstance(forward, InPlaceOf) else model
        self._norms = counting_norms(network) if device.type == "cuda" else []
        # The sum of a whole epoch deserves float64.
        self._loss = torch.zeros(shape, device=device, dtype=torch.float32 if device.type == "mps" else torch.float64)
        self._correct = torch.zeros(shape, device=device, dtype=torch.int64)
        # The gradient of each loss. torch makes that of one loss by itself, which on a GPU takes a kernel. One that it
        # is given it checks the shape of, and imports an algebra system for that before the first step.
        self._ones = torch.ones(shape, device=device, dtype=pixels.dtype) if shape or device.type != "cpu" else None
        self._places = torch.arange(config.batch_size, device=device)  # in the order, of the images of the next batch
        self._done = torch.zeros(1, device=device, dtype=torch.int64)  # steps of the epoch
        self._steps_before = 0  # the epoch
        self._order: Tensor | None = None
        self._changes: Tensor | None = None
        self._rates: Tensor | None = None
        self._shares: Tensor | None = None
        self._share = torch.zeros(1, device=device, dtype=pixels.dtype)

    def start_epoch(
        self,
        draws: Sequence[EpochDraw],
        rates: Sequence[Sequence[float]],
        steps_before: int,
        momenta: Sequence[float] = (),
    ) -> None:
        """Take the epoch's random draws and the learning rate of each of its steps, and set the totals to zero.

        Args:
            draws: one for each model; its order indexes `images`.
            rates: for each model one for each step of the epoch.
            steps_before: steps of the epochs before this one.
            momenta: the momentum in each step of the epoch, where it changes (of adam and adamw beta1).
        """
        self._order = self._kept(self._order, self._side_by_side([draw.order for draw in draws]))
        changes = [draw.changes for draw in draws if draw.changes is not None]
        if changes:
            self._changes = self._kept(self._changes, self._side_by_side(changes))
        of_each = [torch.tensor(one, dtype=self._lr.dtype) for one in rates]
        self._rates = self._kept(self._rates, self._side_by_side(of_each))
        if self._momentum is not None:
            self._momenta = self._kept(self._momenta, torch.tensor(momenta, dtype=self._momentum.dtype))
        if self._average is not None:
            shares = self._average.shares(steps_before, len(self._rates)).to(self._share.dtype)
            self._shares = self._kept(self._shares, shares)
        self._steps_before = steps_before
        self.rewind()
        self._loss.zero_()
        self._correct.zero_()

    def __call__(self, size: int) -> None:
        """Train on the next `size` images of the epoch's order."""
        assert self._order is not None
        assert self._rates is not None
        places = self._places[:size]
        index = self._order.index_select(0, places).flatten()
        labels = self._labels.index_select(0, index)
        augmented = self._augmented(self._images.index_select(0, index), places)
        inputs = self._pixels(augmented)
        targets = None if self._teacher is None else self._teacher(index, augmented)
        torch.index_select(self._rates, 0, self._done, out=self._lr)
        if self._momentum is not None:
            assert self._momenta is not None
            torch.index_select(self._momenta, 0, self._done, out=self._momentum)
        self._optimizer.zero_grad()
        with float32_products(self._device, tf32=self._config.precision == "tf32"):
            with mixed(self._config.precision, self._device), counted_together(self._norms):
                logits = self._forward(inputs)
            logits = logits.to(self._pixels.dtype)
            loss = self._mean_loss(logits, labels, targets)
            loss.backward(self._ones)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self._optimizer.step()
        if self._average is not None:
            assert self._shares is not None
            torch.index_select(self._shares, 0, self._done, out=self._share)
            self._average.update(self._share)
        self._loss.add_(loss.detach(), alpha=size)
        self._correct += (logits.detach().argmax(1) == labels).view(size, *self._shape).sum(0)
        self._places += size
        self._done += 1

    def sizes(self) -> list[int]:
        """The sizes of an epoch's batches."""
        assert self._order is not None
        return batch_sizes(len(self._order), self._config.batch_size)

    def rewind(self) -> None:
        """Make the epoch's first batch the next."""
        self._go_to(0)

    def changed(self) -> list[Tensor]:
        """All tensors that a call changes and a later one reads."""
        own = [self._loss, self._correct, self._places, self._done, self._lr, self._share]
        averaged = [] if self._average is None else [*self._average.model.parameters(), *self._average.model.buffers()]
        own += [] if self._momentum is None else [self._momentum]
        return [*own, *self._optimizer.state.values(), *self._model.parameters(), *self._model.buffers(), *averaged]

    def state(self) -> dict[str, Tensor]:
        """Copies on the CPU of what the next steps depend on beside the model: the optimizer's state, totals, steps."""
        state = {"loss": self._loss, "correct": self._correct, "steps": self._steps_before + self._done[0]}
        state |= self._optimizer.state
        return {name: tensor.detach().to("cpu", copy=True) for name, tensor in state.items()}

    def state_of(self, state: Mapping[str, Tensor], copy: int) -> dict[str, Tensor]:
        """The part of a `state` that is one model's, as `load_state` takes it."""
        copies = len(self._loss) if self._shape else 1
        parts = {name: copy_of(tensor, copy, copies).clone() for name, tensor in state.items()}
        return parts | {name: parts[name].reshape(()) for name in ("loss", "correct")}

    def totals(self) -> list[Totals]:
        """Read the totals of each model back, waiting for the device."""
        losses, counts = self._loss.view(-1).tolist(), self._correct.view(-1).tolist()
        return [Totals(*both) for both in zip(losses, counts, strict=True)]

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a `state` of one model, after `start_epoch` where an epoch is under way.

        Raises:
            ValueError, KeyError: when it is not the state of such an optimizer.
        """
        self._loss.copy_(state["loss"])
        self._correct.copy_(state["correct"])
        self._go_to(int(state["steps"]) - self._steps_before)
        for name, own in self._optimizer.state.items():
            if name not in state:
                raise ValueError(f"it has no {name}")
            if state[name].shape != own.shape:
                raise ValueError(f"{name} is {tuple(state[name].shape)}, not {tuple(own.shape)}")
            own.copy_(state[name])

    def _go_to(self, step: int) -> None:
        """Make the epoch's step of that number, counted from 0, the next; after the last comes another epoch."""
        if self._rates is not None and step >= len(self._rates):
            self._steps_before, step = self._steps_before + step, 0
        size = self._config.batch_size
        torch.arange(step * size, (step + 1) * size, out=self._places)
        self._done.fill_(step)

    def _kept(self, buffer: Tensor | None, values: Tensor) -> Tensor:
        """Values that change from epoch to epoch, on the device and where they were before."""
        return values.to(self._device, copy=True) if buffer is None else buffer.copy_(values)

    def _side_by_side(self, tensors: Sequence[Tensor]) -> Tensor:
        """One tensor for each model (N, ...) as a single one: (N, K, ...), or (N, ...) for one model."""
        return torch.stack(list(tensors), 1) if self._shape else tensors[0]

    def _augmented(self, images: Tensor, places: Tensor) -> Tensor:
        if self._changes is None:
            return images
        changes = self._changes.index_select(0, places).flatten(0, -2)
        return self._augmentation(images, changes)

    def _mean_loss(self, logits: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
        """The mean loss over a batch, for each model where there are several; `targets` are a teacher's."""
        if targets is not None:
            return distilled_losses(logits, labels, targets, self._config).mean()
        return F.cross_entropy(logits, labels, label_smoothing=self._config.label_smoothing)


def counting_norms(model: nn.Module) -> list[BatchNorm]:
    """The batch norms that see exactly one batch in a forward pass: those in a row of modules.

    Each adds 1 to a counter of its own, which on a GPU is a kernel of its own; `counted_together` adds to all of them
    at once. Nothing reads the counters, unless a momentum of None asks for a plain mean of the statistics, which no
    network here does.
    """
    children = model if isinstance(model, nn.Sequential) else ()
    return [
        norm
        for norm in children
        if isinstance(norm, BatchNorm) and norm.num_batches_tracked is not None and norm.momentum is not None
    ]


@contextmanager
def counted_together(norms: Sequence[BatchNorm]) -> Iterator[None]:
    """Within the block, one forward pass of training, the batch norms have no counters; all are moved on at its end."""
    counters = [norm.num_batches_tracked for norm in norms]
    for norm in norms:
        norm.num_batches_tracked = None
    try:
        yield
    finally:
        for norm, counter in zip(norms, counters, strict=True):
            norm.num_batches_tracked = counter
    if counters:
        count_each([counter for counter in counters if counter is not None])
