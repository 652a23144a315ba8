"""A few words on runs that both front ends use."""

from __future__ import annotations

from pathlib import PurePath

from core.events import RunFailed
from core.models.reference import split_reference
from core.models.spec import is_user_module


def what_failed(end: RunFailed) -> str:
    """The error, for a line that has named the epoch already."""
    return end.error.removesuffix(f" in epoch {end.epoch}")


def arch_in_short(arch: str) -> str:
    """An architecture where there is no room for the path of a user's own module."""
    if not is_user_module(arch):
        return arch
    file, call = split_reference(arch)
    return f"{PurePath(file).name}:{call}"
