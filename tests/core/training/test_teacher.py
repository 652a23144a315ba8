"""Learning from a teacher, held against the plain formula in float64, alone and grouped, stopped and resumed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from core.config import TrainConfig
from core.engines.engine import EagerEngine
from core.events import EpochFinished, RunFinished, RunStarted, RunStopped
from core.grouped.trainer import GroupTrainer
from core.models.build import build_model
from core.models.network import make_network
from core.models.spec import parse
from core.models.summary import summarize
from core.storage.tensors import weights_sha256
from core.training.evaluate import Labelled, Pixels
from core.training.sampling import draw_epoch
from core.training.step import TrainStep
from core.training.teacher import SoftTargets, Teacher, distilled_losses
from core.training.trainer import Trainer

CPU = torch.device("cpu")
TINY = {"arch": "c4k5s3 a2 c8k3 gap fc10", "lr": 0.1, "batch_size": 48, "epochs": 2, "device": "cpu"}
TAUGHT = TINY | {"engine": "eager", "teacher": "somebody", "teacher_weight": 0.7, "temperature": 3.0}


def network(seed: int, dtype: torch.dtype = torch.float32) -> nn.Module:
    """One that has seen a few images, so that it is sure of something."""
    torch.manual_seed(seed)
    model = build_model(summarize(parse("c6k5s3 c8k3 gap fc10"))).to(dtype)
    for _ in range(5):
        model.train()(torch.rand(8, 1, 28, 28, dtype=dtype))
    return model.eval()


def teacher(count: int = 1, dtype: torch.dtype = torch.float32) -> Teacher:
    return Teacher(tuple(network(seed, dtype) for seed in range(count)), "somebody", "5" * 64)


def plain_loss(logits: Tensor, labels: Tensor, of_teacher: list[Tensor], config: TrainConfig) -> Tensor:
    """The formula, image by image."""
    t, w, s = config.temperature, config.teacher_weight, config.label_smoothing
    total = torch.zeros((), dtype=logits.dtype)
    for row, label, *teachers in zip(logits, labels, *of_teacher, strict=True):
        q = row.exp() / row.exp().sum()
        smooth = torch.full((10,), s / 10, dtype=logits.dtype)
        smooth[label] += 1 - s
        p = sum((z / t).exp() / (z / t).exp().sum() for z in teachers) / len(teachers)
        soft = (row / t).exp() / (row / t).exp().sum()
        total = total - (1 - w) * (smooth * q.log()).sum() + w * t**2 * (p * (p.log() - soft.log())).sum()
    return total / len(logits)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(
    "options", [{}, {"label_smoothing": 0.1, "teacher_weight": 1.0}, {"temperature": 0.5}], ids=str
)
def test_loss_and_gradient_are_those_of_the_formula(options, count):
    config = TrainConfig.checked(TAUGHT | options)
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(7, 10, generator=generator, dtype=torch.float64, requires_grad=True)
    of_teacher = [torch.randn(7, 10, generator=generator, dtype=torch.float64) for _ in range(count)]
    labels = torch.arange(7)
    targets = sum((z / config.temperature).softmax(1) for z in of_teacher) / count
    loss = distilled_losses(logits, labels, targets, config).mean()
    (gradient,) = torch.autograd.grad(loss, logits)
    expected = plain_loss(logits, labels, of_teacher, config)
    (expected_gradient,) = torch.autograd.grad(expected, logits)
    torch.testing.assert_close(loss, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-10, atol=1e-12)


def test_a_target_of_probability_nought_is_no_nan():
    targets = torch.zeros(2, 10)
    targets[:, 3] = 1.0
    config = TrainConfig.checked(TAUGHT)
    logits = torch.randn(2, 10, requires_grad=True)
    distilled_losses(logits, torch.tensor([3, 4]), targets, config).sum().backward()
    assert bool(logits.grad.isfinite().all())


@pytest.mark.parametrize("augment", ["none", "shift", "affine"])
@pytest.mark.parametrize("count", [1, 2])
def test_steps_follow_a_plain_training_in_which_the_teacher_sees_what_is_trained_on(blobs, augment, count):
    config = TrainConfig.checked(TAUGHT | {"augment": augment, "label_smoothing": 0.1, "momentum": 0.9})
    pixels = Pixels(blobs.mean, blobs.std, torch.float64)
    images = Labelled(blobs.train_images, blobs.train_labels)
    model, plain = (make_network(config)[1].double() for _ in range(2))
    targets = SoftTargets(teacher(count, torch.float64), config, images, pixels, EagerEngine())
    for _ in targets.batches():
        pass
    assert list(targets.batches()) == []  # once
    step = TrainStep(model, config, images.images, images.labels, pixels, None, None, targets)
    draw = draw_epoch(config, 320, 1)
    step.start_epoch([draw], [[0.1] * 7], 0)
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.1, momentum=0.9)
    seen: list[Tensor] = []
    model.register_forward_pre_hook(lambda _, args: seen.append(args[0].detach().clone()))
    for at in range(0, 144, 48):
        step(48)
        labels = blobs.train_labels[draw.order[at : at + 48]]
        of_teacher = [one.double()(seen[-1]).detach() for one in teacher(count, torch.float64).networks]
        optimizer.zero_grad()
        plain_loss(plain(seen[-1]), labels, of_teacher, config).backward()
        optimizer.step()
    for name, parameter in plain.named_parameters():
        torch.testing.assert_close(model.get_parameter(name), parameter, rtol=1e-6, atol=1e-8, msg=name)
    totals = step.totals()[0]
    assert totals.loss > 0


def make(config: TrainConfig, blobs, its: Teacher | None = None) -> Trainer:
    summary, model = make_network(config)
    return Trainer(config, blobs, summary, model, CPU, its or teacher(2))


def after(calls: int) -> Callable[[], str]:
    left = iter(range(calls))
    return lambda: "" if next(left, None) is not None else "enough"


@pytest.mark.parametrize("options", [{}, {"augment": "shift", "val_split": 60}, {"engine": "native"}], ids=str)
@pytest.mark.usefixtures("kernels")
def test_a_taught_run_stopped_anywhere_goes_on_to_the_same_bits(blobs, options):
    config = TrainConfig.checked(TAUGHT | {"batch_size": 96} | options)
    whole = list(make(config, blobs).run())
    assert isinstance(whole[0], RunStarted)
    assert (whole[0].teacher, "learns from somebody" in whole[0].note) == ("5" * 64, True)
    for questions in (0, 1, 2, 4, 6, 7, 9):  # the first is about the teacher's own batch
        first = make(config, blobs)
        before = list(first.run(after(questions)))
        assert isinstance(before[-1], RunStopped)
        second = make(config, blobs)
        second.restore(first.checkpoint())
        then = list(second.run())
        assert isinstance(then[-1], RunFinished)
        assert then[-1].weights_sha256 == whole[-1].weights_sha256
        losses = [event.train_loss for event in (*before, *then) if isinstance(event, EpochFinished)]
        assert losses == [event.train_loss for event in whole if isinstance(event, EpochFinished)]
    alone = TrainConfig.checked(config.model_dump() | {"teacher": ""})
    summary, model = make_network(alone)
    untaught = list(Trainer(alone, blobs, summary, model, CPU).run())
    assert untaught[-1].weights_sha256 != whole[-1].weights_sha256


@pytest.mark.parametrize("augment", ["none", "shift"])
def test_each_of_a_group_learns_as_it_does_alone(blobs, augment):
    configs = [
        TrainConfig.checked(TAUGHT | {"augment": augment, "seed": seed, "lr": lr}) for seed, lr in ((0, 0.1), (1, 0.03))
    ]
    networks = [make_network(config) for config in configs]
    group = GroupTrainer(configs, blobs, networks[0][0], [model for _, model in networks], CPU, teacher(2))
    ends = {member.copy: event for member, event in group.run(lambda _: "") if isinstance(event, RunFinished)}
    for member, config in zip(group.members, configs, strict=True):
        trainer = make(config, blobs)
        events = list(trainer.run())
        assert isinstance(events[-1], RunFinished)
        assert ends[member.copy].final_test_accuracy == pytest.approx(events[-1].final_test_accuracy, abs=0.02)
        for name, tensor in trainer.final_weights.items():
            torch.testing.assert_close(member.final_weights[name], tensor, rtol=1e-3, atol=1e-4, msg=name)


@pytest.mark.usefixtures("kernels")
def test_the_native_engine_teaches_to_the_same_weights(blobs):
    trainers = [
        make(TrainConfig.checked(TAUGHT | {"augment": "shift", "engine": name}), blobs) for name in ("eager", "native")
    ]
    for trainer in trainers:
        list(trainer.run())
    for name, tensor in trainers[0].final_weights.items():
        torch.testing.assert_close(trainers[1].final_weights[name], tensor, rtol=1e-3, atol=1e-4, msg=name)


def test_the_teacher_stays_as_it_is(blobs):
    its = teacher(2)
    before = [weights_sha256(one.state_dict()) for one in its.networks]
    list(make(TrainConfig.checked(TAUGHT | {"augment": "shift"}), blobs, its).run())
    assert [weights_sha256(one.state_dict()) for one in its.networks] == before
