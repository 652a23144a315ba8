"""A group's runs, event by event and checkpoint by checkpoint, held against the same runs alone."""

from __future__ import annotations

import gc
import math
import weakref
from collections.abc import Callable
from dataclasses import asdict

import pytest
import torch

import core.grouped.trainer
from core.config import TrainConfig
from core.events import EpochFinished, RunFailed, RunFinished, RunStarted, RunStopped, StepProgress, TrainEvent
from core.grouped.evaluate import GroupedEvaluator
from core.grouped.trainer import GroupedRun, GroupTrainer
from core.models.network import make_network
from core.training.average import copy_weights

pytestmark = pytest.mark.usefixtures("every_step_is_told")

# Average pooling: in max pooling a tie may fall another way when products are added up in another order.
# One engine, as auto takes the native one for a run alone.
NETWORK_LAYERS = ("Conv2d-1", "BatchNorm2d-2", "Conv2d-4", "BatchNorm2d-5", "Linear-7")
TINY = {"arch": "c4k5s3 a2 c8k3 gap fc10", "lr": 0.1, "batch_size": 48, "epochs": 2, "device": "cpu", "engine": "eager"}


@pytest.fixture
def make_group(blobs) -> Callable[..., GroupTrainer]:
    def make(*, rates: tuple[float, ...] = (0.1, 0.03, 0.2), **options: object) -> GroupTrainer:
        configs = [TrainConfig.checked(TINY | options | {"seed": k, "lr": lr}) for k, lr in enumerate(rates)]
        networks = [make_network(config) for config in configs]
        return GroupTrainer(configs, blobs, networks[0][0], [model for _, model in networks], torch.device("cpu"))

    return make


def never(_member: GroupedRun) -> str:
    return ""


def run(group: GroupTrainer, should_stop: Callable[[GroupedRun], str] = never) -> list[list[TrainEvent]]:
    """The events of each run."""
    events: list[list[TrainEvent]] = [[] for _ in group.members]
    for member, event in group.run(should_stop):
        events[member.copy].append(event)
    return events


def assert_alike(one: TrainEvent, other: TrainEvent) -> None:
    """The same event, its numbers within rounding, clocks and hashes aside."""
    assert type(one) is type(other)
    for key, value in asdict(one).items():
        if key in ("seconds", "images_per_second", "weights_sha256"):
            continue
        if isinstance(value, dict) and value.keys() <= set(NETWORK_LAYERS):
            assert getattr(other, key) == pytest.approx(value, rel=0.02, abs=2e-3), key
        elif isinstance(value, float) and not key.endswith("lr"):
            assert getattr(other, key) == pytest.approx(value, abs=0.02 if "accuracy" in key else 2e-4), key
        elif key in ("test_correct", "tta_test_correct", "first_epoch_at_target", "best_epoch", "selected_epoch"):
            assert getattr(other, key) == value or "correct" not in key or abs(getattr(other, key) - value) <= 1
        else:
            assert getattr(other, key) == value, key


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"ema": True, "schedule": "onecycle"},
        {"val_split": 60, "augment": "shift"},
        {"momentum": 0.0},
        {"swa": True, "swa_start": 0.0},
        {"tta": "shift", "val_split": 60},
        {"schedule": "onecycle", "cycle_momentum": True, "optimizer": "adamw", "lr": 0.01},
        {"clip_norm": 0.5, "weight_decay": 0.1, "decay": "weights"},
        {"schedule": "plateau", "patience": 0, "threshold": 0.9, "epochs": 4, "warmup_epochs": 0.5},
    ],
    ids=str,
)
def test_each_run_has_the_events_and_weights_that_it_has_alone(make_group, make_trainer, options):
    group = make_group(**options)
    for member, together in zip(group.members, run(group), strict=True):
        config = member.config
        trainer = make_trainer(**TINY | options | {"seed": config.seed, "lr": config.lr})
        alone = list(trainer.run())
        assert isinstance(alone[-1], RunFinished)
        assert len(together) == len(alone)
        for one, other in zip(alone, together, strict=True):
            assert_alike(one, other)
        for weights, expected in (
            (member.final_weights, trainer.final_weights),
            (member.best_weights if member.best_epoch == trainer.best_epoch else {}, trainer.best_weights),
        ):
            for name, tensor in weights.items():
                torch.testing.assert_close(tensor, expected[name], rtol=1e-3, atol=1e-4, msg=name)
        assert member.predictions.keys() == trainer.predictions.keys()
        assert all(
            (member.predictions[key] != trainer.predictions[key]).float().mean() < 0.03 for key in member.predictions
        )


