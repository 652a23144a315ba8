"""Advice in the interface's own terms: errors give it in those of the command line."""

from __future__ import annotations

import re
from pathlib import PurePath

from core.events import RunFailed
from core.models.spec import is_user_module

_TERMS = (
    (r"raise it with --max-epochs", "raise Max epochs under Advanced"),
    (r"raise the budget with --max-params", "raise Max parameters under Advanced"),
    (r"lift both budgets with --no-budget", "turn Budget off there"),
    (r"a lower --lr\b", "a lower learning rate"),
    (r"a smaller --batch-size\b", "a smaller batch size"),
    (r"choose another one with --home", "start mnist-tui with --home and another one"),
    (r"use --device auto", "set Device to auto"),
    (r"use --engine auto", "set Engine to auto"),
    (r"use --precision fp32, or --device cuda where there is one", "set Precision to fp32"),
    (r"choose a writable folder with --data-dir", "start mnist-tui with --data-dir and a writable folder"),
    (r"name their root with --data-dir", "start mnist-tui with --data-dir and their root"),
    (r"mnist-tui data download", "in a shell: mnist-tui data download"),
    (r"mnist-tui archs explains every layer", "F1 explains the layers"),
    (r"mnist-tui watch \S+?(?=,|$)", "open it from Runs to follow it"),
    (r"then mnist-tui resume", "then go on with c"),
    (r"mnist-tui resume \S+ trains it on", "c in Runs trains it on"),
    (r"mnist-tui runs lists them", "Runs (3) lists them"),
    (r"mnist-tui (?=verify|show)", "in a shell: mnist-tui "),
)


def in_own_terms(advice: str) -> str:
    """A hint with fields and keys for flags and commands, where the interface has them."""
    for pattern, words in _TERMS:
        advice = re.sub(pattern, words, advice)
    return advice


def what_failed(end: RunFailed) -> str:
    """The error, for a line that has named the epoch already."""
    return end.error.removesuffix(f" in epoch {end.epoch}")


def arch_in_short(arch: str) -> str:
    """An architecture where there is no room for the path of a user's own module."""
    return PurePath(arch).name if is_user_module(arch) else arch
