"""How a table of images is laid out: what separates its columns, whether it has a header, which column is the label."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isqrt
from pathlib import Path

from core.data.own.parts import check_size, refusal
from core.data.stored import MAKE_ANEW, unpacked
from core.errors import DataError
from core.task import FEWEST, MOST, SMALLEST

_LABEL = re.compile(r"^(label|labels|class|target|y|digit|letter)$", re.IGNORECASE)
_NO_CLASS = re.compile(r"^(label|labels|class|target)$", re.IGNORECASE)
"""Of these names those that no class has."""
_SEPARATORS = (",", ";", "\t")
_MAX_LINE = 64 * 64 * 32
_STRAY = 0.1
"""Of the values of a column of pixels no larger share is damaged so that it is no number."""


@dataclass(frozen=True, slots=True)
class TableLayout:
    """How a file is laid out: `label` is 0 for the first column, -1 for the last, None for none at all."""

    separator: str
    columns: int
    header: bool
    label: int | None
    size: int
    guessed: bool = False


def layout_of(path: Path, like: TableLayout | None = None) -> TableLayout:
    """How a file is laid out, which its first line and, where that names no label, its columns say.

    Args:
        like: the layout of the file it belongs to; it may then be one without labels.

    Raises:
        DataError: when it is no table of images, or it cannot be told which column is the label.
    """
    separator, fields = _first(path)
    columns, header = len(fields), _is_header(fields)
    if like is not None and columns == like.columns - 1:
        return TableLayout(separator, columns, header, None, like.size)
    side = isqrt(columns - 1)
    if side * side != columns - 1:
        raise refusal(path, f"{columns:,} columns, not a label and the pixels of a square")
    size = check_size(path, (side, side))
    if header and (named := [at for at in (0, -1) if _LABEL.match(fields[at])]):
        return TableLayout(separator, columns, header, named[0], size)
    if like is not None and columns == like.columns:
        return TableLayout(separator, columns, header, like.label, size)
    layout = TableLayout(separator, columns, header, None, size, guessed=True)
    return replace(layout, label=_likelier(path, layout))


def fits(path: Path) -> bool:
    """Whether a table has as many columns as images have pixels, with a label or without."""
    try:
        pixels = len(_first(path)[1])
    except DataError:
        return False
    return any(isqrt(count) ** 2 == count and count >= SMALLEST**2 for count in (pixels, pixels - 1))


def rows(path: Path, layout: TableLayout) -> Iterator[tuple[int, str]]:
    """The lines with an image, each with its number in the file, which counts from 1."""
    lines = _lines(path)
    if layout.header:
        next(lines, None)
    return lines


def unquoted(field: str) -> str:
    field = field.strip()
    return field[1:-1] if len(field) > 1 and field[0] == field[-1] == '"' else field


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def is_missing(label: str) -> bool:
    """Whether it says that there is no label."""
    return label.lower() in ("", "nan")


def _first(path: Path) -> tuple[str, list[str]]:
    """The separator of a table, and the fields of its first line."""
    _, line = next(_lines(path), (0, ""))
    if not line:
        raise refusal(path, "empty")
    separator = max(_SEPARATORS, key=line.count)
    fields = [unquoted(field) for field in line.split(separator)]
    if len(fields) == 1:
        raise refusal(path, "one column; its columns must be separated by commas, semicolons or tabs")
    return separator, fields


def _is_header(fields: list[str]) -> bool:
    """Whether a first line names the columns. Their names may be numbers, as those that pandas gives are."""
    if sum(map(is_number, fields)) < len(fields) / 2 or _NO_CLASS.match(fields[0]) or _NO_CLASS.match(fields[-1]):
        return True
    counted = [[str(number) for number in range(start, start + len(fields))] for start in (0, 1)]
    parts = (fields, fields[1:], fields[:-1])
    return any(part == count[: len(part)] for part in parts for count in counted)


def _likelier(path: Path, layout: TableLayout) -> int:
    """Which column is the label, of the first and the last, where none is named so.

    Raises:
        DataError: when both may be.
    """
    values: dict[int, Counter[str]] = {0: Counter(), -1: Counter()}
    for _, line in rows(path, layout):
        for column, label in ((0, line.partition(layout.separator)[0]), (-1, line.rpartition(layout.separator)[2])):
            values[column][unquoted(label)] += 1
    for may_be_label in (_are_texts, _are_few, _are_counted):
        values = {column: counts for column, counts in values.items() if may_be_label(counts)} or values
        if len(values) == 1:
            return next(iter(values))
    if not any(map(_are_few, values.values())):
        return 0  # which will be said to have too many classes, or one
    raise DataError(
        f"{path}: its first column may be the label, and its last one, too",
        hint="give the table a first line with the names of its columns, and the name label to that of the labels",
    )


def _are_texts(counts: Counter[str]) -> bool:
    return sum(count for value, count in counts.items() if not is_number(value)) > _STRAY * counts.total()


def _are_few(counts: Counter[str]) -> bool:
    return FEWEST <= sum(not is_missing(value) for value in counts) <= MOST


def _are_counted(counts: Counter[str]) -> bool:
    """Whether these are texts, or numbers without a gap from 0 or 1: as labels are, and pixels seldom."""
    if _are_texts(counts):
        return True
    values = [value for value in counts if not is_missing(value)]
    if not all(map(is_number, values)):
        return False
    numbers = sorted(map(float, values))
    return numbers[:1] in ([0], [1]) and numbers == [numbers[0] + step for step in range(len(numbers))]


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file that may be gzipped, without blank ones, each with its number in the file.

    Raises:
        DataError: when one is no text, or far too long.
    """
    with unpacked(path, MAKE_ANEW) as file:
        text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline=None)
        try:
            number = 0
            while line := text.readline(_MAX_LINE):
                number += 1
                if len(line) == _MAX_LINE:
                    raise refusal(path, f"row {number}: the line is too long")
                if not line.isascii() and any("\ud800" <= letter <= "\udfff" for letter in line):
                    raise refusal(path, f"row {number}: not UTF-8 text")
                if line.strip():
                    yield number, line.rstrip("\n")
        finally:
            text.detach()
