"""A table that asks for the rows it shows and for no others, so that ten thousand cost no more than ten."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.text.plain import in_cells, plain_line
from tui.widgets.keys import bind
from tui.widgets.tables.whole_row import WholeRow

Cell = str | tuple[str, str]
"""A text, or a text and its style: one of `Table.STYLES`."""


@dataclass(frozen=True, slots=True)
class Column:
    """`width` 0 takes its `min_width` and a share of what is left, up to a `max_width` where others can use it; what a
    smaller `max_width` leaves of `min_width` is theirs too. Where they do not all fit, those of the highest `rank` go
    first; one that is `spare` is not missed then. `sort` names the order that a click on its header asks for; empty for
    none."""

    title: str
    width: int
    right: bool = False
    rank: int = 0
    min_width: int = 8
    max_width: int = 0
    spare: bool = False
    sort: str = ""

    @property
    def least(self) -> int:
        """The width of one of `width` 0 before it gets a share; its title, with a sign, is never cut for others."""
        return min(self.min_width, max(self.max_width, len(self.title) + 1)) if self.max_width else self.min_width


class Table(ScrollView, can_focus=True):
    """Rows under a header that stays. With `cursor`, one row is current and enter chooses it."""

    SAYS_MORE: ClassVar[bool] = False
    """Whether the header ends with a sign where there are more columns than fit."""
    STYLES: ClassVar[tuple[str, ...]] = ("good", "bad", "muted", "accent", "warn")
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--header",
        "table--cursor",
        "table--good",
        "table--bad",
        "table--muted",
        "table--accent",
        "table--warn",
    }
    DEFAULT_CSS = """
    Table { height: 1fr; background: transparent; overflow-x: hidden; scrollbar-size-vertical: 1; }
    Table > .table--header { color: $text-muted; text-style: bold; }
    Table > .table--cursor { background: $surface-lighten-2; }
    Table:focus > .table--cursor { background: $primary; color: $text; }
    Table > .table--good { color: $text-success; }
    Table > .table--bad { color: $text-error; }
    Table > .table--muted { color: $text-muted; }
    Table > .table--accent { color: $text-accent; }
    Table > .table--warn { color: $text-warning; }
    Table:nocolor > .table--cursor { text-style: underline; }
    Table:nocolor:focus > .table--cursor { text-style: reverse; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("up", "move(-1)"),
        bind("down", "move(1)"),
        bind("page_up", "page(-1)"),
        bind("page_down", "page(1)"),
        bind("half_up", "page(-0.5)"),
        bind("half_down", "page(0.5)"),
        bind("open", "choose"),
        bind("turn", "whole", "Whole row", tooltip="All columns of the current row, uncut"),
        bind("first", "move(-1000000)"),
        bind("last", "move(1000000)"),
    ]
    cursor_row = reactive(0, repaint=False, init=False)

    class Moved(Message):
        """Another row is current."""

        def __init__(self, table: Table, row: int) -> None:
            super().__init__()
            self.table, self.row = table, row

        @property
        def control(self) -> Table:
            return self.table

    class Chosen(Moved):
        """Enter was pressed on a row, or the current one clicked."""

    class HeaderChosen(Message):
        """The header of a column that can be sorted by was clicked."""

        def __init__(self, table: Table, sort: str) -> None:
            super().__init__()
            self.table, self.sort = table, sort

        @property
        def control(self) -> Table:
            return self.table

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        cursor: bool = True,
        header: bool = True,
        follow: bool = False,
        id: str,  # noqa: A002
    ) -> None:
        """With `follow` the last row stays in view, unless the user has scrolled away from it."""
        super().__init__(id=id)
        self._follow = follow
        self._at_end = True
        self._columns = tuple(columns)
        self._has_cursor = cursor
        self._header = header
        self._count = 0
        self._cells: Callable[[int], Sequence[Cell]] = lambda _: ()
        self._painted: dict[int, Sequence[Cell]] = {}
        self._sorted_by, self._sign = "", ""

    def say_sorted(self, sort: str, *, descending: bool) -> None:
        """Show at the column of this order that the rows stand in it, and which way."""
        sign = "▼" if descending else "▲"
        if (sort, sign) != (self._sorted_by, self._sign):
            self._sorted_by, self._sign = sort, sign
            self.refresh_line(0)

    @property
    def row_count(self) -> int:
        return self._count

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Take other columns; the rows that are then shown have to have their cells."""
        if tuple(columns) != self._columns:
            self._columns = tuple(columns)
            self._painted.clear()
            self.refresh()

    def show(self, count: int, cells: Callable[[int], Sequence[Cell]]) -> None:
        """Show so many rows; `cells` gives one when it comes into view. Only lines that differ are painted again."""
        changed_size = count != self._count
        self._count, self._cells = count, cells
        if changed_size:
            self._set_virtual_size()
            self.cursor_row = max(0, min(self.cursor_row, count - 1))
            self.refresh()
            self._keep_end_in_view()
            return
        top = self.scroll_offset.y
        for row in range(top, min(top + self._body_height, count)):
            if self._painted.get(row) != cells(row):
                self._refresh_row(row)

    def move_to(self, row: int) -> None:
        """Make a row current without telling anyone."""
        with self.prevent(Table.Moved):
            self.cursor_row = max(0, min(row, self._count - 1))

    def _keep_end_in_view(self) -> None:
        if self._follow and self._at_end:
            self.call_after_refresh(lambda: self.scroll_to(y=self.max_scroll_y, animate=False))

    @property
    def _body_height(self) -> int:
        return max(0, self.size.height - self._header)

    def _set_virtual_size(self) -> None:
        self.virtual_size = Size(self.size.width, self._count + self._header)

    def on_resize(self, _event: events.Resize) -> None:
        self._set_virtual_size()
        self._keep_cursor_in_view()
        self._keep_end_in_view()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._at_end = new_value >= self.max_scroll_y - 1

    def watch_cursor_row(self, old: int, new: int) -> None:
        if not self._has_cursor:
            return
        self._refresh_row(old)
        self._refresh_row(new)
        self._keep_cursor_in_view()
        self.post_message(self.Moved(self, new))

    def _keep_cursor_in_view(self) -> None:
        if not self._has_cursor or not self._body_height:
            return
        top = self.scroll_offset.y
        if self.cursor_row < top:
            self.scroll_to(y=self.cursor_row, animate=False)
        elif self.cursor_row >= top + self._body_height:
            self.scroll_to(y=self.cursor_row - self._body_height + 1, animate=False)

    def _refresh_row(self, row: int) -> None:
        self.refresh_line(row + self._header)

    def action_move(self, by: int) -> None:
        if self._has_cursor:
            self.cursor_row = max(0, min(self.cursor_row + by, self._count - 1))
        else:
            self.scroll_to(y=self.scroll_offset.y + by, animate=False)

    def action_page(self, by: float) -> None:
        self.action_move(int(by * max(2, self._body_height - 1)))

    def action_choose(self) -> None:
        if self._has_cursor and self._count:
            self.post_message(self.Chosen(self, self.cursor_row))

    def action_whole(self) -> None:
        """Show all columns of the current row, uncut."""
        titled = zip(self._columns, self._cells(self.cursor_row), strict=False)
        self.app.push_screen(WholeRow([(c.title, text) for c, cell in titled if c.title and (text := _text(cell))]))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "choose":
            return self._has_cursor and self._count > 0
        if action == "whole":
            return self._has_cursor and self._count > 0 and self._header
        return super().check_action(action, parameters)

    def on_click(self, event: events.Click) -> None:
        row = self.scroll_offset.y + event.y - self._header
        if self._header and event.y == 0:
            self._header_clicked(event.x)
        if not (self._has_cursor and event.y >= self._header and row < self._count):
            return
        if row == self.cursor_row and event.chain > 1:
            self.post_message(self.Chosen(self, row))
        self.cursor_row = row

    def _header_clicked(self, x: int) -> None:
        for index, width in self._fitting(self.size.width):
            if 0 <= x < width + 2 and self._columns[index].sort:
                self.post_message(self.HeaderChosen(self, self._columns[index].sort))
            x -= width + 2

    def _title(self, column: Column) -> str:
        return f"{column.title}{self._sign}" if column.sort and column.sort == self._sorted_by else column.title

    def render_line(self, y: int) -> Strip:
        width, base = self.size.width, self.rich_style
        shown = self._fitting(width)
        if self._header and y == 0:
            style = self.get_component_rich_style("table--header")
            header = self._strip([self._title(column) for column in self._columns], shown, style, base, width)
            if not self._lacks([index for index, _ in shown]):
                return header
            return Strip([*header.crop(0, width - 2), Segment("… ", style)], width)
        row = self.scroll_offset.y + y - self._header
        if row >= self._count:
            return Strip.blank(width, base)
        cells = self._painted[row] = self._cells(row)
        if len(self._painted) > 500:
            self._painted = {row: cells}
        if self._has_cursor and row == self.cursor_row:
            base = self.get_component_rich_style("table--cursor")
            return self._strip([_text(cell) for cell in cells], shown, base, base, width)
        return self._strip(cells, shown, base, base, width)

    def _fitting(self, width: int) -> list[tuple[int, int]]:
        """The columns that fit, as (index, width)."""
        chosen = list(range(len(self._columns)))
        while True:
            needed = sum((self._columns[i].width or self._columns[i].min_width) + 2 for i in chosen)
            room = width - 2 * self._lacks(chosen)
            if needed <= room or len(chosen) == 1:
                break
            chosen.remove(max(chosen, key=lambda i: (self._columns[i].rank, i)))
        widths = {i: self._columns[i].width or self._columns[i].least for i in chosen}
        # Those with a limit first, so that what they leave is shared by the others.
        flexible = sorted(
            (i for i in chosen if not self._columns[i].width), key=lambda i: not self._columns[i].max_width
        )
        left = room - sum(width + 2 for width in widths.values())
        for place, i in enumerate(flexible):
            share, limit = left // (len(flexible) - place), self._columns[i].max_width
            if limit and place < len(flexible) - 1:
                share = min(share, max(limit - widths[i], 0))
            widths[i] = max(widths[i] + share, 1)
            left -= share
        return list(widths.items())

    def _lacks(self, shown: Sequence[int]) -> bool:
        """Whether it is to be said that no other columns are shown."""
        return self.SAYS_MORE and any(not c.spare for i, c in enumerate(self._columns) if i not in shown)

    def _strip(
        self, cells: Sequence[Cell], shown: list[tuple[int, int]], style: Style, base: Style, width: int
    ) -> Strip:
        segments: list[Segment] = []
        for index, column_width in shown:
            cell = cells[index] if index < len(cells) else ""
            text = in_cells(_text(cell), column_width, right=self._columns[index].right)
            own = style if isinstance(cell, str) else base + self.get_component_rich_style(f"table--{cell[1]}")
            segments.append(Segment(f" {text} ", own))
        # Neighbours of one style as one: the styles of ten cells in a row are most of what it costs to send it.
        return Strip(segments).simplify().adjust_cell_length(width, base)


def _text(cell: Cell) -> str:
    """The cell's text as it will be shown, so that it is not cut for characters that will not."""
    return plain_line(cell if isinstance(cell, str) else cell[0])
