"""The range test trains with the run's own step: the same at the same rates, and the same again for a seed."""

import itertools

import pytest
import torch
from torch import nn

from core.config import TrainConfig
from core.errors import InvalidValue, Stopped, TrainingFailed
from core.events import RunStarted, StepProgress
from core.models.network import make_network
from core.models.own.table import summarize_module
from core.training.lr_find import RangeTrainer
from core.training.range_curve import RangePoint, RangeTest, RunningMean, suggest

TINY = {"arch": "c4k5s3 p2 c8k3 gap fc10", "batch_size": 64, "device": "cpu"}
ENDS = RangeTest(1e-3, 10.0)


@pytest.fixture
def make(blobs):
    """Makes the range test of a tiny network, or of a module, on data that it learns in a second."""

    def make(test=ENDS, model=None, **options):
        config = TrainConfig.checked(TINY | options)
        network = make_network(config) if model is None else (summarize_module(model, config.arch), model)
        return RangeTrainer(test, config, blobs, *network, torch.device("cpu"))

    return make


def points_of(trainer) -> list[RangePoint]:
    return [step for step in trainer.points() if isinstance(step, RangePoint)]


def test_it_says_how_it_is_made_and_then_each_step_at_its_rate(make):
    told = list(make().points())
    started, points = told[0], told[1:]
    assert isinstance(started, RunStarted)
    assert started.steps_per_epoch == 5
    assert [point.step for point in points] == list(range(1, len(points) + 1))
    assert points[0].rate == pytest.approx(1e-3)
    mean, exploded = RunningMean([point.rate for point in points]), []
    for point in points:
        mean.add(point.loss)
        exploded.append(mean.has_exploded)
    assert not any(exploded[:-1])
    assert len(points) == 100 or exploded[-1]
    assert 1e-2 < suggest(points) < 10


def test_its_steps_are_those_of_a_run_at_the_same_rate(make, make_trainer, monkeypatch):
    """With both ends all but equal, over more than one epoch."""
    monkeypatch.setattr("core.training.loop.PROGRESS_INTERVAL", 0.0)
    for options in ({}, {"augment": "shift"}, {"momentum": 0.0, "seed": 3}, {"val_split": 64}):
        flat = RangeTest(0.05, 0.05 * (1 + 1e-12), 9)
        run = make_trainer(lr=0.05, epochs=3, **TINY, **options).run()
        losses = [event.loss for event in run if isinstance(event, StepProgress)]
        assert [point.loss for point in points_of(make(flat, **options))] == pytest.approx(losses[:9], rel=1e-6)


@pytest.mark.parametrize("options", [{}, {"engine": "native"}, {"schedule": "onecycle", "epochs": 20, "ema": True}])
def test_it_is_the_same_again_for_a_seed_and_another_for_another(make, options, kernels):
    first = points_of(make(**options))
    torch.rand(7)  # what others draw makes no difference
    assert points_of(make(**options)) == first
    assert points_of(make(seed=1, **options)) != first


def test_schedule_averages_and_ends_of_the_run_make_no_difference(make):
    plain = points_of(make(engine="eager"))
    ends = {"schedule": "cosine", "epochs": 1, "ema": True, "target": 1.0, "stop_at_target": True, "lr": 7.0}
    assert points_of(make(engine="eager", **ends)) == plain


def test_a_loss_that_is_not_finite_ends_it_quietly(make):
    points = points_of(make(RangeTest(1.0, 100.0, 400), arch="c4nk5s3 c8nk3 fc10", momentum=0.99))
    assert 1 < len(points) < 400
    assert all(point.loss == point.loss for point in points)


def test_it_stops_when_asked_to(make):
    count = itertools.count()
    trainer = make()
    told = trainer.points(lambda: "enough" if next(count) >= 3 else "")
    assert len([next(told) for _ in range(4)]) == 4
    with pytest.raises(Stopped, match="enough"):
        next(told)


def test_a_module_that_raises_says_so(make):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.head, self.calls = nn.Linear(784, 10), 0

        def forward(self, x):
            self.calls += self.training
            if self.calls > 8:
                raise ValueError("no more")
            return self.head(x.flatten(1))

    with pytest.raises(TrainingFailed, match="no more"):
        points_of(make(model=Net(), arch="net.py:Net"))


def test_what_cannot_be_trained_is_refused_as_for_a_run(make):
    with pytest.raises(InvalidValue, match="val_split"):
        make(val_split=5000)
