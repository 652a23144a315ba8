"""Keys take effect in the order they are pressed, however fast they come.

Textual gives a key to the focused widget and runs its binding only when the key has travelled all the way up from
there, through a queue for each ancestor. On a busy machine the next keys arrive before that and go to the widget that
the first one was about to leave: "down 6 4" typed quickly would overwrite the field above. Here a key waits until the
widget in focus has dealt with the ones before it, and a binding runs at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from textual.app import App, ReturnType
from textual.binding import Binding
from textual.events import Event, Key
from textual.filter import LineFilter

from experiments.reports.looks import PALETTES
from experiments.settings import DEFAULTS
from tui.text.keys import key_in_words
from tui.widgets.plain_lines import PlainLines
from tui.widgets.textual_private import has_screen, run_binding

CHART = ("primary", "warning", "success", "error")
"""Colours of the theme that pictures and heat maps have, in the order of the colours of a palette."""
PATIENCE = 0.5
"""Seconds to wait for a widget that is busy; it is then given the key all the same."""


class OrderedKeysApp(App[ReturnType]):
    """Also lets no text steer the terminal."""

    _plain_lines = PlainLines()
    was_used = False
    """Whether a key was pressed."""

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [self._plain_lines, *super().get_line_filters()]

    settings = DEFAULTS

    def get_css_variables(self) -> dict[str, str]:
        """The theme's, and ``chart-NAME`` for those of pictures: the theme's, or those of the user's palette."""
        variables = super().get_css_variables()
        palette = PALETTES.get(self.settings.palette, ())
        for name, colour in zip(CHART, palette or map(variables.__getitem__, CHART), strict=False):
            variables[f"chart-{name}"] = colour
        return variables

    def get_key_display(self, binding: Binding) -> str:
        return key_in_words(binding.key).replace("ctrl+", "^")

    async def on_event(self, event: Event) -> None:
        self.was_used = self.was_used or isinstance(event, Key)
        if isinstance(event, Key) and not event.is_forwarded and has_screen(self):
            await self._earlier_keys_done()
            focused = self.focused
            is_text = focused is not None and focused.check_consume_key(event.key, event.character)
            if not is_text and await run_binding(self, event.key):
                return
        await super().on_event(event)

    def on_key(self, event: Key) -> None:
        """A key that nobody wanted has travelled all the way up: its binding was looked up when it was pressed, and
        what is on the screen by now, a dialog having closed, was not meant."""
        event.prevent_default()

    async def _earlier_keys_done(self) -> None:
        done = asyncio.Event()
        target = self.focused or self.screen
        if target.is_running and target.call_later(done.set):
            with suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), PATIENCE)
