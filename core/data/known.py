"""Reads a known data set: its files held against what was published of them, and decoded."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from core.data import idx
from core.data.decoded import PARTS
from core.data.places import SourcePlace, holds
from core.data.sources import FILES, SOURCES, FileFacts, Source
from core.data.stored import REPLACE_IT, Stored, unpacked_md5
from core.errors import DataError

_HEADER = 16

Arrays = dict[str, npt.NDArray[np.uint8]]


def read_known(name: str, place: SourcePlace, sums: Mapping[str, str]) -> tuple[Arrays, str]:
    """The images (N, 28, 28) and labels (N,) of a data set, and a note where its files could not all be verified.

    A file is as published when its own MD5 sum is, or that of what is in it: it may have been packed anew. Where
    neither is known, its format, its labels and the number of images of each class must be as published.

    Args:
        sums: the MD5 sum of each file, as it is stored.

    Raises:
        DataError: naming the first file that is missing or not as published.
    """
    source = SOURCES[name]
    arrays: Arrays = {}
    unverified = []
    for part, facts in zip(PARTS, source.files, strict=True):
        stored = place.files[facts.name]
        if not is_as_published(name, place, facts, sums[facts.name]):
            unverified.append(facts.name)
        array = idx.decode(stored, facts.shape, facts.kind)
        arrays[part] = _pixels(array, source) if part.endswith("images") else _labels(stored, array, source)
        if facts.name in unverified and part.endswith("labels"):
            _check_counts(stored, arrays[part], source, of_training=part == "train_labels")
    for part in ("test_images", "test_labels"):
        arrays[part] = arrays[part][source.skipped :]
    if not unverified:
        return arrays, ""
    return arrays, f"{name}: {len(unverified)} of its 4 files could not be verified against a published sum"


def is_as_published(name: str, place: SourcePlace, facts: FileFacts, found: str) -> bool:
    """Whether a file is the one that was published, or has the same in it; False when nobody can say.

    Raises:
        DataError: when it is another one.
    """
    stored = place.files[facts.name]
    if found == facts.packed:
        return True
    if not facts.plain:
        return False
    plain = unpacked_md5(stored, prod(facts.shape) + _HEADER)
    if plain == facts.plain:
        return True
    if facts.name in FILES and (other := holds({facts.name: stored})) not in ("", name):
        raise DataError(f"{stored}: is of {other}, not {name}", hint=f"put the file of {name} there")
    raise DataError(
        f"{stored}: corrupt, or not a file of {name}: the MD5 of what is in it is {plain}, not {facts.plain}",
        hint=REPLACE_IT,
    )


def _pixels(array: npt.NDArray[Any], source: Source) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(array.transpose(0, 2, 1)) if source.transposed else array


def _labels(stored: Stored, array: npt.NDArray[Any], source: Source) -> npt.NDArray[np.uint8]:
    labels = array if array.ndim == 1 else array[:, 0]
    last = source.first_label + len(source.classes) - 1
    if int(labels.max()) > last or int(labels.min()) < source.first_label:
        raise DataError(f"{stored}: corrupt: a label is not from {source.first_label} to {last}", hint=REPLACE_IT)
    return (labels - source.first_label).astype(np.uint8)


def _check_counts(stored: Stored, labels: npt.NDArray[np.uint8], source: Source, *, of_training: bool) -> None:
    """Hold the number of images of each class against the known ones. In sets of equal classes the test part is so."""
    wanted = source.counts if of_training else ()
    if not of_training and len(set(source.counts)) == 1:
        wanted = (len(labels) // len(source.classes),) * len(source.classes)
    counts = np.bincount(labels, minlength=len(source.classes)).tolist()
    for name, found, expected in zip(source.classes, counts, wanted, strict=False):
        if found != expected:
            what = f"{found:,} labels of the class {name}, not {expected:,}"
            raise DataError(f"{stored}: corrupt: {what}", hint=REPLACE_IT)
