"""One of a few words, on one line."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.binding import BindingType
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from tui.widgets.keys import bind

TOGETHER = 1.5
"""Seconds within which a character belongs to the ones typed before it."""


class Choice(Widget, can_focus=True):
    """Left and right (or space, or a click) go through the options; typing jumps to what begins like it."""

    DEFAULT_CSS = """
    Choice { height: 1; text-wrap: nowrap; text-overflow: ellipsis; background: $surface; color: $foreground; }
    Choice:focus { background: $primary; color: $text; }
    Choice:nocolor:focus { text-style: reverse; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("left", "turn(-1)"),
        bind("right", "turn(1)"),
        bind("turn", "turn(1)"),
    ]
    value = reactive("")

    class Changed(Message):
        def __init__(self, choice: Choice, value: str) -> None:
            super().__init__()
            self.choice, self.value = choice, value

        @property
        def control(self) -> Choice:
            return self.choice

    def __init__(self, options: Sequence[str], value: str, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self.options = tuple(options)
        self._typed, self._typed_at = "", 0.0
        self.put(value)

    def put(self, value: str) -> None:
        """Take a value without telling anyone; one that is not among the options becomes one."""
        if value not in self.options:
            self.options = (*self.options, value)
        self.set_reactive(Choice.value, value)
        if self.is_mounted:
            self.refresh()

    def action_turn(self, by: int) -> None:
        self._choose(self.options[(self.options.index(self.value) + by) % len(self.options)])

    def on_click(self, event: events.Click) -> None:
        self.action_turn(-1 if event.x < 2 else 1)

    def check_consume_key(self, key: str, character: str | None) -> bool:  # noqa: ARG002  # Textual's signature
        return self._meant_by(character) is not None

    def on_key(self, event: events.Key) -> None:
        if (meant := self._meant_by(event.character)) is not None:
            event.stop()
            self._typed, option = meant
            self._typed_at = time.monotonic()
            self._choose(option)

    def _meant_by(self, character: str | None) -> tuple[str, str] | None:
        """The text typed so far, with this character, and the option that it means: the first that starts with all of
        it, or else the next one that starts with the character."""
        if not character or character.isspace():
            return None
        if self._typed and time.monotonic() - self._typed_at < TOGETHER:
            typed = self._typed + character
            if (option := next((one for one in self.options if one.startswith(typed)), None)) is not None:
                return typed, option
        later = self.options.index(self.value) + 1
        turned = self.options[later:] + self.options[:later]
        return next(((character, option) for option in turned if option.startswith(character)), None)

    def _choose(self, value: str) -> None:
        if value != self.value:
            self.value = value
            self.post_message(self.Changed(self, value))

    def render(self) -> Text:
        text = Text(no_wrap=True, overflow="ellipsis")
        return text.append("◂ ", "dim").append(self.value).append(" ▸", "dim")
