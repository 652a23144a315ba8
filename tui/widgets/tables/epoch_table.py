"""The epochs of a run, the latest at the bottom, the best with a star, scores in the reference's words."""

from __future__ import annotations

from core.history import reaches
from experiments.runs.view import RunView
from tui.text.output import loss_in_digits, percent
from tui.widgets.tables.table import Cell, Column, Table

COLUMNS = (
    Column("", 1),
    Column("Epoch", 5, right=True),
    Column("Train loss", 10, right=True, rank=2),
    Column("Train", 7, right=True, rank=1),
    Column("Loss", 10, right=True, rank=3),
    Column("Score", 0, min_width=29),
    Column("lr", 9, right=True, rank=5),
    Column("Seconds", 7, right=True, rank=4),
)


class EpochTable(Table):
    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(COLUMNS, cursor=False, follow=True, id=id)

    def show_view(self, view: RunView) -> None:
        self.show(len(view.epochs), lambda index: epoch_cells(view, index))

    def mark(self, row: int | None) -> None:
        """Make a row current, which arrows and enter then work on; with None, none is."""
        if self._has_cursor != (row is not None):
            self._has_cursor = row is not None
            self.refresh()
        if row is not None:
            self.move_to(row)


def epoch_cells(view: RunView, index: int) -> tuple[Cell, ...]:
    epoch = view.epochs[index]
    held_out = epoch.test_accuracy is None
    accuracy = epoch.val_accuracy if held_out else epoch.test_accuracy
    loss = epoch.val_loss if held_out else epoch.test_loss
    if held_out:
        total = view.started.val_images if view.started else 0
        score = f"Held out: {round((accuracy or 0) * total)}/{total} ({percent(accuracy)})"
    else:
        score = f"Accuracy: {epoch.test_correct}/{epoch.test_total} ({percent(accuracy)})"
    target = view.config.get("target")
    hit = isinstance(target, int | float) and accuracy is not None and reaches(accuracy, target)
    return (
        ("*" if view.best_epoch == epoch.epoch else "", "good"),
        str(epoch.epoch),
        loss_in_digits(epoch.train_loss),
        percent(epoch.train_accuracy),
        loss_in_digits(loss),
        (score, "good") if hit else score,
        f"{epoch.lr:.4g}",
        f"{epoch.seconds:.1f}",
    )
