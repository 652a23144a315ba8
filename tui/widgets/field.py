"""A field to type in that keeps its place on the screen."""

from __future__ import annotations

from textual.geometry import Size
from textual.reactive import Reactive
from textual.widgets import Input


class Field(Input):
    """Textual lays out the whole screen at each keystroke, in case a field grows with its text; this one does not."""

    virtual_size = Reactive(Size(0, 0), layout=False)
