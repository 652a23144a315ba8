"""Writes a report into the home, from the interface."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import StorageError, reason_of
from core.storage.trust import make_private_folder
from tui.live.lab import Lab

if TYPE_CHECKING:
    from experiments.reports.templated import Template


def write_report(lab: Lab, template: Template, references: Sequence[str]) -> Path:
    """Write a report of runs and groups, named after the first, into ``<home>/reports``; one that is there stays.
    For a thread.

    Raises:
        LabError: when a run is gone or damaged, or the folder cannot be written.
    """
    from experiments.export.formats import save  # takes torch, which a list of runs can do without
    from experiments.reports.page import find_part
    from experiments.reports.templated import page_of

    parts = [find_part(lab.store, reference) for reference in references]
    folder = lab.locations.home / "reports"
    try:
        make_private_folder(folder)
    except OSError as error:
        raise StorageError(f"{folder}: cannot be written: {reason_of(error)}", hint="free some space there") from error
    stem = re.sub(r"[^\w.-]+", "-", parts[0].name).strip("-.")[:60] or parts[0].id
    names = (f"{stem}-{template}{f'-{number}' if number > 1 else ''}.html" for number in count(1))
    target = next(folder / name for name in names if not (folder / name).exists())
    save(target, lambda: page_of(template, parts, lab.locations), force=False)
    return target
