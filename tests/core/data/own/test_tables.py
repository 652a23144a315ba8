"""Own data in tables: which lines and columns are what, and what is refused."""

import gzip
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from own_data import draw, load, write_csv

from core.data.loader import Dataset
from core.errors import DataError

TRAIN, TRAIN_LABELS = draw(45, size=12, classes=3)
TEST, TEST_LABELS = draw(12, size=12, classes=3, seed=1)


def test_a_table_without_labels_beside_one_with_them_is_left_out_and_that_is_said(tmp_path):
    (tmp_path / "kaggle").mkdir()
    write_csv(tmp_path / "kaggle" / "train.csv", TRAIN, TRAIN_LABELS)
    write_csv(tmp_path / "kaggle" / "test.csv", TEST, None)
    data = load(tmp_path / "kaggle", tmp_path)
    assert "test.csv has no labels and is left out" in data.note
    assert len(data.test_labels) == 9


def changed_row(number: int, change: Callable[[list[str]], list[str]]) -> bytes:
    """A table with one row changed; the header is row 1."""
    pairs_of = zip(TRAIN, TRAIN_LABELS, strict=True)
    rows = [["label", *(f"p{at}" for at in range(144))]]
    rows += [[str(label), *map(str, image.reshape(-1))] for image, label in pairs_of]
    rows[number - 1] = change(rows[number - 1])
    return "\n".join(",".join(row) for row in rows).encode()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"label,p0\n", "1 x 1 pixels"),
        (b"label," + b",".join(b"p%d" % at for at in range(144)) + b"\n", "no images"),
        (b"\xff\xfe1,2,3\n", "not UTF-8 text"),
        (b"a,b,c\n1,2,3\n", "3 columns"),
        (changed_row(17, lambda row: row[:-1]), "row 17: 144 columns, not 145"),
        (changed_row(20, lambda row: [*row[:9], "x", *row[10:]]), "row 20: x is not a number"),
        (
            changed_row(21, lambda row: [*row[:9], "256", *row[10:]]),
            "row 21: the value 256 is not a whole number",
        ),
        (changed_row(22, lambda row: [*row[:9], "-1", *row[10:]]), "row 22: the value -1"),
        (changed_row(23, lambda row: [*row[:9], "1.5", *row[10:]]), "row 23: the value 1.5"),
        (changed_row(24, lambda row: [*row[:9], "nan", *row[10:]]), "row 24: the value nan"),
        (changed_row(25, lambda row: ["", *row[1:]]), "row 25: no label"),
        (b"1," * 100_000, "row 1: the line is too long"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_a_table_is_refused_with_the_row_that_is_wrong(tmp_path, content, reason, suffix, presentable):
    path = tmp_path / f"own{suffix}"
    path.write_bytes(gzip.compress(content) if suffix.endswith("gz") else content)
    with pytest.raises(DataError) as caught:
        load(path, tmp_path)
    presentable(caught.value.message, str(path), reason)
    assert "8 to 64 pixels" in caught.value.hint


def table(path: Path, columns: list[str] | None, rows: list[list[object]]) -> Path:
    lines = ([columns] if columns else []) + [list(map(str, row)) for row in rows]
    path.write_text("".join(",".join(line) + "\n" for line in lines))
    return path


PIXELS = TRAIN.reshape(45, -1).tolist()
COUNT = len(PIXELS[0])


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("label", ["label", "8", "y", "0"])
@pytest.mark.parametrize("last", [True, False])
def test_a_header_may_be_of_numbers_as_those_of_pandas_are(tmp_path, first, label, last):
    names = [str(first + at) for at in range(COUNT)]
    rows = [[*row, of] if last else [of, *row] for row, of in zip(PIXELS, TRAIN_LABELS, strict=True)]
    data = load(table(tmp_path / "own.csv", [*names, label] if last else [label, *names], rows), tmp_path)
    assert data.classes == ("0", "1", "2")
    assert len(data.train_labels) + len(data.test_labels) == 45


def test_a_class_may_be_called_as_a_column_of_labels_is(tmp_path):
    rows = [[*row, "yxz"[of]] for row, of in zip(PIXELS, TRAIN_LABELS, strict=True)]
    data = load(table(tmp_path / "own.csv", None, rows), tmp_path)
    assert len(data.train_labels) + len(data.test_labels) == 45


def ends(label: list[object], pixel: list[object]) -> list[list[object]]:
    """Rows with these labels in the last column, and these pixels in the first."""
    return [[one, *PIXELS[at % 45][1:], of] for at, (one, of) in enumerate(zip(pixel, label, strict=True))]


@pytest.mark.parametrize(
    ("label", "pixel"),
    [
        ([0] * 95 + [1] * 5, [0, 3, 9, 3] * 25),  # unbalanced
        (list(range(10)) * 10, [0, 0, 0, 7] * 25),  # of more values than the pixel
        (["cat"] * 99 + ["dog"], [0, 1] * 50),
        ([1] * 97 + [2] * 3, [0] * 100),
        (["3", "A"] * 50, [0, 1] * 50),
    ],
)
def test_without_a_header_the_label_is_found_whichever_column_has_fewer_values(tmp_path, label, pixel):
    data = load(table(tmp_path / "own.csv", None, ends(label, pixel)), tmp_path)
    assert sorted(data.classes) == sorted({str(one) for one in label})
    assert "the last column of own.csv is the label" in data.note


@pytest.mark.parametrize(("label", "pixel"), [([3] * 95 + [8] * 5, [0, 3, 9, 3]), ([0, 1] * 50, [0, 0, 1, 2])])
def test_where_both_ends_may_be_the_label_it_is_asked_for(tmp_path, label, pixel, presentable):
    rows = ends(label, pixel * 25)
    with pytest.raises(DataError) as caught:
        load(table(tmp_path / "own.csv", None, rows), tmp_path)
    presentable(caught.value.message, "its first column may be the label, and its last one, too")
    assert "first line" in caught.value.hint
    names = [*(f"p{at}" for at in range(COUNT)), "label"]
    assert load(table(tmp_path / "own.csv", names, rows), tmp_path).classes == tuple(map(str, sorted(set(label))))


def test_the_labels_to_test_on_are_of_the_kind_of_those_to_train_on(tmp_path, presentable):
    names, classes = ["label", *(f"p{at}" for at in range(COUNT))], ["0", "1", "2", "A", "B"]
    rows = [[classes[at % 5], *row] for at, row in enumerate(PIXELS)]
    table(tmp_path / "train.csv", names, rows)
    table(tmp_path / "test.csv", names, [row for row in rows if row[0] in ("0", "2")])
    data = load(tmp_path, tmp_path / "kept")
    assert data.classes == ("A", "B", "0", "1", "2")
    assert data.test_labels.unique().tolist() == [2, 4]
    table(tmp_path / "train.csv", names, [row for row in rows if row[0] not in ("A", "B")])
    table(tmp_path / "test.csv", names, rows)
    with pytest.raises(DataError) as caught:
        load(tmp_path, tmp_path / "kept")
    presentable(caught.value.message, "test.csv: row 5: the class A is not among those to train on")


@pytest.mark.parametrize("high", [1, 255])
def test_pixels_of_two_values_are_black_and_white(tmp_path, high):
    """More rows than are read at once, and only in the last a value between."""
    rows = [[at % 3, *((value > 80) * 1 for value in PIXELS[at % 45])] for at in range(2_500)]
    rows[-1][5] = 0.5 if high == 1 else 255
    data = load(table(tmp_path / "own.csv", ["label", *(f"p{at}" for at in range(COUNT))], rows), tmp_path)
    found = np.unique(np.concatenate([data.train_images.numpy(), data.test_images.numpy()])).tolist()
    assert found == ([0, 128, 255] if high == 1 else [0, 1, 255])
    assert ("values from 0 to 1 were taken as 0 to 255" in data.note) == (high == 1)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\n" + changed_row(20, lambda row: [*row[:9], "x", *row[10:]]), "row 21: x is not a number"),
        (changed_row(18, lambda row: ["nan", *row[1:]]), "row 18: no label"),
        (changed_row(30, lambda row: ["x" * 50, *row[1:]]), "row 30: xxx"),
        (
            changed_row(40, lambda row: ["BAD", *row[1:]]).replace(b"BAD", b"\xe2\x98"),
            "row 40: not",
        ),
        (changed_row(1, lambda row: [" ".join(row)]), "one column; its columns must be separated by commas"),
    ],
    ids=["blank line", "nan", "long", "UTF-8", "spaces"],
)
def test_the_place_that_is_named_is_that_of_what_is_wrong(tmp_path, content, reason, presentable):
    path = tmp_path / "own.csv"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        load(path, tmp_path)
    presentable(caught.value.message, str(path), reason)


