"""Own data in each form that people have: read exactly, the same in all forms, and refused by name when damaged."""

import os
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from own_data import draw, idx_bytes, load, write_csv, write_idx, write_images, write_npz, write_pairs

from core.errors import DataError

TRAIN, TRAIN_LABELS = draw(45, size=12, classes=3)
TEST, TEST_LABELS = draw(12, size=12, classes=3, seed=1)
NAMES = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]


def pairs(folder: Path) -> Path:
    return write_pairs(folder / "letters", NAMES, TRAIN, TRAIN_LABELS, TEST, TEST_LABELS)


def other_pairs(folder: Path) -> Path:
    names = ["my_train_images.idx.gz", "my_train_labels.idx.gz", "my_test_images.idx", "my_test_labels.idx"]
    return write_pairs(folder / "letters", names, TRAIN, TRAIN_LABELS, TEST, TEST_LABELS)


def nested_pairs(folder: Path) -> Path:
    """As Kaggle's archives are unpacked."""
    for name, array in zip(NAMES, (TRAIN, TRAIN_LABELS, TEST, TEST_LABELS), strict=True):
        write_pairs(folder / "letters" / name, [name], array)
    return folder / "letters"


def pairs_by_letters(folder: Path) -> Path:
    names = ["X_train.idx", "y_train.idx.gz", "x_test-idx3-ubyte", "y_test-idx1-ubyte"]
    return write_pairs(folder / "letters", names, TRAIN, TRAIN_LABELS, TEST, TEST_LABELS)


def pairs_kind_first(folder: Path) -> Path:
    names = ["images_train.idx", "labels-train-idx1-ubyte", "my-test-x.idx", "my-test-y.idx"]
    return write_pairs(folder / "letters", names, TRAIN, TRAIN_LABELS, TEST, TEST_LABELS)


def keras(folder: Path) -> Path:
    return write_npz(folder / "letters.npz", x_train=TRAIN, y_train=TRAIN_LABELS, x_test=TEST, y_test=TEST_LABELS)


def medical(folder: Path) -> Path:
    arrays = {"train_images": TRAIN[..., None], "train_labels": TRAIN_LABELS[:, None].astype(np.uint8)}
    arrays |= {"test_images": TEST[:, None], "test_labels": TEST_LABELS.astype(float), "val_images": TEST[:0]}
    return write_npz(folder / "letters.npz", **arrays)


def flat_greys(folder: Path) -> Path:
    flat = {"x_train": TRAIN.reshape(45, -1) / 255, "x_test": TEST.reshape(12, -1) / 255}
    return write_npz(folder / "letters.npz", y_train=TRAIN_LABELS, y_test=TEST_LABELS, **flat)


def tables(folder: Path) -> Path:
    (folder / "letters").mkdir()
    write_csv(folder / "letters" / "mnist_train.csv", TRAIN, TRAIN_LABELS)
    write_csv(folder / "letters" / "mnist_test.csv.gz", TEST, TEST_LABELS)
    return folder / "letters"


def last_columns(folder: Path) -> Path:
    (folder / "letters").mkdir()
    write_csv(folder / "letters" / "train.csv", TRAIN, TRAIN_LABELS, last=True, header=False, end="\r\n")
    write_csv(folder / "letters" / "test.csv", TEST, TEST_LABELS, last=True, header=False)
    return folder / "letters"


def images(folder: Path) -> Path:
    write_images(folder / "letters" / "train", TRAIN, TRAIN_LABELS.tolist())
    write_images(folder / "letters" / "test", TEST, TEST_LABELS.tolist(), suffix=".bmp")
    (folder / "letters" / "train" / "0" / "notes.txt").write_text("no image")
    return folder / "letters"


FORMS = [
    pairs,
    other_pairs,
    nested_pairs,
    pairs_by_letters,
    pairs_kind_first,
    keras,
    medical,
    flat_greys,
    tables,
    last_columns,
    images,
]


@pytest.mark.parametrize("write", FORMS)
def test_each_form_is_read_exactly_and_is_one_data_set_with_the_others(write, tmp_path):
    path = write(tmp_path)
    first, again = load(path, tmp_path), load(path, tmp_path)
    for data in (first, again):
        assert np.array_equal(data.train_images.numpy(), TRAIN)
        assert data.train_labels.tolist() == TRAIN_LABELS.tolist()
        assert np.array_equal(data.test_images.numpy(), TEST)
        assert data.test_labels.tolist() == TEST_LABELS.tolist()
        assert data.classes == ("0", "1", "2")
        assert (data.task.size, data.task.classes) == (12, 3)
        assert data.mean == pytest.approx(TRAIN.mean() / 255, abs=1e-6)
        assert data.std == pytest.approx(TRAIN.std() / 255, abs=1e-6)
        assert data.name == f"{path.name}@{SUM}"
        assert data.choice == f"{path}@{SUM}"
    assert load(first.choice, tmp_path).name == first.name
    assert not (tmp_path / "root").exists()


SUM = "d37aeadb62f3"
"""Of what is in all of them; another one would part results that earlier versions recorded from those of this one."""


