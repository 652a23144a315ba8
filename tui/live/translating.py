"""Finds the spec of a user's own module for a screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import ShouldStop
from tui.live.task import BackgroundTask, Report

if TYPE_CHECKING:
    from experiments.execution.translating import FoundSpec


class Translating(BackgroundTask["FoundSpec"]):
    """Looks for the spec that equals the module of ``FILE.py:CLASS``."""

    def __init__(self, arch: str, *, run_whole_file: bool, dataset: str = "auto") -> None:
        self.arch = arch

        def find(stop: ShouldStop, _: Report) -> FoundSpec:
            from experiments.execution.apart import find_spec

            return find_spec(arch, stop, run_whole_file=run_whole_file, dataset=dataset)

        super().__init__("translate", find)
