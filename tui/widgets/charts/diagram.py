"""What all charts have in common beside their layout: when they are painted, and a cursor along x."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui.widgets.charts.layout import Drawing, Layout, lay_out
from tui.widgets.keys import bind


class Diagram(Widget, can_focus=True):
    """Painted when what it shows, its size, the theme or the cursor has changed."""

    DEFAULT_CSS = """
    Diagram { border: round $foreground 25%; border-title-color: $text-muted; border-subtitle-color: $text-muted; }
    Diagram:focus { border: round $primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("left", "step(-1)"),
        bind("right", "step(1)"),
        bind("first", "step(-1000000)"),
        bind("last", "step(1000000)"),
        bind("open", "choose"),
        bind("back", "leave"),
    ]

    FOLLOWS_MOUSE: ClassVar[bool] = False
    """Whether the cursor follows a mouse without a button pressed, too, and goes with it."""

    class Pointed(Message):
        """The user has moved the cursor to `x`, near `y` where it was the mouse, or has put it away (None)."""

        def __init__(self, diagram: Diagram, x: float | None, y: float | None = None) -> None:
            super().__init__()
            self.diagram, self.x, self.y = diagram, x, y

        @property
        def control(self) -> Diagram:
            return self.diagram

    class Chosen(Pointed):
        """Enter was pressed at the cursor, or its place clicked again."""

    def __init__(self, *, id: str, ascii_only: bool = False) -> None:  # noqa: A002
        super().__init__(id=id)
        self.ascii_only = ascii_only
        self.empty = ""
        self.cursor: float | None = None
        self._is_kept = False
        """Whether the cursor was put there by a key or a button, and so stays where a mouse that passes by is not."""
        self._row = -1
        """The row of the mouse when it was followed last."""
        self._drawing = Drawing()
        self._laid = Layout([])
        self._laid_for: object = None
        self._below: str | Content = ""

    # --- What is shown

    def set_drawing(self, drawing: Drawing, title: str, below: str | Content) -> None:
        """Show another drawing, with words on the upper and on the lower border."""
        self._drawing, self._below = drawing, below
        self.border_title = title
        self.border_subtitle = below
        self.redraw()

    def redraw(self) -> None:
        self._laid_for = None
        self.refresh()

    def point(self, x: float | None) -> None:
        """Put the cursor there, or away, without telling anyone."""
        if x != self.cursor:
            self.cursor = x
            if x is None:
                self.border_subtitle = self._below
            self.redraw()
            self.refresh_bindings()

    def say(self, words: str | Content) -> None:
        """Words on the lower border while the cursor is there."""
        if self.cursor is not None:
            self.border_subtitle = words

    # --- The cursor

    def action_step(self, by: int) -> None:
        stops = self._drawing.stops
        if not len(stops):
            return
        if self.cursor is None:
            place = len(stops) - 1 if by < 0 else 0
        else:
            place = min(max(int(np.abs(stops - self.cursor).argmin()) + by, 0), len(stops) - 1)
        self._is_kept = True
        self._move(float(stops[place]), None)

    def action_leave(self) -> None:
        self._is_kept = False
        self._move(None, None)

    def action_choose(self) -> None:
        if self.cursor is not None:
            self.post_message(self.Chosen(self, self.cursor))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("leave", "choose"):
            return self.cursor is not None
        return super().check_action(action, parameters)

    def _move(self, x: float | None, y: float | None) -> None:
        self.point(x)
        self.post_message(self.Pointed(self, x, y))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        self._is_kept = True
        self._follow(event)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if event.button or (self.FOLLOWS_MOUSE and not self._is_kept):
            self._follow(event)

    def on_leave(self, _event: events.Leave) -> None:
        if self.cursor is not None and not self._is_kept and not self.is_mouse_over:
            self._move(None, None)

    def on_click(self, event: events.Click) -> None:
        if event.chain > 1:
            self.action_choose()

    def _follow(self, event: events.MouseEvent) -> None:
        """Put the cursor to the stop that is nearest to the mouse."""
        offset, laid, stops = event.get_content_offset(self), self._laid, self._drawing.stops
        if offset is None or laid.across is None or laid.up is None or not len(stops):
            return
        fine = 1 if self.ascii_only else 2
        column = min(max(offset.x - laid.margin, 0), laid.across.count // fine - 1)
        x = laid.across.value(column * fine + (fine - 1) / 2)
        rows = laid.up.count // (1 if self.ascii_only else 4)
        height = (rows - min(offset.y, rows - 1) - 0.5) / rows * laid.up.count - 0.5
        stop = float(stops[np.abs(stops - x).argmin()])
        if stop != self.cursor or offset.y != self._row:
            self._row = offset.y
            self._move(stop, laid.up.value(height))

    # --- Painting

    def render_line(self, y: int) -> Strip:
        self._lay_out()
        lines = self._laid.lines
        width = self.content_size.width
        strip = Strip(lines[y] if y < len(lines) else [])
        return strip.apply_style(self.rich_style).adjust_cell_length(width, self.rich_style)

    def _lay_out(self) -> None:
        key = (self.content_size, self.app.theme)
        if key != self._laid_for:
            self._laid_for = key
            self._laid = lay_out(
                self._drawing, self.content_size, empty=self.empty, ascii_only=self.ascii_only, cursor=self.cursor
            )
