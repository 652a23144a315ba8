"""What makes a step fit to be recorded once and replayed, proven without a GPU."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from optimizer_recipes import OPTIMIZER_RECIPES
from plain_training import Trained, make_step, start_epoch, train_with
from replay_engine import ReplayEngine
from torch import Tensor, nn

from core.config import AUGMENTATIONS, TrainConfig
from core.engines.engine import EagerEngine, Unchanged
from core.engines.graph.replayable import operations_of, replay_obstacle
from core.models.network import make_network
from core.training.average import copy_weights
from core.training.evaluate import Evaluator, Labelled, Pixels
from core.training.statistics import NormStatistics
from core.training.step import TrainStep, counted_together, counting_norms
from core.training.teacher import SoftTargets, Teacher
from core.training.views import ImageViews

TINY = {"arch": "c4k5s3 p2 c8k3 gap fc10", "lr": 0.05, "batch_size": 48, "epochs": 3, "device": "cpu"}

RECIPES: dict[str, dict[str, Any]] = {
    "constant": {},
    "onecycle, shifts, average": {"schedule": "onecycle", "augment": "shift", "ema": True, "label_smoothing": 0.1},
    "cosine, warps, nesterov": {"schedule": "cosine", "augment": "affine", "nesterov": True, "weight_decay": 0.01},
    "a list of all augmentations": {"augment": ",".join(AUGMENTATIONS)},
    "shifts and rectangles": {"augment": "shift,crop,erase"},
    "onecycle with momentum": {"schedule": "onecycle", "cycle_momentum": True, "nesterov": True, "weight_decay": 0.01},
    "warm-up, milestones": {"schedule": "multistep", "milestones": "1", "warmup_epochs": 1.0},
    "dropout, steps": {"dropout": 0.2, "schedule": "step", "step_size": 1},
    "bfloat16, no momentum": {"precision": "bf16", "momentum": 0.0},
    "norms, activations, dropout of channels": {
        "arch": "c6b0l gn3 silu dc0.2 p3s2p1 c8k1x3l in gelu c8g2s2l inw1 lrelu ln elu c6rk1p1 flat bn fc12l ln fc10b0"
    },
    "blocks of blocks": {
        "arch": "scale2 c4b0r p3 res(c4p1b0r c4p1l) relu tie2(c4p1 d0.1) loop2(c4p1b0r) "
        "res(c6s2 c6k1l | c6k3s2l sigmoid) gap fc10"
    },
    **OPTIMIZER_RECIPES,
}


def assert_same(left: Trained, right: Trained) -> None:
    assert left.rates == right.rates
    assert (left.loss, left.correct) == (right.loss, right.correct)
    assert left.tensors().keys() == right.tensors().keys()
    for name, tensor in left.tensors().items():
        assert torch.equal(tensor, right.tensors()[name]), name


@pytest.mark.parametrize("recipe", RECIPES)
def test_replayed_steps_equal_eager_ones_to_the_bit(blobs, recipe):
    config = TrainConfig.checked(TINY | RECIPES[recipe])
    engine = ReplayEngine()
    replayed = train_with(config, blobs, engine=engine)
    assert [size for _, size in engine.recordings] == [48, 32]
    assert_same(replayed, train_with(config, blobs))
    if config.schedule != "constant":
        assert len(set(replayed.rates)) > 1


def test_a_step_is_recorded_wherever_in_an_epoch_it_stands(blobs):
    config = TrainConfig.checked(TINY | {"augment": "shift", "ema": True})
    states = []
    for begin_before in (0, 6):  # the last batch, of 32, is the seventh
        engine = ReplayEngine()
        step, model, average = make_step(config, blobs)
        model.train()
        start_epoch(step, config, 320, 1)
        for _ in range(begin_before):
            step(48)
        engine.prepare(step)
        for _ in range(6 - begin_before):
            engine.run(step, 48)
        engine.run(step, 32)
        start_epoch(step, config, 320, 2)
        engine.run(step, 48)
        states.append(step.state() | copy_weights(model) | copy_weights(average.model))
    for name, tensor in states[0].items():
        assert torch.equal(tensor, states[1][name]), name


@pytest.mark.parametrize("views", [None, "shift", "affine"])
def test_a_replayed_evaluation_equals_an_eager_one_for_whatever_weights_there_are(blobs, views):
    model = make_network(TrainConfig.checked(TINY))[1]
    rows = torch.arange(320).flip(0)[:310]
    data = Labelled(blobs.train_images, blobs.train_labels, rows)
    views = views and ImageViews(views, torch.device("cpu"))
    evaluator = Evaluator(model, data, Pixels(0.2, 0.15), views=views, size=100)  # three batches and one of 10
    engine = ReplayEngine()
    evaluator.prepare(engine)
    scores = []
    for _ in range(2):
        replayed, eager = evaluator.score(str, engine), evaluator.score(str)
        assert (replayed.loss, replayed.correct, replayed.total) == (eager.loss, eager.correct, 310)
        assert torch.equal(replayed.predictions, eager.predictions)
        scores.append(eager.loss)
        with torch.no_grad():
            model[0].weight.mul_(-2.0)
    assert scores[0] != scores[1]
    assert model.training


@pytest.mark.parametrize("augment", ["none", "shift,erase"])
def test_replayed_steps_learn_from_a_teacher_as_eager_ones_do(blobs, augment):
    config = TrainConfig.checked(TINY | {"augment": augment, "teacher": "somebody"})
    found = []
    for engine in (ReplayEngine(), EagerEngine()):
        torch.manual_seed(3)
        teacher = Teacher((make_network(config)[1], make_network(config)[1]), "somebody", "")
        model, images = make_network(config)[1].train(), Labelled(blobs.train_images, blobs.train_labels)
        targets = SoftTargets(teacher, config, images, Pixels(0.2, 0.15), engine)
        step = TrainStep(model, config, *(images.images, images.labels), Pixels(0.2, 0.15), None, None, targets)
        start_epoch(step, config, 320, 1)
        engine.prepare(step)  # before the targets are there, as a run does
        for _ in targets.batches():
            pass
        first, second = operations_of(lambda step=step: step(48)), operations_of(lambda step=step: step(48))
        assert replay_obstacle(first, second) == ""
        for _ in range(3):
            engine.run(step, 48)
        found.append(copy_weights(model))
    assert all(torch.equal(found[1][name], tensor) for name, tensor in found[0].items())


def test_statistics_of_batch_norms_that_are_replayed_equal_eager_ones(blobs):
    config = TrainConfig.checked(TINY | {"arch": "c4k5s3 p2 tie2(c4p1) gap fc10"})
    found = []
    for engine in (ReplayEngine(), EagerEngine()):
        model = make_network(config)[1]
        data = Labelled(blobs.train_images, blobs.train_labels)
        statistics = NormStatistics(model, data, Pixels(0.2, 0.15), 48)
        statistics.prepare(engine)
        for _ in range(2):  # of other weights the second time
            for _ in statistics.batches(engine):
                pass
            found.append(copy_weights(model))
            with torch.no_grad():
                model[0].weight.mul_(-2.0)
    for replayed, eager in ((found[0], found[2]), (found[1], found[3])):
        assert all(torch.equal(replayed[name], tensor) for name, tensor in eager.items())
    assert any(not torch.equal(found[0][name], tensor) for name, tensor in found[1].items() if "running" in name)


@pytest.mark.parametrize("recipe", RECIPES)
def test_two_steps_differ_in_nothing_but_what_tensors_hold(blobs, recipe):
    config = TrainConfig.checked(TINY | RECIPES[recipe])
    step, model, _ = make_step(config, blobs)
    model.train()
    start_epoch(step, config, 320, 2)
    step(48)  # what is worked out once and kept is there from now on
    first, second = operations_of(lambda: step(48)), operations_of(lambda: step(48))
    assert replay_obstacle(first, second) == ""
    names = {operation.name for operation in first}
    assert any("convolution_backward" in name for name in names)
    optimizer = {"muon": "bmm", "rmsprop": "_foreach_sqrt"}.get(config.optimizer, f"_fused_{config.optimizer}_")
    assert any(optimizer in name for name in names) != config.cycle_momentum  # for which there is no fused step
    assert {device for operation in first for device in operation.devices} == {"cpu"}


class Restless(nn.Module):
    """A network of which no two steps are alike, each time in another way."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.linear = nn.Linear(784, 10)
        self.way = way
        self.calls = 0

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        logits = self.linear(images.flatten(1))
        match self.way:
            case "number":
                return logits * (1 + self.calls)
            case "operation":
                return logits if self.calls % 2 else logits.sigmoid()
            case "value":
                return logits * float(logits.detach().amax())
            case "size":
                return logits + logits[logits > 0].sum()
            case "repeats":
                return logits + torch.repeat_interleave((logits.detach()[0] > 0).long()).sum()
            case "counts":
                return logits + torch.bincount(logits.detach().argmax(1)).sum()
            case _:
                return logits


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("number", "gets other numbers in the next step"),
        ("operation", "operations, the next one"),
        ("value", "reads a value back"),
        ("size", "reads a value back"),
        ("repeats", "reads a value back"),
        ("counts", "reads a value back"),
        ("", ""),
    ],
)
def test_a_network_that_cannot_be_replayed_is_found_out(blobs, way, reason):
    config = TrainConfig.checked(TINY)
    model = Restless(way)
    step = TrainStep(model, config, blobs.train_images, blobs.train_labels, Pixels(0.2, 0.15), None)
    start_epoch(step, config, 320, 1)
    found = replay_obstacle(operations_of(lambda: step(48)), operations_of(lambda: step(48)))
    assert (reason in found) if reason else not found


