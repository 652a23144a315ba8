"""The benchmark times what it says it times."""

from __future__ import annotations

import pytest
import torch

from core.config import TrainConfig
from experiments import bench


@pytest.fixture
def config() -> TrainConfig:
    return TrainConfig.checked({"arch": "c4 p2 c8 gap fc10", "batch_size": 64, "device": "cpu"})


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_the_example_and_the_trainer_take_turns_on_the_same_images(config, blobs, monkeypatch):
    rounds = []
    time_trainer = bench.time_trainer
    monkeypatch.setattr(bench, "time_trainer", lambda *args: rounds.append(args) or time_trainer(*args))
    example, trainer = bench.compare_loops(config, blobs, rounds=2, steps=3)
    assert len(rounds) == 2
    assert (example.loop, trainer.loop) == ("example", "trainer")
    assert example.ratio_to_example == 1.0
    for timing in (example, trainer):
        assert 0 < timing.ms_lowest <= timing.ms_highest
        assert timing.images_per_second == pytest.approx(64e3 / timing.ms_per_step)
    assert trainer.ratio_to_example == pytest.approx(example.ms_per_step / trainer.ms_per_step)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_the_examples_batches_are_the_data_sets_images_as_torchvision_makes_them(blobs, tmp_path):
    bench._write_idx_files(blobs, tmp_path / "MNIST" / "raw")
    batches = bench.example_batches(320, tmp_path, blobs.mean, blobs.std)
    images, labels = next(batches)
    batches.close()
    expected = (blobs.train_images[:, None] / 255 - blobs.mean) / blobs.std
    key = torch.linspace(0, 1, 784)
    order, found = (expected.reshape(320, -1) @ key).argsort(), (images.reshape(320, -1) @ key).argsort()
    torch.testing.assert_close(images[found], expected[order])
    assert torch.equal(labels[found], blobs.train_labels[order])


def test_as_many_steps_are_timed_as_were_asked_for(config, blobs):
    assert len(bench.time_trainer(config, blobs, 4)) == 4
