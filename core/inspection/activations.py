"""The layers of a trained network: their statistics, dead ReLUs, first filters and feature maps."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.errors import ShouldStop, Stopped
from core.models.parts import Looped, Residual, Tied
from core.training.evaluate import BATCH, Pixels, logits_of

SILENT = (
    nn.Flatten,
    nn.Identity,
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.AlphaDropout,
    nn.FeatureAlphaDropout,
)
"""Modules that change nothing when a network is evaluated."""


@dataclass(frozen=True, slots=True)
class LayerStatistics:
    """One layer over all images that were looked at.

    `mean`, `deviation` and `zeros` (the share that is exactly 0) are those of its outputs, whose shape for one image is
    `shape`. `dead` names the channels of a ReLU that were 0 everywhere in every image. `gradient` is the root mean
    square of the gradient of one image's cross entropy with respect to its outputs; `weight_gradient` the norm of the
    gradient of the mean cross entropy with respect to its parameters and `weight` the norm of these, both None
    where there are none.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    mean: float
    deviation: float
    zeros: float
    dead: tuple[int, ...]
    gradient: float
    weight: float | None
    weight_gradient: float | None


@dataclass(frozen=True, slots=True)
class FeatureMaps:
    """The output of a layer for one image: `maps` (C, H, W) float32."""

    name: str
    kind: str
    maps: Tensor


