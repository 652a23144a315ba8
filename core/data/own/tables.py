"""Data of one's own as CSV: an image a line, its label in the first or the last column, as Kaggle has them."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from math import isqrt
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.data.own.parts import Outline, Part, Parts, check_count, check_size, distinct, refusal, to_greys
from core.data.stored import MAKE_ANEW, unpacked
from core.errors import DataError, shown
from core.task import FEWEST, MOST

_LABEL = re.compile(r"^(label|labels|class|target|y|digit|letter)$", re.IGNORECASE)
_SEPARATORS = (",", ";", "\t")
_MAX_LINE = 64 * 64 * 32
_LINES = 2_000
"""Lines that are made into numbers at once."""
_WIDTH = 40
_BACKGROUND = 0.9
"""The share of the images in which a column that has one value is no label."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a file is laid out: `label` is 0 for the first column, -1 for the last, None for none at all."""

    separator: str
    columns: int
    header: bool
    label: int | None
    size: int
    guessed: bool = False


@dataclass(frozen=True, slots=True)
class TableFiles:
    """One CSV file, or two: one to train on and one to test on."""

    train: Path
    test: Path | None = None

    @classmethod
    def find(cls, names: list[Path]) -> TableFiles | None:
        """The tables among the files of a folder; None where there are none.

        Raises:
            DataError: when it cannot be told which one is to train on.
        """
        tables = [path for path in names if is_table(path)]
        if not tables:
            return None
        train = [path for path in tables if "train" in path.name.lower()]
        test = [path for path in tables if path not in train and re.search("test|t10k", path.name, re.IGNORECASE)]
        if len(tables) == 1:
            return cls(tables[0])
        if len(train) != 1 or len(test) > 1:
            found = ", ".join(sorted(path.name for path in tables)[:6])
            raise DataError(
                f"{tables[0].parent}: which table is to train on: {found}?",
                hint="name one file, or keep one with train and one with test in its name there",
            )
        return cls(train[0], test[0] if test else None)

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.train,) if self.test is None else (self.train, self.test)

    def outline(self) -> Outline:
        layout = _layout(self.train)
        labels = _texts(self.train, layout)
        return Outline(layout.size, distinct(_as_labels(labels)))

    def read(self) -> Parts:
        layout = _layout(self.train)
        train, scaled = _read(self.train, layout)
        notes = ["values from 0 to 1 were taken as 0 to 255"] if scaled else []
        if layout.guessed:
            notes.append(f"the {'first' if layout.label == 0 else 'last'} column of {self.train.name} is the label")
        test = None
        if self.test is not None:
            other = _layout(self.test, layout)
            if other.label is None:
                notes.append(f"{self.test.name} has no labels and is left out")
            else:
                test, _ = _read(self.test, other, scaled=scaled)
        return Parts(train, test, ", ".join(notes))


def is_table(path: Path) -> bool:
    return path.name.lower().endswith((".csv", ".csv.gz"))


def _layout(path: Path, like: _Layout | None = None) -> _Layout:
    """How a file is laid out, which its first lines and, where there is no header, its columns say.

    Args:
        like: the layout of the file it belongs to; it may then be one without labels.
    """
    first = next(_lines(path), None)
    if first is None:
        raise refusal(path, "empty")
    separator = max(_SEPARATORS, key=first.count)
    fields = [_unquoted(field) for field in first.split(separator)]
    columns, header = len(fields), sum(map(_is_number, fields)) < len(fields) / 2
    if like is not None and columns == like.columns - 1:
        return _Layout(separator, columns, header, None, like.size)
    side = isqrt(max(columns - 1, 0))
    if side * side != columns - 1:
        raise refusal(path, f"{columns:,} columns, not a label and the pixels of a square")
    size = check_size(path, (side, side))
    if header and (named := [at for at in (0, -1) if _LABEL.match(fields[at])]):
        return _Layout(separator, columns, header, named[0], size)
    if like is not None and columns == like.columns:
        return _Layout(separator, columns, header, like.label, size)
    layout = _Layout(separator, columns, header, 0, size, guessed=True)
    return replace(layout, label=_likelier(path, layout))


def _likelier(path: Path, layout: _Layout) -> int:
    """Which column is the label: of the first and the last the one of fewer values, leaving aside what has but one or
    more than there are classes, and what is nearly always the same, as a pixel in a corner is."""
    values: dict[int, int] = {}
    for column in (0, -1):
        texts = _texts(path, replace(layout, label=column))
        _, counts = np.unique(texts, return_counts=True)
        if FEWEST <= len(counts) <= MOST and counts.max() <= _BACKGROUND * len(texts):
            values[column] = len(counts)
    return min(values, key=lambda column: values[column], default=0)


