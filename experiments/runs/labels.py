"""What people write on a run, its tags and its note, as it may come from a file or from a keyboard."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from core.errors import InvalidValue

MAX_NOTE = 20_000
"""Characters of a note."""
MAX_LABEL = 100
"""Characters of a name or a tag."""
_LINE_ENDS = re.compile("\r\n?|[\u2028\u2029]")


def words_in(values: object) -> tuple[str, ...]:
    """The texts of a list from a file."""
    return tuple(word for word in values if isinstance(word, str)) if isinstance(values, list) else ()


def tags_in(values: object) -> tuple[str, ...]:
    """The tags of a list from a file."""
    return split_tags(words_in(values))


def split_tags(texts: Iterable[str], *, at_spaces: bool = False, known: Collection[str] = ()) -> tuple[str, ...]:
    """The tags in these texts, each once: commas stand between two, and a ``#`` before one is no part of it.

    Args:
        at_spaces: whether spaces stand between two as well.
        known: tags that may have a space in them all the same.
    """
    tags: dict[str, None] = {}
    for part in (part.strip() for text in texts for part in text.split(",")):
        for tag in [part] if not at_spaces or part in known else part.split():
            tags[tag.lstrip("#").strip()] = None
    return tuple(filter(None, tags))


def check_label(field: str, text: str) -> None:
    """Refuse a name or tag that nobody could see or that would not fit in a table.

    Raises:
        InvalidValue: naming the field. A name may be empty, which is none.
    """
    if text.isspace() or (not text and field == "tag"):
        raise InvalidValue(field, text, "must not be empty", hint=f"give a word, or leave the {field} out")
    if len(text) > MAX_LABEL or not text.isprintable():
        allowed = f"must be at most {MAX_LABEL} printable characters"
        raise InvalidValue(field, text, allowed, hint="leave out line ends and control characters")
    if text == "latest":
        raise InvalidValue(field, text, "stands for the newest run", hint="choose another word")


def note_in(value: object) -> str:
    """A note from a file: lines that end as ours do, no spaces at its end, no more than a note may have."""
    return _LINE_ENDS.sub("\n", value).strip()[:MAX_NOTE] if isinstance(value, str) else ""


def checked_note(text: str) -> str:
    """A note as somebody wrote it, as it is kept.

    Raises:
        InvalidValue: when it is too long.
    """
    note = _LINE_ENDS.sub("\n", text).strip()
    if len(note) > MAX_NOTE:
        allowed = f"has {len(note):,} characters, and may have {MAX_NOTE:,}"
        raise InvalidValue("note", f"{note[:20]}...", allowed, hint="keep the longer text in a file of its own")
    return note


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep others who do the same out of a folder meanwhile, so that of two changes of one file none is lost. Where
    there are no locks it is done without."""
    handle = None
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)