@pytest.mark.parametrize("at", [0, 3, 7, 8, 10, 15])  # of 7 steps and a batch of evaluation in each epoch
def test_a_run_that_stops_leaves_a_checkpoint_from_which_it_goes_on_by_itself(make_group, make_trainer, at):
    options = {"schedule": "cosine", "ema": True, "augment": "shift"}
    group, whole = make_group(**options), make_group(**options)
    asked = {0: 0, 1: 0, 2: 0}

    def should_stop(member: GroupedRun) -> str:
        asked[member.copy] += 1
        return "enough" if member.copy == 1 and asked[1] > at else ""

    checkpoint = None
    others = {0: [], 2: []}
    for member, event in group.run(should_stop):
        if member.copy == 1 and isinstance(event, RunStopped):
            assert event.reason == "enough"
            checkpoint = member.checkpoint()
        if member.copy != 1:
            others[member.copy].append(event)
    expected = run(whole)
    assert [type(events[-1]) for events in others.values()] == [RunFinished, RunFinished]
    for copy, events in others.items():  # what happens to one is nothing to the others
        assert events[-1].weights_sha256 == expected[copy][-1].weights_sha256
    trainer = make_trainer(**TINY | options | {"seed": 1, "lr": 0.03})
    trainer.restore(checkpoint)
    rest = list(trainer.run())
    assert [type(event) for event in rest[1:]] == [type(event) for event in expected[1][1 + at :]]
    for one, other in zip(rest[2:], expected[1][2 + at :], strict=True):
        assert_alike(one, other)
    for name, tensor in whole.members[1].final_weights.items():
        torch.testing.assert_close(trainer.final_weights[name], tensor, rtol=1e-3, atol=1e-4, msg=name)


@pytest.mark.parametrize(("batch", "ema"), [*((batch, False) for batch in range(6)), (5, True)])
def test_a_group_stops_in_evaluation_within_a_batch_and_its_runs_are_as_after_the_last_step(
    make_group, make_trainer, monkeypatch, batch, ema
):
    """The one epoch has six steps, then 100 held-out images are scored, then twice the 130 test images, 96 at a time:
    with the weights of the last epoch and with the selected ones."""
    monkeypatch.setattr("core.training.evaluate.BATCH", 3 * 96)
    options = {"val_split": 100, "epochs": 1, "ema": ema, "batch_size": 40}
    group = make_group(**options)
    asked, scored = [0, 0, 0], []
    monkeypatch.setattr(GroupedEvaluator, "__call__", counting(GroupedEvaluator.__call__, scored))

    def should_stop(run: GroupedRun) -> str:
        asked[run.copy] += 1
        return "enough" if asked[run.copy] > 6 + batch else ""

    before, stopped = {}, {}
    for run, event in group.run(should_stop):
        if isinstance(event, RunStopped):
            stopped[run.copy] = run.checkpoint()
        else:
            if isinstance(event, EpochFinished):  # other weights than the last epoch's
                run.best_weights = {name: torch.zeros_like(tensor) for name, tensor in run.best_weights.items()}
            before[run.copy] = run.checkpoint()
    assert len(scored) == batch
    assert sorted(stopped) == [0, 1, 2]
    for copy, checkpoint in stopped.items():
        assert checkpoint.tensors.keys() == before[copy].tensors.keys()
        assert all(torch.equal(tensor, before[copy].tensors[name]) for name, tensor in checkpoint.tensors.items())
        config = group.members[copy].config
        resumed, alone = (make_trainer(**TINY | options | {"seed": copy, "lr": config.lr}) for _ in range(2))
        resumed.restore(checkpoint)
        ends = [list(trainer.run())[-1] for trainer in (resumed, alone)]
        assert ends[0].final_test_accuracy == pytest.approx(ends[1].final_test_accuracy, abs=0.02)
        for name, tensor in alone.final_weights.items():
            torch.testing.assert_close(resumed.final_weights[name], tensor, rtol=1e-3, atol=1e-4, msg=name)


