"""Lazy layers, which learn their sizes from their first input."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from core.task import MNIST_TASK, ImageTask


def has_lazy_layers(model: nn.Module) -> bool:
    """Whether parameters or buffers of a module have no sizes yet."""
    tensors = (*model.parameters(), *model.buffers())
    return any(isinstance(tensor, UninitializedParameter | UninitializedBuffer) for tensor in tensors)


def make_lazy_layers(model: nn.Module, task: ImageTask = MNIST_TASK) -> None:
    """Give lazy layers their sizes and initial weights, drawn from torch's global random state, by a forward pass."""
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            model(torch.zeros(2, 1, task.size, task.size))
    finally:
        model.train(was_training)