def sum_of(data: Dataset) -> str:
    return data.name.rpartition("@")[2]


def named_by_pandas(row: list[object]) -> list[str]:
    """The names that pandas makes of a first row of values: each is there once."""
    counts: Counter[str] = Counter()
    names: list[str] = []
    for value in map(str, row):
        name = value
        while name in names:
            counts[value] += 1
            name = f"{value}.{counts[value]}"
        names.append(name)
    return names


@pytest.mark.parametrize(
    "first",
    [
        [0] * 145,
        [5, *[0, 0, 7, 255, 0] * 28, 0, 0, 0, 1],
        ["label", *[0, 0, 0, 9] * 36],
        ["", "A", *[0] * 144],
        [2, *[0, 0.0, 0.5, 0] * 36],
    ],
)
def test_a_first_row_that_pandas_made_names_of_is_a_header(tmp_path, first):
    labelled = [[of, *row] for row, of in zip(PIXELS, TRAIN_LABELS, strict=True)]
    numbered = [[at, *row] for at, row in enumerate(labelled)]
    columns = named_by_pandas(first)
    data = load(table(tmp_path / "own.csv", columns, numbered if first[0] == "" else labelled), tmp_path)
    assert sum_of(data) == sum_of(load(write_csv(tmp_path / "plain.csv", TRAIN, TRAIN_LABELS), tmp_path))


