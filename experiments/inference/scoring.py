"""Score a run's network on each test image of the run's data set."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.dataset_names import name_of
from core.errors import ShouldStop, Stopped, StorageError
from experiments.inference.network import LoadedNetwork, StoredWeights, check_finite, load_network
from experiments.locations import Locations
from experiments.runs.folder import Run

if TYPE_CHECKING:
    from torch import Tensor

    from core.inspection.confusion import Outputs

ReportProgress = Callable[[str, float], None]
"""Called with the name of the current step and how much of it is done, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A network's outputs on the test images of its run.

    `images` (T, S, S) uint8 and `labels` (T,) int64 are the test images in order, `outputs` what the network returns
    for them, and `dataset` the name of their data set.
    """

    run: Run
    network: LoadedNetwork
    dataset: str
    images: Tensor
    labels: Tensor
    outputs: Outputs

    @property
    def correct(self) -> int:
        return int((self.outputs.predictions == self.labels).sum())


def score_run(
    run: Run,
    locations: Locations,
    source: StoredWeights | None,
    *,
    arch: str | None = None,
    should_stop: ShouldStop,
    report: ReportProgress = lambda *_: None,
) -> Scored:
    """Load a run's network and classify its test images, on the CPU.

    Args:
        source: which weights, as in `load_network`.
        arch: for a user's own module its FILE.py:CLASS once more, so that no code is run that nobody named.

    Raises:
        RunError: when the run has no such weights, or its files are damaged.
        InvalidValue: when `arch` is missing, not asked for, or cannot be built.
        DataError: when its data set is missing or corrupt.
        Stopped: when asked to.
    """
    from core.data.loader import Loader
    from core.inspection.confusion import classify

    report("reading the network", 0.0)
    network = load_network(run, source, arch=arch)
    Stopped.check(should_stop)
    config = network.config
    report(f"reading {name_of(config.dataset)}", 0.0)
    data = Loader(locations.data, locations.cache, should_stop).load(config.dataset)
    data = data.limited(None, config.limit_test)
    words = f"classifying {len(data.test_images):,} test images"
    outputs = classify(
        network.module, data.test_images, network.pixels, should_stop, lambda share: report(words, share)
    )
    check_finite(outputs.probabilities, network)
    # Copies, so that the training images do not stay in memory with them.
    return Scored(run, network, data.name, data.test_images.clone(), data.test_labels.clone(), outputs)


def save_wrong(scored: Scored, folder: Path) -> int:
    """Write the test images that the network gets wrong as PNG files, named by their number, what they are and what
    the network says: ``00340-is-5-said-3.png``. Files of these names are replaced.

    Returns:
        How many there are.

    Raises:
        StorageError: when the folder cannot be written.
    """
    from core.data.picture import write_picture

    names = [re.sub(r"[^\w-]", "_", name) for name in scored.network.classes]
    wrong = (scored.outputs.predictions != scored.labels).nonzero().flatten().tolist()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for index in wrong:
            truth, said = (names[int(of[index])] for of in (scored.labels, scored.outputs.predictions))
            write_picture(folder / f"{index:05}-is-{truth}-said-{said}.png", scored.images[index])
    except OSError as error:
        raise StorageError(
            f"{folder}: cannot be written: {error.strerror}", hint="name another folder, or free some space there"
        ) from error
    return len(wrong)
