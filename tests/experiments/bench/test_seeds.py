"""What the benchmark of grouped training times: whole runs, all of them."""

import pytest
import torch

from core.engines.choose import choose_engine
from experiments.bench.seeds import time_seeds

MODULE = """
from torch import nn


class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 10))

    def forward(self, images):
        return super().forward(images) + images.mean()
"""
"""Equals no spec, for which it would be trained as: no layer of one adds the mean of the images to the logits."""


def test_every_seed_of_the_group_and_those_in_turn_are_trained_to_their_end(tiny, blobs):
    config = tiny.changed(limit_train=128, epochs=1)
    grouped, in_turn = time_seeds(config, blobs, 3, in_turn=2)
    assert (grouped.way, grouped.copies, in_turn.way, in_turn.copies) == ("grouped", 3, "in turn", 2)
    for timing in (grouped, in_turn):
        engine = choose_engine(config, torch.device("cpu"), 1, timing.copies if timing is grouped else 1).name
        assert timing.note == ""
        assert (timing.arch, timing.engine, timing.epochs) == (config.arch, engine, 1)
        assert timing.preparing > 0
        assert timing.seconds > 0
        assert timing.seeds_per_minute == 60 * timing.copies / (timing.preparing + timing.seconds)


@pytest.mark.parametrize(
    ("changes", "reason"), [({"dropout": 0.1}, "one stream"), ({"arch": "mine.py:Net"}, "makes one number of a batch")]
)
def test_seeds_that_are_never_trained_as_one_network_are_timed_in_turn_alone(
    tiny, blobs, tmp_path, monkeypatch, changes, reason
):
    (tmp_path / "mine.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    (in_turn,) = time_seeds(tiny.changed(limit_train=128, epochs=1, **changes), blobs, 3)
    assert (in_turn.way, in_turn.copies) == ("in turn", 1)
    assert reason in in_turn.note
