"""Configs drawn over everything that a run can be, for small images that are learnt in a moment."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import own_data

from core.config import AUGMENTATIONS, TrainConfig
from core.errors import InvalidValue
from core.models.network import summarize_config
from core.task import ImageTask
from core.training.failures import check_last_batch

TASK = ImageTask(12, 3)
SPECS = (
    "c4 p2 c6 gap fc3",
    "c4p1b0r p2 s8 d0.1 gap fc3",
    "c6k5s2 gn3 silu dc0.2 c3l gap",
    "c4n p3s2p1 res(c4p1b0r c4p1l) relu fc3",
    "a2 tie2(c1p1 d0.1) in fc6 bn fc3",
    "fc8l ln gelu fc3",
    "c8 c8 p2 c3k4l",
)
MODULE = """
import random

import numpy
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(1)
        self.dense = nn.Linear(144, 3)

    def forward(self, x):
        if self.training:  # what no spec says, with numbers that torch does not draw
            x = x * (1 + 0.1 * random.random()) + 0.1 * numpy.random.rand()
        return self.dense(self.norm(x).flatten(1))
"""
ENGINES = ("eager", "eager", "native", "native", "auto", "replay")


@dataclass(frozen=True, slots=True)
class Recipe:
    """A run: its config, how its steps are executed ("replay" as a graph would), and on how many threads."""

    config: TrainConfig
    engine: str
    threads: int


def write_data(folder: Path) -> Path:
    images, labels = own_data.draw(260, TASK.size, TASK.classes)
    parts = {"x_train": images[:200], "y_train": labels[:200], "x_test": images[200:], "y_test": labels[200:]}
    return own_data.write_npz(folder / "squares.npz", **parts)


def write_module(folder: Path) -> str:
    """Write a module of one's own; returns it as a config names it."""
    (folder / "own.py").write_text(MODULE)
    return f"{folder / 'own.py'}:Net"


def draw_recipe(rng: random.Random, data: Path, module: str, teacher: str, threads: int) -> Recipe:
    """A run that can be trained. `teacher` is a finished run on the same data, `threads` the most to compute on."""
    while True:
        engine = rng.choice(ENGINES)
        values = _draw(rng, module, teacher) | {
            "dataset": str(data),
            "engine": "eager" if engine == "replay" else engine,
        }
        try:
            config = TrainConfig.checked(values)
            if config.arch != module:
                check_last_batch(config, config.limit_train - config.val_split, summarize_config(config, TASK))
        except InvalidValue:
            continue
        return Recipe(config, "eager" if config.arch == module else engine, rng.choice([1, 1, 1, 1, threads]))


def _draw(rng: random.Random, module: str, teacher: str) -> dict[str, object]:
    optimizer = rng.choice(["sgd", "sgd", "adam", "adamw", "rmsprop", "muon"])
    schedule = rng.choice(["constant", "onecycle", "cosine", "step", "multistep", "plateau"])
    average = rng.choice(["", "", "ema", "swa"])
    values: dict[str, object] = {
        "arch": module if rng.random() < 0.1 else rng.choice(SPECS),
        "epochs": rng.randint(1, 4),
        "batch_size": rng.choice([16, 24, 32, 50, 64]),
        "limit_train": rng.randint(70, 140),
        "limit_test": rng.randint(20, 60),
        "seed": rng.randrange(1000),
        "device": "cpu",
        "optimizer": optimizer,
        "lr": rng.choice([0.003, 0.01, 0.03] if optimizer != "sgd" else [0.02, 0.05, 0.1]),
        "momentum": rng.choice([0.0, 0.8, 0.9]),
        "nesterov": rng.random() < 0.3,
        "weight_decay": rng.choice([0.0, 0.01, 0.1]),
        "decay": rng.choice(["all", "weights"]),
        "l1": rng.choice([0.0, 0.0, 1e-4]),
        "clip_norm": rng.choice([0.0, 0.5, 2.0]),
        "schedule": schedule,
        "warmup_epochs": rng.choice([0.0, 0.0, 0.5, 1.3]),
        "anneal": rng.choice(["cos", "linear"]),
        "three_phase": rng.random() < 0.3,
        "cycle_momentum": rng.random() < 0.5,
        "step_size": rng.randint(1, 2),
        "milestones": rng.choice(["1", "1,2", "2,3"]),
        "gamma": rng.choice([0.3, 0.7]),
        "patience": rng.randint(0, 1),
        "threshold": rng.choice([1e-4, 0.3, 0.9]),
        "min_lr": rng.choice([0.0, 1e-3]),
        "augment": ",".join(rng.sample(AUGMENTATIONS, rng.choice([0, 0, 1, 1, 2, 4]))) or "none",
        "crop": 1,
        "dropout": rng.choice([0.0, 0.0, 0.2]),
        "label_smoothing": rng.choice([0.0, 0.1]),
        "ema": average == "ema",
        "ema_decay": rng.choice([0.8, 0.95]),
        "swa": average == "swa",
        "swa_start": rng.choice([0.0, 0.5, 0.75]),
        "tta": rng.choice(["none", "none", "shift", "affine"]),
        "val_split": rng.choice([0, 0, 20, 33]),
        "target": rng.choice([60.0, 90.0, 99.4]),
        "stop_at_target": rng.random() < 0.2,
        "early_stop": rng.choice([0, 0, 1, 2]),
        "precision": rng.choice(["fp32", "fp32", "fp32", "bf16"]),
        "max_params": 100_000,
    }
    if values["arch"] == module:
        values["dropout"] = 0.0
    return values | ({"teacher": teacher, "teacher_weight": 0.6} if rng.random() < 0.2 else {})
