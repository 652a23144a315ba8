"""A data set as tensors, kept decoded for the next start."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from core.data.statistics import pixel_statistics
from core.errors import DataError
from core.storage.tensors import read_cache, write_cache

PARTS = ("train_images", "train_labels", "test_images", "test_labels")
_READING = 6
"""Changes when the same files are read in another way, or kept in another, so that what was kept before is not used."""

_ABOUT = ("classes", "note", "mean", "std", "set_aside")
"""What is kept beside the tensors."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """`tensors` by the names of `PARTS`, images (N, S, S) and labels (N,), all uint8; `mean` and `std` of the training
    pixels, scaled to 0..1. `set_aside` says that the images to test on are a share of those that were to train on."""

    tensors: Mapping[str, Tensor]
    classes: tuple[str, ...]
    note: str
    mean: float
    std: float
    set_aside: bool = False

    @classmethod
    def of(
        cls,
        arrays: Mapping[str, npt.NDArray[np.uint8]],
        classes: tuple[str, ...],
        note: str,
        statistics: tuple[float, float] | None = None,
        *,
        set_aside: bool = False,
    ) -> Decoded:
        """`statistics` are mean and deviation as published, None to compute them.

        Raises:
            DataError: when all pixels are the same.
        """
        mean, std = statistics or pixel_statistics(arrays["train_images"])
        if not std:
            raise DataError("all images are blank", hint="there is nothing in them to learn")
        tensors = {part: torch.from_numpy(np.ascontiguousarray(arrays[part])) for part in PARTS}
        return cls(tensors, classes, note, mean, std, set_aside)


def decoded(cache: Path, name: str, digest: str, read: Callable[[], Decoded]) -> Decoded:
    """What was kept under a name for files of this sum; else what `read` says, which is then kept.

    The cache is named by what the files hold: it never hides a changed file, and a hit was checked before.
    """
    path = cache / f"{name}-{digest[:16]}-{_READING}.safetensors"
    kept = read_cache(path)
    if kept is None or "about" not in kept:
        found = read()
        about = {name: getattr(found, name) for name in _ABOUT}
        text = torch.frombuffer(bytearray(json.dumps(about).encode()), dtype=torch.uint8)
        write_cache(path, {**found.tensors, "about": text})
        return found
    about = json.loads(bytes(kept["about"].tolist()))
    tensors = {part: kept[part] for part in PARTS}
    return Decoded(tensors, **{**about, "classes": tuple(about["classes"])})
