"""Scoring all copies of a grouped network on the same images."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from core.engines.engine import Forward
from core.grouped.network import GroupedNetwork
from core.training.evaluate import Evaluator, Labelled, Pixels, whole_batch
from core.training.views import ImageViews


class GroupedEvaluator(Evaluator):
    """Scores each copy as `Evaluator` scores a network.

    A batch has as many images, counted once for each copy, as one that a single network is scored on, but not fewer
    than `min_size` for each, which there is room for in training.
    """

    def __init__(
        self,
        model: GroupedNetwork,
        data: Labelled,
        pixels: Pixels,
        forward: Forward | None = None,
        views: ImageViews | None = None,
        *,
        min_size: int = 1,
    ) -> None:
        size = max(min_size, whole_batch(data.images.device) // model.copies)
        super().__init__(model, data, pixels, forward, views, copies=model.copies, size=size)

    def inputs(self, images: Tensor) -> Tensor:
        """Each image once for each copy: (B * copies, 1, S, S)."""
        each = super().inputs(images).expand(-1, self._copies, -1, -1)
        return each.reshape(len(images) * self._copies, 1, *images.shape[1:])

    def _summed_losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        losses = F.cross_entropy(logits, labels.repeat_interleave(self._copies), reduction="none")
        return losses.view(-1, self._copies).sum(0)
