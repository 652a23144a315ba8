"""The layer table of a user's own module, found in the background, as its code has to be run for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from core.config import TrainConfig
from core.models.reference import split_reference
from core.models.spec import is_user_module
from core.models.summary import Summary
from tui.live.forms.module_file import module_problem
from tui.live.task import BackgroundTask

if TYPE_CHECKING:
    from core.errors import ShouldStop
    from tui.live.task import Report


class ModuleExamination:
    """What was found of the module that was asked for last, as long as its file is as it was then."""

    def __init__(self) -> None:
        self._key: object = None
        self._task: BackgroundTask[Summary] | None = None

    @property
    def under_way(self) -> bool:
        return self._task is not None and not self._task.done.is_set()

    def begin(self, arch: str, *, whole_file: bool, again: bool = False) -> None:
        """Run the code of a module in a process of its own, unless that is being done, or has been done and is not to
        be done again; give up on another one."""
        key = _key(arch, whole_file)
        if key is None or (key == self._key and (self.under_way or not again)):
            return
        self.give_up()
        self._key = key

        def work(should_stop: ShouldStop, _report: Report) -> Summary:
            from experiments.execution.apart import examine

            values = {"arch": arch, "run_whole_file": whole_file, "budget": False}
            return examine(TrainConfig.checked(values), should_stop).summary

        self._task = BackgroundTask("examine module", work)

    def give_up(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._key, self._task = None, None

    def found(self, arch: str, *, whole_file: bool) -> Summary | str | None:
        """The layer table, or what is wrong with the module; None while neither is known."""
        if self._task is None or not self._task.done.is_set() or _key(arch, whole_file) != self._key:
            return None
        if self._task.result is not None:
            return self._task.result
        return self._task.problem().partition(": ")[2] or self._task.problem()


def _key(arch: str, whole_file: bool) -> object:
    """What the answer depends on: equal as long as it holds; None for what cannot be examined."""
    if not is_user_module(arch) or module_problem(arch):
        return None
    try:
        state = Path(split_reference(arch)[0]).expanduser().stat()
    except OSError:
        return None
    return arch, whole_file, state.st_mtime_ns, state.st_size
