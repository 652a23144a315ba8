"""What a user should know about the outputs of a module that can be trained, but is not meant for the loss it has."""

from __future__ import annotations

from contextlib import suppress

import torch
from torch import Tensor, nn

from core.models.own.copying import copy_module
from core.task import MNIST_TASK, ImageTask

IMAGES = 8
CLOSE = 1e-3


def remarks_on(model: nn.Module, task: ImageTask = MNIST_TASK) -> tuple[str, ...]:
    """Sentences about a module's outputs; none where nothing is odd. Neither it nor torch's random state is changed."""
    copy = copy_module(model)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        images = 100 * torch.randn(IMAGES, 1, task.size, task.size)  # so far from each other that logits are, too
        for training in (True, False):
            output = None
            with suppress(Exception, SystemExit, KeyboardInterrupt):  # what fails is told by `core.training.trial`
                output = copy.train(training)(images)
            if isinstance(output, Tensor) and (odd := _odd(output.double())):
                what, so = odd
                return (f"{what}: {so}" if training else f"in evaluation mode {what}: the test loss is another one",)
    return ()


def _odd(output: Tensor) -> tuple[str, str] | None:
    """What is odd about outputs (B, C), and what comes of it."""
    lowest, highest = output.min(), output.max()
    if lowest >= 0 and _are_one(output.sum(1)):
        return "the network ends in a softmax, which the loss has in it", "it learns better without"
    if _are_one(output.exp().sum(0)) or (lowest >= 0 and _are_one(output.sum(0))):
        return "the network's softmax is over the images of a batch", "it needs dim=1, for the classes"
    if lowest >= 0 and 0 < highest <= 1:
        return "the network ends in a sigmoid or the like, while the loss takes logits", "it learns better without"
    return None


def _are_one(sums: Tensor) -> bool:
    return bool(((sums - 1).abs() < CLOSE).all())
