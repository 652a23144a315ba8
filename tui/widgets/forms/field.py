"""A field to type in that keeps its place on the screen."""

from __future__ import annotations

from textual.events import Paste
from textual.geometry import Size
from textual.reactive import Reactive
from textual.widgets import Input
from textual.widgets.input import Selection

from tui.text.plain import plain_line


class Field(Input):
    """Textual lays out the whole screen at each keystroke, in case a field grows with its text; this one does not.

    Where the whole of it is selected when it gets the focus, the cursor is at the beginning, which of a long number is
    what counts.
    """

    virtual_size = Reactive(Size(0, 0), layout=False)

    def _on_paste(self, event: Paste) -> None:
        """Several lines are pasted as one, with blanks between them; textual's own handler follows and inserts it."""
        event.text = plain_line(" ".join(event.text.split()))

    def on_focus(self) -> None:
        self.call_next(self._show_beginning)  # after textual's own handler has selected it

    def _show_beginning(self) -> None:
        if self.selection == Selection(0, len(self.value)):
            self.select_whole()

    def select_whole(self) -> None:
        """Select all of it from its end, so that its beginning is in sight."""
        self.selection = Selection(len(self.value), 0)
