"""What a data set asks of a network, by a glance at it: for each form, remembered, and without torch."""

import os
import subprocess
import sys

import numpy as np
import pytest
from own_data import draw, write_csv, write_idx, write_images, write_npz, write_pairs

from core.data.task_of import task_of
from core.dataset_names import TASKS
from core.errors import DataError
from core.task import ImageTask

IMAGES, LABELS = draw(30, size=12, classes=3)


@pytest.mark.parametrize("name", TASKS)
def test_a_known_set_has_its_task_wherever_it_lies(name):
    task = task_of(name)
    assert 10 <= task.classes <= 62
    assert task.size == 28


@pytest.fixture(params=["pairs", "npz", "csv", "csv.gz", "images"])
def own(request, tmp_path):
    match request.param:
        case "pairs":
            return write_pairs(tmp_path / "own", ["train-images-idx3-ubyte", "train-labels.gz"], IMAGES, LABELS)
        case "npz":
            return write_npz(tmp_path / "own.npz", x_train=IMAGES, y_train=LABELS)
        case "images":
            return write_images(tmp_path / "own", IMAGES, LABELS.tolist())
        case suffix:
            return write_csv(tmp_path / f"own.{suffix}", IMAGES, LABELS)


def test_ones_own_data_have_the_task_that_is_in_them(own):
    assert task_of(str(own)) == ImageTask(12, 3)
    assert task_of(f"{own}@0123456789ab") == ImageTask(12, 3)


def test_it_is_remembered_until_a_file_changes(tmp_path):
    path = write_npz(tmp_path / "own.npz", x=IMAGES, y=LABELS)
    assert task_of(str(path)) == ImageTask(12, 3)
    content = path.read_bytes()
    times = path.stat()
    path.write_bytes(b"x" * len(content))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert task_of(str(path)) == ImageTask(12, 3)
    write_npz(path, x=np.repeat(IMAGES, 2, axis=1).repeat(2, axis=2), y=LABELS % 2)
    assert task_of(str(path)) == ImageTask(24, 2)


@pytest.mark.parametrize(
    ("size", "classes", "reason"),
    [(7, 3, "7 x 7 pixels"), (65, 3, "65 x 65"), (12, 1, "1 class"), (12, 63, "63 classes")],
)
def test_what_is_out_of_bounds_is_refused(tmp_path, presentable, size, classes, reason):
    images, labels = draw(63, size, classes)
    path = write_npz(tmp_path / "own.npz", x=images, y=labels)
    with pytest.raises(DataError) as caught:
        task_of(str(path))
    presentable(caught.value.message, str(path), reason)
    assert "8 to 64 pixels" in caught.value.hint
    assert "2 to 62 classes" in caught.value.hint


def test_what_is_not_there_is_named(tmp_path, presentable):
    with pytest.raises(DataError) as caught:
        task_of(str(tmp_path / "nothing.npz"))
    presentable(caught.value.message, str(tmp_path / "nothing.npz"), "missing")
    assert "at the same path on every machine" in caught.value.hint


def test_it_needs_no_torch(own):
    code = "import sys; from core.data.task_of import task_of; task_of(sys.argv[1]); print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code, str(own)], capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"


def test_a_pair_of_idx_files_without_a_second_half_is_refused(tmp_path, presentable):
    folder = tmp_path / "own"
    folder.mkdir()
    write_idx(folder / "train-images-idx3-ubyte", IMAGES)
    with pytest.raises(DataError) as caught:
        task_of(str(folder))
    presentable(caught.value.message, str(folder), "no file of train labels")
