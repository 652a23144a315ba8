"""The eager engine, held against a plain PyTorch loop in double precision, and what its steps must not do."""

from collections.abc import Iterator

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader, TensorDataset

from core.augment import shift_images, warp_images
from core.config import TrainConfig
from core.data import Dataset
from core.engine import EagerEngine, make_optimizer
from core.evaluate import Pixels
from core.network import make_network
from core.sampling import EpochDraw, draw_epoch
from core.weights import WeightAverage, copy_weights

# Average pooling: in max pooling a tie may fall another way in single precision than in double.
TINY = {"arch": "c4k5s3 a2 c8k3 gap fc10", "lr": 0.05, "batch_size": 64, "device": "cpu"}


def make_engine(config: TrainConfig, data: Dataset) -> tuple[EagerEngine, nn.Module]:
    model = make_network(config)[1].to(memory_format=torch.channels_last)
    average = WeightAverage(model, config.ema_decay) if config.ema else None
    pixels = Pixels(data.mean, data.std)
    return EagerEngine(model, config, data.train_images, data.train_labels, pixels, average), model


def changed_one_by_one(config: TrainConfig, images: torch.Tensor, changes: torch.Tensor | None) -> torch.Tensor:
    if changes is None:
        return images
    change = shift_images if config.augment == "shift" else warp_images
    pairs = zip(images.float().split(1), changes.split(1), strict=True)
    return torch.cat([change(image, how) for image, how in pairs])


def plain_loop(
    config: TrainConfig, data: Dataset, draws: list[EpochDraw], lrs: Iterator[float]
) -> tuple[nn.Module, float, int]:
    """The usual loop over a DataLoader, unfused, in double precision; loss and hits are those of the last epoch."""
    model = make_network(config)[1].double()
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=config.lr,
        momentum=config.momentum,
        nesterov=config.nesterov,
        weight_decay=config.weight_decay,
        foreach=False,
        fused=False,
    )
    total, correct = 0.0, 0
    for draw in draws:
        total, correct = 0.0, 0
        images = changed_one_by_one(config, data.train_images[draw.order], draw.changes)
        scaled = ((images.double() / 255 - data.mean) / data.std)[:, None]
        for inputs, labels in DataLoader(TensorDataset(scaled, data.train_labels[draw.order]), config.batch_size):
            optimizer.param_groups[0]["lr"] = next(lrs)
            optimizer.zero_grad()
            logits = model(inputs)
            loss = F.cross_entropy(logits, labels, label_smoothing=config.label_smoothing)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(labels)
            correct += int((logits.argmax(1) == labels).sum())
    return model, total, correct


def run_epochs(engine: EagerEngine, config: TrainConfig, draws: list[EpochDraw], lrs: Iterator[float]) -> None:
    for draw in draws:
        engine.start_epoch(draw)
        count = len(draw.order)
        for first in range(0, count, config.batch_size):
            engine.step(first, min(first + config.batch_size, count), next(lrs))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_size": 48},  # 320 images: six batches and a tail of 32
        {"batch_size": 1000},
        {"momentum": 0.0, "weight_decay": 0.1},
        {"nesterov": True, "weight_decay": 0.1, "label_smoothing": 0.1},
        {"augment": "shift", "shift": 3.0},
        {"augment": "affine", "batch_size": 48},
        {"arch": "s6p1 a4 c8nk3 d0 fc12 fc10"},
    ],
)
def test_two_epochs_equal_a_plain_loop(blobs, options):
    config = TrainConfig.checked(TINY | options)
    draws = [draw_epoch(config, 320, epoch) for epoch in (1, 2)]
    rates = [0.02 + 0.01 * (step % 5) for step in range(100)]
    engine, model = make_engine(config, blobs)
    run_epochs(engine, config, draws, iter(rates))
    expected, loss, correct = plain_loop(config, blobs, draws, iter(rates))
    for name, tensor in expected.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name].double(), tensor.double(), rtol=1e-3, atol=1e-3, msg=name)
    totals = engine.totals()
    assert totals.loss == pytest.approx(loss, rel=1e-3)
    assert totals.correct == correct


