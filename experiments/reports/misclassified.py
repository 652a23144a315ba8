"""The test images that a run, or the runs of a group, get wrong, as pictures within a page."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING

from core.errors import LabError, RunError
from experiments.locations import Locations
from experiments.runs.config import class_names, stored_config
from experiments.runs.folder import Run

if TYPE_CHECKING:
    from torch import Tensor

    from core.data.loader import Dataset
    from experiments.runs.predictions import Predictions

SHOWN = 60
"""Pictures at most."""


@dataclass(frozen=True, slots=True)
class WrongImage:
    """`picture` is a PNG as an address; `said` what most of those runs say that get it wrong, `runs` of `of`."""

    number: int
    picture: str
    truth: str
    said: str
    runs: int
    of: int


@dataclass(frozen=True, slots=True)
class Misclassified:
    """The images that most runs get wrong first; `total` counts all that any run does. `obstacle` says why there are no
    pictures."""

    images: Sequence[WrongImage] = ()
    total: int = 0
    tested: int = 0
    obstacle: str = ""
    of: int = field(default=1)


def misclassified(runs: Sequence[Run], locations: Locations) -> Misclassified:
    """By the weights after the last epoch, as they were when each run finished: nothing is computed anew."""

    try:
        kept = [(run, found) for run in runs if (found := run.load_predictions()) is not None]
        if not kept:
            raise RunError("no predictions are kept: no run has finished, or an earlier version made it")
        images = _images(kept[0][0], kept[0][1], locations)
    except LabError as error:
        return Misclassified(obstacle=error.message)
    first = kept[0][1]
    alike = [
        found for _, found in kept if found.labels.shape == first.labels.shape and (found.labels == first.labels).all()
    ]
    names = class_names(kept[0][0].view().started)
    said: dict[int, Counter[int]] = {}
    for found in alike:
        for place in (found.final != found.labels).nonzero()[0].tolist():
            said.setdefault(place, Counter())[int(found.final[place])] += 1
    hardest = sorted(said, key=lambda place: (-said[place].total(), place))
    shown = [
        WrongImage(
            place,
            _address(images[place]),
            _name(names, int(first.labels[place])),
            _name(names, said[place].most_common(1)[0][0]),
            said[place].total(),
            len(alike),
        )
        for place in hardest[:SHOWN]
    ]
    return Misclassified(shown, len(said), len(first.labels), of=len(alike))


def _images(run: Run, kept: Predictions, locations: Locations) -> Tensor:
    """The test images (T, S, S) that a run was scored on.

    Raises:
        LabError: when they cannot be had, or are others than the run's.
    """
    from core.data.loader import Loader

    config = stored_config(run)
    data: Dataset = Loader(locations.data, locations.cache, lambda: "").load(config.dataset)
    data = data.limited(None, config.limit_test)
    labels = data.test_labels.numpy()
    if labels.shape != kept.labels.shape or (labels != kept.labels).any():
        raise RunError(f"the test images of {data.name} are not those that run {run.id} was scored on")
    return data.test_images


def _name(names: Sequence[str], cls: int) -> str:
    return names[cls] if cls < len(names) else str(cls)


def _address(image: Tensor) -> str:
    from PIL import Image

    file = BytesIO()
    Image.fromarray(image.numpy()).save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{b64encode(file.getvalue()).decode()}"
