"""The private parts of Textual that the interface relies on, beside those of its driver (see `tui.app.terminal`).

Each is used here alone. When another version of Textual changes one, `tests/tui/widgets/test_textual_private.py` says
which, and what it was good for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from textual import events
from textual._compositor import Compositor
from textual._context import active_app
from textual.app import App
from textual.geometry import Region
from textual.screen import Screen
from textual.strip import Strip


def first_screen(app: App[Any], mode: str) -> Screen[Any] | None:
    """The screen of a mode itself, whatever lies above it; None when it has not been shown yet."""
    stack = app._screen_stacks.get(mode)
    return stack[0] if stack else None


def open_screens(app: App[Any]) -> Mapping[str, Sequence[Screen[Any]]]:
    """The screens of each mode that has been shown, from below."""
    return app._screen_stacks


def has_screen(app: App[Any]) -> bool:
    """Whether there is a screen that keys could go to: not before the first, nor after the last."""
    return bool(app._screen_stack)


def is_leaving(app: App[Any]) -> bool:
    """Whether the app was told to exit, and is about to."""
    return app._exit


def write_to_terminal(app: App[Any], sequence: str) -> None:
    """Write a control sequence between what is painted; without a terminal do nothing."""
    if app._driver is not None:
        app._driver.write(sequence)
        app._driver.flush()


def call_soon(app: App[Any], callback: Callable[..., object], *arguments: object) -> None:
    """Call something on the app's thread. May be called on any thread and in a signal handler; after the end of the
    app's loop it does nothing."""
    with suppress(RuntimeError):  # the loop has ended already
        if app._loop is not None:
            app._loop.call_soon_threadsafe(callback, *arguments)


async def run_binding(app: App[Any], key: str) -> bool:
    """Run what a key is bound to, those with priority first; whether it is bound to anything."""
    return await app._check_bindings(key, priority=True) or await app._check_bindings(key, priority=False)


class FrameCompositor(Compositor):
    """Asks widgets for the lines of a frame that have changed; Textual asks all for all of theirs."""

    def _get_renders(self, crop: Region | None = None) -> Iterable[tuple[Region, Region, list[Strip]]]:
        if crop is None:
            yield from super()._get_renders()
            return
        for widget, (region, clip) in self.visible_widgets.items():
            shown = region.intersection(clip)
            if shown.overlaps(crop):
                top, bottom = max(shown.y, crop.y), min(shown.bottom, crop.bottom)
                part = Region(shown.x, top, shown.width, bottom - top)
                yield part, part, widget.render_lines(part.translate(-region.offset))


class SteadyScreen(Screen[None]):
    """A screen that is laid out, styled and drawn no more often than it has to be."""

    _seen = False

    def __init__(self) -> None:
        super().__init__()
        self._compositor = FrameCompositor()
        app = active_app.get(None)
        if app is not None and has_screen(app):
            # Its styles are made as it is mounted. Textual would read all rules anew, twice, and style every screen.
            self._css_update_count = app._css_update_count

    def _on_screen_resume(self, event: events.ScreenResume) -> None:
        """Styles cannot have changed on a screen one comes back to; a change of theme is seen to by `switch_mode`."""
        event.refresh_styles = not self._seen
        self._seen = True

    def _on_resize(self, event: events.Resize) -> None:  # type: ignore[override]  # Textual calls both, this one first
        """Pass over a size that is no longer the window's.

        Textual echoes each size it lays out; of two that cross in the queue each would bring the other back, for ever.
        """
        if event.size != self.app.size:
            event.prevent_default()
            event.stop()
