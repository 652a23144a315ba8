"""Finds the spec of a user's own module for a screen."""

from __future__ import annotations

from experiments.execution.apart import find_spec
from experiments.execution.translating import FoundSpec
from tui.live.task import BackgroundTask


class Translating(BackgroundTask[FoundSpec]):
    """Looks for the spec that equals the module of ``FILE.py:CLASS``."""

    def __init__(self, arch: str, *, run_whole_file: bool, dataset: str = "auto") -> None:
        self.arch = arch
        super().__init__(
            "translate", lambda stop, _: find_spec(arch, stop, run_whole_file=run_whole_file, dataset=dataset)
        )
