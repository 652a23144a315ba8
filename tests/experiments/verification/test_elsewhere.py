"""Stored weights scored on another data set than the run's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.config import TrainConfig
from core.data.loader import Loader
from core.errors import DataError, InvalidValue
from experiments.execution.runner import Runner
from experiments.inference.network import load_network
from experiments.verification.elsewhere import FURTHER, score_on


@pytest.fixture
def trained(locations, store, tiny):
    list(Runner(locations).run(tiny))
    return store.find("latest")


@pytest.fixture
def further(tmp_path, trained, locations):
    """A small file of further images: those of the run, each moved by a pixel."""
    data = Loader(locations.data, locations.cache).load(trained.config()["dataset"]).limited(40, 60)
    arrays = {"x_train": data.train_images, "x_test": torch.roll(data.test_images, 1, 2)}
    arrays |= {"y_train": data.train_labels, "y_test": data.test_labels}
    path = tmp_path / "further.npz"
    np.savez(path, **{name: tensor.numpy() for name, tensor in arrays.items()})
    return path, arrays


def test_the_weights_are_scored_as_they_were_standardised_in_training(locations, trained, further):
    path, arrays = further
    found = score_on(trained, locations, str(path))
    said = load_network(trained).logits(arrays["x_test"]).argmax(1)
    assert found.correct == int((said == arrays["y_test"]).sum())
    assert (found.images, found.weights) == (60, "final")
    record = found.to_json()
    assert record["accuracy"] == found.correct / 60
    assert record["low"] <= record["accuracy"] <= record["high"]


@pytest.mark.parametrize("of_the_run", [False, True])
def test_of_data_without_images_to_test_on_all_count_unless_the_run_was_trained_on_them(
    locations, trained, further, tiny, of_the_run
):
    path, arrays = further
    whole = path.with_name("whole.npz")
    np.savez(whole, x=arrays["x_test"].numpy(), y=arrays["y_test"].numpy())
    if of_the_run:
        values = {**tiny.model_dump(), "dataset": str(whole), "epochs": 1, "limit_train": None, "limit_test": None}
        run_id = list(Runner(locations).run(TrainConfig.checked(values)))[-1].run_id
        trained = Runner(locations).store.run(run_id)
    found = score_on(trained, locations, str(whole))
    if of_the_run:
        assert found.images == 10
        assert "no images to test on, so 10 of the 60" in found.to_json()["note"]
    else:
        said = load_network(trained).logits(arrays["x_test"]).argmax(1)
        assert (found.images, found.correct) == (60, int((said == arrays["y_test"]).sum()))
        assert found.to_json()["note"] == "there are no images to test on, so all 60 were scored"


def test_of_qmnist_the_images_that_mnist_has_not_are_taken(locations, trained):
    assert FURTHER["qmnist"] == "qmnist-50k"
    with pytest.raises(DataError, match="qmnist"):
        score_on(trained, locations, "qmnist")


def test_images_of_other_classes_are_refused(locations, trained, tmp_path):
    images, labels = np.full((20, 28, 28), 7, dtype=np.uint8), np.arange(20) % 3
    images[:, 3, 3] = 200
    path = tmp_path / "three.npz"
    np.savez(path, x_train=images, y_train=labels, x_test=images, y_test=labels)
    with pytest.raises(InvalidValue, match="must have images as those of the run, 28x28 pixels in 10 classes"):
        score_on(trained, locations, str(path))
