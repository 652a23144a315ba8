"""A confusion matrix: counts on cells that are the warmer the more images they hold, one of them current."""

from __future__ import annotations

from collections.abc import Sequence
from math import log1p
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Region
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from tui.drawing.bars import short_names
from tui.drawing.picture import Ink, Palette, palette_of, theme_colour
from tui.widgets.keys import bind

LABEL = 3
"""Columns before the cells, at least, for the name of the row's class."""
LONGEST = 8
"""Columns of a name before the cells, at most."""
SHADES = {Ink.BLOCKS: "     ", Ink.BRAILLE: " ░▒▓█", Ink.ASCII: " .:*#"}
"""Shown beside a count where colour cannot show how much it is."""
Rgb = tuple[int, int, int]


class HeatMap(Widget, can_focus=True):
    """Counts: a row for each true class, a column for each predicted one, as many as fit about the current cell. Arrows
    move, enter or a click on the current cell opens it."""

    DEFAULT_CSS = """
    HeatMap { border: round $foreground 25%; border-title-color: $text-muted; border-subtitle-color: $text-muted; }
    HeatMap:focus { border: round $primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("up", "move(-1, 0)"),
        bind("down", "move(1, 0)"),
        bind("left", "move(0, -1)"),
        bind("right", "move(0, 1)"),
        bind("first", "move(0, -999)"),
        bind("last", "move(0, 999)"),
        bind("open", "open", "Images", tooltip="The images of the current cell"),
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
        self._names: tuple[str, ...] = ()
        self._label = LABEL
        self._most_wrong = self._largest = 0
        self._first = (0, 0)  # true and predicted class of the cell at the top left
        self._styles: dict[tuple[int, int], Style] = {}
        self._theme = ""

    def show(self, counts: Sequence[Sequence[int]], names: Sequence[str]) -> None:
        """Show counts by true, then predicted class, of classes of these names."""
        new = tuple(tuple(row) for row in counts)
        if new != self._counts or tuple(names) != self._names:
            self._counts, self._names = new, tuple(names)
            self._label = 2 + min(max(map(cell_len, names)), LONGEST)
            wrong = (count for i, row in enumerate(new) for j, count in enumerate(row) if i != j)
            self._most_wrong = max(wrong, default=0)
            self._largest = max(map(max, new), default=0)
            self._styles.clear()
            self._keep_in_view()
            self.refresh()

    @property
    def _cell_size(self) -> tuple[int, int]:
        classes = len(self._counts) or 10
        width = (self.size.width - self._label) // classes
        least = max(4, len(str(self._largest)) + 2 * (classes > 10))
        return max(least, min(width, 9)), max(1, min((self.size.height - 1) // classes, 3))

    @property
    def _fitting(self) -> tuple[int, int]:
        """Rows and columns of cells that there is room for."""
        width, height = self._cell_size
        return max(1, (self.size.height - 1) // height), max(1, (self.size.width - self._label) // width)

    def _keep_in_view(self) -> bool:
        """Have the current cell among those shown; whether others are shown now."""
        before, classes = self._first, len(self._counts)
        row, column = (
            max(0, min(max(first, at - fit + 1), at, classes - fit))
            for first, at, fit in zip(before, self.cell, self._fitting, strict=True)
        )
        self._first = row, column
        return self._first != before

    def watch_cell(self, old: tuple[int, int], new: tuple[int, int]) -> None:
        _, height = self._cell_size
        if self._keep_in_view():
            self.refresh()
        else:
            rows = {true - self._first[0] for true in (old[0], new[0])}
            self.refresh(
                Region(0, 0, self.size.width, 1),
                *(Region(0, 1 + row * height, self.size.width, height) for row in rows if row >= 0),
            )
        self.post_message(self.Moved())

    def action_move(self, down: int, right: int) -> None:
        row, column = self.cell
        last = max(0, len(self._counts) - 1)
        self.cell = (max(0, min(row + down, last)), max(0, min(column + right, last)))

    def action_open(self) -> None:
        self.post_message(self.Opened())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return bool(self._counts) if action == "open" else super().check_action(action, parameters)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        width, height = self._cell_size
        if offset is None or offset.y < 1 or offset.x < self._label:
            return
        row, column = self._first[0] + (offset.y - 1) // height, self._first[1] + (offset.x - self._label) // width
        if row < len(self._counts) and column < len(self._counts):
            self.cell = (row, column)
            self.action_open()

    def render_line(self, y: int) -> Strip:
        width, height = self._cell_size
        base = self.rich_style
        if not self._counts:
            return Strip.blank(self.size.width, base)
        self._keep_in_view()  # it may have become larger
        palette = palette_of(self.app)
        if self.app.theme != self._theme:
            self._theme = self.app.theme
            self._styles.clear()
        if y == 0:
            heads = [Segment(" " * self._label, base)]
            for column in self._columns:
                style = base + Style(bold=True, underline=column == self.cell[1])
                name = short_names(self._names, width - 1)[column]
                space = width - cell_len(name)
                heads.append(Segment(" " * (space // 2) + name + " " * (space - space // 2), style))
            return Strip(heads).adjust_cell_length(self.size.width, base)
        row, line = divmod(y - 1, height)
        row += self._first[0]
        if row >= len(self._counts):
            return Strip.blank(self.size.width, base)
        middle = line == (height - 1) // 2
        label = base + Style(bold=True, underline=middle and row == self.cell[0])
        name = short_names(self._names, self._label - 2)[row] if middle else ""
        segments = [Segment(" " + set_cell_size(name, self._label - 2), label), Segment(" ", base)]
        segments += [self._cell(row, column, width, middle, palette, base) for column in self._columns]
        return Strip(segments).adjust_cell_length(self.size.width, base)

    @property
    def _columns(self) -> range:
        """The predicted classes that are shown."""
        first = self._first[1]
        return range(first, min(first + self._fitting[1], len(self._counts)))

    def _cell(self, row: int, column: int, width: int, middle: bool, palette: Palette, base: Style) -> Segment:
        count, current = self._counts[row][column], (row, column) == self.cell
        shade = SHADES[palette.ink][round(self._heat(row, column) * 4)] if row != column else " "
        words = (str(count) if count else "·") if middle else ""
        if len(words) > width - 2:  # it needs the room of what stands around it
            text = words.rjust(width)
        elif current and middle:
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
        return log1p(count) / log1p(self._most_wrong) if self._most_wrong else 0.0

    def _colours(self, row: int, column: int, palette: Palette) -> Style:
        style = self._styles.get((row, column))
        if style is None:
            heat = self._heat(row, column)
            own = row == column
            hot = theme_colour(self.app, "chart-success" if own else "chart-error", palette.full)
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
