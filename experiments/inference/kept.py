"""Which epochs of a run its folder still has the weights of."""

from __future__ import annotations

from experiments.inference.network import StoredWeights
from experiments.runs.folder import Run
from experiments.runs.view import RunView


def kept_weights(run: Run, view: RunView) -> dict[int, StoredWeights]:
    """The weights to be had by their epoch: the last one's, the best one's, or those of a checkpoint between two."""
    kept: dict[int, StoredWeights] = {}
    saved, started = view.checkpoint, view.started
    whole = saved is not None and started is not None and saved.step == started.steps_per_epoch
    if saved is not None and whole and run.checkpoint.is_file():
        kept[saved.epoch] = "checkpoint"
    if view.epochs and run.best_weights.is_file():
        kept[view.best_epoch] = "best"
    if view.epochs and run.final_weights.is_file():
        kept[view.epochs[-1].epoch] = "final"
    return kept
