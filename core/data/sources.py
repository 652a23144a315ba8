"""The known data sets: their files, what is in them, and the sums that they were published with. Needs no torch."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.data.idx import BYTES, INTEGERS
from core.errors import DataError, one_line
from core.task import DIGITS

BUNDLED = "mnist-5k"


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file of a data set: its name without ``.gz``, its shape, and its MD5 sums, where known: `packed` that of the
    gzipped file as published, `plain` that of what is in it."""

    name: str
    shape: tuple[int, ...]
    packed: str
    plain: str = ""
    kind: int = BYTES


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A data set that torchvision knows.

    `folder` is the name of its class there, and of its folder; `aliases` are other names that folders of it have.
    `files` are those of the images and labels to train on, then to test on. `counts` are the training images of each
    class, to hold files against of which no sum is known; empty where they are not known either. `mean` and `std` are
    of the training pixels, None where they are computed. Labels begin with `first_label`. `archive` is the name of the
    file that all are published in, empty where each is by itself. The first `skipped` test images are left out.
    """

    folder: str
    files: tuple[FileFacts, ...]
    classes: tuple[str, ...] = DIGITS
    counts: tuple[int, ...] = ()
    mean: float | None = None
    std: float | None = None
    aliases: tuple[str, ...] = ()
    archive: str = ""
    first_label: int = 0
    transposed: bool = False
    skipped: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(file.name for file in self.files)


def _four(*sums: tuple[str, str]) -> tuple[FileFacts, ...]:
    return tuple(FileFacts(name, shape, *both) for (name, shape), both in zip(FILES.items(), sums, strict=True))


FILES: Mapping[str, tuple[int, ...]] = {
    "train-images-idx3-ubyte": (60_000, 28, 28),
    "train-labels-idx1-ubyte": (60_000,),
    "t10k-images-idx3-ubyte": (10_000, 28, 28),
    "t10k-labels-idx1-ubyte": (10_000,),
}
"""The four files of MNIST and of the sets made in its likeness, and their shapes."""

_MNIST = _four(
    ("f68b3c2dcbeaaa9fbdd348bbdeb94873", "6bbc9ace898e44ae57da46a324031adb"),
    ("d53e105ee54ea40749a09fcbcd1e9432", "a25bea736e30d166cdddb491f175f624"),
    ("9fb629c4189551a2d022fa330f9573f3", "2646ac647ad5339dbf082846283269ea"),
    ("ec29112dd5afa0611ce80d1b7f02629c", "27ae3e4e09519cfbb04c329615203637"),
)
_FASHION = _four(
    ("8d4fb7e6c68d591d4c3dfef9ec88bf0d", "f4a8712d7a061bf5bd6d2ca38dc4d50a"),
    ("25c81989df183df01b3e8a0aad5dffbe", "9018921c3c673c538a1fc5bad174d6f9"),
    ("bef4ecab320f06d8554ea6380940ec79", "8181f5470baa50b63fa0f6fddb340f0a"),
    ("bb300cfdad3c16e7a12a480ee83cd310", "15d484375f8d13e6eb1aabb0c3f46965"),
)
_KMNIST = _four(
    ("bdb82020997e1d708af4cf47b453dcf7", ""),
    ("e144d726b3acfaa3e44228e80efcd344", ""),
    ("5c965bf0a639b31b8f53240b1b52f4d7", ""),
    ("7320c461ea6c1c855c0b718fb2a4b134", ""),
)
_QMNIST = (
    FileFacts("qmnist-train-images-idx3-ubyte", (60_000, 28, 28), "ed72d4157d28c017586c42bc6afe6370"),
    FileFacts("qmnist-train-labels-idx2-int", (60_000, 8), "0058f8dd561b90ffdd0f734c6a30e5e4", kind=INTEGERS),
    FileFacts("qmnist-test-images-idx3-ubyte", (60_000, 28, 28), "1394631089c404de565df7b7aeaf9412"),
    FileFacts("qmnist-test-labels-idx2-int", (60_000, 8), "5b5b05890a5e13444e108efe57b788aa", kind=INTEGERS),
)


def _qmnist(skipped: int) -> Source:
    counts = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)  # its images to train on are MNIST's
    return Source(folder="QMNIST", files=_QMNIST, counts=counts, aliases=("qmnist",), skipped=skipped)


EMNIST_BYTES = 561_753_746
"""The size of the archive in which all of EMNIST is published."""
_MERGED = set("cijklmopsuvwxyz")
_BY_CLASS = tuple(string.digits + string.ascii_uppercase + string.ascii_lowercase)
_BY_MERGE = tuple(name for name in _BY_CLASS if name not in _MERGED)


def _emnist(part: str, train: int, test: int, sums: tuple[str, str, str, str], classes: tuple[str, ...]) -> Source:
    names = [f"emnist-{part}-{one}-{kind}" for one in ("train", "test") for kind in ("images-idx3", "labels-idx1")]
    shapes: list[tuple[int, ...]] = [(train, 28, 28), (train,), (test, 28, 28), (test,)]
    files = zip(names, shapes, sums, strict=True)
    balanced = part not in ("byclass", "bymerge")
    return Source(
        folder="EMNIST",
        files=tuple(FileFacts(f"{name}-ubyte", shape, packed) for name, shape, packed in files),
        classes=classes,
        counts=(train // len(classes),) * len(classes) if balanced else (),
        aliases=("emnist",),
        archive="gzip.zip",
        first_label=1 if part == "letters" else 0,
        transposed=True,
    )


_EMNIST = {
    f"emnist-{part}": _emnist(part, train, test, (one, two, three, four), classes)
    for part, train, test, one, two, three, four, classes in (
        (
            "balanced",
            112_800,
            18_800,
            "4041b0d6f15785d3fa35263901b5496b",
            "7a35cc7b2b7ee7671eddf028570fbd20",
            "6818d20fe2ce1880476f747bbc80b22b",
            "acd3694070dcbf620e36670519d4b32f",
            _BY_MERGE,
        ),
        (
            "letters",
            124_800,
            20_800,
            "8795078f199c478165fe18db82625747",
            "c16de4f1848ddcdddd39ab65d2a7be52",
            "382093a19703f68edac6d01b8dfdfcad",
            "d4108920cd86601ec7689a97f2de7f59",
            tuple(string.ascii_lowercase),
        ),
        (
            "digits",
            240_000,
            40_000,
            "d2662ecdc47895a6bbfce25de9e9a677",
            "2223fcfee618ac9c89ef20b6e48bcf9e",
            "a159b8b3bd6ab4ed4793c1cb71a2f5cc",
            "8afde66ea51d865689083ba6bb779fac",
            DIGITS,
        ),
        (
            "mnist",
            60_000,
            10_000,
            "3663598a39195d030895b6304abb5065",
            "6c092f03c9bb63e678f80f8bc605fe37",
            "fb51b6430fc4dd67deaada1bf25d4524",
            "ae7f6be798a9a5d5f2bd32e078a402dd",
            DIGITS,
        ),
        (
            "bymerge",
            697_932,
            116_323,
            "4a792d4df261d7e1ba27979573bf53f3",
            "491be69ef99e1ab1f5b7f9ccc908bb26",
            "8eb5d34c91f1759a55831c37ec2a283f",
            "c13f4cd5211cdba1b8fa992dae2be992",
            _BY_MERGE,
        ),
        (
            "byclass",
            697_932,
            116_323,
            "712dda0bd6f00690f32236ae4325c377",
            "ee299a3ee5faf5c31e9406763eae7e43",
            "1435209e34070a9002867a9ab50160d7",
            "7a0f934bd176c798ecba96b36fda6657",
            _BY_CLASS,
        ),
    )
}

SOURCES: Mapping[str, Source] = {
    "mnist": Source(folder="MNIST", files=_MNIST, mean=0.1307, std=0.3081, aliases=("mnist",)),
    "fashion": Source(
        folder="FashionMNIST",
        files=_FASHION,
        classes=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        counts=(6_000,) * 10,
        mean=0.2860,
        std=0.3530,
        aliases=("fashion-mnist", "dataset-fashion-mnist", "fashion_mnist", "fashionmnist", "fashion"),
    ),
    "kmnist": Source(
        folder="KMNIST",
        files=_KMNIST,
        classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
        counts=(6_000,) * 10,
        mean=0.1918,
        std=0.3483,
        aliases=("kmnist", "kuzushiji-mnist"),
    ),
    "qmnist": _qmnist(0),
    "qmnist-50k": _qmnist(10_000),
    **_EMNIST,
}
"""The sets of files that are read by name; `BUNDLED` is none of them."""
ALIASES = {"emnist": "emnist-balanced"}
"""Other names for the same data, which results are not recorded by."""
NAMES = ("mnist", BUNDLED, *(name for name in SOURCES if name != "mnist"))
"""All that there are, in the order in which they are listed."""


def published_class(name: str) -> Any:
    """torchvision's class of a source, which says from where it can be downloaded.

    Raises:
        DataError: when torchvision does not import.
    """
    try:
        import torchvision.datasets
    except (ImportError, RuntimeError) as error:
        raise DataError(
            f"torchvision does not work with this torch: {one_line(error)}",
            hint="install a pair that was built together, e.g. torch==2.14.1 torchvision==0.29.1",
        ) from error
    return getattr(torchvision.datasets, SOURCES[name].folder)


def addresses(name: str) -> dict[str, tuple[list[str], str]]:
    """What is published of a source: each file by its name, with the addresses to have it from, and its MD5 sum.

    Raises:
        DataError: when torchvision does not import.
    """
    source, published = SOURCES[name], published_class(name)
    if source.archive:
        return {source.archive: ([published.url], published.md5)}
    if isinstance(published.resources, dict):
        resources = [resource for part in ("train", "test") for resource in published.resources[part]]
        return {url.rpartition("/")[2]: ([url], sum_) for url, sum_ in resources}
    return {file: ([f"{mirror}{file}" for mirror in published.mirrors], sum_) for file, sum_ in published.resources}
