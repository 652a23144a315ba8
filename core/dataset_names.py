"""How a data set is named: by one word for the known ones, by its path for data of one's own. Needs no torch.

A path may end in ``@`` and twelve hexadecimal digits, which say what must be in it: so it is in the record of a run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from core.errors import printable
from core.task import MNIST_TASK, ImageTask

TASKS: Mapping[str, ImageTask] = {
    "auto": MNIST_TASK,
    "mnist": MNIST_TASK,
    "fashion": MNIST_TASK,
    "kmnist": MNIST_TASK,
    "mnist-5k": MNIST_TASK,
    "qmnist": MNIST_TASK,
    "qmnist-50k": MNIST_TASK,
    "emnist": ImageTask(28, 47),
    "emnist-balanced": ImageTask(28, 47),
    "emnist-letters": ImageTask(28, 26),
    "emnist-digits": MNIST_TASK,
    "emnist-mnist": MNIST_TASK,
    "emnist-bymerge": ImageTask(28, 47),
    "emnist-byclass": ImageTask(28, 62),
}
"""What each known data set asks of a network."""

_EMNIST = ", ".join(name.removeprefix("emnist") for name in TASKS if name.startswith("emnist-"))
ALLOWED = (
    f"one of {', '.join(name for name in TASKS if not name.startswith('emnist-'))} (or with {_EMNIST}), or the path of "
    "your own data: a .npz or .csv file, or a folder (./NAME for one that is here)"
)
_PATH = r"[^\x00-\x1f\x7f]*/[^\x00-\x1f\x7f]*|~[^\x00-\x1f\x7f]*|\.{1,2}|[^\x00-\x1f\x7f]+\.(?i:npz|csv|csv\.gz)"
PATTERN = rf"^({'|'.join(TASKS)}|({_PATH})(@[0-9a-f]{{12}})?)$"
"""Fits every name and whatever is written like a path."""

_PIN = re.compile(r"@([0-9a-f]{12})$")
_LONGEST_NAME = 40


def is_own(dataset: str) -> bool:
    """Whether it is the path of somebody's own data."""
    return dataset not in TASKS


def path_and_pin(dataset: str) -> tuple[Path, str]:
    """The absolute path of one's own data, and the digits of what must be in it; empty where nothing is said of that.

    Raises:
        RuntimeError: for the home folder of a user who has none.
    """
    pin = _PIN.search(dataset)
    text = dataset[: pin.start()] if pin else dataset
    return Path(text).expanduser().absolute(), pin[1] if pin else ""


def absolute_dataset(dataset: str) -> str:
    """The same choice as a process in another folder understands it."""
    if not is_own(dataset):
        return dataset
    path, pin = path_and_pin(dataset)
    return f"{path}@{pin}" if pin else str(path)


def pinned(path: Path, digits: str) -> str:
    """The choice of one's own data with these first digits of the sum of what is in it."""
    return f"{path}@{digits}"


def name_of(dataset: str) -> str:
    """A data set as results show it: one's own by the last part of its path, ``letters.npz@1a2b3c4d5e6f``."""
    if not is_own(dataset):
        return dataset
    pin = _PIN.search(dataset)
    name = printable(dataset[: pin.start()] if pin else dataset).rstrip("/").rpartition("/")[2] or "/"
    if len(name) > _LONGEST_NAME:
        name = f"...{name[3 - _LONGEST_NAME :]}"
    return f"{name}{pin[0] if pin else ''}"


def identity_of(name: str) -> str:
    """What tells a data set, by its name in results, from all others. Of one's own it is the digits, since the same
    data may lie in several forms and places."""
    pin = _PIN.search(name)
    return pin[0] if pin else name


def is_called(name: str, wanted: str) -> bool:
    """Whether a data set, by its name in results, is what somebody calls by that name, by its path, or without its
    digits."""
    called = name_of(wanted)
    return called in (name, _PIN.sub("", name))
