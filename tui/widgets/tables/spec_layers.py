"""The layers of a network as it is typed, and of a template as far as they can be anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from core.models.layer import Layer
from core.models.summary import Summary
from tui.widgets.tables.table import Cell, Column, Table

COLUMNS = (
    Column("Layer", 0, min_width=14),
    Column("Output", 11, right=True),
    Column("Params", 7, right=True),
    Column("MACs", 11, right=True, rank=2),
    Column("Field", 5, right=True, rank=1),
)
TEMPLATE_COLUMNS = (
    Column("Layer", 0, min_width=12),
    Column("Output", 11, right=True),
    Column("Params", 12, right=True),
    Column("Field", 7, right=True, rank=1),
)


class SpecLayers(Table):
    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(COLUMNS, cursor=False, id=id)

    def show_layers(self, rows: Sequence[Layer]) -> None:
        self.set_columns(COLUMNS)
        self.show(len(rows), lambda row: _cells(rows[row]))

    def show_template(self, least: Summary, most: Summary) -> None:
        """The layers of a template's largest network, each with what it is in the smallest, too."""
        pairs = aligned(least.rows, most.rows)
        self.set_columns(TEMPLATE_COLUMNS)
        self.show(len(pairs), lambda row: _range_cells(pairs[row]))


@dataclass(frozen=True, slots=True)
class LayerRange:
    """A layer of the largest network, and the one that it is in the smallest; None where that has none."""

    most: Layer
    least: Layer | None


def aligned(least: Sequence[Layer], most: Sequence[Layer]) -> list[LayerRange]:
    """The layers of the one beside those of the other that are of the same kinds, in order."""
    found: dict[int, Layer] = {}
    kinds = [layer.kind for layer in least], [layer.kind for layer in most]
    for one, other, count in SequenceMatcher(None, *kinds, autojunk=False).get_matching_blocks():
        found |= {other + step: least[one + step] for step in range(count)}
    return [LayerRange(layer, found.get(place)) for place, layer in enumerate(most)]


def _cells(layer: Layer) -> tuple[Cell, ...]:
    field = "-" if layer.receptive_field is None else str(layer.receptive_field)
    params: Cell = f"{layer.params:,}" if layer.params else ("0", "muted")
    macs: Cell = f"{layer.macs:,}" if layer.macs else ("0", "muted")
    output: Cell = _sides(layer) if any(layer.output_shape) else ("not called", "muted")
    return (layer.label, output, params, macs, field)


def _range_cells(layer: LayerRange) -> tuple[Cell, ...]:
    least, most = layer.least, layer.most
    if least is None:
        params: Cell = f"0-{most.params:,}" if most.params else ("0", "muted")
        return ((f"{most.label}?", "muted"), _sides(most), params, _between(most.receptive_field, most.receptive_field))
    pairs = zip(least.output_shape, most.output_shape, strict=False)
    output = "x".join(_between(one, other) for one, other in pairs)
    params = _between(least.params, most.params) if most.params or least.params else ("0", "muted")
    return (most.label, output, params, _between(least.receptive_field, most.receptive_field))


def _between(one: int | None, other: int | None) -> str:
    if one is None or other is None:
        return "-"
    low, high = sorted((one, other))
    return f"{low:,}" if low == high else f"{low:,}-{high:,}"


def _sides(layer: Layer) -> str:
    return "x".join(map(str, layer.output_shape))
