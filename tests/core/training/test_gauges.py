"""The gradient and the movement of each layer: as arithmetic has them, in every engine, and of no effect."""

from __future__ import annotations

import json

import pytest
import torch
from replay_engine import ReplayEngine
from torch.nn import functional as F

import core.training.loop
from core.config import TrainConfig
from core.events import EpochFinished, RunFinished, from_record, to_record
from core.grouped.trainer import GroupTrainer
from core.models.network import make_network
from core.training.evaluate import Pixels
from core.training.gauges import LayerGauges, StepGauge, by_layer

PLAIN = {"momentum": 0.0, "lr": 0.05, "engine": "eager"}
LAYERS = ["Conv2d-1", "BatchNorm2d-2", "Conv2d-4", "BatchNorm2d-5", "Linear-7"]


def epochs(events) -> list[EpochFinished]:
    return [event for event in events if isinstance(event, EpochFinished)]


def test_they_are_those_of_plain_gradient_descent(make_trainer, blobs):
    """In an epoch of a single step everything is known: the gradient of the batch, and a step of -lr times it."""
    trainer = make_trainer(**PLAIN, epochs=1, batch_size=320)
    weights = {name: one.detach().clone() for name, one in trainer.model.named_parameters()}
    _, twin = make_network(trainer.config)
    twin.load_state_dict(trainer.model.state_dict())
    images = Pixels(blobs.mean, blobs.std)(blobs.train_images)
    F.cross_entropy(twin.train()(images), blobs.train_labels).backward()
    norms = {name: float(one.grad.norm()) for name, one in twin.named_parameters()}
    (epoch,) = epochs(trainer.run())
    expected = by_layer([name.rpartition(".")[0] for name in norms], list(norms.values()))
    assert epoch.gradient_norms == pytest.approx(expected, rel=2e-3)
    sizes = by_layer([name.rpartition(".")[0] for name in weights], [float(one.norm()) for one in weights.values()])
    steps = {layer: 0.05 * expected[layer] / sizes[layer] for layer in expected}
    assert epoch.update_ratios == pytest.approx(steps, rel=2e-3)


def test_every_layer_with_parameters_has_its_values_in_each_epoch_and_they_go_through_the_log(make_trainer):
    for epoch in epochs(make_trainer(epochs=2).run()):
        assert list(epoch.gradient_norms) == list(epoch.update_ratios) == LAYERS
        assert all(value > 0 for value in (*epoch.gradient_norms.values(), *epoch.update_ratios.values()))
        assert from_record(json.loads(json.dumps(to_record(epoch)))) == epoch


@pytest.mark.parametrize(
    "options",
    [{}, {"optimizer": "adam", "lr": 0.003}, {"optimizer": "muon", "lr": 0.02}, {"engine": "native"}],
    ids=str,
)
def test_weights_are_bit_for_bit_those_of_a_run_without_them(make_trainer, monkeypatch, options):
    def weights() -> str:
        *_, end = make_trainer(**options).run()
        assert isinstance(end, RunFinished)
        return end.weights_sha256

    measured = weights()
    monkeypatch.setattr(StepGauge, "before", lambda _: None)
    monkeypatch.setattr(StepGauge, "read", lambda gauge: [LayerGauges()] * gauge._copies)
    assert weights() == measured


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("changes", [{}, {"clip_norm": 0.1}, {"l1": 1e-3}, {"ema": True}], ids=str)
def test_the_native_engine_has_the_values_of_the_eager_one(make_trainer, changes):
    eager, native = (epochs(make_trainer(engine=engine, epochs=1, **changes).run()) for engine in ("eager", "native"))
    for one, other in zip(eager, native, strict=True):
        assert other.gradient_norms == pytest.approx(one.gradient_norms, rel=0.02, abs=1e-3)
        assert other.update_ratios == pytest.approx(one.update_ratios, rel=0.02, abs=1e-4)


