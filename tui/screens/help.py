"""The help: what one can do on the screen below it, and every key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from tui.text.keys import key, with_keys
from tui.widgets.keys import bind

GENERAL = (
    ("{lab} {training} {runs} {sweeps}", "Lab, Training, Runs, Sweeps; F2 to F5 from inside a field"),
    ("{next_view}", "to the next field or view, {previous_view} to the one before"),
    ("{back}", "out of a field, back from a chart or a dialog"),
    ("{commands}", "find a command, run, group, preset or network by its name, themes too"),
    ("{jump}", "label all that can be reached with letters; a letter goes there"),
    ("{turn}", "in a list: the whole row, with what is cut or has no room"),
    ("{first} {last}", "in a list: to the first, to the last; {half_up} and {half_down} go half a page"),
    ("{settings}", "the settings: theme, keys, notifications and others"),
    ("{suspend}", "into the background; fg in the shell brings it back"),
    ("{quit}", "quit; {quit_anywhere} from inside a field"),
)
"""Keys that are the same on every screen. In a list the first letter that does it is named."""


class Help(ModalScreen[None]):
    DEFAULT_CSS = """
    Help .heading { margin-top: 1; text-style: bold; }
    Help .entry { height: auto; }
    Help .word { width: 15; padding: 0 1 0 2; color: $text-accent; }
    Help .meaning { width: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("back", "dismiss", "Close"),
        bind("help", "dismiss"),
        bind("open", "dismiss"),
        bind("quit", "dismiss"),
    ]

    def __init__(
        self,
        title: str,
        lines: Sequence[str],
        keys: Sequence[tuple[str, str]],
        layers: Sequence[tuple[str, str]] = (),
        explained: Sequence[tuple[str, str]] = (),
    ) -> None:
        """`layers` are the words of a spec, where there is one to type, `explained` what is shown and what it means."""
        super().__init__()
        self._title, self._lines = title, tuple(map(with_keys, lines))
        general = [(with_keys(keys), with_keys(words)) for keys, words in GENERAL]
        self._sections = [(title, keys), ("What is shown", explained), ("Layers", layers), ("Everywhere", general)]

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog help") as box:
            box.border_title = "Help"
            box.border_subtitle = f"{key('back')} closes"
            yield Static(" ".join(self._lines), markup=False)
            for heading, entries in self._sections:
                if entries:
                    yield Static(heading, classes="heading", markup=False)
                for word, meaning in entries:
                    with Horizontal(classes="entry"):
                        yield Static(word, classes="word", markup=False)
                        yield Static(meaning, classes="meaning", markup=False)


def screen_keys(screen: Screen[None]) -> list[tuple[str, str]]:
    """The keys that a screen itself binds, with their words: a line for each key, whatever it does at which moment."""
    keys: dict[str, list[str]] = {}
    said: set[str] = set()
    for binding in Binding.make_bindings(screen.BINDINGS):
        words = binding.tooltip or binding.description
        if words and binding.show and words not in said:
            said.add(words)
            keys.setdefault(key(binding.id or ""), []).append(with_keys(words))
    return [(name, _joined(meanings)) for name, meanings in keys.items()]


def _joined(meanings: Sequence[str]) -> str:
    return "; ".join([meanings[0], *(words[:1].lower() + words[1:] for words in meanings[1:])])
