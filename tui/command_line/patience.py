"""A word before a command that has much to read, so that nobody takes it to be stuck."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from experiments.runs.folder import Run
from tui.text.output import note

LARGE = 50_000_000
"""Bytes of logs that take about a second to read."""


def note_large_logs(runs: Iterable[Run]) -> None:
    """Say how much there is to read, where it takes seconds."""
    size = 0
    for run in runs:
        with suppress(OSError):
            size += run.log.lstat().st_size
    if size > LARGE:
        note(f"reading {size // 1_000_000:,} MB of logs...")
