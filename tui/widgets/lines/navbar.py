"""The line at the top: where one is, where one can go, and what is being trained."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Static

from tui.text.keys import key_in_words, keys_of
from tui.widgets.lines.line import Line

PLACES = {"lab": "Lab", "training": "Training", "runs": "Runs", "sweeps": "Sweeps"}


class NavItem(Static):
    def __init__(self, mode: str, title: str, *, here: bool) -> None:
        super().__init__(classes="-here" if here else "", markup=False)
        self._mode, self._title = mode, title
        self._key, self._count = "", 0
        self.show_key(typing=False)

    def show_key(self, *, typing: bool) -> None:
        """Name the key that leads there now: a digit would be typed into a field."""
        keys = [key_in_words(name) for name in keys_of(self._mode)]
        self._key = next((name for name in keys if len(name) > 1), keys[0]) if typing else keys[0]
        self._paint()

    def show_count(self, count: int) -> None:
        """Show a number beside the title; none for 0."""
        if count != self._count:
            self._count = count
            self._paint()

    def _paint(self) -> None:
        self.update(f" {self._key} {self._title} " + (f"●{self._count} " if self._count else ""))

    async def on_click(self) -> None:
        await self.app.run_action(f"go('{self._mode}')")


class NavBar(Horizontal):
    DEFAULT_CSS = """
    NavBar { height: 1; background: $panel; dock: top; }
    NavBar > #brand { width: auto; padding: 0 1; text-style: bold; color: $text-primary; }
    NavBar > NavItem { width: auto; color: $text-muted; }
    NavBar > NavItem.-here { background: $primary; color: $text; text-style: bold; }
    NavBar:nocolor > NavItem.-here { text-style: reverse; }
    NavBar > #live { width: 1fr; padding: 0 1; text-align: right; }
    """

    def __init__(self, here: str) -> None:
        super().__init__()
        self._items = {mode: NavItem(mode, title, here=mode == here) for mode, title in PLACES.items()}
        self._live = Line(id="live")

    def compose(self) -> ComposeResult:
        yield Static("mnist-tui", id="brand", markup=False)
        yield from self._items.values()
        yield self._live

    def show_keys(self, *, typing: bool) -> None:
        for item in self._items.values():
            item.show_key(typing=typing)

    def show_live(self, text: str, runs: int) -> None:
        """Show what this app trains, and at Runs how many runs are live anywhere; while the screen is taken down, its
        children first, nobody sees it."""
        self._live.show(text)
        self._items["runs"].show_count(runs)