def counting(function: Callable[..., None], calls: list[int]) -> Callable[..., None]:
    def counted(self: object, size: int) -> None:
        calls.append(size)
        function(self, size)

    return counted


def test_a_run_that_stops_in_evaluation_leaves_it_to_the_others(make_group, monkeypatch):
    monkeypatch.setattr("core.training.evaluate.BATCH", 3 * 48)  # 130 test images: three batches
    asked = [0, 0, 0]

    def should_stop(run: GroupedRun) -> str:
        asked[run.copy] += 1
        return "enough" if run.copy == 1 and asked[1] == 7 + 2 else ""

    told = [(run.copy, event.NAME) for run, event in make_group(epochs=1).run(should_stop)]
    assert told[-5:] == [
        (1, "run_stopped"),
        (0, "epoch_finished"),
        (2, "epoch_finished"),
        (0, "run_finished"),
        (2, "run_finished"),
    ]


def test_a_run_that_diverges_fails_by_itself(make_group, presentable):
    events = run(make_group(arch="fc24 fc10", rates=(0.01, 100.0, 0.02), epochs=3))
    assert [type(one[-1]) for one in events] == [RunFinished, RunFailed, RunFinished]
    presentable(events[1][-1].error, "the loss is not finite in epoch")
    presentable(events[1][-1].hint, "lower lr than 100")
    assert all(math.isfinite(event.loss) for event in events[1] if isinstance(event, StepProgress))
    calm = run(make_group(arch="fc24 fc10", rates=(0.01, 0.01, 0.02), epochs=3))
    for copy in (0, 2):
        assert events[copy][-1].weights_sha256 == calm[copy][-1].weights_sha256


def test_a_run_that_reaches_its_target_finishes_before_the_others(make_group, make_trainer):
    options = {"epochs": 6, "target": 60.0, "stop_at_target": True}
    rates = (0.2, 1e-5, 0.05)
    ends = [events[-1] for events in run(make_group(rates=rates, **options))]
    alone = [list(make_trainer(**TINY | options | {"seed": k, "lr": lr}).run())[-1] for k, lr in enumerate(rates)]
    assert [end.epochs for end in ends] == [end.epochs for end in alone]
    assert ends[0].epochs < ends[1].epochs == 6


def test_a_run_that_gets_no_better_finishes_before_the_others(make_group):
    rates = (0.2, 1e-6, 0.1)
    ends = [events[-1] for events in run(make_group(rates=rates, epochs=6, early_stop=3))]
    assert (ends[1].epochs, ends[1].ended_by) == (4, "early_stop")
    assert ends[0].epochs > 4
    whole = run(make_group(rates=rates, epochs=4))
    assert ends[1].weights_sha256 == whole[1][-1].weights_sha256


def test_each_run_has_a_plateau_of_its_own(make_group):
    """Those that learn nothing have their rate lowered after every second epoch, the others later or not at all."""
    rule = {"schedule": "plateau", "patience": 0, "threshold": 0.02, "gamma": 0.5, "epochs": 5}
    events = run(make_group(rates=(0.1, 1e-5, 0.05), **rule))
    rates = [[event.lr for event in one if isinstance(event, EpochFinished)] for one in events]
    assert rates[1] == [1e-5, 1e-5, 5e-6, 2.5e-6, 1.25e-6] or rates[1][-1] == 1e-5
    assert rates[0][2] == 0.1
    assert rates[2][2] == 0.05


