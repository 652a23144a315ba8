"""A word before a command that has much to read, so that nobody takes it to be stuck."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from experiments.runs.eventlog import reading
from experiments.runs.folder import Run
from tui.text.output import note

LARGE = 50_000_000
"""Bytes of logs that take about a second to read."""


@contextmanager
def reading_logs(runs: Iterable[Run]) -> Iterator[None]:
    """Say how much there is to read within the block, where it takes seconds; on a terminal also how it goes on."""
    size = 0
    for run in runs:
        with suppress(OSError):
            size += run.log.lstat().st_size
    if size <= LARGE:
        yield
        return
    note(f"reading {size // 1_000_000:,} MB of logs...")
    from tqdm import tqdm

    hidden = sys.stderr is None or not sys.stderr.isatty()
    with tqdm(total=size, unit="B", unit_scale=True, desc="read", leave=False, disable=hidden) as bar:
        token = reading.set(bar.update)
        try:
            yield
        finally:
            reading.reset(token)