def _lines(path: Path) -> Iterator[str]:
    """The lines of a file that may be gzipped, without empty ones at its end.

    Raises:
        DataError: when it is no text, or one line of it is far too long.
    """
    with unpacked(path, MAKE_ANEW) as file:
        text = io.TextIOWrapper(file, encoding="utf-8-sig", newline=None)
        try:
            number = 0
            while line := text.readline(_MAX_LINE):
                number += 1
                if len(line) == _MAX_LINE:
                    raise refusal(path, f"row {number}: the line is too long")
                yield line.rstrip("\n")
        except UnicodeDecodeError as error:
            raise refusal(path, f"row {number + 1}: not UTF-8 text") from error
        finally:
            text.detach()


def _rows(path: Path, layout: _Layout) -> Iterator[tuple[int, str]]:
    """The lines with an image, each with its number in the file, which counts from 1."""
    for number, line in enumerate(_lines(path), start=1):
        if (number > 1 or not layout.header) and line.strip():
            yield number, line


def _texts(path: Path, layout: _Layout) -> npt.NDArray[Any]:
    """The column of the labels as it is written."""
    texts = [_split(line, layout)[0] for _, line in _rows(path, layout)]
    if not texts:
        raise refusal(path, "no images")
    check_count(path, len(texts), layout.size)
    return np.array(texts)


def _split(line: str, layout: _Layout) -> tuple[str, str]:
    """The label of a line and the rest of it, the pixels."""
    if layout.label == 0:
        label, _, rest = line.partition(layout.separator)
    else:
        rest, _, label = line.rpartition(layout.separator)
    return _unquoted(label), rest


def _as_labels(texts: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Whole numbers where all labels are such, else the texts."""
    if all(_is_number(text) for text in np.unique(texts)):
        numbers = texts.astype(np.float64)
        if (numbers == np.floor(numbers)).all() and (np.abs(numbers) < 1 << 53).all():
            return numbers.astype(np.int64)
    return texts


def _read(path: Path, layout: _Layout, *, scaled: bool | None = None) -> tuple[Part, bool]:
    texts: list[str] = []
    numbers: list[int] = []
    blocks: list[npt.NDArray[np.uint8]] = []
    rows = _rows(path, layout)
    while block := list(islice(rows, _LINES)):
        split = [_split(line, layout) for _, line in block]
        texts += [label for label, _ in split]
        numbers += [number for number, _ in block]
        check_count(path, len(texts), layout.size)
        values = _numbers(path, layout, [(number, rest) for (number, _), (_, rest) in zip(block, split, strict=True)])
        known = scaled if blocks or scaled else None
        greys, scaled = to_greys(path, values, lambda index, block=block: f"row {block[index][0]}", scaled=known)  # type: ignore[misc]
        blocks.append(greys)
    if not texts:
        raise refusal(path, "no images")
    if any(empty := [not text for text in texts]):
        raise refusal(path, f"row {numbers[empty.index(True)]}: no label")
    images = np.concatenate(blocks).reshape(-1, layout.size, layout.size)
    part = Part(path, images, _as_labels(np.array(texts)), lambda index: f"row {numbers[index]}")
    return part, bool(scaled)


def _numbers(path: Path, layout: _Layout, rows: list[tuple[int, str]]) -> npt.NDArray[np.float32]:
    """The pixels of some lines.

    Raises:
        DataError: naming the first row that has too few, too many, or something that is not a number.
    """
    expected = layout.size * layout.size
    try:
        values: npt.NDArray[np.float32] = np.loadtxt(
            (rest for _, rest in rows),
            delimiter=layout.separator,
            dtype=np.float32,
            comments=None,
            quotechar='"',
            ndmin=2,
        )
    except (ValueError, OverflowError):
        values = np.empty((0, 0), dtype=np.float32)
    if values.shape == (len(rows), expected):
        return values
    for number, rest in rows:
        fields = rest.split(layout.separator)
        if len(fields) != expected:
            raise refusal(path, f"row {number}: {len(fields) + 1:,} columns, not {layout.columns:,}")
        wrong = next((field for field in fields if not _is_number(_unquoted(field))), None)
        if wrong is not None:
            raise refusal(path, f"row {number}: {shown(wrong, _WIDTH)} is not a number")
    raise refusal(path, f"row {rows[0][0]} or after: unlike the first lines")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def _unquoted(field: str) -> str:
    field = field.strip()
    return field[1:-1] if len(field) > 1 and field[0] == field[-1] == '"' else field
