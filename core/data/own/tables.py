"""Data of one's own as CSV: an image a line, its label in the first or the last column, as Kaggle has them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from core.data.own.greys import SCALED_NOTE, Greys
from core.data.own.layout import TableLayout, is_missing, is_number, layout_of, rows, unquoted
from core.data.own.parts import LONGEST_CLASS, Labels, Outline, Part, Parts, check_count, distinct, left_out, refusal
from core.errors import DataError, shown

_LINES = 2_000
"""Lines that are made into numbers at once."""
_WIDTH = 40


@dataclass(frozen=True, slots=True)
class TableFiles:
    """One CSV file, or two: one to train on and one to test on."""

    train: Path
    test: Path | None = None
    note: str = ""

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
        others = [path.name for path in tables if path not in (*train, *test)]
        return cls(train[0], test[0] if test else None, left_out("table", others))

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.train,) if self.test is None else (self.train, self.test)

    def outline(self) -> Outline:
        layout = layout_of(self.train)
        texts = _Texts(self.train, layout.size)
        for row in rows(self.train, layout):
            texts.add([row[0]], [_split(row[1], layout)[0]])
        return Outline(layout.size, distinct(texts.labels()))

    def read(self) -> Parts:
        layout = layout_of(self.train)
        train, scaled = _read(self.train, layout)
        notes = [SCALED_NOTE] if scaled else []
        notes += layout.notes(self.train)
        test = None
        if self.test is not None:
            other = layout_of(self.test, layout)
            notes += other.notes(self.test)
            if other.label is None:
                notes.append(f"{self.test.name} has no labels and is left out")
            else:
                test, _ = _read(self.test, other, like=train, scaled=scaled)
        return Parts(train, test, ", ".join(notes))


def is_table(path: Path) -> bool:
    return path.name.lower().endswith((".csv", ".csv.gz"))


class _Texts:
    """The labels of a table as they are written, and the rows that they stand in."""

    def __init__(self, path: Path, size: int) -> None:
        """`size` is that of the images."""
        self._path, self._size = path, size
        self._texts: list[str] = []
        self.numbers: list[int] = []

    def add(self, numbers: list[int], texts: list[str]) -> None:
        """Take in the next ones.

        Raises:
            DataError: naming the first row without a label that may be one, or when they are too many.
        """
        for number, text in zip(numbers, texts, strict=True):
            if is_missing(text):
                raise refusal(self._path, f"row {number}: no label")
            if len(text) > LONGEST_CLASS:
                raise refusal(self._path, f"row {number}: {shown(text, _WIDTH)} is not a name for a class")
        self._texts += texts
        self.numbers += numbers
        check_count(self._path, len(self._texts), self._size)

    def labels(self, like: Part | None = None) -> Labels:
        """Whole numbers where all are such, else the texts; with `like` what the labels of that part are.

        Raises:
            DataError: when there are none, or, where they are to be whole numbers, naming the first that is not.
        """
        if not self._texts:
            raise refusal(self._path, "no images")
        texts = np.array(self._texts)
        if like is not None and like.labels.dtype.kind == "U":
            return texts
        other = {text for text in np.unique(texts).tolist() if not _is_whole(text)}
        if not other:
            return texts.astype(np.float64).astype(np.int64)
        if like is None:
            return texts
        at, text = next((at, text) for at, text in enumerate(self._texts) if text in other)
        what = f"the class {shown(text, _WIDTH)} is not among those to train on"
        raise refusal(self._path, f"row {self.numbers[at]}: {what}")


def _is_whole(text: str) -> bool:
    return is_number(text) and float(text).is_integer() and abs(float(text)) < 1 << 53


def _split(line: str, layout: TableLayout) -> tuple[str, str]:
    """The label of a line and the rest of it, the pixels."""
    if layout.label == 0:
        label, _, rest = line.partition(layout.separator)
    else:
        rest, _, label = line.rpartition(layout.separator)
    return unquoted(label), rest


def _read(
    path: Path, layout: TableLayout, *, like: Part | None = None, scaled: bool | None = None
) -> tuple[Part, bool]:
    """The images of a table, and whether their values were from 0 to 1.

    Args:
        like: the part that it belongs to, which tells of what kind the labels are.
        scaled: whether values must be from 0 to 1; None to find out.
    """
    texts = _Texts(path, layout.size)

    def place(index: int) -> str:
        return f"row {texts.numbers[index]}"

    greys = Greys(path, place, scaled=scaled)
    lines = rows(path, layout)
    while block := list(islice(lines, _LINES)):
        split = [_split(line, layout) for _, line in block]
        numbers = [number for number, _ in block]
        texts.add(numbers, [label for label, _ in split])
        greys.add(_numbers(path, layout, list(zip(numbers, [rest for _, rest in split], strict=True))))
    labels = texts.labels(like)
    images, scaled = greys.joined()
    return Part(path, images.reshape(-1, layout.size, layout.size), labels, place), scaled


def _numbers(path: Path, layout: TableLayout, rows: list[tuple[int, str]]) -> npt.NDArray[np.float32]:
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
            beside = layout.before + layout.after
            found, right = len(fields) + 1 + beside, layout.columns + beside
            raise refusal(path, f"row {number}: {found:,} columns, not {right:,}")
        wrong = next((field for field in fields if not is_number(unquoted(field))), None)
        if wrong is not None:
            raise refusal(path, f"row {number}: {shown(wrong, _WIDTH)} is not a number")
    raise refusal(path, f"row {rows[0][0]} or after: unlike the first lines")
