"""Makes a data set of the parts that were read: labels as indices of the classes, and always some images to test on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.data.decoded import PARTS
from core.data.own.parts import Part, Parts, check_classes, distinct, refusal
from core.errors import shown

TEST_SHARE = 6
"""One image in so many is set aside to test on, where there are none for that."""
SPLIT_SEED = 0
_NAME_WIDTH = 40
_MOST_NAMED = 3
_SCARCE = 0.01
"""A class of a smaller share of the images that the median class has may be a mistake in the labels."""

Indices = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Settled:
    """`arrays` are images (N, S, S) and labels (N,), each an index of `classes`, to train and to test on; `set_aside`
    says that those to test on are a share of what there was to train on."""

    arrays: dict[str, npt.NDArray[np.uint8]]
    classes: tuple[str, ...]
    note: str
    set_aside: bool


def settle(path: Path, parts: Parts) -> Settled:
    """A data set of what was read at a path.

    Without a test part a sixth of each class is it, always the same images of the same data.

    Raises:
        DataError: when the parts do not go together, or are none that a network can be trained on.
    """
    train, test, notes = parts.train, parts.test, [parts.note] if parts.note else []
    names = distinct(train.labels)
    check_classes(path, names)
    order = sorted(names, key=_natural)
    labels = _indices(train, order)
    if (train.images == train.images[0, 0, 0]).all():
        raise refusal(train.path, "all images to train on are blank")
    if test is not None:
        if test.images.shape[1:] != train.images.shape[1:]:
            sizes = [" x ".join(map(str, part.images.shape[1:])) for part in (test, train)]
            raise refusal(test.path, f"images of {sizes[0]} pixels, those to train on have {sizes[1]}")
        pieces = (train.images, labels, test.images, _indices(test, order))
        scarce = _scarce(np.concatenate([labels, pieces[3]]), order)
    else:
        scarce = _scarce(labels, order)
        chosen = _to_test_on(labels)
        if not chosen.any():
            raise refusal(train.path, "no class has two images, so that none can be set aside to test on")
        pieces = (train.images[~chosen], labels[~chosen], train.images[chosen], labels[chosen])
        share = f"{chosen.sum():,} of the {len(chosen):,}, a sixth of each class"
        notes.append(f"there are no images to test on, so {share}, are kept for that")
    if scarce:
        notes.append(scarce)
    return Settled(dict(zip(PARTS, pieces, strict=True)), tuple(map(str, order)), "; ".join(notes), test is None)


def _indices(part: Part, order: list[object]) -> Indices:
    """Each label's place among the classes."""
    place = {label: index for index, label in enumerate(order)}
    values, inverse = np.unique(part.labels, return_inverse=True)
    known = [place.get(value) for value in values.tolist()]
    if None in known:
        value = values[known.index(None)]
        first = int(np.argwhere(part.labels == value)[0, 0])
        text = shown(str(value), _NAME_WIDTH)
        raise refusal(part.path, f"{part.place(first)}: the class {text} is not among those to train on")
    return np.array(known, dtype=np.uint8)[inverse.reshape(-1)]


def _scarce(labels: Indices, order: list[object]) -> str:
    """A note on classes of a single image, or of far fewer than others have; empty where there are none."""
    counts = np.bincount(labels, minlength=len(order))
    few = [at for at, count in enumerate(counts) if count == 1 or count < _SCARCE * np.median(counts)]
    said = [
        f"class {shown(str(order[at]), _NAME_WIDTH)} has {counts[at]:,} image{'' if counts[at] == 1 else 's'}"
        for at in few[:_MOST_NAMED]
    ]
    if len(few) > len(said):
        said.append(f"{len(few) - len(said)} more have as few")
    return ", ".join(said)


def _to_test_on(labels: Indices) -> npt.NDArray[np.bool_]:
    """Which images are set aside: of each class a sixth, rounded, of two or more images at least one."""
    chosen = np.zeros(len(labels), dtype=np.bool_)
    draw = np.random.RandomState(SPLIT_SEED)  # whose draws no version of NumPy may change
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        ranks = draw.random_sample(len(members)).argsort(kind="stable")
        share = (len(members) + TEST_SHARE // 2) // TEST_SHARE
        chosen[members[ranks[: max(share, min(1, len(members) - 1))]]] = True
    return chosen


def _natural(label: object) -> tuple[Any, ...]:
    """Numbers by their value, and texts by the numbers in them, so that 10 comes after 9; a1 and a01 by themselves."""
    if not isinstance(label, str):
        return 0, label
    return 1, [(1, int(piece), "") if piece.isdecimal() else (0, 0, piece) for piece in _pieces(label)], label


def _pieces(label: str) -> Iterable[str]:
    return (piece for piece in re.split(r"([0-9]{1,18})", label) if piece)