def test_the_runs_take_turns_and_begin_together(make_group):
    told = [(member.copy, type(event)) for member, event in make_group().run(never)]
    assert told[:3] == [(copy, RunStarted) for copy in range(3)]
    assert told[3:9] == 2 * [(copy, StepProgress) for copy in range(3)]
    assert [copy for copy, event in told if event is EpochFinished] == [0, 1, 2, 0, 1, 2]


def test_a_group_gives_its_memory_back_as_soon_as_it_is_over(make_group):
    group = make_group(val_split=60, ema=True)
    members, held = group.members, weakref.ref(group)
    gc.disable()
    try:
        run(group)
        del group
        assert held() is None
    finally:
        gc.enable()
    assert all(member.final_weights for member in members)


def test_running_out_of_memory_fails_every_run_with_a_way_out(make_group, monkeypatch, presentable):
    def take_too_much(_step: object, _size: int) -> None:
        torch.empty(1 << 58)

    monkeypatch.setattr(core.grouped.trainer.GroupedStep, "__call__", take_too_much)
    for events in run(make_group()):
        assert isinstance(events[-1], RunFailed)
        presentable(events[-1].error, "out of memory on cpu")
        presentable(events[-1].hint, "fewer runs at a time")


OWN = """
from torch import nn
from torch.nn import functional as F

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.norm_1 = nn.Conv2d(1, 4, 5, stride=3), nn.BatchNorm2d(4)
        self.second, self.norm_2 = nn.Conv2d(4, 8, 3, bias=False), nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 10)

    def forward(self, x):
        x = F.avg_pool2d(self.norm_1(F.relu(self.first(x))), 2)
        x = F.relu(self.norm_2(self.second(x)))
        return self.head(x.mean((2, 3)))
"""


@pytest.mark.parametrize("decay", ["weights", "all"])
def test_what_a_module_has_frozen_stays_as_it_was_made(make_group, make_trainer, tmp_path, decay):
    frozen = (
        "        self.second.requires_grad_(False)\n        self.norm_1.weight.requires_grad_(False)\n\n    def forward"
    )
    (tmp_path / "net.py").write_text(OWN.replace("\n    def forward", frozen))
    options = {"arch": f"{tmp_path / 'net.py'}:Net", "weight_decay": 0.1, "decay": decay}
    group = make_group(**options)
    made = [copy_weights(make_network(member.config)[1]) for member in group.members]
    for member, before, _ in zip(group.members, made, run(group), strict=True):
        for name, tensor in member.final_weights.items():
            stays = name in ("second.weight", "norm_1.weight")
            assert torch.equal(tensor, before[name]) == stays, name
        trainer = make_trainer(**TINY | options | {"seed": member.config.seed, "lr": member.config.lr})
        list(trainer.run())
        assert trainer.checkpoint().tensors.keys() == member.checkpoint().tensors.keys()


def test_modules_of_ones_own_have_the_weights_names_and_checkpoints_that_they_have_alone(
    make_group, make_trainer, tmp_path, blobs
):
    (tmp_path / "net.py").write_text(OWN)
    options = {"arch": f"{tmp_path / 'net.py'}:Net", "ema": True, "val_split": 60}
    group = make_group(**options)
    for member, together in zip(group.members, run(group), strict=True):
        trainer = make_trainer(**TINY | options | {"seed": member.config.seed, "lr": member.config.lr})
        for one, other in zip(list(trainer.run()), together, strict=True):
            assert_alike(one, other)
        mine, expected = member.checkpoint(), trainer.checkpoint()
        assert mine.tensors.keys() == expected.tensors.keys()
        for name in ("model", "average", "engine", "best"):
            for key, tensor in expected.part(name).items():
                torch.testing.assert_close(mine.part(name)[key], tensor, rtol=1e-2, atol=1e-3)
        trainer.model.load_state_dict(member.final_weights)
        again = make_trainer(**TINY | options | {"seed": member.config.seed, "lr": member.config.lr})
        again.restore(mine)
