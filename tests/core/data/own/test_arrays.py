"""Own data in a .npz file: what their values mean, and what is refused."""

import zipfile

import numpy as np
import pytest
from own_data import draw, load

from core.data.own.greys import Greys
from core.errors import DataError

TRAIN, TRAIN_LABELS = draw(45, size=12, classes=3)
TEST, TEST_LABELS = draw(12, size=12, classes=3, seed=1)
PARTED = {"x_train": TRAIN, "y_train": TRAIN_LABELS, "x_test": TEST, "y_test": TEST_LABELS}


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


BITS, TEST_BITS = TRAIN > 80, TEST > 80


@pytest.mark.parametrize("kind", [np.bool_, np.uint8, np.int64, np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_images_of_but_0_and_1_are_black_and_white(tmp_path, kind, order):
    arrays = {"x_train": np.asarray(BITS, kind, order=order), "x_test": np.asarray(TEST_BITS, kind, order=order)}
    np.savez(tmp_path / "own.npz", **{**PARTED, **arrays})
    data = load(tmp_path / "own.npz", tmp_path)
    assert np.array_equal(data.train_images.numpy(), BITS * 255)
    assert np.array_equal(data.test_images.numpy(), TEST_BITS * 255)
    assert data.note == "values from 0 to 1 were taken as 0 to 255"


@pytest.mark.parametrize("kind", ["<f4", ">f4", "<f8", "<i2", ">u4"])
def test_every_kind_of_number_is_read_exactly(tmp_path, kind):
    np.savez(tmp_path / "own.npz", **{**PARTED, "x_train": TRAIN.astype(kind)})
    assert np.array_equal(load(tmp_path / "own.npz", tmp_path).train_images.numpy(), TRAIN)


def test_the_images_to_test_on_are_read_as_those_to_train_on(tmp_path, presentable):
    np.savez(tmp_path / "own.npz", **{**PARTED, "x_test": TEST_BITS.astype(np.uint8)})
    assert int(load(tmp_path / "own.npz", tmp_path).test_images.max()) == 1
    np.savez(tmp_path / "own.npz", **{**PARTED, "x_train": TRAIN / 255, "x_test": TEST_BITS.astype(float)})
    assert int(load(tmp_path / "own.npz", tmp_path).test_images.max()) == 255
    np.savez(tmp_path / "own.npz", **{**PARTED, "x_train": TRAIN / 255})
    with pytest.raises(DataError) as caught:
        load(tmp_path / "own.npz", tmp_path)
    presentable(caught.value.message, "x_test[0]: the value", "is not from 0 to 1")


def test_numbers_of_many_bytes_are_never_all_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("core.data.own.arrays._IMAGES", 10)
    np.savez(tmp_path / "own.npz", **{**PARTED, "x_train": TRAIN.astype(np.float64)})
    seen = []
    monkeypatch.setattr(Greys, "add", lambda self, block, add=Greys.add: (seen.append(len(block)), add(self, block)))
    assert np.array_equal(load(tmp_path / "own.npz", tmp_path).train_images.numpy(), TRAIN)
    assert max(seen) == 10


@pytest.mark.parametrize("label", [np.nan, np.inf, 1e300])
def test_a_label_that_is_no_whole_number_is_refused_without_a_warning(tmp_path, label, presentable):
    labels = TRAIN_LABELS.astype(float)
    labels[7] = label
    np.savez(tmp_path / "own.npz", x=TRAIN, y=labels)
    with pytest.raises(DataError) as caught:
        load(tmp_path / "own.npz", tmp_path)
    presentable(caught.value.message, "y[7]")


def test_labels_that_are_numbers_in_one_part_and_texts_in_the_other_are_refused(tmp_path, presentable):
    np.savez(tmp_path / "own.npz", **{**PARTED, "y_test": TEST_LABELS.astype(str)})
    with pytest.raises(DataError) as caught:
        load(tmp_path / "own.npz", tmp_path)
    presentable(caught.value.message, "y_test holds texts, y_train holds numbers")


def test_arrays_that_are_not_read_are_named(tmp_path):
    medical = {
        f"{part}_{kind}": PARTED[f"{of}_{part if part != 'val' else 'test'}"]
        for part in ("train", "val", "test")
        for kind, of in (("images", "x"), ("labels", "y"))
    }
    np.savez(tmp_path / "own.npz", **medical)
    assert load(tmp_path / "own.npz", tmp_path).note == "the arrays val_images and val_labels are left out"
    np.savez(tmp_path / "own.npz", **{name: PARTED[name] for name in ("x_train", "y_train", "x_test")})
    note = load(tmp_path / "own.npz", tmp_path).note
    assert note.startswith("the array x_test is left out; there are no images to test on")
    np.savez(tmp_path / "own.npz", x=TRAIN, y=TRAIN_LABELS, **{f"more{at}": TEST for at in range(7)})
    named = "the arrays more0, more1, more2, more3 and 3 more are left out"
    assert load(tmp_path / "own.npz", tmp_path).note.startswith(named)


def test_what_to_do_about_labels_that_are_one_hot_is_said(tmp_path):
    np.savez(tmp_path / "own.npz", x=TRAIN, y=np.eye(3)[TRAIN_LABELS])
    with pytest.raises(DataError, match="45, 3") as caught:
        load(tmp_path / "own.npz", tmp_path)
    assert "as one number or text, not one-hot" in caught.value.hint


MANY = draw(900, size=8, classes=3)[0]
TURNS = np.arange(900) % 3


def relabelled(*changes: tuple[int, int]) -> np.ndarray:
    labels = TURNS.copy()
    for index, label in changes:
        labels[index] = label
    return labels


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (TURNS, ""),
        (relabelled((7, 99)), "class 99 has 1 image"),
        (relabelled((7, -1), (8, 99), (9, 99)), "class -1 has 1 image, class 99 has 2 images"),
        (relabelled(*((at, 99) for at in range(3))), ""),
        (
            relabelled(*((at, 50 + at) for at in range(8))),
            "class 50 has 1 image, class 51 has 1 image, class 52 has 1 image, 5 more have as few",
        ),
    ],
)
def test_classes_of_next_to_no_images_are_named(tmp_path, labels, said):
    np.savez(tmp_path / "own.npz", x=MANY, y=labels)
    kept = "there are no images to test on, so {} of the 900, a sixth of each class, are kept for that"
    data = load(tmp_path / "own.npz", tmp_path)
    assert data.note == "; ".join(filter(None, (kept.format(len(data.test_labels)), said)))
    assert len(data.classes) == len(np.unique(labels))


def test_the_images_of_a_class_are_counted_in_both_parts(tmp_path):
    labels, test_labels = TRAIN_LABELS.copy(), TEST_LABELS.copy()
    labels[:2] = 7, 8
    test_labels[0] = 7
    np.savez(tmp_path / "own.npz", **{**PARTED, "y_train": labels, "y_test": test_labels})
    assert load(tmp_path / "own.npz", tmp_path).note == "class 8 has 1 image"
