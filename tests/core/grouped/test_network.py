"""Copies trained as one network, held against each trained alone, in double precision and by torch's own SGD."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from plain_training import plain_sgd
from torch import Tensor
from torch.nn import functional as F

from core.augmentation.augmentation import Augmentation
from core.config import TrainConfig
from core.data.loader import Dataset
from core.engines.engine import EagerEngine
from core.engines.graph.replayable import operations_of, replay_obstacle
from core.grouped.evaluate import GroupedEvaluator
from core.grouped.network import GroupedNetwork, grouping_obstacle
from core.grouped.step import GroupedStep
from core.models.network import make_network
from core.training.average import WeightAverage
from core.training.evaluate import Evaluator, Labelled, Pixels, Score
from core.training.sampling import draw_epoch
from core.training.schedule import cycles_momentum, learning_rate, momentum_of

IMAGES, BATCH, EPOCHS = 52, 8, 8
"""Six batches and a tail of 4 an epoch, 56 steps in all."""
STEPS = 7

NETWORKS = {
    "conv9": "conv9",
    "conv5": "conv5",
    "global pooling": "c6k5s2 p2 c8k3 c8k1l gap fc12 d0 fc10",
    "separable": "s6p1 a4 s12k3s2p1n s8k1 fc10",
    "norms": "c6b0l gn3 silu p3s2p1 c8k1x3l in gelu a2 c8g2l inw1 lrelu ln elu c6k1p1l gn2w0 tanh fc12b0 bn fc12l ln "
    "fc10",
    "looped": "c6k5s2b0r p2 loop3(res(s6p1b0r)) loop2(c6p1) gap fc10",
    "parts": "scale2 c4b0r p3 res(c4p1b0r c4p1l bnw0) relu tie2(c4p1 dc0) res(c6s2 c6k1l lnw0 | c6k3x3s2l) rep2(c6p1) "
    "gap flat bn res(fc6l sigmoid) fc10b0",
}
RECIPES = {
    "onecycle, shifts, average": {"schedule": "onecycle", "augment": "shift", "ema": True, "ema_decay": 0.9},
    "cosine, warps, nesterov, decay": {
        "schedule": "cosine",
        "augment": "affine",
        "nesterov": True,
        "weight_decay": 0.01,
    },
    "constant, average": {"ema": True, "ema_decay": 0.95},
    "a list of augmentations": {"augment": "crop,affine,elastic,erase,contrast"},
    "onecycle with momentum": {"schedule": "onecycle", "cycle_momentum": True, "nesterov": True, "weight_decay": 0.01},
    "steps, no momentum": {"schedule": "step", "step_size": 2, "momentum": 0.0, "label_smoothing": 0.1},
}


def configs_of(arch: str, **options: object) -> list[TrainConfig]:
    """Three runs that differ in seed and rate."""
    shared = {"arch": arch, "batch_size": BATCH, "epochs": EPOCHS, "device": "cpu"} | options
    return [TrainConfig.checked(shared | {"seed": seed, "lr": lr}) for seed, lr in enumerate((0.002, 0.001, 0.004))]


@dataclass
class Trained:
    """A run's weights, moving average and momentum by name, and the loss and hits of its last epoch."""

    weights: dict[str, Tensor]
    average: dict[str, Tensor]
    momentum: dict[str, Tensor]
    loss: float
    correct: int


def alone(config: TrainConfig, data: Dataset, dtype: torch.dtype, epochs: int) -> Trained:
    """One run by the plainest means."""
    model = make_network(config)[1].to(dtype)
    average = make_network(config)[1].to(dtype)
    optimizer = plain_sgd(model, config)
    pixels = Pixels(data.mean, data.std, dtype)
    done, loss_sum, correct = 0, 0.0, 0
    for epoch in range(1, epochs + 1):
        draw = draw_epoch(config, IMAGES, epoch)
        loss_sum, correct = 0.0, 0
        for first in range(0, IMAGES, BATCH):
            part = slice(first, first + BATCH)
            index = draw.order[part]
            images, labels = data.train_images[index], data.train_labels[index]
            if draw.changes is not None:
                images = Augmentation(config, 28, images.device, dtype)(images, draw.changes[part])
            optimizer.param_groups[0]["lr"] = learning_rate(config, done, STEPS)
            if cycles_momentum(config):
                optimizer.param_groups[0]["momentum"] = momentum_of(config, done, STEPS)
            optimizer.zero_grad()
            logits = model(pixels(images))
            loss = F.cross_entropy(logits, labels, label_smoothing=config.label_smoothing)
            loss.backward()
            optimizer.step()
            keep = min(config.ema_decay, (1 + done) / (10 + done))
            for name, tensor in average.state_dict().items():
                source = model.state_dict()[name]
                tensor.copy_(keep * tensor + (1 - keep) * source if source.is_floating_point() else source)
            done += 1
            loss_sum += loss.item() * len(labels)
            correct += int((logits.argmax(1) == labels).sum())
    momentum = {
        name: optimizer.state[parameter]["momentum_buffer"]
        for name, parameter in model.named_parameters()
        if config.momentum
    }
    return Trained(model.state_dict(), average.state_dict(), momentum, loss_sum, correct)


