"""The statistics of batch norms, found anew for weights that were never trained with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from core.device.device import float32_products
from core.engines.engine import Engine, batch_sizes
from core.training.evaluate import Labelled
from core.training.step import BatchNorm


class NormStatistics:
    """Sets the running statistics of a network's batch norms to their mean over batches of images.

    As `torch.optim.swa_utils.update_bn`, but for two things: the images are taken in their order and as they are, and
    whatever else has a mode is in that of evaluation, so that nothing is drawn at random and the statistics are those
    of what is scored. A norm that has no part in scoring keeps those that it has. It is a step that an engine may
    record and replay.

    Args:
        network: whose statistics are found; it does nothing where there are no batch norms that keep some.
        inputs: makes the network's input of images (B, S, S) uint8.
        size: images in a batch, for each copy where the network has several.
    """

    def __init__(self, network: nn.Module, data: Labelled, inputs: Callable[[Tensor], Tensor], size: int) -> None:
        self._network = network
        self._data = data
        self._inputs = inputs
        self._device = data.images.device
        self._size = min(size, len(data))
        # A last batch of one image would count as much as a whole one, and may have no deviation.
        self._count = len(data) - (len(data) > 1 and len(data) % self._size == 1)
        self._places = torch.arange(self._size, device=self._device)
        norms = [module for module in network.modules() if isinstance(module, BatchNorm)]
        self._norms = [norm for norm in norms if norm.track_running_stats]
        self._sums = {norm: [torch.zeros_like(tensor) for tensor in _statistics(norm)] for norm in self._norms}

    def batches(self, engine: Engine) -> Iterator[None]:
        """Find the statistics: yields before each batch, which is taken when the next is asked for.

        Before the last they are of no use to anybody.
        """
        if not self._norms:
            return
        with self._measuring():
            self.rewind()
            counted = [_counter(norm).clone() for norm in self._norms]
            for norm in self._norms:
                _counter(norm).zero_()
                for total in self._sums[norm]:
                    total.zero_()
            for start in range(0, self._count, self._size):
                yield
                engine.run(self, min(self._size, self._count - start))
        for norm, before in zip(self._norms, counted, strict=True):
            if not _counter(norm):
                _counter(norm).copy_(before)
                continue
            for tensor, total in zip(_statistics(norm), self._sums[norm], strict=True):
                tensor.copy_(total / _counter(norm))  # one that is used several times has counted all of them

    def prepare(self, engine: Engine) -> None:
        """Let an engine get ready."""
        if self._norms:
            with self._measuring():
                engine.prepare(self)

    def __call__(self, size: int) -> None:
        """Take in the next `size` images."""
        with torch.no_grad(), float32_products(self._device):
            images, _ = self._data.at(self._places[:size])
            self._network(self._inputs(images))
            self._places += size

    def sizes(self) -> list[int]:
        """The sizes of the batches."""
        return batch_sizes(self._count, self._size)

    def rewind(self) -> None:
        """Make the first batch the next."""
        torch.arange(self._size, out=self._places)

    def changed(self) -> list[Tensor]:
        """All tensors that a call changes and a later one reads."""
        own = [tensor for norm in self._norms for tensor in (*_statistics(norm), _counter(norm), *self._sums[norm])]
        return [self._places, *own]

    @contextmanager
    def _measuring(self) -> Iterator[None]:
        """Within the block each batch norm adds the statistics of what it is given to its sums."""
        was_training = self._network.training
        momenta = [norm.momentum for norm in self._norms]
        with ExitStack() as stack:
            self._network.eval()
            for norm in self._norms:
                norm.train()
                norm.momentum = 1.0  # the statistics are those of the last batch alone
                stack.callback(norm.register_forward_hook(self._add).remove)
            try:
                yield
            finally:
                for norm, momentum in zip(self._norms, momenta, strict=True):
                    norm.momentum = momentum
                self._network.train(was_training)

    def _add(self, norm: nn.Module, *_: object) -> None:
        assert isinstance(norm, BatchNorm)
        for total, tensor in zip(self._sums[norm], _statistics(norm), strict=True):
            total += tensor


def _statistics(norm: BatchNorm) -> tuple[Tensor, Tensor]:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return norm.running_mean, norm.running_var


def _counter(norm: BatchNorm) -> Tensor:
    assert norm.num_batches_tracked is not None
    return norm.num_batches_tracked
