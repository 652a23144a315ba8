"""A spec as words, each with its place."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

_WORD = re.compile(r"[()|]|[^\s()|]+")


class Word(NamedTuple):
    """A word of a spec, which stands at ``spec[start:end]``."""

    text: str
    start: int
    end: int


def words(spec: str) -> tuple[Word, ...]:
    """The words of a spec: what stands between blanks, and each ``(``, ``)`` and ``|`` by itself."""
    return tuple(Word(match[0], match.start(), match.end()) for match in _WORD.finditer(spec))


def texts_of(spec: str) -> tuple[str, ...]:
    """The words of a spec without their places."""
    return tuple(_WORD.findall(spec))


def joined(texts: Iterable[str]) -> str:
    """Words as one spec, in the one way to write it: ``c8 res(c8p1 | c8k1)``."""
    spec = ""
    for text in texts:
        apart = bool(spec) and spec[-1] != "(" and text not in ("(", ")")
        spec += f" {text}" if apart else text
    return spec


def on_the_way(texts: Iterable[str]) -> list[str]:
    """The first words of a spec without the brackets that they leave open, and in these only the last branch."""
    found: list[str] = []
    opened: list[tuple[int, int]] = []  # for each open bracket, where the word before it and the last branch begin
    for text in texts:
        found.append(text)
        if text == "(":
            opened.append((max(len(found) - 2, 0), len(found)))
        elif text == "|" and opened:
            opened[-1] = (opened[-1][0], len(found))
        elif text == ")" and opened:
            opened.pop()
    for before, branch in reversed(opened):
        del found[before:branch]
    return found
