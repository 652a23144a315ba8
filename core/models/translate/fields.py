"""The receptive fields of a module's layers, which are those of the spec that equals it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from core.models.summary import Summary
from core.models.translate.structure import Row, pieces_in

_KINDS = {
    "conv": ("Conv2d",),
    "linear": ("Linear",),
    "bn": ("BatchNorm2d", "BatchNorm1d"),
    "gn": ("GroupNorm",),
    "ln": ("LayerNorm",),
    "in": ("InstanceNorm2d",),
    "max": ("MaxPool2d",),
    "mean": ("AvgPool2d",),
    "gap": ("AdaptiveAvgPool2d",),
    "drop": ("Dropout",),
    "dropc": ("Dropout2d",),
    "lrelu": ("LeakyReLU",),
    "elu": ("ELU",),
    "silu": ("SiLU",),
    "gelu": ("GELU",),
    "tanh": ("Tanh",),
    "sigmoid": ("Sigmoid",),
}
"""Kinds of pieces that have rows in a table, and torch's classes."""


def fields_of(summary: Summary, row: Row) -> dict[str, tuple[int | None, ...]]:
    """For each layer of a module, by its path in it, the receptive field after each of its uses.

    Args:
        summary: of the spec.
        row: what the spec was written from.
    """
    found: dict[str, tuple[int | None, ...]] = {}
    layers = [layer for layer in summary.all_layers if any(layer.kind in kinds for kinds in _KINDS.values())]
    at = 0
    for piece in pieces_in(row, each_use=True):
        # A piece without a layer amounts to nothing, as pooling of single pixels does.
        if at < len(layers) and layers[at].kind in _KINDS.get(piece.kind, ()):
            if path := piece.call.place.layer:
                found[path] = (*found.get(path, ()), layers[at].receptive_field)
            at += 1
    return found


def with_fields(summary: Summary, fields: Mapping[str, Sequence[int | None]], whole: int | None) -> Summary:
    """The table of a module with the receptive fields of its layers, as `fields_of` gives them, and of all of it."""
    left = {path: iter(of_uses) for path, of_uses in fields.items()}
    layers = tuple(
        replace(layer, receptive_field=next(left.get(layer.path, iter(())), None)) for layer in summary.layers
    )
    return replace(summary, layers=layers, receptive_field=whole)
