"""The help: what one can do on the screen below it, and every key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

GENERAL = (
    ("1 2 3", "Lab, Training, Runs (F2 F3 F4 from inside a field)"),
    ("tab", "to the next field, shift+tab to the one before"),
    ("escape", "out of a field, back from a chart or a dialog"),
    ("ctrl+p", "find any command by its name, themes too"),
    ("ctrl+z", "into the background; fg in the shell brings it back"),
    ("q", "quit (ctrl+q from inside a field)"),
)


class Help(ModalScreen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark,f1,enter", "dismiss", "Close")]

    def __init__(self, title: str, lines: Sequence[str], keys: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._title, self._lines, self._keys = title, tuple(lines), tuple(keys)

    def compose(self) -> ComposeResult:
        text = Content(" ".join(self._lines))
        for heading, keys in ((self._title, self._keys), ("Everywhere", GENERAL)):
            text = text.append(Content.styled(f"\n\n{heading}\n", "bold"))
            lines = [Content.assemble((f"  {key:<10}", "$text-accent"), words) for key, words in keys]
            text = text.append(Content("\n").join(lines))
        with VerticalScroll(classes="dialog help") as box:
            box.border_title = "Help"
            box.border_subtitle = "escape closes"
            yield Static(text, markup=False)


def keys_of(screen: Screen[None]) -> list[tuple[str, str]]:
    """The keys that a screen itself binds, with their words."""
    keys: dict[str, str] = {}
    for binding in Binding.make_bindings(screen.BINDINGS):
        if binding.description and binding.show:
            keys.setdefault(binding.tooltip or binding.description, binding.key_display or binding.key)
    return [(key, words) for words, key in keys.items()]
