"""Builds the `torch.nn` module of a spec."""

from __future__ import annotations

import torch
from torch import nn

from core.models.conv import Conv2d
from core.models.norm import BatchNorm2d
from core.models.summary import Summary

FASTER: dict[str, type[nn.Module]] = {"Conv2d": Conv2d, "BatchNorm2d": BatchNorm2d}
"""Modules used in place of torch's of the same name."""


def build_model(summary: Summary) -> nn.Sequential:
    """Build the network of a summary: images of shape (N, 1, 28, 28) to logits of shape (N, 10).

    Draws the initial weights from torch's global random state. Modules are named by their row in the layer table.
    """
    model = nn.Sequential()
    for index, layer in enumerate(summary.layers):
        # In place saves a pass over the activations: the input of a ReLU here is always a convolution's or a linear
        # layer's output, which neither needs for its own gradient.
        options = {"inplace": True} if layer.kind == "ReLU" else layer.options
        name = layer.label or f"{layer.kind}_{index}"
        module: type[nn.Module] = FASTER.get(layer.kind) or getattr(nn, layer.kind)
        model.add_module(name, module(**options))
    return model


def count_parameters(model: nn.Module, *, trainable_only: bool = False) -> int:
    """Parameters of a module, shared ones counted once."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad or not trainable_only)


def check_output(model: nn.Module) -> str:
    """The reason why the module does not map images (2, 1, 28, 28) to logits (2, 10); empty when it does.

    Runs a forward pass in evaluation mode; the module's mode is restored.
    """
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            output = model(torch.zeros(2, 1, 28, 28))
    finally:
        model.train(was_training)
    if not isinstance(output, torch.Tensor):
        return f"forward returned {type(output).__name__}, not a tensor"
    if output.shape != (2, 10):
        return f"2 images gave an output of shape {tuple(output.shape)}, not (2, 10)"
    if not output.is_floating_point():
        return f"the output is {output.dtype}, not floating point"
    return ""
