"""The parts of a note that a course asks for: what was aimed at, what came of it, and why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

SECTIONS = ("Target", "Result", "Analysis")
_HEADING = re.compile(
    rf"\s*(?:#+\s*)?(?:\*\*)?({'|'.join(SECTIONS)})s?(?:\*\*)?\s*(?:$|:(?:\*\*)?\s*(.*))", re.IGNORECASE
)


def sections_of(note: str) -> Mapping[str, str]:
    """The text below each heading of a note, and under an empty name what stands before the first.

    A heading is a line with one of the names alone, with or without ``#``, or the name, a colon and the first words.
    """
    parts: dict[str, list[str]] = {"": []}
    place = ""
    for line in note.splitlines():
        if match := _HEADING.fullmatch(line):
            place = match[1].capitalize()
            parts.setdefault(place, []).append(match[2] or "")
        else:
            parts[place].append(line)
    texts = {name: "\n".join(lines).strip() for name, lines in parts.items()}
    return {name: text for name, text in texts.items() if text}


def joined(notes: Iterable[tuple[str, str]]) -> list[tuple[str, Mapping[str, str]]]:
    """The sections of the notes of several runs, as (the runs, sections); runs with one text are named together.

    Args:
        notes: the name of each run, and its note.
    """
    by_text: dict[str, list[str]] = {}
    for name, note in notes:
        if note:
            by_text.setdefault(note, []).append(name)
    return [(", ".join(names), sections_of(note)) for note, names in by_text.items()]
