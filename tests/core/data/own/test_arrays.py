"""Own data in a .npz file: what their values mean, and what is refused."""

import zipfile

import numpy as np
import pytest
from own_data import draw, load

from core.errors import DataError

TRAIN, TRAIN_LABELS = draw(45, size=12, classes=3)
TEST, TEST_LABELS = draw(12, size=12, classes=3, seed=1)


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"x": TRAIN}, "no arrays x_train, y_train, x_test and y_test, nor x and y, but x"),
        ({"x": TRAIN, "y": TRAIN_LABELS[:-1]}, "y has the shape (44,), not (45,)"),
        ({"x": np.zeros((45, 12, 12, 3), np.uint8), "y": TRAIN_LABELS}, "x has the shape (45, 12, 12, 3)"),
        ({"x": np.zeros((45, 12, 13), np.uint8), "y": TRAIN_LABELS}, "12 x 13 pixels"),
        ({"x": TRAIN.astype(np.int16) * 3, "y": TRAIN_LABELS}, "is not a whole number from 0 to 255"),
        ({"x": TRAIN * np.nan, "y": TRAIN_LABELS}, "x[0]: the value nan"),
        ({"x": np.array([{}], dtype=object), "y": TRAIN_LABELS}, "holds object, which is not loaded"),
        ({"x": TRAIN, "y": np.array([None] * 45)}, "holds object, which is not loaded"),
        ({"x": TRAIN, "y": TRAIN_LABELS + 0.5}, "y[0] = 0.5 is not a whole number"),
        ({"x": TRAIN, "y": np.eye(3)[TRAIN_LABELS]}, "y has the shape (45, 3)"),
        ({"x": TRAIN[:0], "y": TRAIN_LABELS[:0]}, "no images"),
        ({"x": TRAIN * 0, "y": TRAIN_LABELS}, "all images to train on are blank"),
        ({"x": TRAIN[:3], "y": TRAIN_LABELS[:3]}, "no class has two images"),
        (
            {"x_train": TRAIN, "y_train": TRAIN_LABELS, "x_test": TEST, "y_test": TEST_LABELS + 1},
            "x_test[2]: the class 3",
        ),
        ({"x_train": TRAIN, "y_train": TRAIN_LABELS, "x_test": TEST[:, 1:-1, 1:-1], "y_test": TEST_LABELS}, "10 x 10"),
    ],
)
def test_arrays_that_are_no_data_set_are_named(tmp_path, arrays, reason, presentable):
    path = tmp_path / "own.npz"
    np.savez(path, **arrays)
    with pytest.raises(DataError) as caught:
        load(path, tmp_path)
    presentable(caught.value.message, str(path), reason)


def test_an_array_that_claims_to_be_huge_is_not_unpacked(tmp_path, presentable):
    header = (
        b"\x93NUMPY\x01\x00v\x00"
        + b"{'descr': '|u1', 'fortran_order': False, 'shape': (99999999, 28, 28), }".ljust(117)
        + b"\n"
    )
    with zipfile.ZipFile(tmp_path / "own.npz", "w") as file:
        file.writestr("x.npy", header)
        file.writestr("y.npy", header)
    with pytest.raises(DataError) as caught:
        load(tmp_path / "own.npz", tmp_path)
    presentable(caught.value.message, "99,999,999 images")
