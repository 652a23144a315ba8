"""Optimizers with options, as changes to a small config: what engines, groups and checkpoints must follow."""

from __future__ import annotations

from typing import Any

OPTIMIZER_RECIPES: dict[str, dict[str, Any]] = {
    "sgd, clipped": {"nesterov": True, "weight_decay": 0.01, "decay": "weights", "clip_norm": 0.5},
    "adam": {"optimizer": "adam", "lr": 0.003, "l1": 1e-4, "clip_norm": 0.5},
    "adamw": {"optimizer": "adamw", "lr": 0.003, "schedule": "cosine", "weight_decay": 0.1, "decay": "weights"},
    "rmsprop": {"optimizer": "rmsprop", "lr": 0.001, "weight_decay": 0.01, "l1": 1e-4},
    "muon": {
        "optimizer": "muon",
        "lr": 0.02,
        "schedule": "onecycle",
        "nesterov": True,
        "weight_decay": 0.1,
        "clip_norm": 0.5,
    },
}
