"""Questions above the screen: a choice between few things, and a line to type."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from core.errors import LabError
from tui.live.task import in_a_sentence
from tui.text.keys import with_keys
from tui.widgets.forms.field import Field
from tui.widgets.keys import bind


class Ask(ModalScreen[str]):
    """Answers are (name, words); dismissed with the name, or with nothing for escape."""

    BINDINGS: ClassVar[list[BindingType]] = [
        bind("back", "dismiss('')", "Cancel"),
        bind("down", "app.focus_next"),
        bind("up", "app.focus_previous"),
        bind("right", "app.focus_next"),
        bind("left", "app.focus_previous"),
    ]

    def __init__(self, title: str, text: str, answers: Sequence[tuple[str, str]], *, danger: str = "") -> None:
        super().__init__()
        self._title, self._text, self._answers, self._danger = title, text, tuple(answers), danger

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as box:
            box.border_title = Content(self._title)
            yield Static(self._text, classes="question", markup=False)
            for name, words in self._answers:
                yield Button(
                    Content(words), id=name, variant="error" if name == self._danger else "default", compact=True
                )

    @on(Button.Pressed)
    def _answered(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id or "")


class Prompt(ModalScreen[str | None]):
    """A line to type; dismissed with it, or with None for escape. What `check` raises is said, and it stays open."""

    BINDINGS: ClassVar[list[BindingType]] = [bind("back", "dismiss(None)", "Cancel")]

    def __init__(self, title: str, text: str, value: str, check: Callable[[str], object] = str) -> None:
        super().__init__()
        self._title, self._text, self._value, self._check = title, text, value, check

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as box:
            box.border_title = Content(self._title)
            yield Static(self._text, classes="question", markup=False)
            yield Field(self._value, max_length=200, compact=True, select_on_focus=False)
            yield Static(with_keys("{open} saves, {back} cancels"), classes="keys", markup=False)

    @on(Input.Submitted)
    def _done(self, event: Input.Submitted) -> None:
        try:
            self._check(event.value)
        except LabError as error:
            self.notify(in_a_sentence(error), title="Not kept", severity="error", markup=False)
        else:
            self.dismiss(event.value)
