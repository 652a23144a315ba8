"""Runs whose network is known: a linear layer that holds each image against the mean image of each class."""

from __future__ import annotations

from pathlib import Path

from app_pilot import make_run

from experiments.runs.folder import Meta, Run

IMAGES = 200
"""Test images of the bundled digits that the runs are scored on."""


def template_weights(blur: float = 1.0):
    """Weights by name of the network ``fc10``. With a smaller `blur` it is less sure of itself."""
    import torch

    from core.data.loader import Loader
    from experiments.locations import Locations

    locations = Locations.resolve()
    data = Loader(locations.data, locations.cache).load("mnist-5k")
    images = (data.train_images.float() / 255 - 0.1307) / 0.3081
    means = torch.stack([images[data.train_labels == digit].mean(0).flatten() for digit in range(10)])
    weight = (means * blur / 64 * 4096).round() / 4096  # so that sums in another order come out the same
    bias = (-(means * weight).sum(1) / 2 * 4096).round() / 4096
    return {"Linear-1.weight": weight, "Linear-1.bias": bias}


def template_run(home: Path, script, name: str = "templates", *, live: bool = False, blur: float = 1.0) -> Run:
    """A finished run with its final weights; a live one with those of its best epoch."""
    from core.storage.tensors import write_tensors

    config = {"arch": "fc10", "dataset": "mnist-5k", "limit_test": IMAGES, "epochs": 3}
    started = script.started(
        config={**config}, spec="fc10", total_params=7_850, dataset="mnist-5k", test_images=IMAGES, train_images=4_000
    )
    scores = {"test_correct": 150, "test_total": IMAGES}
    epochs = [script.epoch(number, 0.7 + number / 40, **scores) for number in (1, 2, 3)]
    events = [started, *epochs[:1]] if live else [started, *epochs, script.finished(3, 0.775)]
    run = make_run(home, script, *events, meta=Meta(name), **config)
    path = run.best_weights if live else run.final_weights
    write_tensors(path, template_weights(blur), {"epoch": "1" if live else "3"})
    return run
