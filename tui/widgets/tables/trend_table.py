"""What moves in a run beside its scores: rate, gap, gradients and steps by layer, the load of the machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from core.events import EpochFinished
from experiments.runs.view import RunView
from tui.drawing.sparkline import sparkline
from tui.widgets.tables.table import Cell, Column, Table

COLUMNS = (Column("", 19), Column("Now", 8, right=True), Column("By epoch, lowest to highest", 0, min_width=6))
MEANINGS = (
    ("Learning rate", "of the last step of the epoch"),
    (
        "Loss gap",
        "the loss on images that are not trained on, less the training loss. Where it grows the network learns its "
        "images by heart. The training loss is a mean over the epoch, with augmentation and dropout: the gap may be "
        "below 0",
    ),
    ("Accuracy gap", "the training accuracy less that of the score, in points"),
    ("Gradient norm", "of all layers, in the last step of the epoch; falls as the run settles, leaps as it diverges"),
    (
        "grad LAYER",
        "the norm of the layer's gradient, as the optimizer took it: with an L1 penalty, and clipped. One near 0 "
        "beside the others learns nothing",
    ),
    (
        "step LAYER",
        "how far the step moved the layer, as a share of its weights. About 0.001 is usual; far more is a rate that is "
        "too high, far less one that is too low",
    ),
    ("Load", "of the GPU in percent, or of the CPU in percent of a core, second by second while it is shown"),
)
"""What each row is, for a help."""


@dataclass(frozen=True, slots=True)
class TrendRow:
    name: str
    now: str
    values: tuple[float | None, ...]


class TrendTable(Table):
    def __init__(self, *, ascii_only: bool, id: str) -> None:  # noqa: A002
        super().__init__(COLUMNS, cursor=False, id=id)
        self._ascii = ascii_only

    def show_view(self, view: RunView, loads: Sequence[float]) -> None:
        rows = rows_of(view, loads)
        width = max(self.size.width - sum(column.width + 2 for column in COLUMNS) - 2, 1)
        self.show(len(rows), lambda place: _cells(rows[place], width, ascii_only=self._ascii))


def _cells(row: TrendRow, width: int, *, ascii_only: bool) -> tuple[Cell, ...]:
    return row.name, row.now, (sparkline(row.values, width, ascii_only=ascii_only), "accent")


def rows_of(view: RunView, loads: Sequence[float] = ()) -> list[TrendRow]:
    """The rows of a run, those of layers last; without one for what its log does not say."""
    epochs = view.epochs
    rows = [_row("Learning rate", epochs, lambda epoch: epoch.lr, "{:.4g}")]
    rows.append(_row("Loss gap", epochs, _loss_gap, "{:+.4f}"))
    rows.append(_row("Accuracy gap", epochs, _accuracy_gap, "{:+.2f}"))
    rows.append(_row("Gradient norm", epochs, lambda epoch: _whole(epoch.gradient_norms), "{:.3g}"))
    if loads:
        rows.append(TrendRow("Load", f"{loads[-1]:.0f}%", tuple(loads)))
    layers = list(epochs[-1].gradient_norms) if epochs else []
    rows += [_row(f"grad {layer}", epochs, _of("gradient_norms", layer), "{:.3g}") for layer in layers]
    layers = list(epochs[-1].update_ratios) if epochs else []
    rows += [_row(f"step {layer}", epochs, _of("update_ratios", layer), "{:.2g}") for layer in layers]
    return [row for row in rows if any(value is not None for value in row.values)]


def _row(
    name: str, epochs: Sequence[EpochFinished], value: Callable[[EpochFinished], float | None], form: str
) -> TrendRow:
    values = tuple(value(epoch) for epoch in epochs)
    now = values[-1] if values else None
    return TrendRow(name, "-" if now is None else form.format(now), values)


def _of(field: str, layer: str) -> Callable[[EpochFinished], float | None]:
    return lambda epoch: getattr(epoch, field).get(layer)


def _whole(norms: Mapping[str, float]) -> float | None:
    return sum(norm * norm for norm in norms.values()) ** 0.5 if norms else None


def _loss_gap(epoch: EpochFinished) -> float | None:
    loss = epoch.test_loss if epoch.val_loss is None else epoch.val_loss
    return None if loss is None else loss - epoch.train_loss


def _accuracy_gap(epoch: EpochFinished) -> float | None:
    accuracy = epoch.test_accuracy if epoch.val_accuracy is None else epoch.val_accuracy
    return None if accuracy is None else 100 * (epoch.train_accuracy - accuracy)
