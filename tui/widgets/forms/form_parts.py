"""What a form is made of beside its fields: the list that they scroll in, and what folds a part of them away."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.message import Message

from tui.widgets.keys import bind
from tui.widgets.lines.line import Line


class PresetRow(Horizontal):
    DEFAULT_CSS = """
    PresetRow { height: 1; margin-bottom: 1; }
    PresetRow > .label { width: 18; color: $text-muted; }
    PresetRow > Choice { width: 1fr; }
    """


class Fields(VerticalScroll, inherit_bindings=False):
    """Up and down go from field to field, and what is focused scrolls into view, also when the room for it shrinks."""

    BINDINGS: ClassVar[list[BindingType]] = [
        bind("down", "app.focus_next"),
        bind("up", "app.focus_previous"),
    ]

    def on_resize(self) -> None:
        focused = self.screen.focused
        if focused is not None and self in focused.ancestors:
            focused.scroll_visible(animate=False)


class Fold(Line, can_focus=True):
    """Shows and hides what is under it."""

    BINDINGS: ClassVar[list[BindingType]] = [bind("open", "unfold", "Unfold"), bind("turn", "unfold")]

    class Toggled(Message):
        pass

    def action_unfold(self) -> None:
        self.post_message(self.Toggled())

    def on_click(self) -> None:
        self.action_unfold()
