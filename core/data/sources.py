"""The known data sets: names, files, pixel statistics, and checksums as published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path
from typing import Any

from core.errors import DataError, one_line

REPLACE_IT = "delete the file to have it downloaded again, or put a good copy in its place"


@dataclass(frozen=True, slots=True)
class Source:
    """A data set that torchvision knows: the name of its class, which is also its folder, and its pixel statistics.

    `plain_md5` are the sums of the unpacked files, where known; torchvision lists only those of the gzipped ones.
    """

    torchvision_class: str
    mean: float
    std: float
    plain_md5: Mapping[str, str]


SOURCES: Mapping[str, Source] = {
    "mnist": Source(
        "MNIST",
        0.1307,
        0.3081,
        {
            "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
            "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
            "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
            "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
        },
    ),
    "fashion": Source("FashionMNIST", 0.2860, 0.3530, {}),
    "kmnist": Source("KMNIST", 0.1918, 0.3483, {}),
}

FILES: Mapping[str, tuple[int, ...]] = {
    "train-images-idx3-ubyte": (60_000, 28, 28),
    "train-labels-idx1-ubyte": (60_000,),
    "t10k-images-idx3-ubyte": (10_000, 28, 28),
    "t10k-labels-idx1-ubyte": (10_000,),
}
"""The four files of each source, and their shapes."""

BUNDLED = "mnist-5k"
NAMES = (*SOURCES, BUNDLED)


def published_md5(name: str) -> dict[str, str]:
    """The sums of a source's gzipped files as torchvision lists them, by file name without ``.gz``."""
    return {file.removesuffix(".gz"): md5 for file, md5 in published_class(name).resources}


def published_class(name: str) -> Any:
    """torchvision's class of a source.

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
    return getattr(torchvision.datasets, SOURCES[name].torchvision_class)


def md5_of(path: Path) -> str:
    """The MD5 sum of a file, as torchvision lists them."""
    digest = md5(usedforsecurity=False)
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read: {error.strerror}", hint="check the file and its permissions"
        ) from error
    return digest.hexdigest()


def check_md5(path: Path, found: str, expected: str) -> None:
    """Raise `DataError` when a file is not the one that was published."""
    if found != expected:
        raise DataError(f"{path}: corrupt: MD5 is {found}, not {expected}", hint=REPLACE_IT)
