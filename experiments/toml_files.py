"""TOML files that a user wrote, whatever is in them."""

from __future__ import annotations

import codecs
import tomllib
from pathlib import Path
from typing import Any

from core.errors import InvalidValue, one_line, reason_of
from core.storage.files import open_regular

MAX_BYTES = 1 << 16
MAX_DOTS = 1_000
"""Dots in a line; no name has several parts."""


def read_toml(path: Path, field: str, example: str) -> tuple[dict[str, Any], str]:
    """What a TOML file holds, and its text.

    Args:
        field: what the file is, for the message.
        example: a line of such a file, for the hint.

    Raises:
        InvalidValue: when it cannot be read or is not TOML.
    """
    try:
        with open_regular(path, follow_link=True) as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidValue(field, str(path), f"cannot be read: {reason_of(error)}", hint="name a TOML file") from error
    if len(content) > MAX_BYTES:
        raise InvalidValue(field, str(path), f"larger than {MAX_BYTES:,} bytes", hint="name a TOML file")
    if _is_utf16(content):
        raise InvalidValue(field, str(path), "is UTF-16, and TOML is UTF-8", hint="save it as UTF-8")
    hint = f"fields look like {example}"
    if any(line.count(b".") > MAX_DOTS for line in content.splitlines()):  # takes the square of their number to read
        raise InvalidValue(field, str(path), f"has a line of over {MAX_DOTS} dots", hint=hint)
    try:
        text = content.decode("utf-8-sig")  # some editors begin a file with a byte-order mark
        return tomllib.loads(text), text
    except (ValueError, RecursionError) as error:
        raise InvalidValue(field, str(path), f"not TOML: {one_line(error)}", hint=hint) from error


def _is_utf16(content: bytes) -> bool:
    """Whether a text begins with the byte-order mark of UTF-16, or without one has a zero in every other byte."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return True
    even, odd = content[0:8:2], content[1:8:2]
    return any(zeros == bytes(4) and all(letters) for zeros, letters in ((even, odd), (odd, even)))
