# ruff: noqa: RUF001  # the look-alikes are the point
"""The interface in characters that any font and any encoding has.

Every character that is drawn takes one column, and so does what stands in for it, so the layout is untouched.
"""

from __future__ import annotations

import unicodedata

_GROUPS = {
    "-": "─━═▔▁╌┄╍–—‾⎺⎽",
    "|": "│┃║▏▎▕┆┊╎",
    "+": "✓✔┌┐└┘├┤┬┴┼╭╮╰╯╔╗╚╝╒╕╘╛┏┓┗┛┣┫┳┻╋",
    "#": "■█▉▊▋▌▍▐▀▄▛▜▙▟▇▆▅▃▂▚▞",
    "'": "▘▝",
    ",": "▖▗",
    ":": "░▒▓",
    "*": "●•◆⬤★⏺",
    "o": "○◦⭘",
    ".": "·…",
    "x": "✗✘×⨯",
    "v": "▼▾↓",
    "^": "▲▴↑⌃",
    ">": "▶▸›→❯»",
    "<": "◀◂‹←❮«",
    "~": "≈",
}
_TABLE = {ord(character): plain for plain, characters in _GROUPS.items() for character in characters}


def to_ascii(text: str) -> str:
    """The text with each character beyond ASCII replaced by one that looks like it."""
    if text.isascii():
        return text
    text = text.translate(_TABLE)
    return text if text.isascii() else "".join(_nearest(character) for character in text)


def _nearest(character: str) -> str:
    if character.isascii():
        return character
    if "⠀" <= character <= "⣿":
        return "*" if character > "⠀" else " "
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return plain[:1] or "?"
