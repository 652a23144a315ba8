"""Whether a network trains faster in the kernels than by torch, as `docs/native-kernels.md` has it measured."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from core.engines.native.rows import native_parts
from core.engines.native.segments import Segment

CHEAP = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.Dropout, nn.Dropout2d, nn.ReLU, nn.LeakyReLU, nn.Flatten)
"""Layers, beside linear ones, that it makes little difference to leave to torch."""

LARGE = 1 << 18
"""Weights of one layer from which on torch, which sums their gradients over all images at once, is as fast."""


def kinds_left_to_torch(modules: Iterable[nn.Module]) -> list[str]:
    """The kinds of layers that there are no kernels for, each once, the cheap ones left out."""
    parts = [part for part in native_parts(modules) if isinstance(part, nn.Module)]
    costly = [part for part in parts if not isinstance(part, (*CHEAP, nn.Identity, nn.Linear))]
    return list(dict.fromkeys(type(part).__name__ for part in costly))


def kernels_gain_nothing(modules: Iterable[nn.Module]) -> str:
    """The reason why a row of layers is not faster in the kernels; empty when it is."""
    modules = list(modules)
    segments = [part for part in native_parts(modules) if isinstance(part, Segment)]
    if not segments:
        return "is faster for convolutions, of which it runs none here"
    if kinds := kinds_left_to_torch(modules):
        return f"has no kernels for {', '.join(kinds)}, and handing maps over to torch takes what the others gain"
    for main in (block.main for segment in segments for block in segment.blocks):
        if main is not None and (weights := main.weight.numel()) > LARGE:
            return f"is made for narrow layers, and one here has {weights:,} weights"
    return ""
