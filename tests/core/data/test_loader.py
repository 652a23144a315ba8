"""Data sets from files: exactly torchvision's, refused when damaged, decoded once."""

import gzip
import json
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
import torch
import torchvision.datasets
from safetensors.torch import save

import core.data.loader
from core.data.loader import Dataset, Loader
from core.data.sources import FILES
from core.errors import DataError

PARTS = ("train_images", "train_labels", "test_images", "test_labels")


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def equal(one: Dataset, other: Dataset) -> bool:
    return all(torch.equal(getattr(one, part), getattr(other, part)) for part in PARTS)


@pytest.fixture
def kmnist(tmp_path: Path) -> Loader:
    """A source for which no sums of plain files are known, so that well-formed ones with equal classes load."""
    raw = tmp_path / "root" / "KMNIST" / "raw"
    raw.mkdir(parents=True)
    for name, shape in FILES.items():
        header = bytes([0, 0, 8, len(shape)]) + b"".join(side.to_bytes(4, "big") for side in shape)
        with (raw / name).open("wb") as file:
            file.write(header + bytes(range(10)) * (shape[0] // 10 if len(shape) == 1 else 1))
            file.truncate(len(header) + torch.Size(shape).numel())
    return Loader(tmp_path / "root", tmp_path / "cache")


@pytest.fixture
def copy_of_mnist(mnist_root: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(mnist_root / "MNIST" / "raw", tmp_path / "root" / "MNIST" / "raw")).parents[1]


def unpack(raw: Path) -> None:
    for packed in raw.glob("*.gz"):
        packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
        packed.unlink()


def test_mnist_is_torchvisions_gzipped_or_plain(mnist_root, copy_of_mnist, tmp_path):
    gzipped = Loader(mnist_root, tmp_path / "cache").load("mnist")
    unpack(copy_of_mnist / "MNIST" / "raw")
    plain = Loader(copy_of_mnist, tmp_path / "cache").load("mnist")
    train, test = (torchvision.datasets.MNIST(copy_of_mnist, train=part) for part in (True, False))
    for found in (gzipped, plain):
        assert torch.equal(found.train_images, train.data)
        assert torch.equal(found.train_labels, train.targets)
        assert torch.equal(found.test_images, test.data)
        assert torch.equal(found.test_labels, test.targets)
        assert (found.name, found.note) == ("mnist", "")
        assert (found.train_images.dtype, found.train_labels.dtype) == (torch.uint8, torch.int64)
    scaled = train.data.double() / 255
    assert (round(float(scaled.mean()), 4), round(float(scaled.std()), 4)) == (gzipped.mean, gzipped.std)


def test_a_root_is_only_read(mnist_root, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in mnist_root.rglob("*")}
    loader = Loader(mnist_root, tmp_path / "cache")
    loader.load("mnist")
    loader.load("auto")
    assert [(path.name, verified) for path, verified in loader.verify("mnist")] == [
        (f"{name}.gz", True) for name in FILES
    ]
    assert {path: path.stat().st_mtime_ns for path in mnist_root.rglob("*")} == before


@pytest.mark.parametrize("damage", ["truncated", "altered", "longer", "empty", "another", "not gzip"])
@pytest.mark.parametrize("name", ["auto", "mnist"])
def test_a_damaged_file_of_mnist_is_named_left_alone_and_never_passed_over(
    copy_of_mnist, tmp_path, damage, name, presentable
):
    path = copy_of_mnist / "MNIST" / "raw" / "t10k-labels-idx1-ubyte.gz"
    whole = path.read_bytes()
    changed = {
        "truncated": whole[:-100],
        "altered": whole[:2000] + bytes([whole[2000] ^ 1]) + whole[2001:],
        "longer": whole + b"x",
        "empty": b"",
        "another": (path.parent / "train-labels-idx1-ubyte.gz").read_bytes(),
        "not gzip": b"<html>not found</html>",
    }
    path.write_bytes(changed[damage])
    before = contents(tmp_path)
    loader = Loader(copy_of_mnist, tmp_path / "cache")
    for attempt in (loader.load, loader.verify) if name == "mnist" else (loader.load,):
        with pytest.raises(DataError) as caught:
            attempt(name)
        presentable(caught.value.message, str(path))
        assert caught.value.hint
    assert contents(tmp_path) == before


def test_a_plain_file_of_mnist_is_held_to_its_sum_too(copy_of_mnist, tmp_path):
    raw = copy_of_mnist / "MNIST" / "raw"
    unpack(raw)
    path = raw / "t10k-images-idx3-ubyte"
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="t10k-images-idx3-ubyte: corrupt, or not a file of mnist"):
        Loader(copy_of_mnist, tmp_path / "cache").load("mnist")


@pytest.mark.parametrize(
    ("file", "at", "value", "reason"),
    [
        ("train-images-idx3-ubyte", 2, 9, "wrong magic number"),
        ("t10k-labels-idx1-ubyte", 6, 7, "dimensions"),
        ("train-labels-idx1-ubyte", 40_000, 10, "a label is not from 0 to 9"),
        ("t10k-images-idx3-ubyte", -1, None, "truncated"),
    ],
)
def test_files_without_a_published_sum_are_held_to_their_format(kmnist, file, at, value, reason, tmp_path):
    path = kmnist.place("kmnist").folder / file
    with path.open("r+b") as opened:
        if value is None:
            opened.truncate(path.stat().st_size + at)
        else:
            opened.seek(at)
            opened.write(bytes([value]))
    with pytest.raises(DataError, match=reason) as caught:
        kmnist.load("kmnist")
    assert str(path) in caught.value.message
    assert not (tmp_path / "cache").exists()


def test_a_limited_data_set_has_the_first_images(kmnist):
    whole = kmnist.load("kmnist")
    few = whole.limited(5, None)
    assert few.train_labels.tolist() == [0, 1, 2, 3, 4]
    assert len(few.train_images) == 5
    assert len(few.test_images) == len(few.test_labels) == 10_000
    assert whole.limited(None, None).train_images.shape == (60_000, 28, 28)


def test_the_second_load_reads_the_cache_and_does_without_torchvision(kmnist):
    first = kmnist.load("kmnist")
    code = (
        "import json, sys; from pathlib import Path; from core.data.loader import Loader;"
        "data = Loader(Path(sys.argv[1]), Path(sys.argv[2])).load('kmnist');"
        "print(json.dumps(['torchvision' in sys.modules, int(data.train_images.sum()), data.test_labels[:12].tolist()"
        "]))"
    )
    command = [sys.executable, "-c", code, str(kmnist.root), str(kmnist.cache)]
    root = Path(core.data.loader.__file__).parents[1]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    expected = [False, int(first.train_images.sum()), [*range(10), 0, 1]]
    assert json.loads(result.stdout) == expected


def test_the_cache_does_not_hide_a_changed_file(kmnist):
    kmnist.load("kmnist")
    with (kmnist.place("kmnist").folder / "train-labels-idx1-ubyte").open("r+b") as file:
        file.seek(8)
        file.write(bytes([2, 1, 0]))
    assert kmnist.load("kmnist").train_labels[:5].tolist() == [2, 1, 0, 3, 4]


def damaged_caches() -> list:
    def flip(content: bytes) -> bytes:
        return content[:-1000] + bytes([content[-1000] ^ 1]) + content[-999:]

    return [
        pytest.param(lambda content: content[:1000], id="truncated"),
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda _: b"\xff" * 1000, id="nonsense"),
        pytest.param(lambda content: content.replace(b"train_labels", b"train_labelz", 1), id="another key"),
        pytest.param(lambda _: save({part: torch.zeros(3, dtype=torch.uint8) for part in PARTS}), id="other shapes"),
        pytest.param(flip, id="a flipped bit"),
    ]


@pytest.mark.parametrize("damage", damaged_caches())
def test_a_damaged_cache_is_not_believed_and_made_anew(kmnist, damage):
    first = kmnist.load("kmnist")
    (cached,) = kmnist.cache.iterdir()
    before = contents(kmnist.cache)
    cached.write_bytes(damage(cached.read_bytes()))
    assert equal(kmnist.load("kmnist"), first)
    assert contents(kmnist.cache) == before


def test_a_cache_that_cannot_be_written_only_costs_time(kmnist, tmp_path):
    (tmp_path / "file").write_bytes(b"in the way")
    blocked = Loader(kmnist.root, tmp_path / "file" / "cache")
    assert equal(blocked.load("kmnist"), kmnist.load("kmnist"))
    assert (tmp_path / "file").read_bytes() == b"in the way"
