"""Jump mode: everything that can have the focus gets a letter, and a letter goes there."""

from __future__ import annotations

from collections.abc import Iterator
from string import ascii_lowercase, ascii_uppercase
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.geometry import Region
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Static

from tui.widgets.keys import bind

LETTERS = "asdfghjklqwertyuiopzxcvbnm" + ascii_uppercase
assert set(ascii_lowercase) <= set(LETTERS)


class Jump(ModalScreen[Widget | None]):
    """Lies on the screen that it labels; dismissed with the widget to go to, or with None for any other key."""

    DEFAULT_CSS = """
    Jump { background: transparent; }
    Jump > Static { position: absolute; width: auto; height: 1; background: $warning; color: $text; text-style: bold; }
    Jump > Static:nocolor { text-style: bold reverse; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [bind("back", "dismiss(None)", "Cancel")]

    def __init__(self, below: Screen[object]) -> None:
        super().__init__()
        places = sorted(_places(below), key=lambda place: (place[1].y, place[1].x))
        self._targets = dict(zip(LETTERS, places, strict=False))

    @property
    def letters(self) -> dict[str, Widget]:
        """The widget of each letter."""
        return {letter: widget for letter, (widget, _) in self._targets.items()}

    def compose(self) -> ComposeResult:
        for letter, (_, region) in self._targets.items():
            label = Static(f" {letter} ", markup=False)
            label.styles.offset = region.offset
            yield label

    def on_key(self, event: events.Key) -> None:
        event.stop()
        self.dismiss(self.letters.get(event.character or ""))


def _places(screen: Screen[object]) -> Iterator[tuple[Widget, Region]]:
    """The widgets that can have the focus, and what can be seen of each."""
    for widget in screen.focus_chain:
        visible = screen.find_widget(widget).visible_region
        if visible.area:
            yield widget, visible
