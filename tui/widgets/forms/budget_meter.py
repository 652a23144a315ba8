"""The share of the parameter budget that a network uses, in words and as a bar."""

from __future__ import annotations

from rich.text import Text
from textual.widget import Widget

from tui.text.template_words import range_in_words
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
        self._least: int | None = None
        self._partial = False
        self._waiting = False

    def show(
        self,
        total: int | None,
        budget: int | None,
        *,
        least: int | None = None,
        partial: bool = False,
        waiting: bool = False,
    ) -> None:
        """`budget` None means that there is none; `least` is what the smallest network of a template has, and `total`
        the largest; `partial` means that the network is not whole, and the total so far; `waiting` that a module of the
        user's own is being counted."""
        self._total, self._budget, self._least = total, budget, least
        self._partial, self._waiting = partial, waiting
        smallest = total if least is None else least
        over = smallest is not None and budget is not None and smallest > budget
        self.set_class(over, "-over")
        self.set_class(total is not None and not over and not partial, "-within")
        self.refresh()

    @property
    def words(self) -> str:
        if self._waiting:
            return "counting the parameters..."
        if self._least is not None and self._total is not None:
            return range_in_words(self._least, self._total, self._budget)
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
        sure = filled if self._least is None else min(filled, round(room * self._least / self._budget))
        bar = "█" * sure + "▒" * (filled - sure) + "░" * (room - filled)
        return Text(f"{words}  {bar}", no_wrap=True, overflow="ellipsis")
