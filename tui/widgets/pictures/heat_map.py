"""A confusion matrix: counts on cells that are the warmer the more images they hold, one of them current."""

from __future__ import annotations

from collections.abc import Sequence
from math import log1p
from typing import ClassVar

from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from tui.drawing.picture import Ink, Palette, palette_of, theme_colour

LABEL = 3
"""Columns before the cells, for the class of the row."""
SHADES = {Ink.BLOCKS: "     ", Ink.BRAILLE: " ░▒▓█", Ink.ASCII: " .:*#"}
"""Shown beside a count where colour cannot show how much it is."""
Rgb = tuple[int, int, int]


class HeatMap(Widget, can_focus=True):
    """10 x 10 counts: a row for each true class, a column for each predicted one. Arrows move, enter or a click on the
    current cell opens it."""

    DEFAULT_CSS = """
    HeatMap { border: round $foreground 25%; border-title-color: $text-muted; border-subtitle-color: $text-muted; }
    HeatMap:focus { border: round $primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1, 0)", "Up", show=False),
        Binding("down,j", "move(1, 0)", "Down", show=False),
        Binding("left,h", "move(0, -1)", "Left", show=False),
        Binding("right,l", "move(0, 1)", "Right", show=False),
        Binding("home", "move(0, -9)", "First", show=False),
        Binding("end", "move(0, 9)", "Last", show=False),
        Binding("enter", "open", "Digits", key_display="enter", tooltip="The digits of the current cell"),
    ]
    cell = reactive((0, 0), repaint=False, init=False)
    """(true, predicted)."""

    class Moved(Message):
        """Another cell is current."""

    class Opened(Message):
        """The current cell's digits are asked for."""

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self.border_title = "True (down) and predicted (across)"
        self._counts: tuple[tuple[int, ...], ...] = ()
        self._styles: dict[tuple[int, int], Style] = {}
        self._theme = ""

    def show(self, counts: Sequence[Sequence[int]]) -> None:
        new = tuple(tuple(row) for row in counts)
        if new != self._counts:
            self._counts = new
            self._styles.clear()
            self.refresh()

    @property
    def _cell_size(self) -> tuple[int, int]:
        width = (self.size.width - LABEL) // 10
        return max(4, min(width, 9)), max(1, min((self.size.height - 1) // 10, 3))

    def watch_cell(self, old: tuple[int, int], new: tuple[int, int]) -> None:
        _, height = self._cell_size
        self.refresh(
            Region(0, 0, self.size.width, 1),
            *(Region(0, 1 + row * height, self.size.width, height) for row in {old[0], new[0]}),
        )
        self.post_message(self.Moved())

    def action_move(self, down: int, right: int) -> None:
        row, column = self.cell
        self.cell = (max(0, min(row + down, 9)), max(0, min(column + right, 9)))

    def action_open(self) -> None:
        self.post_message(self.Opened())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return bool(self._counts) if action == "open" else super().check_action(action, parameters)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        width, height = self._cell_size
        if offset is None or offset.y < 1 or offset.x < LABEL:
            return
        row, column = (offset.y - 1) // height, (offset.x - LABEL) // width
        if row < 10 and column < 10:
            self.cell = (row, column)
            self.action_open()

    def render_line(self, y: int) -> Strip:
        width, height = self._cell_size
        base = self.rich_style
        if not self._counts:
            return Strip.blank(self.size.width, base)
        palette = palette_of(self.app)
        if self.app.theme != self._theme:
            self._theme = self.app.theme
            self._styles.clear()
        if y == 0:
            heads = [Segment(" " * LABEL, base)]
            for column in range(10):
                style = base + Style(bold=True, underline=column == self.cell[1])
                heads.append(Segment(str(column).center(width), style))
            return Strip(heads).adjust_cell_length(self.size.width, base)
        row, line = divmod(y - 1, height)
        if row > 9:
            return Strip.blank(self.size.width, base)
        middle = line == (height - 1) // 2
        label = base + Style(bold=True, underline=middle and row == self.cell[0])
        segments = [Segment(f" {row}" if middle else "  ", label), Segment(" ", base)]
        segments += [self._cell(row, column, width, middle, palette, base) for column in range(10)]
        return Strip(segments).adjust_cell_length(self.size.width, base)

    def _cell(self, row: int, column: int, width: int, middle: bool, palette: Palette, base: Style) -> Segment:
        count, current = self._counts[row][column], (row, column) == self.cell
        shade = SHADES[palette.ink][round(self._heat(row, column) * 4)] if row != column else " "
        words = (str(count) if count else "·") if middle else ""
        if current and middle:
            text = f"[{words.rjust(width - 2)}]"
        else:
            text = f"{shade}{words.rjust(width - 2)} " if middle else shade + " " * (width - 1)
        style = base if palette.ink is not Ink.BLOCKS else self._colours(row, column, palette)
        return Segment(text, style + Style(reverse=True, bold=True) if current else style)

    def _heat(self, row: int, column: int) -> float:
        """From 0 to 1: of a class's own cell, the share of its images in it; of others the logarithm of the count."""
        count = self._counts[row][column]
        if row == column:
            return count / (sum(self._counts[row]) or 1)
        most = max(self._counts[i][j] for i in range(10) for j in range(10) if i != j)
        return log1p(count) / log1p(most) if most else 0.0

    def _colours(self, row: int, column: int, palette: Palette) -> Style:
        style = self._styles.get((row, column))
        if style is None:
            heat = self._heat(row, column)
            own = row == column
            hot = theme_colour(self.app, "success" if own else "error", palette.full)
            colour = _mixed(palette.paper, hot, 0.55 * heat**8 if own else 0.9 * heat)
            ink = _readable(colour) if heat else _mixed(palette.paper, palette.full, 0.4)
            style = Style(color=RichColor.from_rgb(*ink), bgcolor=RichColor.from_rgb(*colour))
            self._styles[row, column] = style
        return style


def _mixed(low: Rgb, high: Rgb, share: float) -> Rgb:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(low, high, strict=True))
    return red, green, blue


def _readable(background: Rgb) -> Rgb:
    """Black or white, whichever stands out, by the luma of ITU-R BT.601."""
    red, green, blue = background
    return (16, 16, 16) if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else (240, 240, 240)