def test_work_on_two_devices_at_once_is_found_out():
    def copy() -> None:
        torch.empty(3, device="meta").copy_(torch.zeros(3))

    assert "works on cpu and meta at once" in replay_obstacle(operations_of(copy), operations_of(copy))


def test_reading_a_total_does_read_back(blobs):
    config = TrainConfig.checked(TINY)
    step, _, _ = make_step(config, blobs)
    operations = operations_of(lambda: void(float(step._loss)))
    assert "reads a value back" in replay_obstacle(operations, operations)


def void(_: object) -> None:
    pass


def test_getting_ready_changes_nothing(blobs):
    config = TrainConfig.checked(TINY | {"dropout": 0.3, "ema": True, "augment": "shift"})
    step, model, average = make_step(config, blobs)
    model.train()
    start_epoch(step, config, 320, 1)
    step(48)
    before = [tensor.detach().clone() for tensor in step.changed()]
    random = torch.get_rng_state()
    weights, averaged = copy_weights(model), copy_weights(average.model)
    with Unchanged(step) as state:
        step(32)
        state.start_over()
        step(48)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(map(torch.equal, step.changed(), before))
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.state_dict().items())
    assert all(torch.equal(tensor, averaged[name]) for name, tensor in average.model.state_dict().items())
    assert {id(tensor) for tensor in step.changed()} >= {id(tensor) for tensor in model.parameters()}


