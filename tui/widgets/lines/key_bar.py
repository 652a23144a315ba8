"""The keys of the moment, in one line at the bottom.

Textual's own footer makes a widget for every key and lays the screen out anew whenever the focus moves; that is most of
what a key press costs on a busy CPU.
"""

from __future__ import annotations

from textual import events
from textual.content import Content
from textual.screen import ModalScreen, Screen

from tui.text.keys import keys_of
from tui.widgets.lines.line import Line

GAP = " "
Key = tuple[str, str]
"""A key by Textual's name, and the words that show it."""
SPARE = ("whole",)
"""Actions that come behind all others of the screen."""
MORE = "…"
"""Where there is no room for all keys; the help has them."""


class KeyBar(Line, can_focus=False):
    """A click on a key presses it. While a dialog is above the screen the keys are the dialog's."""

    DEFAULT_CSS = """
    KeyBar { dock: bottom; color: $footer-foreground; background: $footer-background; }
    """

    def __init__(self) -> None:
        super().__init__(id="keys")
        self._places: list[tuple[range, str]] = []

    def on_resize(self) -> None:
        self.show_keys()

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._bindings_changed)

    def _bindings_changed(self, screen: Screen[object]) -> None:
        if self.is_attached and screen is self.screen:
            self.call_after_refresh(self.show_keys)

    def show_keys(self) -> None:
        if not self.is_attached:  # the screen was left meanwhile
            return
        ours: dict[str, Key] = {}
        spare: dict[str, Key] = {}
        leaving: dict[str, Key] = {}
        everywhere: dict[str, Key] = {}
        screen = self.app.screen if isinstance(self.app.screen, ModalScreen) else self.screen
        for node, binding, enabled, _ in screen.active_bindings.values():
            if binding.show and enabled:
                key = binding.key, f"{self.app.get_key_display(binding)} {binding.description}"
                which = everywhere if node is self.app else leaving if binding.id == "back" else ours
                (spare if binding.action in SPARE else which).setdefault(binding.action, key)
        # Where there is no room for all, how to leave and how to find the others must stay.
        first, last = [*ours.values(), *spare.values()], [*leaving.values(), *everywhere.values()]
        room = self.size.width - sum(len(words) + len(GAP) for _, words in last)
        if (count := _fitting(first, room)) < len(first):
            count = _fitting(first, room - len(MORE) - len(GAP))
            first = [*first[:count], (keys_of("help")[0], MORE)]
        self._lay_out(first + last)

    def _lay_out(self, keys: list[Key]) -> None:
        parts: list[str | tuple[str, str]] = []
        self._places = []
        column = 0
        for key, words in keys:
            display, _, description = words.partition(" ")
            parts += [(display, "bold $footer-key-foreground"), f" {description}" if description else "", GAP]
            self._places.append((range(column, column + len(words)), key))
            column += len(words) + len(GAP)
        self.show(Content.assemble(*parts))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        for place, key in self._places:
            if event.x in place:
                self.app.simulate_key(key)


def _fitting(keys: list[Key], room: int) -> int:
    """Number of the first keys that there is room for."""
    for count, (_, words) in enumerate(keys):
        room -= len(words) + len(GAP)
        if room < 0:
            return count
    return len(keys)
