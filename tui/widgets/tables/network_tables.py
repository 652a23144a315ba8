"""Tables about a network: each class's precision and recall, each layer's activations and gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.cells import cell_len

from tui.drawing.bars import short_names
from tui.text.output import percent
from tui.widgets.tables.table import Cell, Column, Table

if TYPE_CHECKING:
    from core.inspection.activations import LayerStatistics
    from core.inspection.confusion import ClassScore

LONGEST_NAME = 12

CLASS_COLUMNS = (
    Column("Class", 5, right=True),
    Column("Images", 6, right=True),
    Column("Right", 6, right=True, rank=2),
    Column("Precision", 9, right=True),
    Column("Recall", 8, right=True),
    Column("F1", 8, right=True, rank=1),
    Column("Most often taken for", 0, min_width=20),
)
LAYER_COLUMNS = (
    Column("Layer", 0, min_width=21),
    Column("Output", 10, rank=3),
    Column("Mean", 8, right=True, rank=4),
    Column("Deviation", 9, right=True, rank=5),
    Column("Zeros", 7, right=True, rank=1),
    Column("Dead", 8, right=True),
    Column("Gradient", 9, right=True, rank=2),
    Column("|weights|", 9, right=True, rank=7),
    Column("|w grad|", 9, right=True, rank=6),
)


class ClassTable(Table):
    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(CLASS_COLUMNS, id=id)

    def show_scores(self, scores: Sequence[ClassScore], counts: Sequence[Sequence[int]], names: Sequence[str]) -> None:
        first, *others = CLASS_COLUMNS
        width = min(max(first.width, *map(cell_len, names)), LONGEST_NAME)
        self._columns = (replace(first, width=width), *others)
        self.show(len(scores), lambda row: class_cells(row, scores[row], counts[row], names))


class LayerTable(Table):
    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(LAYER_COLUMNS, id=id)

    def show_layers(self, layers: Sequence[LayerStatistics]) -> None:
        self.show(len(layers), lambda row: layer_cells(layers[row]))


def class_cells(digit: int, score: ClassScore, counts: Sequence[int], names: Sequence[str]) -> tuple[Cell, ...]:
    taken_for = "never wrong"
    if (other := score.taken_for) is not None:
        times = "once" if counts[other] == 1 else f"{counts[other]:,} times"
        taken_for = f"{short_names(tuple(names), 2 * LONGEST_NAME)[other]} ({times})"
    return (
        short_names(tuple(names), LONGEST_NAME)[digit],
        f"{score.images:,}",
        f"{counts[digit]:,}",
        percent(score.precision),
        percent(score.recall),
        percent(score.f1),
        taken_for,
    )


def layer_cells(layer: LayerStatistics) -> tuple[Cell, ...]:
    channels = layer.shape[0]
    dead: Cell = ""
    if layer.kind == "ReLU":
        dead = (f"{len(layer.dead)} of {channels}", "bad") if layer.dead else f"0 of {channels}"
    return (
        layer.name,
        " x ".join(map(str, layer.shape)).replace(" ", "") if len(layer.shape) > 1 else str(channels),
        f"{layer.mean:.3g}",
        f"{layer.deviation:.3g}",
        f"{100 * layer.zeros:.1f}%",
        dead,
        f"{layer.gradient:.2e}",
        "" if layer.weight is None else f"{layer.weight:.3g}",
        "" if layer.weight_gradient is None else f"{layer.weight_gradient:.2e}",
    )


def dead_words(layers: Sequence[LayerStatistics], images: int) -> str:
    """The names of dead ReLUs; or that none is dead."""
    named = [
        f"{layer.name}: channel{'s' * (len(layer.dead) > 1)} {', '.join(map(str, layer.dead))}"
        for layer in layers
        if layer.dead
    ]
    if named:
        return f"Dead ReLUs, 0 everywhere in all of {images:,} test images: {'; '.join(named)}."
    if any(layer.kind == "ReLU" for layer in layers):
        return f"No dead ReLU: every channel responds to some of {images:,} test images."
    return f"The network has no ReLU module. Over {images:,} test images."