def make_group(configs: list[TrainConfig], data: Dataset, dtype: torch.dtype, device: str = "cpu"):
    networks = [make_network(config) for config in configs]
    model = GroupedNetwork(networks[0][0], [network for _, network in networks]).to(device, dtype)
    average = WeightAverage(model, configs[0].ema_decay) if configs[0].ema else None
    images, labels = data.train_images[:IMAGES].to(device), data.train_labels[:IMAGES].to(device)
    return GroupedStep(model, configs[0], images, labels, Pixels(data.mean, data.std, dtype), average), model, average


def start_epoch(step: GroupedStep, configs: list[TrainConfig], epoch: int) -> None:
    before = (epoch - 1) * STEPS
    rates = [[learning_rate(config, before + step, STEPS) for step in range(STEPS)] for config in configs]
    steps = range(STEPS if cycles_momentum(configs[0]) else 0)
    momenta = [momentum_of(configs[0], before + step, STEPS) for step in steps]
    step.start_epoch([draw_epoch(config, IMAGES, epoch) for config in configs], rates, before, momenta)


def together(configs: list[TrainConfig], data: Dataset, dtype: torch.dtype, epochs: int) -> list[Trained]:
    step, model, average = make_group(configs, data, dtype)
    for epoch in range(1, epochs + 1):
        start_epoch(step, configs, epoch)
        for first in range(0, IMAGES, BATCH):
            step(min(BATCH, IMAGES - first))
    results = []
    state = step.state()
    for copy, totals in enumerate(step.totals()):
        own = step.state_of(state, copy)
        momentum = {name[9:]: tensor for name, tensor in own.items() if name.startswith("momentum.")}
        averaged = average.model.weights_of(copy) if average else {}
        results.append(Trained(model.weights_of(copy), averaged, momentum, totals.loss, totals.correct))
    return results


def scored(evaluator: GroupedEvaluator) -> list[Score]:
    for _ in evaluator.batches(EagerEngine()):
        pass
    return evaluator.scores()


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor], tolerance: float) -> None:
    """Equal names and shapes, and values within a share of the largest of each tensor, or, for those that are 0 but for
    rounding (the shift of a norm before another), of the largest of all."""
    assert one.keys() == other.keys()
    largest = max((float(tensor.abs().max()) for tensor in one.values()), default=0.0)
    for name, tensor in one.items():
        assert tensor.shape == other[name].shape, name
        scale = max(float(tensor.abs().max()), 1e-3 * largest)
        assert float((tensor - other[name]).abs().max()) <= tolerance * scale, name


@pytest.mark.parametrize(
    ("network", "recipe"),
    [
        ("conv9", "constant, average"),
        ("conv5", "cosine, warps, nesterov, decay"),
        ("global pooling", "steps, no momentum"),
        ("global pooling", "a list of augmentations"),
        ("separable", "onecycle, shifts, average"),
        ("separable", "cosine, warps, nesterov, decay"),
        ("norms", "steps, no momentum"),
        ("parts", "constant, average"),
    ],
)
def test_each_copy_is_the_run_of_its_seed_and_rate(blobs, network, recipe):
    configs = configs_of(NETWORKS[network], **RECIPES[recipe])
    group = together(configs, blobs, torch.float64, EPOCHS)
    for config, copy in zip(configs, group, strict=True):
        single = alone(config, blobs, torch.float64, EPOCHS)
        assert_same(single.weights, copy.weights, 1e-9)
        assert_same(single.momentum, copy.momentum, 1e-9)
        if config.ema:
            assert_same(single.average, copy.average, 1e-9)
        assert copy.loss == pytest.approx(single.loss, rel=1e-9)
        assert copy.correct == single.correct
    assert len({copy.loss for copy in group}) == 3