def layer_statistics(
    module: nn.Module, images: Tensor, labels: Tensor, pixels: Pixels, should_stop: ShouldStop
) -> list[LayerStatistics]:
    """Every layer, in the order in which they are used, on uint8 images (N, S, S) and labels (N,).

    The module is to be in evaluation mode, so that batch norm and dropout are as in scoring; it is not changed.

    Raises:
        Stopped: between two batches, when asked to.
    """
    sums: dict[tuple[str, int], _Sums] = {}
    start = 0
    parameters = [p for p in module.parameters() if p.requires_grad]
    gradients = [torch.zeros_like(p) for p in parameters]

    def take(name: str, layer: nn.Module, use: int, output: Tensor) -> None:
        entry = sums.setdefault((name, use), _Sums(name if use == 0 else f"{name} (use {use + 1})", layer))
        twice = len(images) - start == 1  # as `logits_of` gives an image that is left alone
        entry.add(output.detach()[: len(output) // 2] if twice else output.detach())
        if output.requires_grad:
            # Registered before a ReLU in place changes the tensor, so the gradient is that of this layer's outputs.
            output.register_hook(entry.add_gradient)  # type: ignore[no-untyped-call]  # torch's, which has no types

    for start in range(0, len(images), BATCH):
        Stopped.check(should_stop)
        batch = slice(start, start + BATCH)
        with _watching(module, take), torch.enable_grad():
            loss = F.cross_entropy(logits_of(module, pixels, images[batch]), labels[batch], reduction="sum")
            if parameters:
                found = torch.autograd.grad(loss, parameters, allow_unused=True)
                for total, part in zip(gradients, found, strict=True):
                    if part is not None:
                        total.add_(part, alpha=1 / len(images))
    by_parameter = {id(p): gradient for p, gradient in zip(parameters, gradients, strict=True)}
    return [entry.statistics(by_parameter) for entry in sums.values()]


def feature_maps(module: nn.Module, image: Tensor, pixels: Pixels) -> list[FeatureMaps]:
    """The output of each layer, in the order in which they are used, for one image (S, S) uint8."""
    found: list[FeatureMaps] = []

    def take(name: str, layer: nn.Module, use: int, output: Tensor) -> None:
        maps = output[0].detach().to(torch.float32, copy=True)  # a ReLU in place would change it
        while maps.dim() < 3:
            maps = maps.unsqueeze(-1)
        name = name if use == 0 else f"{name} (use {use + 1})"
        found.append(FeatureMaps(name, type(layer).__name__, maps.contiguous()))

    with _watching(module, take), torch.no_grad():
        logits_of(module, pixels, image[None])
    return found


def first_filters(module: nn.Module, size: int = 28) -> tuple[str, Tensor] | None:
    """The name of the first layer with weights that look at pixels, and these weights as pictures (F, H, W) float32.

    A convolution's are its kernels, those of a linear layer of all `size` x `size` pixels one picture for each unit.
    None for other networks.
    """
    for name, layer in named_layers(module):
        if isinstance(layer, nn.Conv2d) and layer.in_channels == 1:
            return name, layer.weight.detach()[:, 0].to(torch.float32)
        if isinstance(layer, nn.Linear) and layer.in_features == size * size:
            return name, layer.weight.detach().view(-1, size, size).to(torch.float32)
        if next(layer.parameters(recurse=False), None) is not None:
            return None
    return None


def named_layers(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The innermost modules and the sums of branches, by name. Those of a spec go by their row in its layer table, and
    where they have none by the row before."""
    row = ""
    for name, layer in _used_layers(module, "", set()):
        kind = type(layer).__name__
        if row and re.fullmatch(rf"{kind}_\d+", name):
            yield f"{kind} of {row}", layer
        else:
            row = name or kind
            yield row, layer


def _used_layers(module: nn.Module, name: str, seen: set[nn.Module]) -> Iterator[tuple[str, nn.Module]]:
    """The same with the names that the modules have, within the parts of a spec without those of the part."""
    if module in seen:
        return
    seen.add(module)
    if isinstance(module, Residual | Tied | Looped):
        for row in (module,) if isinstance(module, Tied) else module:
            for inner, child in row.named_children():
                yield from _used_layers(child, inner, seen)
    else:
        for inner, child in module.named_children():
            yield from _used_layers(child, f"{name}.{inner}" if name else inner, seen)
    if isinstance(module, Residual) or next(module.children(), None) is None:
        yield name, module


Take = Callable[[str, nn.Module, int, Tensor], None]
"""Given a layer's name, the layer, how often it was used before in this pass, and its output, the batch first."""


@contextmanager
def _watching(module: nn.Module, take: Take) -> Iterator[None]:
    """Within the block `take` is called with each output of a layer that is a tensor of numbers."""
    uses: dict[str, int] = {}

    def hook_of(name: str) -> Callable[[nn.Module, object, object], None]:
        def hook(layer: nn.Module, _inputs: object, output: object) -> None:
            if isinstance(output, Tensor) and output.is_floating_point() and 2 <= output.dim() <= 4:
                take(name, layer, uses.get(name, 0), output)
                uses[name] = uses.get(name, 0) + 1

        return hook

    handles = [
        layer.register_forward_hook(hook_of(name))
        for name, layer in named_layers(module)
        if not isinstance(layer, SILENT)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@dataclass(slots=True)
class _Sums:
    """One layer's outputs and gradients so far, summed up."""

    name: str
    layer: nn.Module
    shape: tuple[int, ...] = ()
    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    zeros: int = 0
    gradient_squares: float = 0.0
    alive: Tensor | None = None
    parameters: list[Tensor] = field(init=False)

    def __post_init__(self) -> None:
        self.parameters = [p for p in self.layer.parameters(recurse=False) if p.requires_grad]

    def add(self, output: Tensor) -> None:
        self.shape = tuple(output.shape[1:])
        self.count += output.numel()
        self.total += float(output.sum())
        self.squares += float(output.square().sum())
        self.zeros += output.numel() - int(output.count_nonzero())
        if isinstance(self.layer, nn.ReLU):
            alive = (output != 0).transpose(0, 1).flatten(1).any(1)
            self.alive = alive if self.alive is None else self.alive | alive

    def add_gradient(self, gradient: Tensor) -> None:
        self.gradient_squares += float(gradient.square().sum())

    def statistics(self, gradients: dict[int, Tensor]) -> LayerStatistics:
        mean = self.total / self.count
        own = [gradients[id(p)] for p in self.parameters]
        dead = () if self.alive is None else tuple((~self.alive).nonzero()[:, 0].tolist())
        return LayerStatistics(
            name=self.name,
            kind=type(self.layer).__name__,
            shape=self.shape,
            mean=mean,
            deviation=sqrt(max(self.squares / self.count - mean * mean, 0.0)),
            zeros=self.zeros / self.count,
            dead=dead,
            gradient=sqrt(self.gradient_squares / self.count),
            weight=_norm(self.parameters) if own else None,
            weight_gradient=_norm(own) if own else None,
        )


def _norm(tensors: list[Tensor]) -> float:
    return sqrt(sum(float(tensor.detach().square().sum()) for tensor in tensors))
