"""The charts of Training: how they are looked at, and the epoch under their cursor."""

from __future__ import annotations

from abc import abstractmethod

from textual import on

from experiments.inference.kept import kept_weights
from tui.drawing.series import SMOOTHING
from tui.live.follow import Follower
from tui.screens.base import WorkScreen
from tui.screens.opening import open_inspect
from tui.text.progress import epoch_readout
from tui.widgets.charts.curves import ACCURACIES, CHARTS, ZOOMS, Curves
from tui.widgets.charts.diagram import Diagram
from tui.widgets.lines.line import Line
from tui.widgets.tables.epoch_table import EpochTable
from tui.widgets.tables.table import Table


class TrainingBase(WorkScreen):
    @property
    def _follower(self) -> Follower | None:
        return self.lab.run_watch.shown

    @abstractmethod
    def repaint(self) -> None:
        """Update every widget to what has been read of the run."""

    def action_log_scale(self) -> None:
        self._change(log=not self.query_one(Curves).look.log)

    def action_accuracies(self) -> None:
        curves = self.query_one(Curves)
        turns = [turn for turn in ACCURACIES if not (turn == "all" and curves.together)]  # of seeds no others are shown
        at = turns.index(curves.look.accuracy) if curves.look.accuracy in turns else 0
        self._change(accuracy=turns[(at + 1) % len(turns)])

    def action_smooth(self) -> None:
        self._change(smoothing=(self.query_one(Curves).look.smoothing + 1) % len(SMOOTHING))

    def action_zoom(self) -> None:
        self._change(zoom=(self.query_one(Curves).look.zoom + 1) % len(ZOOMS))

    def action_by_step(self) -> None:
        self._change(steps_first=not self.query_one(Curves).look.steps_first)

    def action_together(self) -> None:
        """All seeds of the group in the charts, or the shown run alone."""
        self._change(together=not self.query_one(Curves).look.together)

    def action_maximize_chart(self) -> None:
        """Each chart in turn fills the screen, then all are back."""
        turns = ("", *CHARTS)
        self._show_alone(turns[(turns.index(self.query_one(Curves).look.alone) + 1) % len(turns)])

    def action_restore(self) -> None:
        """Put the cursor away, then bring all charts back."""
        if self.query_one(Curves).epoch is not None:
            self._point(None)
        else:
            self._show_alone("")

    def _show_alone(self, name: str) -> None:
        self.set_class(bool(name), "-alone")
        self._change(alone=name)

    def _change(self, **changes: object) -> None:
        self.query_one(Curves).change(**changes)
        self.call_after_refresh(self.repaint)

    # --- The epoch under the cursor

    def action_point(self, by: int) -> None:
        self.query_one(Curves).step(by)

    @on(Diagram.Pointed)
    def _pointed(self, event: Diagram.Pointed) -> None:
        self._point(None if event.x is None else self.query_one(Curves).epoch_at(event.diagram, event.x))

    @on(Table.Moved, "#epochs")
    def _moved(self, event: Table.Moved) -> None:
        if self._follower is not None and event.row < len(self._follower.view.epochs):
            self._point(self._follower.view.epochs[event.row].epoch)

    def _point(self, epoch: int | None) -> None:
        self.query_one(Curves).point(epoch)
        if self._follower is not None:
            self._show_readout(self._follower)

    def _show_readout(self, follower: Follower) -> None:
        """The numbers of the epoch under the cursor, which is marked in the table too."""
        epoch, epochs = self.query_one(Curves).epoch, follower.view.epochs
        row = next((row for row, one in enumerate(epochs) if one.epoch == epoch), None)
        if epoch is not None and row is None and not self.query_one(Curves).together:  # another seed may have it
            self.query_one(Curves).point(None)
        self.query_one(EpochTable).mark(row)
        self.query_one("#readout").set_class(row is not None, "-shown")
        if row is not None:
            kept = kept_weights(follower.run, follower.view).get(epochs[row].epoch, "")
            self.query_one("#readout", Line).show(epoch_readout(epochs[row], kept))

    @on(Diagram.Chosen)
    @on(Table.Chosen, "#epochs")
    async def _inspect_epoch(self) -> None:
        """The network as it was after the epoch under the cursor."""
        follower, epoch = self._follower, self.query_one(Curves).epoch
        if follower is None or epoch is None or follower.deleted:
            return
        kept = kept_weights(follower.run, follower.view)
        if epoch in kept:
            await open_inspect(self.app, follower.run, kept[epoch])
            return
        others = ", ".join(f"{number} ({source})" for number, source in sorted(kept.items()))
        words = f"the weights of epoch {epoch} are not kept" + (f"; kept are those of epoch {others}" if kept else "")
        self.notify(words, title="Not inspected", severity="warning", markup=False)
