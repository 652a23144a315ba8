"""Own data in tables: which lines and columns are what, and what is refused."""

import gzip
from collections.abc import Callable

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