@pytest.mark.parametrize(
    ("network", "recipe"),
    [
        *(("global pooling", recipe) for recipe in RECIPES),
        ("norms", "constant, average"),
        ("parts", "constant, average"),
    ],
)
def test_nothing_in_a_step_or_a_scoring_is_in_the_way_of_recording_them_as_graphs(blobs, network, recipe):
    configs = configs_of(NETWORKS[network], **RECIPES[recipe])
    step, model, _ = make_group(configs, blobs, torch.float32)
    start_epoch(step, configs, 1)
    calls = [operations_of(lambda: step(BATCH)) for _ in range(3)]
    assert any("convolution_backward" in operation.name for operation in calls[0])
    assert replay_obstacle(calls[0], calls[1]) == replay_obstacle(calls[1], calls[2]) == ""
    data = Labelled(blobs.test_images, blobs.test_labels)
    evaluator = GroupedEvaluator(model, data, Pixels(blobs.mean, blobs.std))
    calls = [operations_of(lambda: evaluator(20)) for _ in range(2)]
    assert replay_obstacle(*calls) == ""


def test_copies_without_number_are_not_scored_image_by_image(blobs, monkeypatch):
    monkeypatch.setattr("core.training.evaluate.BATCH", 6)
    _, model, _ = make_group(configs_of(NETWORKS["global pooling"]), blobs, torch.float32)
    data, pixels = Labelled(blobs.test_images, blobs.test_labels), Pixels(blobs.mean, blobs.std)
    assert set(GroupedEvaluator(model, data, pixels, min_size=1).sizes()) == {2}
    evaluator = GroupedEvaluator(model, data, pixels, min_size=50)
    assert evaluator.sizes() == [50, 30]
    scores, fewer = map(scored, (evaluator, GroupedEvaluator(model, data, pixels)))
    assert [score.correct for score in scores] == [score.correct for score in fewer]


def test_every_copy_is_scored_on_all_images_as_it_would_be_alone(blobs):
    configs = configs_of(NETWORKS["separable"])
    _, model, _ = make_group(configs, blobs, torch.float32)
    held = torch.arange(0, 130, 2)
    for rows in (None, held):
        data = Labelled(blobs.test_images, blobs.test_labels, rows)
        scores = scored(GroupedEvaluator(model, data, Pixels(blobs.mean, blobs.std)))
        for config, score in zip(configs, scores, strict=True):
            single = Evaluator(make_network(config)[1], data, Pixels(blobs.mean, blobs.std)).score(lambda: "")
            assert (score.correct, score.total) == (single.correct, single.total)
            assert score.loss == pytest.approx(single.loss, rel=1e-5)
            assert torch.equal(score.predictions, single.predictions)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"seed": 7, "lr": 0.5}, ""),
        ({"momentum": 0.8}, "they differ in more than lr and seed"),
        ({"arch": "conv5"}, "they differ in more than lr and seed"),
    ],
)
def test_runs_that_differ_in_seed_and_rate_alone_can_be_trained_together(changes, reason):
    config = TrainConfig()
    assert grouping_obstacle([config, config.changed(**changes)]) == reason


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"dropout": 0.1}, "dropout"),
        ({"arch": "c8 d0.1 gap fc10"}, "dropout"),
        ({"arch": "c8 dc0.1 gap fc10"}, "dropout"),
        ({"arch": "c8 res(c8p1 tie2(d0.1)) gap fc10"}, "dropout"),
        ({"arch": "c8b0l gn2 res(c8p1 d0) dc0 gap fc10", "dropout": 0.1}, "dropout"),
        ({"arch": "c8b0l gn2 res(c8p1 d0) dc0 gap fc10"}, ""),
    ],
)
def test_dropout_keeps_runs_apart(options, reason):
    config = TrainConfig.checked(options)
    found = grouping_obstacle([config, config.changed(seed=1)])
    assert reason in found
    assert bool(found) == bool(reason)


OWN = """
from torch import nn
from torch.nn import functional as F

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(784, 10)
        {old}

    def forward(self, x):
        return {forward}
"""


@pytest.mark.parametrize(
    ("forward", "reason"),
    [
        ("self.head(x.flatten(1))", ""),
        ("self.head(x.flatten(1)).pow(3)", "equals no spec"),
        ("self.head(F.dropout(x.flatten(1), 0.1, self.training))", "dropout"),
        ("self.head(x.flatten(1)) if True else self.old(x)", "does not use"),
    ],
)
def test_modules_of_ones_own_are_trained_together_where_they_equal_a_spec(forward, reason, tmp_path):
    old = "self.old = nn.Linear(2, 2)" if "self.old" in forward else "pass"
    (tmp_path / "net.py").write_text(OWN.format(old=old, forward=forward))
    config = TrainConfig.checked({"arch": f"{tmp_path / 'net.py'}:Net"})
    found = grouping_obstacle([config, config.changed(seed=1)])
    assert reason in found
    assert bool(found) == bool(reason)
