"""Training by the plainest means, in double precision, and by an engine: what the tests of the engines compare."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    SequentialLR,
    StepLR,
)
from torch.utils.data import DataLoader, TensorDataset

from core.augmentation.augmentation import Augmentation
from core.config import TrainConfig
from core.data.loader import Dataset
from core.engines.engine import EagerEngine, Engine
from core.models.network import make_network
from core.training.average import WeightAverage, copy_weights
from core.training.evaluate import Pixels
from core.training.sampling import draw_epoch, seed_dropout
from core.training.schedule import cycles_momentum, learning_rate, momentum_of
from core.training.step import TrainStep

COMMON_RECIPES: dict[str, dict[str, Any]] = {
    "constant": {},
    "onecycle, shifts, average": {"schedule": "onecycle", "augment": "shift", "ema": True, "ema_decay": 0.9},
    "cosine, warps, nesterov, decay": {
        "schedule": "cosine",
        "augment": "affine",
        "nesterov": True,
        "weight_decay": 0.01,
        "label_smoothing": 0.1,
    },
    "a list of augmentations": {"augment": "crop,affine,elastic,erase,contrast"},
    "steps, no momentum, average": {"schedule": "step", "step_size": 2, "momentum": 0.0, "ema": True},
    "warm-up, milestones": {"schedule": "multistep", "milestones": "1+2,5", "gamma": 0.5, "warmup_epochs": 1.3},
    "onecycle with momentum": {
        "schedule": "onecycle",
        "cycle_momentum": True,
        "nesterov": True,
        "weight_decay": 0.01,
        "three_phase": True,
        "anneal": "linear",
        "div_factor": 5.0,
        "final_div_factor": 10.0,
        "base_momentum": 0.5,
    },
}
"""What every engine must follow, changes to a small config by name."""


@dataclass
class Trained:
    """Tensors by name on the CPU, the learning rate of each step, and the loss and hits of the last epoch."""

    weights: dict[str, Tensor]
    average: dict[str, Tensor]
    momentum: dict[str, Tensor]
    rates: list[float] = field(default_factory=list)
    loss: float = 0.0
    correct: int = 0

    def tensors(self) -> dict[str, Tensor]:
        parts = {"weights": self.weights, "average": self.average, "momentum": self.momentum}
        return {f"{part} {name}": tensor for part, named in parts.items() for name, tensor in named.items()}


def plain_sgd(model: nn.Module, config: TrainConfig) -> torch.optim.SGD:
    """torch's own optimizer with nothing fused."""
    return torch.optim.SGD(
        model.parameters(),
        lr=config.lr,
        momentum=config.momentum,
        nesterov=config.nesterov,
        weight_decay=config.weight_decay,
        foreach=False,
        fused=False,
    )


