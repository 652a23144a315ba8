"""Grey pictures as lines of text without colour, for what commands print."""

from __future__ import annotations

from tui.drawing.picture import Ink, Palette, Shades, picture

_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)


def has_braille(encoding: str | None) -> bool:
    """Whether a stream of this encoding can take braille dots."""
    try:
        "⣿".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def text_picture(values: Shades, encoding: str | None) -> list[str]:
    """The lines of a picture, (H, W) from 0 to 1: in braille dots where the stream's encoding has them, else ASCII."""
    ink = Ink.BRAILLE if has_braille(encoding) else Ink.ASCII
    palette = Palette(ink, _BLACK, _WHITE, above=_WHITE, below=_WHITE, mark=_WHITE)
    return ["".join(segment.text for segment in line).rstrip() for line in picture(values, palette)]
