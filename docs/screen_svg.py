"""Screens as SVG, still or as a film: what Textual exports, made small, and the same whatever fonts a reader has.

Points of charts and blocks are drawn as shapes, as many fonts have other ones or none. A film holds each line of the
screen once for the time in which it stands, so that it grows with what changes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape, unescape
from itertools import groupby, pairwise

WIDTH, HEIGHT = 10, 20
"""Of a cell."""
RIM = 14
"""Around the screen."""
_CELL_X, _CELL_Y = 12.2, 24.4
_RECT = re.compile(r'<rect fill="(#\w+)" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)"')
_TEXT = re.compile(r'<text class="[\w-]+-(r\d+)" x="([\d.]+)" y="([\d.]+)" [^>]*>([^<]*)</text>')
_STYLE = re.compile(r"^\s*\.[\w-]+-(r\d+) \{ (.*) \}$", re.MULTILINE)
_VIEW = re.compile(r'<clipPath id="[\w-]+-clip-terminal">\s*<rect x="0" y="0" width="([\d.]+)" height="([\d.]+)"')
_DOTS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
"""Column and row of each dot of a braille character, in the order of its bits."""
_BLOCKS = {"█": (0, 0, 8, 8), "▀": (0, 0, 8, 4), "▐": (4, 0, 4, 8)}
_BLOCKS |= {chr(0x2580 + n): (0, 8 - n, 8, n) for n in range(1, 8)}
_BLOCKS |= {chr(0x2590 - n): (0, 0, n, 8) for n in range(1, 8)}
"""Left, top, width and height, in eighths of a cell."""


@dataclass(frozen=True)
class Picture:
    """One screen: what each of its lines is made of, as SVG that has its top at 0."""

    columns: int
    background: str
    lines: tuple[str, ...]


@dataclass
class Styles:
    """Names for the styles of all pictures of a file."""

    names: dict[str, str] = field(default_factory=dict)

    def name(self, style: str) -> str:
        return self.names.setdefault(style, f"s{len(self.names)}")

    def rules(self) -> Iterator[str]:
        return (f".{name}{{{style}}}" for style, name in self.names.items())


def read(exported: str, styles: Styles) -> Picture:
    """What `App.export_screenshot` has made.

    Raises:
        ValueError: when it is not that.
    """
    view = _VIEW.search(exported)
    if view is None:
        raise ValueError("no picture of a terminal")
    columns, count = round((float(view[1]) + 1) / _CELL_X), round((float(view[2]) + 1) / _CELL_Y)
    rects = [
        (round((float(y) - 1.5) / _CELL_Y), round(float(x) / _CELL_X), round(float(wide) / _CELL_X), fill)
        for fill, x, y, wide in _RECT.findall(exported)
    ]
    areas: Counter[str] = Counter()
    for _, _, wide, fill in rects:
        areas[fill] += wide
    background = max(areas, key=areas.__getitem__, default="#000000")
    lines: list[list[str]] = [[] for _ in range(count)]
    for (line, fill), same in groupby(rects, key=lambda rect: (rect[0], rect[3])):
        pieces = list(same)
        start, end = pieces[0][1], pieces[-1][1] + pieces[-1][2]
        if fill != background and end > start:
            box = f'x="{start * WIDTH}" width="{(end - start) * WIDTH}" height="{HEIGHT}.4"'
            lines[line].append(f'<rect class="{styles.name(f"fill:{fill}")}" {box}/>')
    meanings = dict(_STYLE.findall(exported))
    for name, x, y, text in _TEXT.findall(exported):
        line, column = round((float(y) - 20) / _CELL_Y), round(float(x) / _CELL_X)
        if line < count:
            lines[line] += _drawn(unescape(text).rstrip("\n").replace("\xa0", " "), column, meanings[name], styles)
    return Picture(columns, background, tuple("".join(line) for line in lines))


def _drawn(text: str, column: int, meaning: str, styles: Styles) -> Iterator[str]:
    """A text in one style: words, and the shapes in it."""
    style, colour = styles.name(meaning.replace("; ", ";").replace(": ", ":")), meaning.split(";")[0].split(": ")[1]
    for kind, cells in groupby(enumerate(text, column), key=lambda cell: _kind(cell[1])):
        part = list(cells)
        if kind == "dots":
            path = "".join(f"M{x} {y}h0" for at, character in part for x, y in _dots(at, character))
            if path:
                yield f'<path class="{styles.name(f"stroke:{colour}")} d" d="{path}"/>'
        elif kind == "blocks":
            yield f'<path class="{style}" d="{"".join(_block(at, character) for at, character in part)}"/>'
        else:
            for word in re.finditer(r"\S+(?: \S+)*", "".join(character for _, character in part)):
                place = f'x="{(part[0][0] + word.start()) * WIDTH}" textLength="{len(word[0]) * WIDTH}"'
                yield f'<text class="{style}" y="15" {place}>{escape(word[0], quote=False)}</text>'


def _kind(character: str) -> str:
    if "\u2800" <= character <= "\u28ff":
        return "dots"
    if character in _BLOCKS:
        return "blocks"
    return "ascii" if character.isascii() else character  # other fonts may have other widths


def _dots(column: int, character: str) -> Iterator[tuple[str, str]]:
    for bit, (right, down) in enumerate(_DOTS):
        if (ord(character) - 0x2800) >> bit & 1:
            yield f"{column * WIDTH + 2.5 + 5 * right:g}", f"{2.5 + 5 * down:g}"


def _block(column: int, character: str) -> str:
    left, top, wide, high = _BLOCKS[character]
    x, y = column * WIDTH + left * WIDTH / 8, top * HEIGHT / 8
    return f"M{x:g} {y:g}h{wide * WIDTH / 8:g}v{high * HEIGHT / 8:g}h-{wide * WIDTH / 8:g}z"


def still(picture: Picture, styles: Styles) -> str:
    """One picture."""
    return _page(picture, styles, [], [_at(number, line) for number, line in enumerate(picture.lines) if line])


def film(pictures: Sequence[Picture], seconds: Sequence[float], styles: Styles) -> str:
    """Pictures of one size one after the other, each for so many seconds, over and over.

    Where nothing moves, or is not to, the last one is shown.
    """
    ends = [sum(seconds[: number + 1]) for number in range(len(seconds))]
    spans: dict[tuple[int, int], list[str]] = {}
    for number in range(len(pictures[0].lines)):
        first = 0
        for before, after in pairwise([*range(len(pictures)), len(pictures)]):
            if after == len(pictures) or pictures[after].lines[number] != pictures[before].lines[number]:
                spans.setdefault((first, after), []).append(_at(number, pictures[before].lines[number]))
                first = after
    rules, shapes = [], []
    for (first, after), lines in sorted(spans.items()):
        name = f"f{first}-{after}"
        shapes.append(f'<g class="{name}">{"".join(lines)}</g>')
        if (first, after) != (0, len(pictures)):
            rules += _shown_between(
                name, 100 * (ends[first - 1] if first else 0) / ends[-1], 100 * ends[after - 1] / ends[-1]
            )
            rules.append(f".{name}{{animation:{name} {ends[-1]:g}s step-end infinite}}")
            if after != len(pictures):
                rules.append(f".{name}{{visibility:hidden}}")
    rules.append("@media (prefers-reduced-motion:reduce){g{animation:none!important}}")
    return _page(pictures[0], styles, rules, shapes)


def _shown_between(name: str, start: float, end: float) -> Iterator[str]:
    """The rule for what is seen from one percentage of the time to another."""
    before = "0%{visibility:hidden}" if start else ""
    after = f"{end:.3f}%,100%{{visibility:hidden}}" if end < 100 else "100%{visibility:visible}"
    yield f"@keyframes {name}{{{before}{start:.3f}%{{visibility:visible}}{after}}}"


def _at(number: int, line: str) -> str:
    return f'<g transform="translate(0,{number * HEIGHT})">{line}</g>' if line else ""


def _page(picture: Picture, styles: Styles, rules: Sequence[str], shapes: Sequence[str]) -> str:
    wide, high = picture.columns * WIDTH + 2 * RIM, len(picture.lines) * HEIGHT + 2 * RIM
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{-RIM} {-RIM} {wide} {high}">',
        "<style>",
        'text{font:16.6px "Fira Code","DejaVu Sans Mono",Menlo,Consolas,monospace;white-space:pre}',
        ".d{stroke-width:3;stroke-linecap:round}rect{shape-rendering:crispEdges}",
        *styles.rules(),
        *rules,
        "</style>",
        f'<rect x="{-RIM}" y="{-RIM}" width="{wide}" height="{high}" rx="8" fill="{picture.background}"/>',
    ]
    return "\n".join([*head, *shapes, "</svg>\n"])
