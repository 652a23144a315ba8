"""One step of training of many copies of a network at once.

Each copy has its own order, augmentation and learning rate, and moves by the gradient of its own mean loss: the sum of
the losses has for each weight the gradient of the one loss that it is in.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F

from core.config import TrainConfig
from core.device.torch_private import add_to_each, multiply_each, sums_of_each
from core.grouped.network import GroupedNetwork
from core.training.average import WeightAverage
from core.training.evaluate import Pixels
from core.training.optimizers import SGD
from core.training.step import TrainStep


class GroupedStep(TrainStep):
    """Training of all copies of a network, by the config that they share but for seed and learning rate."""

    def __init__(
        self,
        model: GroupedNetwork,
        config: TrainConfig,
        images: Tensor,
        labels: Tensor,
        pixels: Pixels,
        average: WeightAverage | None,
        forward: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.copies = model.copies
        super().__init__(model, config, images, labels, pixels, average, forward, shape=(model.copies,))

    def _make_optimizer(self) -> SGD:
        return GroupedSGD(self._model, self._config, self._lr)

    def _mean_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        losses = F.cross_entropy(logits, labels, reduction="none", label_smoothing=self._config.label_smoothing)
        return losses.view(-1, self.copies).mean(0)


class GroupedSGD(SGD):
    """SGD with a learning rate for each copy: `lr` (1, copies).

    torch's kernels have one rate for all of a parameter, so the step is written out here, with torch's operations in
    torch's order.
    """

    def _move(self, parameters: list[Tensor], gradients: list[Tensor], momentum: list[Tensor]) -> None:
        moves = gradients
        if self._config.weight_decay:
            moves = sums_of_each(moves, parameters, self._config.weight_decay)
        if momentum:
            multiply_each(momentum, self._config.momentum)
            add_to_each(momentum, moves)
            moves = sums_of_each(moves, momentum, self._config.momentum) if self._config.nesterov else momentum
        rates = self.lr.to(parameters[0].dtype).t()
        for parameter, move in zip(parameters, moves, strict=True):
            parameter.view(len(rates), -1).addcmul_(move.reshape(len(rates), -1), rates, value=-1)