@pytest.mark.parametrize(
    "first",
    [
        [0, *(at / 100 for at in range(64))],
        [0, *(round(at / 64, 3) for at in range(64))],
        [0, *(at / 1000 for at in range(64))],
        [0, *(round(at % 10 / 10 + at / 1000, 3) for at in range(64))],
        [0, 0.1, 0.2, *[0] * 30, *(at / 10 for at in range(1, 10)), *[0] * 23],
        [1, *(round(1 - at / 64, 4) for at in range(64))],
    ],
)
def test_a_first_row_of_pixels_from_0_to_1_is_no_header(tmp_path, first):
    rows = [[at % 2, *[at / 20] * 63, 0] for at in range(20)]
    data = load(table(tmp_path / "own.csv", None, [first, *rows]), tmp_path)
    assert len(data.train_labels) + len(data.test_labels) == 21


NAMED = ["label", *(f"p{at}" for at in range(COUNT))]
LABELLED = [[of, *row] for row, of in zip(PIXELS, TRAIN_LABELS, strict=True)]
ANY_ORDER = [*range(44, 20, -1), *range(100, 121)]


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        ([""], [range(45)]),
        (["Unnamed: 0"], [range(1, 46)]),
        (["Unnamed: 0"], [ANY_ORDER]),
        (["id"], [ANY_ORDER]),
        (["Unnamed: 0.1", "Unnamed: 0"], [range(45), ANY_ORDER]),
    ],
)
@pytest.mark.parametrize("empty", [0, 1, 3])
@pytest.mark.parametrize("last", [True, False])
def test_columns_that_number_the_rows_or_are_empty_are_left_out_and_that_is_said(tmp_path, names, numbers, empty, last):
    rows, header = LABELLED, NAMED
    if last:
        rows, header = [[*row[1:], row[0]] for row in rows], [*header[1:], header[0]]
    rows = [[*(column[at] for column in numbers), *row, *[""] * empty] for at, row in enumerate(rows)]
    data = load(table(tmp_path / "own.csv", [*names, *header, *[""] * empty], rows), tmp_path)
    assert sum_of(data) == sum_of(load(write_csv(tmp_path / "plain.csv", TRAIN, TRAIN_LABELS), tmp_path))
    first = (
        "first column of own.csv numbers the rows and is" if len(names) == 1 else "first 2 columns of own.csv number"
    )
    assert f"the {first}" in data.note
    assert ("last column of own.csv is empty and is left out" in data.note) == (empty == 1)
    assert ("last 3 columns of own.csv are empty and are left out" in data.note) == (empty == 3)


