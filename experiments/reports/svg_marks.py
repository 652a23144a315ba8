"""The parts that images are made of: paths, markers and texts."""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import escape

from experiments.reports.looks import MARKERS, colours

FONT, CHAR = 12, 6.6
"""Size of the text and the average width of a character, in pixels."""
INK = "#737b85"
"""A grey that is readable on light and on dark pages."""


def colour_of(look: int) -> str:
    return colours()[look % len(colours())]


def path(
    points: Iterable[tuple[float, float]], colour: str, *, dash: str = "", thickness: float = 1.0, opacity: float = 1.0
) -> str:
    """A line through points."""
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    faint = f' stroke-opacity="{opacity:g}"' if opacity < 1 else ""
    return f'<path d="{way(points)}" fill="none" stroke="{colour}" stroke-width="{thickness:g}"{dashes}{faint}/>'


def way(points: Iterable[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def marker(look: int, x: float, y: float) -> str:
    """Circle, triangle, square and diamond, in turn filled and hollow."""
    colour = colour_of(look)
    hollow = look // len(MARKERS) % 2
    paint = f'fill="none" stroke="{colour}" stroke-width="1.6"' if hollow else f'fill="{colour}"'
    match MARKERS[look % len(MARKERS)]:
        case "circle":
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" {paint}/>'
        case "square":
            return f'<rect x="{x - 3:.1f}" y="{y - 3:.1f}" width="6" height="6" {paint}/>'
        case "triangle":
            corners = [(x, y - 4), (x + 3.8, y + 3), (x - 3.8, y + 3)]
        case _:
            corners = [(x, y - 4.2), (x + 4.2, y), (x, y + 4.2), (x - 4.2, y)]
    return f'<path d="{way(corners)}Z" {paint}/>'


def text(
    x: float,
    y: float,
    words: str,
    *,
    anchor: str = "start",
    size: int = FONT,
    weight: str = "",
    colour: str = "",
    turned: int = 0,
) -> str:
    """Words at a place, turned by so many degrees around it."""
    more = f' font-size="{size}"' if size != FONT else ""
    more += f' font-weight="{weight}"' if weight else ""
    more += f' fill="{colour}"' if colour else ""
    more += f' transform="rotate({turned} {x:.1f} {y:.1f})"' if turned else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{escape(words)}</text>'
