"""How a table of images is laid out: what separates its columns, whether it has a header, which column is the label."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice, takewhile
from math import isqrt
from pathlib import Path

from core.data.own.parts import ALLOWED_DATA, ONE_LABEL, check_size, refusal
from core.data.stored import MAKE_ANEW, unpacked
from core.errors import DataError, shown
from core.task import FEWEST, MOST, SMALLEST

_LABEL = re.compile(r"^(label|labels|class|target|y|digit|letter)$", re.IGNORECASE)
_NO_CLASS = re.compile(r"^(label|labels|class|target)$", re.IGNORECASE)
"""Of these names those that no class has."""
_UNNAMED = re.compile(r"^(unnamed: \d+(\.\d+)*)?$", re.IGNORECASE)
"""What pandas calls a column without a name, and what it writes for the index, which has none."""
_NUMBERS_ROWS = re.compile(rf"{_UNNAMED.pattern}|^(index|level_\d+|((image|row)[-_ ]?)?id)$", re.IGNORECASE)
_REPEATED = re.compile(r"(?P<name>.+)\.(?P<count>[1-9]\d{0,5})", re.ASCII)
_MOST_BEFORE = 3
_BITS = {"0": 0, "0.0": 0, "false": 0, "1": 1, "1.0": 1, "true": 1}
_GLANCE = 20
"""Lines that tell labels that are one-hot from pixels."""
_SEPARATORS = (",", ";", "\t")
_MAX_LINE = 64 * 64 * 32
_STRAY = 0.1
"""Of the values of a column of pixels no larger share is damaged so that it is no number."""


@dataclass(frozen=True, slots=True)
class TableLayout:
    """How a file is laid out: `label` is 0 for the first column, -1 for the last, None for none at all.

    The columns do not count those left out: `before` them are some that number the rows, `after` them empty ones.
    """

    separator: str
    columns: int
    header: bool
    label: int | None
    size: int
    before: int = 0
    after: int = 0
    guessed: bool = False

    def notes(self, path: Path) -> list[str]:
        """What was found out about the columns of the file."""
        said, name = [], shown(path.name)
        if self.before == 1:
            said.append(f"the first column of {name} numbers the rows and is left out")
        elif self.before:
            said.append(f"the first {self.before} columns of {name} number the rows and are left out")
        if self.after == 1:
            said.append(f"the last column of {name} is empty and is left out")
        elif self.after:
            said.append(f"the last {self.after} columns of {name} are empty and are left out")
        if self.guessed:
            which = "first" if self.label == 0 else "last"
            others = " other" if self.before or self.after else ""
            said.append(f"the {which}{others} column of {name} is the label")
        return said


def layout_of(path: Path, like: TableLayout | None = None) -> TableLayout:
    """How a file is laid out, which its first line and, where that names no label, its columns say.

    Args:
        like: the layout of the file it belongs to; it may then be one without labels.

    Raises:
        DataError: when it is no table of images, or it cannot be told which column is the label.
    """
    first = _first(path)
    before, fields, after = _without_others(path, first, like)
    columns = len(fields)
    if like is not None and columns == like.columns - 1:
        return TableLayout(first.separator, columns, first.header, None, like.size, before, after)
    if not _fits(columns):
        what = f"{columns:,} columns, not a label and the pixels of a square"
        raise refusal(path, what, _advice(path, first))
    side = isqrt(columns - 1)
    size = check_size(path, (side, side))
    layout = TableLayout(first.separator, columns, first.header, None, size, before, after)
    if first.header and (named := [at for at in (0, -1) if _LABEL.match(fields[at])]):
        return replace(layout, label=named[0])
    if like is not None and columns == like.columns:
        return replace(layout, label=like.label)
    return replace(layout, label=_likelier(path, layout), guessed=True)


def fits(path: Path) -> bool:
    """Whether a table has as many columns as images have pixels, with a label or without."""
    try:
        pixels = len(_without_others(path, _first(path), None)[1])
    except DataError:
        return False
    return any(isqrt(count) ** 2 == count and count >= SMALLEST**2 for count in (pixels, pixels - 1))


def rows(path: Path, layout: TableLayout) -> Iterator[tuple[int, str]]:
    """The lines with an image, each with its number in the file, which counts from 1."""
    lines = islice(_lines(path), int(layout.header), None)
    if not layout.before and not layout.after:
        return lines
    return ((number, _within(line, layout)) for number, line in lines)


def _within(line: str, layout: TableLayout) -> str:
    """A line without the columns before and after those that count."""
    rest = line.split(layout.separator, layout.before)[-1]
    return rest.rsplit(layout.separator, layout.after)[0]


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


@dataclass(frozen=True, slots=True)
class _First:
    """The beginning of a table: the fields of its first line, and of its first line with an image, `row`, which is
    empty where there is none. `numbering` columns have names as columns have that number the rows."""

    separator: str
    fields: list[str]
    row: list[str]
    header: bool
    numbering: int


def _first(path: Path) -> _First:
    lines = [line for _, line in islice(_lines(path), 2)]
    if not lines:
        raise refusal(path, "empty")
    separator = max(_SEPARATORS, key=lines[0].count)
    fields, *others = ([unquoted(field) for field in line.split(separator)] for line in lines)
    if len(fields) == 1:
        raise refusal(path, "one column; its columns must be separated by commas, semicolons or tabs")
    numbering = sum(1 for _ in takewhile(_NUMBERS_ROWS.match, fields[: min(_MOST_BEFORE, len(fields) - 1)]))
    header = _is_header(fields[numbering:])
    row = (others[0] if others else []) if header else fields
    return _First(separator, fields, row, header, numbering if header else 0)


def _without_others(path: Path, first: _First, like: TableLayout | None) -> tuple[int, list[str], int]:
    """The fields of the first line without those of columns that are neither label nor pixels, and how many of such
    the rows have before and after the others.

    They are columns at the beginning that number the rows, and empty ones at the end. They count only where the others
    are as many as label and pixels are, and where all rows bear out what they are taken for.
    """
    fields, row = first.fields, first.row
    unnamed = sum(1 for _ in takewhile(_UNNAMED.match, reversed(fields)))
    for before in range(first.numbering, -1, -1):
        for over in range(unnamed + 1):
            kept = fields[before : len(fields) - over]
            if not _fits(len(kept)) and (like is None or len(kept) != like.columns - 1):
                continue
            after = max(0, len(row) - before - len(kept))
            if any(row[len(row) - after :]):
                after = 0
            if not (before or after) or _only_number_rows(path, first, before, after):
                return before, kept, after
    return 0, fields, 0


def _only_number_rows(path: Path, first: _First, before: int, after: int) -> bool:
    """Whether these columns before all others have whole numbers, none of them twice, and those after them nothing."""
    seen: list[set[str]] = [set() for _ in range(before)]
    for _, line in islice(_lines(path), int(first.header), None):
        numbers = [unquoted(field) for field in line.split(first.separator, before)[:before]]
        if any(not text.isdecimal() or text in there for text, there in zip(numbers, seen, strict=False)):
            return False
        if any(unquoted(field) for field in line.rsplit(first.separator, after)[1:]):
            return False
        for text, there in zip(numbers, seen, strict=False):
            there.add(text)
    return True


def _fits(columns: int) -> bool:
    """Whether so many columns are a label and the pixels of a square."""
    return isqrt(columns - 1) ** 2 == columns - 1


def _advice(path: Path, first: _First) -> str:
    """What to do about a table of so many columns that they are not a label and the pixels of a square."""
    columns = len(first.fields)
    lines = [line for _, line in islice(_lines(path), int(first.header), _GLANCE)]
    rows = [[_BITS.get(unquoted(field).lower(), 2) for field in line.split(first.separator)] for line in lines]
    for side in range(isqrt(columns), SMALLEST - 1, -1):
        over = columns - side * side
        if over == 0:
            return f"{side} x {side} pixels take up all columns: put one before them with the labels"
        if over == 2:
            return "leave out the column that is neither label nor pixel; pandas writes no index with index=False"
        if over > MOST:
            break
        ends = ([row[:over] for row in rows], [row[-over:] for row in rows])
        if rows and any(all(sorted(labels) == [0] * (over - 1) + [1] for labels in end) for end in ends):
            return ONE_LABEL
    return ALLOWED_DATA


def _is_header(fields: list[str]) -> bool:
    """Whether a first line names the columns. Their names may be numbers, as those that pandas gives are."""
    if sum(map(is_number, fields)) < len(fields) / 2 or _NO_CLASS.match(fields[0]) or _NO_CLASS.match(fields[-1]):
        return True
    counted = [[str(number) for number in range(start, start + len(fields))] for start in (0, 1)]
    parts = (fields, fields[1:], fields[:-1])
    return any(part == count[: len(part)] for part in parts for count in counted) or _are_told_apart(fields)


def _are_told_apart(fields: list[str]) -> bool:
    """Whether these are the names that pandas makes of the values of a first row, so that none is there twice: 0, 0.1,
    0.2, 5, 0.3. Pixels from 0 to 1 may look like them, but have no such order, and the background many times."""
    times: dict[str, int] = {}
    repeated = 0
    for field in fields:
        if field in times:
            return False
        times[field] = 0
        if (match := _REPEATED.fullmatch(field)) and (name := match["name"]) in times:
            following = times[name] + 1
            while following < int(match["count"]) and f"{name}.{following}" in times:
                following += 1  # a name that was there by itself is passed over
            if following == int(match["count"]):
                times[name] = following
                repeated += 1
    return repeated >= len(fields) / 2


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
