"""One step of training of many copies of a network at once.

Each copy has its own order, augmentation and learning rate, and moves by the gradient of its own mean loss: the sum of
the losses has for each weight the gradient of the one loss that it is in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor
from torch.nn import functional as F

from core.config import TrainConfig
from core.grouped.network import GroupedNetwork
from core.training.average import WeightAverage
from core.training.evaluate import Pixels
from core.training.step import TrainStep
from core.training.teacher import SoftTargets, distilled_losses


class GroupedStep(TrainStep):
    """Training of all copies of a network, by the config that they share but for seed and learning rate.

    Args:
        highest: of each copy the learning rate of its config; by default that of `config` for all.
    """

    def __init__(
        self,
        model: GroupedNetwork,
        config: TrainConfig,
        images: Tensor,
        labels: Tensor,
        pixels: Pixels,
        average: WeightAverage | None,
        forward: Callable[[Tensor], Tensor] | None = None,
        teacher: SoftTargets | None = None,
        highest: Sequence[float] = (),
    ) -> None:
        self.copies = model.copies
        shape = (model.copies,)
        super().__init__(model, config, images, labels, pixels, average, forward, teacher, shape, highest)

    def _mean_loss(self, logits: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
        if targets is None:
            losses = F.cross_entropy(logits, labels, reduction="none", label_smoothing=self._config.label_smoothing)
        else:
            losses = distilled_losses(logits, labels, targets, self._config)
        return losses.view(-1, self.copies).mean(0)
