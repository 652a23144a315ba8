"""Builds the `torch.nn` module of a spec."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import nn

from core.models.conv import Conv2d
from core.models.layer import Layer
from core.models.norm import BatchNorm2d
from core.models.parts import Looped, Residual, Scale, Tied
from core.models.summary import Summary
from core.task import MNIST_TASK, ImageTask

OURS: dict[str, type[nn.Module]] = {"Conv2d": Conv2d, "BatchNorm2d": BatchNorm2d, "Scale": Scale}
"""Modules used in place of torch's of the same name, and those that it has not."""


def build_model(summary: Summary) -> nn.Sequential:
    """Build the network of a summary: images of shape (N, 1, S, S) to logits of shape (N, classes).

    Draws the initial weights from torch's global random state. Modules are named by their row in the layer table.
    """
    return row_of(summary.layers, nn.Sequential(), _module)


def row_of(layers: Iterable[Layer], row: nn.Sequential, make: Callable[[Layer], nn.Module]) -> nn.Sequential:
    """Append the modules of layers to a row, each made by `make` or of the modules that it makes, under its name."""
    for index, layer in enumerate(layers):
        match layer.kind:
            case "Residual":
                module: nn.Module = Residual(row_of(branch, nn.Sequential(), make) for branch in layer.branches)
            case "Tied":
                module = row_of(layer.branches[0], Tied(layer.times), make)
            case "Looped":
                rows = [row_of(layer.branches[0], nn.Sequential(), make)]
                with torch.random.fork_rng(devices=[]):  # the others get the weights of the first
                    rows += [row_of(branch, nn.Sequential(), make) for branch in layer.branches[1:]]
                module = Looped(rows)
            case _:
                module = make(layer)
        row.add_module(module_name(layer, index), module)
    return row


def module_name(layer: Layer, index: int) -> str:
    """The name, in its row, of the module of a layer that is number `index` there: its label where it has one."""
    return layer.label or f"{layer.kind}_{index}"


def _module(layer: Layer) -> nn.Module:
    module: type[nn.Module] = OURS.get(layer.kind) or getattr(nn, layer.kind)
    return module(**layer.options)


def count_parameters(model: nn.Module, *, trainable_only: bool = False) -> int:
    """Parameters of a module, shared ones counted once."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad or not trainable_only)


def check_output(model: nn.Module, task: ImageTask = MNIST_TASK) -> str:
    """The reason why the module does not map images (2, 1, S, S) to logits (2, classes); empty when it does.

    Runs a forward pass in evaluation mode; the module's mode is restored.
    """
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            output = model(torch.zeros(2, 1, task.size, task.size))
    finally:
        model.train(was_training)
    if not isinstance(output, torch.Tensor):
        return f"forward returned {type(output).__name__}, not a tensor"
    if output.shape != (wanted := (2, task.classes)):
        return f"2 images gave an output of shape {tuple(output.shape)}, not {wanted}"
    if not output.is_floating_point():
        return f"the output is {output.dtype}, not floating point"
    return ""