@pytest.mark.parametrize("write", FORMS)
def test_data_that_changed_are_not_taken_for_those_of_a_record(write, tmp_path, presentable):
    path = write(tmp_path)
    pinned = load(path, tmp_path).choice
    file = max((one for one in [path, *path.rglob("*")] if one.is_file()), key=lambda one: one.stat().st_size)
    file.unlink()
    (tmp_path / "letters").mkdir(exist_ok=True)
    if path.is_dir():
        shutil.rmtree(path)
    write_npz(tmp_path / "letters.npz", x=TRAIN[:30], y=TRAIN_LABELS[:30])
    target = path if path.suffix == ".npz" else write_pairs(path, NAMES[:2], TRAIN[:30], TRAIN_LABELS[:30])
    with pytest.raises(DataError) as caught:
        load(pinned, tmp_path)
    presentable(caught.value.message, str(target), "changed", SUM)


@pytest.mark.parametrize("write", FORMS)
@pytest.mark.parametrize("damage", ["truncated", "altered"])
def test_a_damaged_file_is_refused_by_its_name(write, damage, tmp_path, presentable):
    """Without a sum of its own a file may have any bytes that are well-formed; a record says what they must be."""
    path = write(tmp_path)
    whole = load(path, tmp_path)
    files = [one for one in [path, *sorted(path.rglob("*"))] if one.is_file() and one.suffix != ".txt"]
    draw_one = random.Random(f"{write.__name__} {damage}")
    for file in draw_one.sample(files, min(3, len(files))):
        content = file.read_bytes()
        at = draw_one.randrange(len(content) // 2, len(content) - 1)
        altered = b"" if damage == "truncated" else bytes([content[at] ^ 21]) + content[at + 1 :]
        file.write_bytes(content[:at] + altered)
        try:
            found = load(whole.choice, tmp_path)
        except DataError as error:
            presentable(error.message, str(path))
            assert file.name in error.message or "changed: the sum" in error.message  # noqa: PT017
        else:  # nothing depends on it, such as the filling of a .bmp file, or the end mark of a .png file
            assert damage == "altered" or write is images
            assert np.array_equal(found.train_images.numpy(), TRAIN)
            assert np.array_equal(found.test_images.numpy(), TEST)
        file.write_bytes(content)


@pytest.mark.parametrize("write", [keras, pairs, tables, images])
def test_no_bytes_whatever_end_in_anything_but_a_data_set_or_one_line(write, tmp_path, presentable):
    path = write(tmp_path)
    files = [one for one in [path, *sorted(path.rglob("*"))] if one.is_file() and one.suffix != ".txt"][:8]
    draw_one = random.Random(os.environ["TEST_SEED"])
    for _ in range(40):
        file = draw_one.choice(files)
        content = file.read_bytes()
        broken = bytearray(content)
        for _ in range(draw_one.randrange(1, 6)):
            broken[draw_one.randrange(min(len(broken), 300))] = draw_one.randrange(256)
        file.write_bytes(broken)
        try:
            load(path, tmp_path)
        except DataError as error:
            presentable(error.message)
        file.write_bytes(content)


def test_without_images_to_test_on_a_sixth_of_each_class_always_the_same_is_kept(tmp_path, presentable):
    path = write_csv(tmp_path / "all.csv", TRAIN, ["abc"[label] for label in TRAIN_LABELS])
    data = load(path, tmp_path)
    assert data.classes == ("a", "b", "c")
    assert data.test_labels.bincount().tolist() == [3, 3, 3]
    assert data.train_labels.bincount().tolist() == [12, 12, 12]
    presentable(data.note, "no images to test on", "9 of the 45")
    rows = [image.tobytes() for image in (*data.train_images.numpy(), *data.test_images.numpy())]
    assert sorted(rows) == sorted(image.tobytes() for image in TRAIN)
    once_more = load(write_npz(tmp_path / "x.npz", x=TRAIN, y=np.array(list("abc"))[TRAIN_LABELS]), tmp_path)
    assert once_more.name.partition("@")[2] == data.name.partition("@")[2]


def test_classes_are_in_the_order_of_their_numbers(tmp_path):
    images_of, labels = draw(60, classes=12)
    data = load(write_images(tmp_path / "own", images_of, [f"c{label}" for label in labels]), tmp_path)
    assert data.classes == tuple(f"c{label}" for label in range(12))
    assert set(data.train_labels[:20].tolist()) == set(range(12))  # the classes take turns


def test_images_that_are_none_are_named(tmp_path, presentable):
    from PIL import Image

    folder = write_images(tmp_path / "own", TRAIN, TRAIN_LABELS.tolist())
    victim = folder / "1" / "0002.png"
    kept = victim.read_bytes()
    colour = np.zeros((12, 12, 3), np.uint8)
    colour[0, 0] = (1, 2, 3)
    grey = np.repeat(TRAIN[4][..., None], 3, axis=2)
    for image, reason in (
        (Image.fromarray(colour), "it is in colour"),
        (Image.fromarray(np.zeros((13, 13), np.uint8)), "13 x 13 pixels, but 0001.png has 12 x 12"),
        (Image.fromarray(np.zeros((12, 14), np.uint8)), "12 x 14 pixels"),
        (Image.fromarray(np.zeros((12, 12, 4), np.uint8)), "partly transparent"),
        (Image.fromarray(np.zeros((12, 12), np.uint16)), "not 8 bits of grey"),
    ):
        image.save(victim)
        with pytest.raises(DataError) as caught:
            load(folder, tmp_path)
        presentable(caught.value.message, str(victim), reason)
    Image.fromarray(grey).save(victim)
    in_colours = load(folder, tmp_path)
    victim.write_bytes(kept)
    assert load(folder, tmp_path).name == in_colours.name
    (folder / "empty").mkdir()
    with pytest.raises(DataError, match="no images in it"):
        load(folder, tmp_path)


def test_what_is_no_file_or_folder_of_data_is_named(tmp_path, presentable):
    os.mkfifo(tmp_path / "pipe.npz")
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "text.txt").write_text("hello")
    (tmp_path / "nothing").mkdir()
    (tmp_path / "loop.npz").symlink_to(tmp_path / "loop.npz")
    for name, reason in (
        ("pipe.npz", "not a regular file"),
        ("pipe.csv", "not a regular file"),
        ("text.txt", "no data in a known form"),
        ("nothing", "no data in a known form"),
        ("absent.csv", "missing"),
        ("loop.npz", "symbolic links"),
    ):
        with pytest.raises(DataError) as caught:
            load(tmp_path / name, tmp_path)
        presentable(caught.value.message, str(tmp_path / name), reason)
        assert caught.value.hint
    keras(tmp_path)
    (tmp_path / "link.npz").symlink_to(tmp_path / "letters.npz")
    assert load(tmp_path / "link.npz", tmp_path).name == f"link.npz@{SUM}"


