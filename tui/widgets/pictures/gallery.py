"""Test images as cards: the picture, what it is, what networks say it is, and their probabilities as bars."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.drawing.bars import probability_lines, short, short_names
from tui.drawing.digit import Digit, Opinion
from tui.drawing.picture import Ink, Palette, digit_values, fitted, palette_of, picture
from tui.widgets.keys import bind

SIDE, LINES = 28, 14
"""Columns and lines of a picture of whatever size; a card is as high."""
PANEL = 9
"""Columns that what one network says takes, at least."""


class Gallery(ScrollView, can_focus=True):
    """Cards side by side as far as they fit, made when they come into view; arrows make another one current."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"gallery--good", "gallery--bad", "gallery--mark", "gallery--plain"}
    DEFAULT_CSS = """
    Gallery { height: 1fr; scrollbar-size: 0 0; }
    Gallery > .gallery--good { color: $text-success; }
    Gallery > .gallery--bad { color: $text-error; }
    Gallery > .gallery--plain { color: $text-muted; }
    Gallery > .gallery--mark { color: $text-primary; text-style: bold; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("left", "move(-1)"),
        bind("right", "move(1)"),
        bind("up", "row(-1)"),
        bind("down", "row(1)"),
        bind("page_up", "page(-1)"),
        bind("page_down", "page(1)"),
        bind("half_up", "page(-0.5)"),
        bind("half_down", "page(0.5)"),
        bind("first", "move(-1000000)"),
        bind("last", "move(1000000)"),
        bind("open", "choose", "Feature maps"),
    ]
    current = reactive(0, repaint=False, init=False)

    class Moved(Message):
        """Another card is current."""

    class Chosen(Message):
        """Enter was pressed on the current card, or it was clicked."""

        def __init__(self, digit: Digit) -> None:
            super().__init__()
            self.digit = digit

    def __init__(self, *, id: str, opens: bool = True) -> None:  # noqa: A002
        """Without `opens` enter does nothing."""
        super().__init__(id=id)
        self._opens = opens
        self._count = 0
        self._digit: Callable[[int], Digit] = lambda _: _NOTHING
        self._lines: dict[int, list[list[Segment]]] = {}
        self._drawn_for: object = None
        self._opinions = 1

    def show(self, count: int, digit: Callable[[int], Digit], *, opinions: int = 1) -> None:
        """Show so many cards of so many networks' opinions; `digit` gives one when it comes into view."""
        self._count, self._digit, self._opinions = count, digit, opinions
        self._lines.clear()
        self.set_reactive(Gallery.current, max(0, min(self.current, count - 1)))
        self._set_virtual_size()
        self._keep_in_view()
        self.refresh()

    @property
    def digit(self) -> Digit | None:
        """The current one."""
        return self._digit(self.current) if self._count else None

    @property
    def columns(self) -> int:
        """Number of cards side by side."""
        width = 2 + SIDE + self._opinions * (PANEL + 1)
        return max(1, self.size.width // width)

    @property
    def _row_height(self) -> int:
        """A card and a line below it, unless only one row fits."""
        return LINES + (self.size.height >= 2 * LINES + 1)

    def _set_virtual_size(self) -> None:
        rows = -(-self._count // self.columns)
        self.virtual_size = Size(self.size.width, rows * self._row_height)

    def on_resize(self, _event: events.Resize) -> None:
        self._set_virtual_size()
        self._keep_in_view()

    def watch_current(self, old: int, new: int) -> None:
        self._lines.pop(old, None)
        self._lines.pop(new, None)
        self._keep_in_view()
        self.refresh()
        self.post_message(self.Moved())

    def _keep_in_view(self) -> None:
        top = (self.current // self.columns) * self._row_height
        shown = max(1, self.size.height // self._row_height) * self._row_height
        first = self.scroll_offset.y
        if top < first:
            self.scroll_to(y=top, animate=False)
        elif top + self._row_height > first + shown:
            self.scroll_to(y=top + self._row_height - shown, animate=False)

    def action_move(self, by: int) -> None:
        self.current = max(0, min(self.current + by, self._count - 1))

    def action_row(self, by: int) -> None:
        if 0 <= self.current + by * self.columns < self._count:
            self.action_move(by * self.columns)

    def action_page(self, by: float) -> None:
        rows = max(1, int(abs(by) * (self.size.height // self._row_height)))
        self.action_move(self.columns * (rows if by > 0 else -rows))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self._opens if action == "choose" else super().check_action(action, parameters)

    def action_choose(self) -> None:
        if self._opens and (digit := self.digit) is not None:
            self.post_message(self.Chosen(digit))

    def on_click(self, event: events.Click) -> None:
        width = self.size.width // self.columns
        row = (self.scroll_offset.y + event.y) // self._row_height
        place = row * self.columns + min(event.x // width, self.columns - 1)
        if place >= self._count:
            return
        if place == self.current:
            self.action_choose()
        self.current = place

    def render_line(self, y: int) -> Strip:
        width, base, columns = self.size.width, self.rich_style, self.columns
        key = (width, self.app.theme)
        if key != self._drawn_for or len(self._lines) > 200:
            self._drawn_for = key
            self._lines.clear()
        row, line = divmod(self.scroll_offset.y + y, self._row_height)
        card = width // columns
        segments: list[Segment] = []
        for place in range(row * columns, min((row + 1) * columns, self._count)):
            if line < LINES:
                segments += self._card(place, card)[line]
            else:
                segments.append(Segment(" " * card, base))
        return Strip(segments).apply_style(base).adjust_cell_length(width, base)

    def _card(self, place: int, width: int) -> list[list[Segment]]:
        lines = self._lines.get(place)
        if lines is None:
            styles = CardStyles(*(self.get_component_rich_style(f"gallery--{name}") for name in CARD_STYLES))
            current = place == self.current and self._count > 1
            lines = card_lines(self._digit(place), width, palette_of(self.app), styles, current=current)
            self._lines[place] = lines
        return lines


CARD_STYLES = ("plain", "good", "bad", "mark")


@dataclass(frozen=True, slots=True)
class CardStyles:
    plain: Style
    good: Style
    bad: Style
    mark: Style


def card_lines(digit: Digit, width: int, palette: Palette, styles: CardStyles, *, current: bool) -> list[list[Segment]]:
    """The 14 lines of a card, each `width` columns."""
    shown = picture(fitted(digit_values(digit.image), SIDE), palette)
    panel = (width - SIDE - 2) // len(digit.opinions) - 1
    sides = [_panel(digit, number, panel, styles) for number in range(len(digit.opinions))]
    mark = Segment("┃" if palette.ink is not Ink.ASCII else "|", styles.mark) if current else Segment(" ")
    lines = []
    for y in range(LINES):
        line = [mark, *shown[y]]
        for side in sides:
            line += [Segment(" "), *side[y]]
        length = sum(segment.cell_length for segment in line)
        lines.append([*line, Segment(" " * (width - length))])
    return lines


def _panel(digit: Digit, number: int, width: int, styles: CardStyles) -> list[list[Segment]]:
    """The prediction of one network, beside the picture: 14 lines."""
    opinion = digit.opinions[number]
    right = opinion.prediction == digit.truth
    verdict = (styles.good if right else styles.bad) + Style(bold=True)
    sure = f"{100 * float(opinion.probabilities[opinion.prediction]):.1f}%"
    heads = [
        Segment(f"no. {digit.index}" if number == 0 else "", styles.plain),
        Segment(_named("true", digit, digit.truth, width) if number == 0 else "", Style(bold=True)),
        Segment(_named(opinion.who or "says", digit, opinion.prediction, width), verdict),
        Segment(sure, styles.plain),
    ]
    bars = probability_lines(
        opinion.probabilities.tolist(),
        width,
        truth=digit.truth,
        plain=styles.plain,
        good=styles.good,
        bad=styles.bad,
        names=digit.names,
    )
    lines = [[Segment(set_cell_size(short(head.text, width), width), head.style)] for head in heads] + bars
    return lines + [[Segment(" " * width)]] * (LINES - len(lines))


def _named(word: str, digit: Digit, cls: int, width: int) -> str:
    return f"{word} {short_names(digit.names, max(width - cell_len(word) - 1, 2))[cls]}"


_NOTHING = Digit(0, np.zeros((SIDE, SIDE), dtype=np.uint8), 0, (Opinion(np.zeros(10, dtype=np.float32), 0),))
