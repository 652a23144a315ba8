"""The one filter between text that comes from a file and a terminal: names, notes, errors, whatever they hold.

What commands print goes through `tui.text.output`, and every line of the interface through `PlainLines`
(`tui/widgets/plain_lines.py`), so that no command and no widget has to think of it.
"""

from __future__ import annotations

import re

from rich.cells import cell_len, set_cell_size

_STEERING = r"\x00-\x08\x0b-\x1f\x7f-\x9f"
"""C0 and C1 controls but line end and tab: a text would move the cursor with them, fill the clipboard, send keys."""
_DIRECTION = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""Controls of the direction of writing, with which a text would read as another one than it is."""
_LINE_ENDS = "\u2028\u2029"
_UNWANTED = re.compile(f"[{_STEERING}{_DIRECTION}{_LINE_ENDS}]")
_UNWANTED_IN_LINE = re.compile(f"[\n\t{_STEERING}{_DIRECTION}{_LINE_ENDS}]")
_SURROGATES = re.compile("[\ud800-\udfff]")


def plain(text: str) -> str:
    """Without what would steer the terminal or turn the direction of writing round; line ends and tabs stay."""
    return _UNWANTED.sub("", text)


def plain_line(text: str) -> str:
    """As `plain`, on one line, and a question mark for each surrogate, which is no character and cannot be written. As
    many cells wide as before: what is taken out has none."""
    if text.isprintable():
        return text
    return _SURROGATES.sub("?", _UNWANTED_IN_LINE.sub("", text))


def in_cells(text: str, width: int, *, right: bool = False) -> str:
    """A text so many cells wide, to the left or to the right of them; one that is wider is cut, with an ellipsis."""
    if (taken := cell_len(text)) > width:
        return set_cell_size(set_cell_size(text, max(width - 1, 0)) + "…", width)
    space = " " * (width - taken)
    return space + text if right else text + space
