"""Metadata of an exported network, enough to use and judge it without its run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from core.dataset_names import name_of
from core.errors import printable
from core.events import RunFinished, RunStarted
from core.task import MNIST_TASK
from experiments.inference.network import StoredWeights, pixel_statistics
from experiments.runs.config import class_names
from experiments.runs.environment import package_versions
from experiments.runs.folder import Run
from experiments.runs.view import RunView

if TYPE_CHECKING:
    from torch import Tensor

    from core.config import TrainConfig


def describe_network(
    run: Run, config: TrainConfig, weights: Mapping[str, Tensor], source: StoredWeights, epoch: int
) -> dict[str, str]:
    """The metadata as names and texts. `config` and `scores` are JSON; accuracies are fractions."""
    from core.storage.tensors import weights_sha256

    view = run.view()
    mean, std = pixel_statistics(run, config)
    names = class_names(view.started)
    return {
        "run_id": run.id,
        "arch": config.arch,
        "spec": printable(view.started.spec) if view.started else "",
        "dataset": name_of(config.dataset),
        "pixel_mean": str(mean),
        "pixel_std": str(std),
        "image_size": str(view.started.image_size if view.started else MNIST_TASK.size),
        "classes": str(len(names)),
        "class_names": json.dumps(names),
        "weights": source,
        "epoch": str(epoch),
        "total_params": str(view.started.total_params if view.started else ""),
        "config": config.model_dump_json(),
        "scores": json.dumps(scores(view)),
        "weights_sha256": weights_sha256(weights),
        "written_by": f"mnist-tui {package_versions(('mnist-tui',))['mnist-tui']}",
    }


def scores(view: RunView) -> dict[str, float | int | None]:
    """The scores of a run by name; of an unfinished run the best accuracy over its epochs."""
    started: RunStarted | None = view.started
    counted: dict[str, float | int | None] = {"test_images": started.test_images if started else None}
    if not isinstance(view.end, RunFinished):
        return counted | {"best_test_accuracy": view.best_test_accuracy, "best_epoch": view.best_epoch or None}
    keys = ("final_test_accuracy", "best_test_accuracy", "best_epoch", "selected_test_accuracy", "selected_epoch")
    return counted | {key: getattr(view.end, key) for key in keys}
