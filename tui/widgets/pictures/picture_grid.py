"""Pictures with a label each, as many side by side as fit: filters, and what a layer makes of a digit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.drawing.picture import Shades, palette_of, picture
from tui.text.plain import in_cells
from tui.widgets.keys import bind

LEAST = 8
"""Columns that a picture takes at least, so that its label fits."""


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """(H, W) values from 0 to 1, or from -1 to 1 in a grid of signed ones; a label that is `loud` stands out."""

    label: str
    values: Shades
    loud: bool = False


class PictureGrid(ScrollView, can_focus=True):
    """Scrolls by keys where there are more than fit. All pictures are of one size, magnified so as to fill the room."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"picture-grid--label", "picture-grid--loud"}
    DEFAULT_CSS = """
    PictureGrid { border: round $foreground 25%; border-title-color: $text-muted; border-subtitle-color: $text-muted;
        scrollbar-size-vertical: 1; overflow-x: hidden; }
    PictureGrid:focus { border: round $primary; }
    PictureGrid > .picture-grid--label { color: $text-muted; }
    PictureGrid > .picture-grid--loud { color: $text-error; text-style: bold; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("up", "scroll_by(-3)"),
        bind("down", "scroll_by(3)"),
        bind("page_up", "scroll_by(-15)"),
        bind("page_down", "scroll_by(15)"),
        bind("half_up", "scroll_by(-8)"),
        bind("half_down", "scroll_by(8)"),
        bind("first", "scroll_by(-1000000)"),
        bind("last", "scroll_by(1000000)"),
    ]

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._given: tuple[LabelledPicture, ...] = ()
        self._pictures: tuple[LabelledPicture, ...] = ()
        self._signed = False
        self._drawn: dict[int, list[list[Segment]]] = {}  # the lines of each row of pictures that was in view
        self._drawn_for: object = None

    def show(self, pictures: Sequence[LabelledPicture], *, signed: bool) -> None:
        self._given, self._signed = tuple(pictures), signed
        self._pictures = self._fitted(self._given)
        self._drawn_for = None
        self._set_virtual_size()
        self.refresh()

    def action_scroll_by(self, lines: int) -> None:
        self.scroll_to(y=self.scroll_offset.y + lines, animate=False)

    def on_resize(self, _event: events.Resize) -> None:
        self._pictures, self._drawn_for = self._fitted(self._given), None
        self._set_virtual_size()

    @property
    def zoom(self) -> int:
        """The largest zoom that leaves all in view, at most 8; where there is none, the smallest that is readable."""
        if not self._pictures:
            return 1
        height, width = self._pictures[0].values.shape
        for zoom in range(8, 1, -1):
            columns = self.size.width // (max(width * zoom, LEAST) + 2)
            if columns and -(-len(self._pictures) // columns) * _height(height, zoom) <= self.size.height:
                return zoom
        return 2 if width < 5 else 1

    def _fitted(self, pictures: Sequence[LabelledPicture]) -> tuple[LabelledPicture, ...]:
        """Large pictures of which not even two would stand side by side, each 2 x 2 values made their mean."""
        if not pictures or self.size.width >= 2 * (pictures[0].values.shape[1] + 2) or len(pictures) < 2:
            return tuple(pictures)
        height, width = (side // 2 * 2 for side in pictures[0].values.shape)
        if width < 16 or height < 2:
            return tuple(pictures)
        halves = [item.values[:height, :width].reshape(height // 2, 2, width // 2, 2).mean((1, 3)) for item in pictures]
        return tuple(LabelledPicture(item.label, half, item.loud) for item, half in zip(pictures, halves, strict=True))

    def _layout(self) -> tuple[int, int, int]:
        """Zoom, pictures side by side, lines of each with label and gap."""
        zoom = self.zoom
        height, width = self._pictures[0].values.shape if self._pictures else (1, 1)
        columns = max(1, self.size.width // (max(width * zoom, LEAST) + 2))
        return zoom, columns, _height(height, zoom)

    def _set_virtual_size(self) -> None:
        _, columns, height = self._layout()
        self.virtual_size = Size(self.size.width, -(-len(self._pictures) // columns) * height)

    def render_line(self, y: int) -> Strip:
        width, base = self.size.width, self.rich_style
        key = (self.size, self.app.theme)
        if key != self._drawn_for:
            self._drawn_for, self._drawn = key, {}
        zoom, columns, height = self._layout()
        row, line = divmod(y + self.scroll_offset.y, height)
        pictures = self._pictures[row * columns : (row + 1) * columns]
        if not pictures:
            return Strip.blank(width, base)
        if row not in self._drawn:
            self._drawn[row] = self._lines_of(pictures, zoom, height)
        return Strip(self._drawn[row][line]).apply_style(base).adjust_cell_length(width, base)

    def _lines_of(self, row: Sequence[LabelledPicture], zoom: int, height: int) -> list[list[Segment]]:
        """The lines of pictures side by side."""
        palette = palette_of(self.app)
        quiet, loud = (self.get_component_rich_style(f"picture-grid--{name}") for name in ("label", "loud"))
        room = max(row[0].values.shape[1] * zoom, LEAST) + 2
        block: list[list[Segment]] = [[] for _ in range(height)]
        for item in row:
            lines = picture(item.values, palette, zoom=zoom, signed=self._signed)
            block[0].append(Segment(in_cells(item.label, room - 1) + " ", loud if item.loud else quiet))
            for y in range(1, height):
                line = lines[y - 1] if y <= len(lines) else []
                length = sum(segment.cell_length for segment in line)
                block[y] += [*line, Segment(" " * (room - length), Style())]
        return block


def _height(side: int, zoom: int) -> int:
    return (side * zoom + 1) // 2 + 2
