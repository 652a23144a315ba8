"""The layers of a network as rows of a table, those of its parts in branches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

Shape = tuple[int, int, int]

Option = int | float | bool | tuple[int, ...]
"""A value that a module's constructor takes."""

UNLISTED_KINDS = frozenset({"ReLU", "Flatten", "Tied", "Looped"})
"""Layers that a torchsummary table leaves out. What is tied or looped has a row each time that it is used."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One module: `kind` is its class name, in `torch.nn` or `core.models.parts`, `options` its constructor's keyword
    arguments.

    `output_shape` is (channels, height, width), (units, 1, 1) after flattening. `macs` are multiply-adds for one image,
    counted for convolutions and linear layers, biases left out. `receptive_field` is the side, in pixels of the input,
    of the smallest square that holds what one output sees, padding counted as pixels and norms left out; None where it
    is not known (a user's own module).

    `branches` are the layers inside: for a Residual those of each branch, for a Tied or a Looped those of each use, the
    second and later ones without parameters of their own. `params` and `macs` do not count them.

    `path` is the name of a user's own layer within its module; one that is never called has an output of (0, 0, 0).
    """

    kind: str
    output_shape: Shape
    receptive_field: int | None
    params: int = 0
    macs: int = 0
    options: Mapping[str, Option] = field(default_factory=dict)
    label: str = ""
    branches: tuple[tuple[Layer, ...], ...] = ()
    path: str = ""

    @property
    def times(self) -> int:
        """How often a Tied uses its layers; 1 for any other layer."""
        return len(self.branches) if self.kind == "Tied" else 1


def all_layers(layers: Iterable[Layer]) -> Iterator[Layer]:
    """Every layer in the order in which they are used, those inside a layer before it."""
    for layer in layers:
        for branch in layer.branches:
            yield from all_layers(branch)
        yield layer


def label_rows(layers: Iterable[Layer]) -> tuple[Layer, ...]:
    """Number the listed layers as a torchsummary table does: ``Conv2d-1``, ``BatchNorm2d-2``."""
    number = 0

    def labelled(row: Iterable[Layer]) -> tuple[Layer, ...]:
        nonlocal number
        found: list[Layer] = []
        for layer in row:
            branches = tuple(labelled(branch) for branch in layer.branches)
            number += layer.kind not in UNLISTED_KINDS
            label = "" if layer.kind in UNLISTED_KINDS else f"{layer.kind}-{number}"
            columns = (layer.params, layer.macs, layer.options)
            shown = (layer.kind, layer.output_shape, layer.receptive_field)
            found.append(Layer(*shown, *columns, label, branches, layer.path))
        return tuple(found)

    return labelled(layers)