def test_a_pipe_among_images_is_not_waited_for(tmp_path, presentable):
    folder = write_images(tmp_path / "own", TRAIN, TRAIN_LABELS.tolist())
    (folder / "1" / "0002.png").unlink()
    os.mkfifo(folder / "1" / "0002.png")
    with pytest.raises(DataError) as caught:
        load(folder, tmp_path)
    presentable(caught.value.message, str(folder / "1" / "0002.png"), "not a regular file")


def test_a_folder_of_several_sets_is_asked_about(tmp_path, presentable):
    folder = pairs(tmp_path)
    write_idx(folder / "emnist-train-images-idx3-ubyte", TRAIN)
    with pytest.raises(DataError, match="two files of train images"):
        load(folder, tmp_path)
    (tmp_path / "tables").mkdir()
    for name in ("a.csv", "b.csv"):
        write_csv(tmp_path / "tables" / name, TRAIN, TRAIN_LABELS)
    with pytest.raises(DataError, match=r"which table is to train on: a\.csv, b\.csv"):
        load(tmp_path / "tables", tmp_path)


def test_labels_of_another_number_than_the_images_are_refused(tmp_path, presentable):
    folder = pairs(tmp_path)
    (folder / NAMES[1]).write_bytes(idx_bytes(TRAIN_LABELS[:-2].astype(np.uint8)))
    with pytest.raises(DataError) as caught:
        load(folder, tmp_path)
    presentable(caught.value.message, str(folder / NAMES[1]), "for the 45 images of train-images-idx3-ubyte")


@pytest.mark.parametrize("name", ["own.csv.gz", "letters/train-images-idx3-ubyte", "letters/train-labels-idx1-ubyte"])
def test_nobody_is_told_to_delete_a_file_of_his_own(tmp_path, name):
    pairs(tmp_path)
    path = tmp_path / name
    if not path.exists():
        write_csv(path, TRAIN, TRAIN_LABELS)
    for content in (path.read_bytes()[:-9], b"\1\2\3", b""):
        path.write_bytes(content)
        with pytest.raises(DataError) as caught:
            load(path if path.parent == tmp_path else path.parent, tmp_path)
        assert "delete" not in caught.value.hint
        assert "download" not in caught.value.hint


def test_idx_files_to_validate_on_are_left_out_and_that_is_said(tmp_path):
    folder = pairs(tmp_path)
    whole = load(folder, tmp_path)
    write_pairs(folder, ["valid-images-idx3-ubyte", "valid-labels-idx1-ubyte"], TEST, TEST_LABELS)
    data = load(folder, tmp_path)
    assert (whole.note, data.name) == ("", whole.name)
    assert data.note == "the files valid-images-idx3-ubyte and valid-labels-idx1-ubyte are left out"


def test_files_that_are_named_in_full_come_before_others(tmp_path):
    folder = pairs(tmp_path)
    whole = load(folder, tmp_path)
    write_pairs(folder, ["x_train.idx", "y_train.idx"], TEST, TEST_LABELS)
    write_pairs(folder / "train-images", [NAMES[0]], TEST)
    assert load(folder, tmp_path).name == whole.name
