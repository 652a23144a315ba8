"""The presets in a list, with what was measured of each."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from experiments.presets.loader import load_preset, preset_names
from tui.text.keys import with_keys
from tui.text.wording import reported_in_words
from tui.widgets.keys import bind
from tui.widgets.lines.paragraph import Paragraph
from tui.widgets.tables.table import Cell, Column, Table

COLUMNS = (
    Column("Preset", 12),
    Column("Parameters", 10, right=True),
    Column("Epochs", 6, right=True, rank=1),
    Column("Test accuracy", 20, right=True),
)


class Presets(ModalScreen[str | None]):
    """Dismissed with the name of a preset, or with None."""

    BINDINGS: ClassVar[list[BindingType]] = [bind("back", "dismiss(None)", "Cancel")]

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog presets") as box:
            box.border_title = "Presets"
            box.border_subtitle = with_keys("{open} takes it, {back} cancels")
            yield Table(COLUMNS, id="presets")
            yield Paragraph(id="preset-words", min_height=4)

    def on_mount(self) -> None:
        self._names = preset_names()
        table = self.query_one("#presets", Table)
        table.show(len(self._names), self._cells)
        table.focus()
        self._describe()

    def _cells(self, row: int) -> tuple[Cell, ...]:
        preset = load_preset(self._names[row])
        total = preset.reported.get("total_params")
        reported = reported_in_words(preset.reported)
        return (preset.name, f"{total:,}" if isinstance(total, int) else "-", str(preset.config.epochs), reported)

    @on(Table.Moved)
    def _describe(self) -> None:
        preset = load_preset(self._names[self.query_one("#presets", Table).cursor_row])
        source = str(preset.reported.get("source", "not measured"))
        self.query_one("#preset-words", Paragraph).show(
            f"{preset.description}.\nMeasured: {source}.\n{preset.config.arch}"
        )

    @on(Table.Chosen)
    def _chosen(self, event: Table.Chosen) -> None:
        self.dismiss(self._names[event.row])
