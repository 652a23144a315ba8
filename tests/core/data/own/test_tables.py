"""Own data in tables: which lines and columns are what, and what is refused."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from own_data import draw, load, write_csv

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