def train_plainly(config: TrainConfig, data: Dataset) -> Trained:
    """A loop over a DataLoader with torch's own optimizer and scheduler and nothing fused, in double precision."""
    model = make_network(config, data.task)[1].double()
    optimizer = plain_sgd(model, config)
    count = len(data.train_labels)
    steps = -(-count // config.batch_size)
    scheduler = make_scheduler(config, optimizer, steps)
    average = {name: tensor.double() for name, tensor in copy_weights(model).items()} if config.ema else {}
    trained = Trained({}, {}, {})
    for epoch in range(1, config.epochs + 1):
        draw = draw_epoch(config, count, epoch)
        changes = torch.zeros(count, 1) if draw.changes is None else draw.changes[draw.order.argsort()]
        dataset = TensorDataset(data.train_images, data.train_labels, changes)
        loader = DataLoader(dataset, config.batch_size, sampler=draw.order.tolist())
        trained.loss, trained.correct = 0.0, 0
        for images, labels, change in loader:
            trained.rates.append(optimizer.param_groups[0]["lr"])
            changed = torch.cat(list(_changed(config, images, change)))
            logits = model(((changed.double() / 255 - data.mean) / data.std)[:, None])
            loss = F.cross_entropy(logits, labels, label_smoothing=config.label_smoothing)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            trained.loss += loss.item() * len(labels)
            trained.correct += int((logits.argmax(1) == labels).sum())
            done = len(trained.rates) - 1
            keep = min(config.ema_decay, (1 + done) / (10 + done))
            now = copy_weights(model)
            for name, mean in average.items():
                average[name] = keep * mean + (1 - keep) * now[name] if now[name].is_floating_point() else now[name]
            if len(trained.rates) < config.epochs * steps:
                step_quietly(scheduler)
    trained.weights, trained.average = copy_weights(model), average
    if config.momentum or cycles_momentum(config):
        named = dict(model.named_parameters())
        trained.momentum = {name: optimizer.state[named[name]]["momentum_buffer"] for name in named}
    return trained


def make_scheduler(config: TrainConfig, optimizer: torch.optim.Optimizer, steps: int) -> LRScheduler:
    """torch's scheduler for a config, to be stepped after each batch; for a constant rate one that never changes it."""
    total = config.epochs * steps
    warm = round(config.warmup_epochs * steps)
    match config.schedule:
        case "onecycle":
            return OneCycleLR(
                optimizer,
                config.lr,
                total_steps=total,
                pct_start=config.warmup,
                anneal_strategy=config.anneal,
                cycle_momentum=config.cycle_momentum,
                base_momentum=config.base_momentum,
                max_momentum=config.max_momentum,
                div_factor=config.div_factor,
                final_div_factor=config.final_div_factor,
                three_phase=config.three_phase,
            )
        case "cosine":
            proper: LRScheduler = CosineAnnealingLR(optimizer, T_max=total - warm, eta_min=config.min_lr)
        case "step":
            proper = StepLR(optimizer, config.step_size * steps, config.gamma)
        case "multistep":
            milestones = [int(epoch) * steps for epoch in config.milestones.split(",")]
            proper = MultiStepLR(optimizer, milestones, config.gamma)
        case _:
            proper = ConstantLR(optimizer, factor=1.0)
    if not warm:
        return proper
    rising = LinearLR(optimizer, start_factor=1 / (warm + 1), total_iters=warm)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of calls in the wrong order, which are its own
        return SequentialLR(optimizer, [rising, proper], [warm])


def step_quietly(scheduler: LRScheduler) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of calls in the wrong order, which are SequentialLR's own
        scheduler.step()


def _changed(config: TrainConfig, images: Tensor, changes: Tensor) -> Iterator[Tensor]:
    """The images of a batch, augmented one by one."""
    augmentation = Augmentation(config, images.shape[-1], images.device, torch.float64)
    for image, change in zip(images.split(1), changes.split(1), strict=True):
        yield augmentation(image, change)


def make_step(
    config: TrainConfig, data: Dataset, dtype: torch.dtype = torch.float32, engine: Engine | None = None
) -> tuple[TrainStep, nn.Module, WeightAverage | None]:
    """A step as the trainer makes it, on the config's device."""
    device = torch.device("cpu" if config.device == "auto" else config.device)
    model = make_network(config, data.task)[1].to(device, dtype).to(memory_format=torch.channels_last)
    average = WeightAverage(model, config.ema_decay) if config.ema else None
    images, labels = data.train_images.to(device), data.train_labels.to(device)
    forward = None if engine is None else engine.forward(model)
    step = TrainStep(model, config, images, labels, Pixels(data.mean, data.std, dtype), average, forward)
    return step, model, average


def start_epoch(step: TrainStep, config: TrainConfig, count: int, epoch: int) -> None:
    steps = -(-count // config.batch_size)
    before = (epoch - 1) * steps
    rates = [learning_rate(config, before + index, steps) for index in range(steps)]
    momenta = [momentum_of(config, before + index, steps) for index in range(steps)] if cycles_momentum(config) else []
    step.start_epoch([draw_epoch(config, count, epoch)], [rates], before, momenta)


def train_with(
    config: TrainConfig, data: Dataset, dtype: torch.dtype = torch.float32, engine: Engine | None = None
) -> Trained:
    """The config's training, its steps executed by an engine: eagerly where none is named."""
    engine = engine or EagerEngine()
    step, model, average = make_step(config, data, dtype, engine)
    count = len(data.train_labels)
    trained = Trained({}, {}, {})
    model.train()
    start_epoch(step, config, count, 1)
    engine.prepare(step)
    for epoch in range(1, config.epochs + 1):
        start_epoch(step, config, count, epoch)
        seed_dropout(config, epoch)
        for first in range(0, count, config.batch_size):
            engine.run(step, min(config.batch_size, count - first))
            trained.rates.append(float(step._lr))
    trained.weights = copy_weights(model)
    trained.average = copy_weights(average.model) if average else {}
    prefix = "momentum."
    trained.momentum = {n.removeprefix(prefix): t for n, t in step.state().items() if n.startswith(prefix)}
    (totals,) = step.totals()
    trained.loss, trained.correct = totals.loss, totals.correct
    return trained


def assert_follows(trained: Trained, plain: Trained, tolerance: float) -> None:
    """Each tensor within the tolerance, relative to its size as a whole."""
    rates = torch.tensor([trained.rates, plain.rates], dtype=torch.float64)
    torch.testing.assert_close(rates[0], rates[1], rtol=min(tolerance, 1e-7), atol=1e-12)
    expected = plain.tensors()
    assert trained.tensors().keys() == expected.keys()
    for name, tensor in trained.tensors().items():
        error = torch.linalg.vector_norm(tensor.double() - expected[name].double())
        assert error <= tolerance * torch.linalg.vector_norm(expected[name].double()), name
    assert abs(trained.loss - plain.loss) <= tolerance * plain.loss
