"""The base of the working screens: the line at the top, the keys, and a word on windows that are too small."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, cast

from textual.app import ComposeResult
from textual.widgets import Input, Static

from core.errors import one_line
from tui.live.lab import Lab
from tui.screens.dialogs import Ask
from tui.text.copying import Copy
from tui.widgets.lines.key_bar import KeyBar
from tui.widgets.lines.navbar import NavBar
from tui.widgets.textual_private import SteadyScreen

LEAST_WIDTH, LEAST_HEIGHT = 60, 20


class WorkScreen(SteadyScreen):
    """A working screen, to which one of the keys 1 to 4 leads."""

    MODE: ClassVar[str]

    ready = False
    """Whether every widget is there: the app's clock ticks while a screen is still being put together."""
    _keys_for: object = None

    def on_mount(self) -> None:
        self.ready = True

    def on_descendant_focus(self) -> None:
        self._show_keys()

    def on_descendant_blur(self) -> None:
        self._show_keys()

    def _show_keys(self) -> None:
        self.query_one(NavBar).show_keys(typing=isinstance(self.focused, Input))

    def refresh_keys(self, *state: object) -> None:
        """Refresh the keys in the footer when the `state` that they depend on has changed."""
        if state != self._keys_for:
            self._keys_for = state
            self.refresh_bindings()

    def leave_field(self) -> None:
        """Leave a field, which would take the keys 1 to 4 for text."""
        if isinstance(self.focused, Input) and isinstance(self.AUTO_FOCUS, str):
            self.set_focus(self.query_one(self.AUTO_FOCUS))

    def on_screen_resume(self) -> None:
        self._look_at_keys()

    def on_screen_suspend(self) -> None:
        self._look_at_keys()

    def _look_at_keys(self) -> None:
        """A dialog has come or gone."""
        if self.ready:
            self.call_after_refresh(self.query_one(KeyBar).show_keys)

    def rearrange(self) -> None:
        """Show the list of all runs anew, where there is one: it has changed."""

    @property
    def lab(self) -> Lab:
        return cast(Lab, self.app)

    def compose(self) -> ComposeResult:
        yield NavBar(self.MODE)
        yield Static(
            f"mnist-tui needs a window of {LEAST_WIDTH} by {LEAST_HEIGHT}.\nMake this one larger; training goes on.",
            id="too-small",
            markup=False,
        )
        yield from self.compose_body()
        yield KeyBar()

    @abstractmethod
    def compose_body(self) -> ComposeResult:
        """The widgets between the line at the top and the footer."""

    def copies(self) -> Sequence[Copy]:
        """What can be copied of what is shown."""
        return ()

    def action_copy(self) -> None:
        """Copy the only thing that there is, or ask which."""
        copies = self.copies()
        if not copies:
            self.notify("there is nothing to copy here yet", severity="warning")
        elif len(copies) == 1:
            self._copied(copies, "0")
        else:
            answers = [(f"copy-{at}", f"{what}: {one_line(text, 44)}") for at, (what, text) in enumerate(copies)]
            words = "Goes to the clipboard of your terminal."
            self.app.push_screen(Ask("Copy", words, answers), lambda answer: self._copied(copies, answer or ""))

    def _copied(self, copies: Sequence[Copy], answer: str) -> None:
        if number := answer.removeprefix("copy-"):
            what, text = copies[int(number)]
            self.app.copy_to_clipboard(text)
            self.notify(f"{what}: {one_line(text)}", title="Copied", markup=False)

    def help_lines(self) -> tuple[str, ...]:
        """Lines for the help of this screen."""
        return ()

    def explained(self) -> tuple[tuple[str, str], ...]:
        """What is shown on this screen and what each of it means, for the help."""
        return ()