@pytest.mark.parametrize("batch_size", [48, 64])
def test_replayed_steps_have_the_values_of_called_ones(make_trainer, monkeypatch, batch_size):
    """With a tail, for which there is a recording of its own, and without."""
    options = {"engine": "eager", "batch_size": batch_size, "epochs": 2}
    called = epochs(make_trainer(**options).run())
    monkeypatch.setattr(core.training.loop, "make_engine", lambda *_: ReplayEngine())
    replayed = epochs(make_trainer(**options).run())
    for one, other in zip(called, replayed, strict=True):
        assert other.gradient_norms == pytest.approx(one.gradient_norms, rel=1e-3)
        assert other.update_ratios == pytest.approx(one.update_ratios, rel=1e-3)


def test_each_copy_of_a_group_has_the_values_that_it_has_alone(make_trainer, blobs):
    config = {"arch": "c4k5s3 a2 c8k3 gap fc10", "batch_size": 48, "epochs": 1, "device": "cpu", "engine": "eager"}
    configs = [TrainConfig.checked({**config, "seed": seed, "lr": lr}) for seed, lr in enumerate((0.1, 0.03))]
    networks = [make_network(one) for one in configs]
    group = GroupTrainer(configs, blobs, networks[0][0], [model for _, model in networks], torch.device("cpu"))
    together = {run.copy: event for run, event in group.run(lambda _: "") if isinstance(event, EpochFinished)}
    for copy, one in enumerate(configs):
        (alone,) = epochs(make_trainer(**config, seed=one.seed, lr=one.lr).run())
        assert together[copy].gradient_norms == pytest.approx(alone.gradient_norms, rel=0.02, abs=1e-3)
        assert together[copy].update_ratios == pytest.approx(alone.update_ratios, rel=0.02, abs=1e-4)


def test_a_clipped_gradient_is_shown_as_it_was_taken(make_trainer):
    (epoch,) = epochs(make_trainer(engine="eager", clip_norm=0.01, epochs=1).run())
    assert sum(norm**2 for norm in epoch.gradient_norms.values()) ** 0.5 == pytest.approx(0.01, rel=0.01)


def test_a_run_that_goes_on_in_the_middle_of_scoring_has_them_too(make_trainer, monkeypatch):
    """The last step of the epoch is done then, and is not done again."""
    whole = epochs(make_trainer().run())
    trainer = make_trainer()
    asked = []

    def in_scoring() -> str:
        asked.append(trainer.step)
        return "stop" if trainer.step == trainer.steps_per_epoch else ""

    list(trainer.run(in_scoring))
    assert asked[-1] == trainer.steps_per_epoch, "it was to be stopped while it scores"
    resumed = make_trainer()
    resumed.restore(trainer.checkpoint())
    later = epochs(resumed.run())
    assert [one.gradient_norms for one in later] == [one.gradient_norms for one in whole]


def test_a_checkpoint_of_an_earlier_version_has_none(make_trainer):
    trainer = make_trainer(epochs=2)
    for event in trainer.run():
        if isinstance(event, EpochFinished):
            break
    checkpoint = trainer.checkpoint()
    del checkpoint.state["gauges"]
    resumed = make_trainer(epochs=2)
    resumed.restore(checkpoint)
    assert len(epochs(resumed.run())) == 1


def test_values_that_are_not_finite_and_layers_without_parameters_are_left_out():
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU())
    gauge = StepGauge(model)
    gauge.before()
    model[0].weight.grad = torch.full_like(model[0].weight, float("inf"))
    assert gauge.read() == [LayerGauges({}, {"0": 0.0})]
    assert StepGauge(torch.nn.ReLU()).read() == [LayerGauges()]


def test_what_no_layer_can_have_makes_an_event_unreadable(script):
    record = to_record(script.epoch(1))
    for wrong in ({"Conv2d-1": "much"}, {"Conv2d-1": None}, {"Conv2d-1": True}, [1.0]):
        assert from_record(record | {"gradient_norms": wrong}) is None
