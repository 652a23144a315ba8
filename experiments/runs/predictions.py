"""The class that a run gave to each test image, as a small file in its folder.

The file is safetensors. Its tensors are uint8 of one length (T,), the test images in their order: `labels`, `final` (by
the weights of the last epoch) and, with a validation split, `selected` (by those of the epoch chosen on the held-out
images). Its metadata are the name of the data set, `dataset`, T, `test_images`, and how many `classes` there are (ten
where that is left out). Runs of older versions have no such file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.dataset_names import name_of
from core.errors import RunError, one_line
from core.storage.files import open_regular
from core.storage.header import check_header
from core.task import MNIST_TASK

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    Classes = NDArray[np.uint8]

MAX_BYTES = 16 << 20
"""Far above three bytes for each test image of any data set; a larger file is not read into memory."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """Classes, from 0, by test image, each (T,) uint8; `selected` is None without a validation split."""

    dataset: str
    labels: Classes
    final: Classes
    selected: Classes | None


def write_predictions(
    path: Path, predictions: Mapping[str, Tensor], dataset: str, classes: int = MNIST_TASK.classes
) -> None:
    """Write the named tensors as a whole file or not at all; `dataset` is as a config has it.

    Raises:
        OSError: when it cannot be written.
    """
    from core.storage.tensors import write_tensors

    images = str(len(predictions["labels"]))
    write_tensors(path, predictions, {"dataset": name_of(dataset), "test_images": images, "classes": str(classes)})


def read_predictions(path: Path) -> Predictions | None:
    """Read a file that anything may have happened to; None where there is none. Needs no torch.

    Raises:
        RunError: when it is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        with open_regular(path) as file:
            check_header(file)
            file.seek(0)
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ValueError(f"larger than {MAX_BYTES:,} bytes")
        tensors = load(content)
        metadata = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
        images, classes = int(metadata["test_images"]), int(metadata.get("classes", MNIST_TASK.classes))
        for name in ("labels", "final", *(["selected"] if "selected" in tensors else [])):
            _check(name, tensors[name], images, classes)
        return Predictions(metadata["dataset"], tensors["labels"], tensors["final"], tensors.get("selected"))
    except FileNotFoundError:
        return None
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        hint = "its scores are still in its log; a run with the same config and seed predicts the same"
        raise RunError(f"{path}: damaged: {one_line(error)}", hint=hint) from error


def _check(name: str, given: Classes, images: int, classes: int) -> None:
    if given.dtype != "uint8" or given.shape != (images,) or (images and given.max() >= classes):
        raise ValueError(f"{name} is not one of {classes} classes for each of {images:,} test images")