def test_totals_begin_anew_with_each_epoch(blobs):
    config = TrainConfig.checked(TINY | {"lr": 1e-9, "momentum": 0.0})
    engine, _ = make_engine(config, blobs)
    draws = [draw_epoch(config, 320, epoch) for epoch in (1, 2)]
    run_epochs(engine, config, draws[:1], iter([1e-9] * 5))
    first = engine.totals()
    assert 0 < first.correct <= 320
    run_epochs(engine, config, draws[1:], iter([1e-9] * 5))
    assert engine.totals().loss == pytest.approx(first.loss, rel=0.05)


def test_a_step_trains_on_the_images_at_its_place_in_the_order_and_on_no_others(blobs):
    config = TrainConfig.checked(TINY | {"arch": "fc10"})
    order = torch.arange(320).flip(0)
    left, model = make_engine(config, blobs)
    left.start_epoch(EpochDraw(order, None))
    left.step(64, 96, 0.1)
    weight = model.state_dict()["Linear-1.weight"]
    fresh = make_network(config)[1]
    chosen = order[64:96]
    inputs = Pixels(blobs.mean, blobs.std)(blobs.train_images[chosen])
    F.cross_entropy(fresh(inputs), blobs.train_labels[chosen]).backward()
    linear = fresh[-1]
    torch.testing.assert_close(weight, linear.weight.detach() - 0.1 * linear.weight.grad, rtol=1e-4, atol=1e-6)


def test_the_average_takes_in_every_step(blobs):
    config = TrainConfig.checked(TINY | {"ema": True, "ema_decay": 0.9})
    model = make_network(config)[1]
    average = WeightAverage(model, config.ema_decay)
    engine = EagerEngine(model, config, blobs.train_images, blobs.train_labels, Pixels(blobs.mean, blobs.std), average)
    expected = {name: tensor.double() for name, tensor in copy_weights(model).items()}
    done = 0
    for epoch in (1, 2):
        engine.start_epoch(draw_epoch(config, 320, epoch))
        for first in range(0, 320, 64):
            engine.step(first, first + 64, 0.05)
            keep = min(0.9, (1 + done) / (10 + done))
            done += 1
            for name, tensor in model.state_dict().items():
                expected[name] = keep * expected[name] + (1 - keep) * tensor.double()
    for name, tensor in average.model.state_dict().items():
        if tensor.is_floating_point():
            torch.testing.assert_close(tensor.double(), expected[name], rtol=1e-4, atol=1e-5)


class Recorded(TorchDispatchMode):
    """Every operation that reaches the dispatcher, backward and optimizer included."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(func.name())
        return func(*args, **(kwargs or {}))


READS_BACK = ("aten::_local_scalar_dense", "aten::nonzero", "aten::item", "aten::equal", "aten::is_nonzero")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"augment": "shift"},
        {"augment": "affine", "precision": "bf16"},
        {"ema": True, "label_smoothing": 0.1, "dropout": 0.1},
        {"nesterov": True, "weight_decay": 0.1},
    ],
)
def test_no_step_reads_a_value_back_from_the_device(blobs, options):
    config = TrainConfig.checked(TINY | options)
    engine, _ = make_engine(config, blobs)
    engine.start_epoch(draw_epoch(config, 320, 1))
    with Recorded() as recorded:
        engine.step(0, 64, 0.05)
        engine.step(64, 128, 0.05)
    assert any("convolution_backward" in name for name in recorded.names)
    assert any("_fused_sgd" in name for name in recorded.names)
    assert not [name for name in recorded.names if name.startswith(READS_BACK)]
    with Recorded() as recorded:
        engine.totals()
    assert [name for name in recorded.names if name.startswith(READS_BACK)]


def test_frozen_parameters_are_left_alone_even_with_weight_decay(blobs):
    config = TrainConfig.checked(TINY | {"weight_decay": 0.5})
    model = make_network(config)[1]
    model[0].requires_grad_(False)
    frozen = model[0].weight.clone()
    engine = EagerEngine(model, config, blobs.train_images, blobs.train_labels, Pixels(0.2, 0.15), None)
    run_epochs(engine, config, [draw_epoch(config, 320, 1)], iter([0.05] * 5))
    assert torch.equal(model[0].weight, frozen)


def test_the_optimizer_is_fused_and_has_the_configs_values():
    config = TrainConfig.checked(TINY | {"momentum": 0.8, "nesterov": True, "weight_decay": 0.01})
    optimizer = make_optimizer(nn.Linear(2, 2), config, torch.device("cpu"))
    wanted = {"lr": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 0.01, "fused": True}
    assert wanted.items() <= optimizer.param_groups[0].items()
