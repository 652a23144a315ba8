"""The views of a screen on one line, the one that is shown standing out."""

from __future__ import annotations

from collections.abc import Mapping

from textual import events
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget


class TabLine(Widget):
    """Views by name and title. A click asks for one; keys are the screen's."""

    DEFAULT_CSS = "TabLine { height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; background: $panel; }"

    current = reactive("")

    class Chosen(Message):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self, views: Mapping[str, str], *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._views = dict(views)
        self.set_reactive(TabLine.current, next(iter(self._views)))

    def after(self, by: int) -> str:
        """The view so many places on."""
        names = list(self._views)
        return names[(names.index(self.current) + by) % len(names)]

    def on_click(self, event: events.Click) -> None:
        start = self.gutter.left
        for name, title in self._views.items():
            if start <= event.x < start + len(title) + 2:
                self.post_message(self.Chosen(name))
            start += len(title) + 3

    def render(self) -> Content:
        shown = "bold reverse" if self.app.no_color else "bold $text on $primary"
        return Content(" ").join(
            Content.styled(f" {title} ", shown if name == self.current else "$text-muted")
            for name, title in self._views.items()
        )