def test_counters_moved_on_together_end_where_their_own_batch_norms_take_them():
    torch.manual_seed(0)
    models = [nn.Sequential(nn.Conv2d(1, 16, 3), nn.BatchNorm2d(16), nn.Conv2d(16, 16, 3), nn.BatchNorm2d(16))]
    models.append(nn.Sequential(nn.Conv2d(1, 16, 3), nn.BatchNorm2d(16), nn.Conv2d(16, 16, 3), nn.BatchNorm2d(16)))
    models[1].load_state_dict(models[0].state_dict())
    images = torch.randn(4, 1, 8, 8)
    norms = counting_norms(models[0])
    assert len(norms) == 2
    for _ in range(3):
        with counted_together(norms):
            models[0](images)
        models[1](images)
    for name, tensor in models[1].state_dict().items():
        assert torch.equal(models[0].state_dict()[name], tensor), name
    assert int(models[0][1].num_batches_tracked) == 3


def test_counters_are_back_in_their_place_after_a_failure():
    norm = nn.BatchNorm2d(4)
    model = nn.Sequential(norm)
    with pytest.raises(ValueError, match="expected 4D"), counted_together(counting_norms(model)):
        model(torch.zeros(3))
    assert int(norm.num_batches_tracked) == 0


def test_only_batch_norms_that_see_each_batch_once_are_counted_together():
    assert counting_norms(nn.ModuleList([nn.BatchNorm2d(2)])) == []
    other_kinds = nn.BatchNorm2d(2, momentum=None), nn.BatchNorm2d(2, track_running_stats=False)
    assert counting_norms(nn.Sequential(*other_kinds)) == []
