"""The help: what one can do on the screen below it, and every key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

GENERAL = (
    ("1 2 3 4", "Lab, Training, Runs, Sweeps (F2 to F5 from inside a field)"),
    ("tab", "to the next field, shift+tab to the one before"),
    ("escape", "out of a field, back from a chart or a dialog"),
    ("ctrl+p", "find any command by its name, themes too"),
    ("ctrl+z", "into the background; fg in the shell brings it back"),
    ("q", "quit (ctrl+q from inside a field)"),
)


class Help(ModalScreen[None]):
    DEFAULT_CSS = """
    Help .heading { margin-top: 1; text-style: bold; }
    Help .entry { height: auto; }
    Help .word { width: 15; padding: 0 1 0 2; color: $text-accent; }
    Help .meaning { width: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark,f1,enter", "dismiss", "Close")]

    def __init__(
        self,
        title: str,
        lines: Sequence[str],
        keys: Sequence[tuple[str, str]],
        layers: Sequence[tuple[str, str]] = (),
    ) -> None:
        """`layers` are the words of a spec, where there is one to type."""
        super().__init__()
        self._title, self._lines = title, tuple(lines)
        self._sections = [(title, keys), ("Layers", layers), ("Everywhere", GENERAL)]

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog help") as box:
            box.border_title = "Help"
            box.border_subtitle = "escape closes"
            yield Static(" ".join(self._lines), markup=False)
            for heading, entries in self._sections:
                if entries:
                    yield Static(heading, classes="heading", markup=False)
                for word, meaning in entries:
                    with Horizontal(classes="entry"):
                        yield Static(word, classes="word", markup=False)
                        yield Static(meaning, classes="meaning", markup=False)


def keys_of(screen: Screen[None]) -> list[tuple[str, str]]:
    """The keys that a screen itself binds, with their words: a line for each key, whatever it does at which moment."""
    keys: dict[str, list[str]] = {}
    said: set[str] = set()
    for binding in Binding.make_bindings(screen.BINDINGS):
        words = binding.tooltip or binding.description
        if words and binding.show and words not in said:
            said.add(words)
            keys.setdefault(binding.key_display or binding.key, []).append(words)
    return [(key, _joined(meanings)) for key, meanings in keys.items()]


def _joined(meanings: Sequence[str]) -> str:
    return "; ".join([meanings[0], *(words[:1].lower() + words[1:] for words in meanings[1:])])
