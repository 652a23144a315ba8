"""Which learning rates are usual with which optimizer."""

from __future__ import annotations

from core.config import TrainConfig

USUAL_RATES = {"sgd": 0.03772, "adam": 0.003, "adamw": 0.003, "rmsprop": 0.0003, "muon": 0.02}
"""Rates that were good for the networks here, each with the default momentum and betas."""
TOO_FAR = 5.0
"""A rate so many times the usual one is worth a word."""


def note_on_rate(config: TrainConfig) -> str:
    """A sentence for a run whose optimizer was changed while the learning rate stayed sgd's; else nothing."""
    usual = USUAL_RATES[config.optimizer]
    if config.lr != TrainConfig.model_fields["lr"].default or config.lr < TOO_FAR * usual:
        return ""
    return f"the learning rate, {config.lr:g}, is one for sgd; with {config.optimizer} about {usual:g} is usual"
