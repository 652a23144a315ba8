"""A few words on runs that both front ends use."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from core.events import RunFailed, RunStopped
from core.models.reference import split_reference
from core.models.spec import is_user_module
from core.models.summary import Summary
from tui.text.output import counted, percent


def what_failed(end: RunFailed) -> str:
    """The error, for a line that has named the epoch already."""
    return end.error.removesuffix(f" in epoch {end.epoch}")


def stopped_in_words(end: RunStopped) -> str:
    """``stopped in epoch 3: SIGINT``."""
    return f"stopped {f'in epoch {end.epoch}' if end.epoch else 'before the first epoch'}: {end.reason}"


def arch_in_short(arch: str) -> str:
    """An architecture where there is no room for the path of a user's own module."""
    if not is_user_module(arch):
        return arch
    file, call = split_reference(arch)
    return f"{PurePath(file).name}:{call}"


def unused_in_words(summary: Summary) -> str:
    """``forward never uses old (890 parameters), which counts in the budget; 970 are used``."""
    named = ", ".join(f"{name} ({counted(count, 'parameter')})" for name, count in summary.unused.items())
    several = len(summary.unused) > 1
    used = summary.total_params - sum(summary.unused.values())
    return f"forward never uses {named}, which count{'s' * (not several)} in the budget; {used:,} are used"


def odd_in_words(summary: Summary) -> str:
    """What a user should know of a module of their own: what it never uses, and what is odd about its outputs."""
    unused = (unused_in_words(summary),) if summary.unused else ()
    return "; ".join((*unused, *summary.remarks))


def budget_in_words(total: int | None, budget: int | None) -> str:
    """``19,458 of 20,000, 542 left``."""
    if total is None:
        return "parameters are counted when the run starts"
    if budget is None:
        return f"{total:,} parameters, no budget"
    left = budget - total
    return f"{total:,} of {budget:,}, " + (f"{left:,} left" if left >= 0 else f"{-left:,} over the budget")


def reported_in_words(found: Mapping[str, Any]) -> str:
    """The accuracy reported for a preset: mean over seeds after the last epoch, or the best epoch of one run; a dash
    where nothing was measured."""
    if "seeds" in found:
        return f"{percent(found.get('final_test_accuracy'))} (mean of {found['seeds']})"
    best = found.get("best_test_accuracy")
    return "-" if best is None else f"{percent(best)} (best)"
