"""Own data as folders of images: what else may lie there, and how the images are turned."""

from itertools import permutations

import numpy as np
import pytest
from own_data import draw, load, write_csv, write_idx, write_images
from PIL import Image
from rights import may_not_enter

from core.data.own.settle import _natural
from core.errors import DataError

TRAIN, TRAIN_LABELS = draw(45, size=12, classes=3)


def test_an_image_is_turned_as_it_was_taken(tmp_path):
    folder = write_images(tmp_path / "own", TRAIN, TRAIN_LABELS.tolist())
    upright = load(folder, tmp_path)
    victim = folder / "1" / "0002.png"
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees clockwise
    with Image.open(victim) as image:
        image.transpose(Image.Transpose.ROTATE_90).save(victim, exif=exif)
    assert load(folder, tmp_path).name == upright.name


def test_images_of_but_0_and_1_are_black_and_white(tmp_path):
    folder = write_images(tmp_path / "own", (TRAIN > 80).astype(np.uint8), TRAIN_LABELS.tolist())
    data = load(folder, tmp_path)
    assert data.train_images.unique().tolist() == [0, 255]
    assert "values from 0 to 1 were taken as 0 to 255" in data.note
    (tmp_path / "pairs").mkdir()
    write_idx(tmp_path / "pairs" / "train-images", (TRAIN > 80).astype(np.uint8))
    write_idx(tmp_path / "pairs" / "train-labels", TRAIN_LABELS.astype(np.uint8))
    assert load(tmp_path / "pairs", tmp_path).name.rpartition("@")[2] == data.name.rpartition("@")[2]


def test_a_table_about_the_images_and_what_macos_adds_are_no_data(tmp_path):
    folder = write_images(tmp_path / "own", TRAIN, TRAIN_LABELS.tolist())
    alone = load(folder, tmp_path)
    (folder / "labels.csv").write_text("file,label\n0/0001.png,0\n")
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "._0001.png").write_bytes(b"\0")
    assert load(folder, tmp_path).name == alone.name
    write_csv(folder / "all.csv", TRAIN, TRAIN_LABELS)
    assert "no images to test on" in load(folder, tmp_path).note
    (folder / "all.csv").unlink()
    for name in ("0", "1", "2"):
        for path in (folder / name).iterdir():
            path.unlink()
    with pytest.raises(DataError, match=r"labels\.csv: 2 columns|images of 1 x 1 pixels"):
        load(folder, tmp_path)


def test_folders_that_cannot_be_looked_into_are_named(tmp_path, presentable):
    folder = write_images(tmp_path / "own", TRAIN, TRAIN_LABELS.tolist())
    (tmp_path / "own" / "2" / "long").symlink_to("x" * 300)
    with pytest.raises(DataError) as caught:
        load(folder, tmp_path)
    presentable(caught.value.message, str(folder / "2"), "cannot be read")
    (tmp_path / "own" / "2" / "long").unlink()
    with may_not_enter(folder), pytest.raises(DataError) as caught:
        load(folder, tmp_path)
    presentable(caught.value.message, str(folder), "ermission denied")


def test_names_that_differ_in_zeros_alone_are_always_in_one_order():
    """Whatever the order that a set of them has, which is another in each process."""
    names = ["a1", "a01", "a001", "b"]
    assert {tuple(sorted(order, key=_natural)) for order in permutations(names)} == {("a001", "a01", "a1", "b")}


@pytest.mark.parametrize("name", ["val", "Valid", "validation"])
def test_folders_beside_that_to_train_on_are_named_as_they_are_called(tmp_path, name):
    """However often the same images were read before, beside another folder."""
    for called in ("val", name):
        folder = tmp_path / f"with {called}"
        write_images(folder / "train", TRAIN, TRAIN_LABELS.tolist())
        write_images(folder / called, TRAIN[:9], TRAIN_LABELS[:9].tolist())
        data = load(folder, tmp_path)
        assert data.note.startswith(
            f"the folder {called} is left out (to test on {called}, call it test); there are no"
        )
        assert len(data.train_labels) + len(data.test_labels) == 45
    (folder / "extra").mkdir()
    write_images(folder / "test", TRAIN[:9], TRAIN_LABELS[:9].tolist())
    names = " and ".join(sorted([name, "extra"]))
    assert load(folder, tmp_path).note == f"the folders {names} are left out"


@pytest.mark.parametrize("around", ["mnist_png", "archive/mnist_png/mnist_png"])
def test_folders_that_an_archive_puts_around_the_data_are_looked_through(tmp_path, around):
    inner = tmp_path / "own" / around
    write_images(inner / "train", TRAIN, TRAIN_LABELS.tolist())
    (tmp_path / "own" / "README.md").write_text("about them")
    (tmp_path / "own" / ".DS_Store").write_bytes(b"")
    found, direct = load(tmp_path / "own", tmp_path), load(inner, tmp_path)
    assert found.name == f"own@{direct.name.rpartition('@')[2]}"
    (tmp_path / "table" / "folder").mkdir(parents=True)
    write_csv(tmp_path / "table" / "folder" / "own.csv", TRAIN, TRAIN_LABELS)
    assert len(load(tmp_path / "table", tmp_path).classes) == 3


def test_a_folder_that_holds_itself_has_no_data(tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "again").symlink_to(tmp_path / "own")
    with pytest.raises(DataError, match="own: no data in a known form"):
        load(tmp_path / "own", tmp_path)


@pytest.mark.parametrize(
    ("place", "reason"),
    [("", "its images are not in folders"), ("images", "1 class: all images are in the folder images")],
)
@pytest.mark.parametrize("part", ["", "train"])
def test_images_that_are_not_in_a_folder_for_each_class_are_refused_with_what_to_do(
    tmp_path, place, reason, part, presentable
):
    folder = tmp_path / "own" / part
    target = folder / place
    write_images(tmp_path / "made", TRAIN, [0] * 45)
    target.parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "made" / "0").rename(target)
    (tmp_path / "own" / "labels.csv").write_text("file,label\n0001.png,0\n")
    with pytest.raises(DataError) as caught:
        load(tmp_path / "own", tmp_path)
    reason = "no folders of images" if part and not place else reason
    presentable(caught.value.message, str(folder), reason)
    assert caught.value.hint == "put the images of each class into a folder of its own, with the name of the class"
