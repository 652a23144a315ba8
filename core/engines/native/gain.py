"""Whether a network trains faster in the kernels than by torch; `docs/native-kernels.md` has what was measured."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from core.engines.native.rows import native_parts
from core.engines.native.segments import KNOWN, Segment, is_changed
from core.models.parts import Scale

CHEAP = (
    *(nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.Dropout, nn.Dropout2d, nn.ReLU, nn.LeakyReLU),
    *(nn.Flatten, nn.Identity, nn.Linear, Scale),
)
"""Layers that it makes little difference to leave to torch."""

LARGE = 1 << 18
"""Weights of one layer from which on torch, which sums their gradients over all images at once, is as fast."""


def kinds_left_to_torch(modules: Iterable[nn.Module]) -> list[str]:
    """The kinds of layers that there are no kernels for, each once, the cheap ones left out."""
    parts = [part for part in native_parts(modules) if isinstance(part, nn.Module)]
    return list(dict.fromkeys(_kind(part) for part in parts if type(part) not in CHEAP or is_changed(part)))


def kernels_gain_nothing(modules: Iterable[nn.Module]) -> str:
    """The reason why a row of layers is not faster in the kernels; empty when it is."""
    modules = list(modules)
    parts = list(native_parts(modules))
    segments = [part for part in parts if isinstance(part, Segment)]
    if not segments:
        return "is faster for convolutions, of which it runs none here"
    mains = [block.main for segment in segments for block in segment.blocks if block.main is not None]
    for weights in (layer.weight.numel() for layer in (*mains, *parts) if isinstance(layer, nn.Conv2d)):
        if weights > LARGE:
            return f"is made for narrow layers, and one here has {weights:,} weights"
    convolutions = sum(isinstance(main, nn.Conv2d) for main in mains)
    left = [part for part in parts if not isinstance(part, (Segment, nn.Conv2d, *CHEAP))]
    if 2 * len(left) > convolutions:
        kinds = ", ".join(dict.fromkeys(map(_kind, left)))
        return f"has no kernels for {kinds}, and handing maps over to torch takes what convolutions gain"
    return ""


def _kind(layer: nn.Module) -> str:
    if is_changed(layer):
        return f"{type(layer).__name__} with hooks or a forward of its own"
    if not isinstance(layer, nn.Conv2d) or type(layer) not in KNOWN:
        return type(layer).__name__
    return "Conv2d in groups" if layer.groups > 1 else f"Conv2d of {layer.weight.numel():,} weights"
