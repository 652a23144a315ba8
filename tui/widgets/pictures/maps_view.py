"""Feature maps of one digit: the layers in a table, the current one's channels as pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from tui.drawing.picture import palette_of, spread
from tui.live.digits import Confusions
from tui.text.keys import with_keys
from tui.text.output import percent
from tui.widgets.pictures.cell_panel import CellPanel
from tui.widgets.pictures.picture_grid import LabelledPicture, PictureGrid
from tui.widgets.tables.table import Column, Table

if TYPE_CHECKING:
    from core.inspection.activations import FeatureMaps

COLUMNS = (Column("Layer", 0, min_width=18), Column("Output", 8, right=True, rank=1))


class MapsView(Horizontal):
    DEFAULT_CSS = """
    MapsView > #map-side { width: 34; height: 1fr; }
    MapsView #map-digit { height: 5; }
    MapsView #map-layers { border: round $foreground 25%; height: 1fr; }
    MapsView #map-layers:focus { border: round $primary; }
    MapsView > #map-pictures { width: 1fr; height: 1fr; }
    """

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._shown: Confusions | None = None
        self._layers: list[FeatureMaps] = []
        self.index: int | None = None
        """The place of the digit among the test images."""

    def compose(self) -> ComposeResult:
        with Vertical(id="map-side"):
            yield CellPanel(id="map-digit")
            yield Table(COLUMNS, id="map-layers")
        yield PictureGrid(id="map-pictures")

    def use(self, shown: Confusions) -> None:
        """Look into another network, at the same digit."""
        self._shown = shown
        if self.index is not None:
            self.show_digit(min(self.index, len(shown.scored.labels) - 1))

    def show_digit(self, index: int) -> None:
        from core.inspection.activations import feature_maps

        if self._shown is None:
            return
        self.index = index
        scored = self._shown.scored
        self._layers = feature_maps(scored.network.module, scored.images[index], scored.network.pixels)
        digit = self._shown.digit(index)
        opinion = digit.opinions[0]
        words = (
            f"no. {index}: true {digit.names[digit.truth]}",
            f"says {digit.names[opinion.prediction]}, {percent(float(opinion.probabilities[opinion.prediction]))} sure",
            with_keys("{previous} and {next} for another image"),
        )
        self.query_one(CellPanel).show(words, digit)
        self.query_one(Table).show(len(self._layers), self._cells)
        self._show_layer()

    def _cells(self, row: int) -> tuple[str, str]:
        layer = self._layers[row]
        channels, height, width = layer.maps.shape
        return layer.name, f"{channels}x{height}x{width}" if (height, width) != (1, 1) else str(channels)

    @on(Table.Moved)
    def _show_layer(self) -> None:
        grid, row = self.query_one(PictureGrid), self.query_one(Table).cursor_row
        if row >= len(self._layers):
            return
        layer = self._layers[row]
        channels, height, width = layer.maps.shape
        low, high = float(layer.maps.min()), float(layer.maps.max())
        grid.border_title = f"{layer.name}: {channels} of {height} x {width}"
        signed = low < 0
        below, above = palette_of(self.app).ends if signed else ("empty", "full")
        grid.border_subtitle = f"from {low:.3g} ({below}) to {high:.3g} ({above})"
        values = spread(layer.maps.numpy(), signed=signed)
        silent = [layer.kind == "ReLU" and not bool(maps.any()) for maps in layer.maps]
        single = (height, width) == (1, 1)
        labels = [f"{n}: {float(maps):.2f}" if single else f"{n}" for n, maps in enumerate(layer.maps)]
        grid.show(
            [
                LabelledPicture(f"{label} silent" if quiet else label, picture, quiet)
                for label, picture, quiet in zip(labels, values, silent, strict=True)
            ],
            signed=signed,
        )