@pytest.mark.parametrize("header", [NAMED, None, [*NAMED, ""], [*NAMED, "Unnamed: 145"]])
def test_a_separator_at_the_end_of_each_row_makes_no_column(tmp_path, header):
    data = load(table(tmp_path / "own.csv", header, [[*row, ""] for row in LABELLED]), tmp_path)
    assert sum_of(data) == sum_of(load(write_csv(tmp_path / "plain.csv", TRAIN, TRAIN_LABELS), tmp_path))
    assert "the last column of own.csv is empty and is left out" in data.note


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        (["", *NAMED], [[7, *row] for row in LABELLED]),
        (["", *NAMED], [[f"{at}.png", *row] for at, row in enumerate(LABELLED)]),
        (["writer", *NAMED], [[at, *row] for at, row in enumerate(LABELLED)]),
        (None, [[at, *row] for at, row in enumerate(LABELLED)]),
        ([*NAMED, ""], [[*row, "x" if at == 40 else ""] for at, row in enumerate(LABELLED)]),
    ],
)
def test_a_column_too_many_that_is_not_surely_of_no_use_is_asked_about(tmp_path, header, rows, presentable):
    with pytest.raises(DataError) as caught:
        load(table(tmp_path / "own.csv", header, rows), tmp_path)
    presentable(caught.value.message, "own.csv: 146 columns, not a label and the pixels of a square")
    assert "index=False" in caught.value.hint


def test_columns_are_counted_as_they_stand_in_the_file(tmp_path, presentable):
    rows = [[at, *row, ""] for at, row in enumerate(LABELLED)]
    del rows[20][5]
    with pytest.raises(DataError) as caught:
        load(table(tmp_path / "own.csv", ["", *NAMED, ""], rows), tmp_path)
    presentable(caught.value.message, "row 22: 146 columns, not 147")


def test_a_table_of_numbered_images_without_labels_has_none(tmp_path):
    table(tmp_path / "train.csv", NAMED, LABELLED)
    table(tmp_path / "test.csv", ["id", *NAMED[1:]], [[at, *row] for at, row in enumerate(PIXELS)])
    table(tmp_path / "sample_submission.csv", ["id", "label"], [[0, 0]])
    (tmp_path / "valid.csv").write_text("not read")
    data = load(tmp_path, tmp_path / "kept")
    assert "test.csv has no labels and is left out" in data.note
    assert "the tables sample_submission.csv and valid.csv are left out" in data.note


@pytest.mark.parametrize(
    ("rows", "hint"),
    [
        (PIXELS, "12 x 12 pixels take up all columns: put one before them with the labels"),
        ([[*np.eye(3, dtype=int)[row[0]], *row[1:]] for row in LABELLED], "not one-hot"),
        ([[*row[1:], *np.eye(3)[row[0]]] for row in LABELLED], "not one-hot"),
        ([[*row[1:], *(np.arange(3) == row[0])] for row in LABELLED], "not one-hot"),
        ([[*row, 0, 0] for row in LABELLED], "8 to 64 pixels"),
    ],
    ids=["no label", "first", "last", "true or false", "anything else"],
)
def test_how_a_table_of_another_number_of_columns_can_be_mended_is_said(tmp_path, rows, hint):
    with pytest.raises(DataError, match="columns, not a label and the pixels of a square") as caught:
        load(table(tmp_path / "own.csv", [f"p{at}" for at in range(len(rows[0]))], rows), tmp_path)
    assert hint in caught.value.hint
