"""What passes every line of every widget on its way to the terminal."""

from __future__ import annotations

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from tui.text.plain import plain_line


class PlainLines(LineFilter):
    """Lets no text steer the terminal, wherever it comes from and whichever widget shows it."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002  # Textual's signature
        if all(segment.text.isprintable() for segment in segments):
            return segments
        return [
            segment if segment.control else Segment(plain_line(segment.text), segment.style) for segment in segments
        ]
