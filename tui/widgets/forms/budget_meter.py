"""The share of the parameter budget that a network uses, in words and as a bar."""

from __future__ import annotations

from rich.text import Text
from textual.widget import Widget

from tui.text.wording import budget_in_words


class BudgetMeter(Widget):
    DEFAULT_CSS = """
    BudgetMeter { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    BudgetMeter.-over { color: $text-error; text-style: bold; }
    BudgetMeter.-within { color: $text-success; }
    """

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._total: int | None = None
        self._budget: int | None = None
        self._partial = False
        self._waiting = False

    def show(self, total: int | None, budget: int | None, *, partial: bool = False, waiting: bool = False) -> None:
        """`budget` None means that there is none; `partial` that the network is not whole, and the total so far;
        `waiting` that a module of the user's own is being counted."""
        self._total, self._budget, self._partial, self._waiting = total, budget, partial, waiting
        over = total is not None and budget is not None and total > budget
        self.set_class(over, "-over")
        self.set_class(total is not None and not over and not partial, "-within")
        self.refresh()

    @property
    def words(self) -> str:
        if self._waiting:
            return "counting the parameters..."
        if not self._partial:
            return budget_in_words(self._total, self._budget)
        return f"{budget_in_words(self._total, self._budget)}, so far" if self._total is not None else ""

    def render(self) -> Text:
        words = self.words
        room = self.content_size.width - len(words) - 3
        if self._total is None or self._budget is None or room < 8:
            return Text(words, no_wrap=True, overflow="ellipsis")
        room = min(room, 24)
        filled = min(room, round(room * self._total / self._budget))
        return Text(f"{words}  {'█' * filled}{'░' * (room - filled)}", no_wrap=True, overflow="ellipsis")
