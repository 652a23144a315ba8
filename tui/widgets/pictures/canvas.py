"""A canvas for a digit, drawn with the mouse or with the keys of a pen, and the image that becomes of it."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from rich.segment import Segment
from textual import events
from textual.binding import BindingType
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from tui.drawing.picture import Shades, digit_values, fitted, palette_of, picture
from tui.text.keys import with_keys
from tui.widgets.keys import bind

SIDE = 28
CORE, RIM = 0.6, 1.7
"""In pixels from the middle of the pen: full ink up to the one, none beyond the other."""
UNDONE = 200
"""So many strokes can be taken back."""


class Canvas(Widget, can_focus=True):
    """28 x 28 values from 0 to 1. The pen is a pixel, (row, column); `pen_down` says whether moving it draws."""

    DEFAULT_CSS = """
    Canvas { border: round $foreground 25%; border-title-color: $text-muted; border-subtitle-color: $text-muted; }
    Canvas:focus { border: round $primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("up", "move(-1, 0)"),
        bind("down", "move(1, 0)"),
        bind("left", "move(0, -1)"),
        bind("right", "move(0, 1)"),
        bind("far_up", "move(-4, 0)"),
        bind("far_down", "move(4, 0)"),
        bind("far_left", "move(0, -4)"),
        bind("far_right", "move(0, 4)"),
        bind("turn", "toggle_pen", "Pen", tooltip="Pen down or up; arrows move it"),
        bind("undo", "undo", "Undo", tooltip="Take back the last stroke"),
        bind("delete", "clear", "Clear", tooltip="An empty canvas; {undo} brings the drawing back"),
    ]
    pen = reactive((4, 14), init=False)
    pen_down = reactive(False, init=False)

    class Drawn(Message):
        """There is more or less ink than before."""

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self.values: Shades = np.zeros((SIDE, SIDE), dtype=np.float32)
        self._before: list[Shades] = []
        self._mouse: tuple[float, float] | None = None

    @property
    def empty(self) -> bool:
        return not self.values.any()

    @property
    def zoom(self) -> int:
        return 2 if self.size.width >= 2 * SIDE and self.size.height >= SIDE else 1

    def watch_pen_down(self) -> None:
        self.border_subtitle = "pen down: arrows draw" if self.pen_down else with_keys("pen up, {turn} to draw")

    def on_mount(self) -> None:
        self.watch_pen_down()

    # --- Keys

    def action_move(self, down: int, right: int) -> None:
        row, column = self.pen
        new = (max(0, min(row + down, SIDE - 1)), max(0, min(column + right, SIDE - 1)))
        if self.pen_down and new != self.pen:
            self._ink(self.pen, new)
        self.pen = new

    def action_toggle_pen(self) -> None:
        self.pen_down = not self.pen_down
        if self.pen_down:
            self._begin()
            self._ink(self.pen, self.pen)

    def action_undo(self) -> None:
        if self._before:
            self.pen_down = False
            self.values = self._before.pop()
            self._changed()

    def action_clear(self) -> None:
        self.pen_down = False
        if not self.empty:
            self._begin()
            self.values = np.zeros_like(self.values)
            self._changed()

    # --- Mouse

    def on_mouse_down(self, event: events.MouseDown) -> None:
        place = self._pixel(event)
        self.pen_down = False
        self.capture_mouse()
        self._begin()
        self._mouse = place
        self._ink(place, place)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._mouse is not None:
            place = self._pixel(event)
            self._ink(self._mouse, place)
            self._mouse = place

    def on_mouse_up(self) -> None:
        self._mouse = None
        self.release_mouse()

    def _pixel(self, event: events.MouseEvent) -> tuple[float, float]:
        """The pixel, (row, column), in the middle of the cell that the mouse is on; half a row is not known."""
        column = (event.x - self.gutter.left + 0.5) / self.zoom - 0.5
        row = (event.y - self.gutter.top + 0.5) * 2 / self.zoom - 0.5
        place = (max(0.0, min(row, SIDE - 1.0)), max(0.0, min(column, SIDE - 1.0)))
        self.pen = (int(place[0]), int(place[1]))
        return place

    # --- Ink

    def _begin(self) -> None:
        self._before = [*self._before[1 - UNDONE :], self.values.copy()]

    def _ink(self, start: tuple[float, float], stop: tuple[float, float]) -> None:
        self.values = np.maximum(self.values, stroke(start, stop))
        self._changed()

    def _changed(self) -> None:
        self.refresh()
        self.post_message(self.Drawn())

    def render_line(self, y: int) -> Strip:
        base = self.rich_style
        zoom, palette = self.zoom, palette_of(self.app)
        top = y * 2 // zoom
        if top >= SIDE:
            return Strip.blank(self.size.width, base)
        # One line is one row of pixels or two, so no more than that is drawn for it.
        rows = self.values[top : top + (2 if zoom == 1 else 1)]
        mark = (self.pen[0] - top, self.pen[1]) if self.has_focus and 0 <= self.pen[0] - top < len(rows) else None
        line: list[Segment] = picture(rows, palette, zoom=zoom, mark=mark)[0]
        return Strip(line).apply_style(base).adjust_cell_length(self.size.width, base)


def stroke(start: tuple[float, float], stop: tuple[float, float]) -> Shades:
    """The ink, (28, 28) from 0 to 1, of a pen drawn from one (row, column) to another."""
    rows, columns = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    down, right = stop[0] - start[0], stop[1] - start[1]
    length = down * down + right * right
    along: NDArray[np.float32] = ((rows - start[0]) * down + (columns - start[1]) * right) / (length or 1.0)
    along = np.clip(along, 0, 1)
    distance = np.hypot(rows - start[0] - along * down, columns - start[1] - along * right)
    ink: Shades = np.clip((RIM - distance) / (RIM - CORE), 0, 1).astype(np.float32)
    return ink


class Seen(Widget):
    """One image as a network sees it: (S, S) uint8, or nothing yet."""

    DEFAULT_CSS = """
    Seen { border: round $foreground 25%; border-title-color: $text-muted; }
    """

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self.border_title = "As the network sees it"
        self._values: Shades = np.zeros((SIDE, SIDE), dtype=np.float32)

    def show(self, image: NDArray[np.uint8] | None) -> None:
        self._values = np.zeros_like(self._values) if image is None else fitted(digit_values(image), SIDE)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        base = self.rich_style
        rows = self._values[2 * y : 2 * y + 2]
        line = picture(rows, palette_of(self.app))[0] if len(rows) else []
        return Strip(line).apply_style(base).adjust_cell_length(self.size.width, base)
