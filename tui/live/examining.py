"""What is found of a user's own in the background: a module's layer table, for which its code is run, and what data
ask of a network, for which files are looked at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from core.config import TrainConfig
from core.data.task_of import task_of
from core.dataset_names import TASKS, name_of
from core.models.reference import split_reference
from core.models.spec import is_user_module
from core.models.summary import Summary
from core.task import MNIST_TASK, ImageTask
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

    def begin(self, arch: str, *, whole_file: bool, dataset: str = "auto", again: bool = False) -> None:
        """Run the code of a module in a process of its own, unless that is being done, or has been done and is not to
        be done again; give up on another one."""
        key = _key(arch, whole_file, dataset)
        if key is None or (key == self._key and (self.under_way or not again)):
            return
        self.give_up()
        self._key = key

        def work(should_stop: ShouldStop, _report: Report) -> Summary:
            from experiments.execution.apart import examine

            values = {"arch": arch, "run_whole_file": whole_file, "dataset": dataset, "budget": False}
            return examine(TrainConfig.checked(values), should_stop).summary

        self._task = BackgroundTask("examine module", work)

    def give_up(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._key, self._task = None, None

    def found(self, arch: str, *, whole_file: bool, dataset: str = "auto") -> Summary | str | None:
        """The layer table, or what is wrong with the module; None while neither is known."""
        if self._task is None or not self._task.done.is_set() or _key(arch, whole_file, dataset) != self._key:
            return None
        if self._task.result is not None:
            return self._task.result
        return self._task.problem().partition(": ")[2] or self._task.problem()


class DataLook:
    """What the data set of a form asks of a network. Of known ones that is known; one's own are looked at once, in the
    background, however often somebody asks."""

    def __init__(self) -> None:
        self.dataset = "auto"
        self.task = MNIST_TASK
        """What it asks, or what the one before it did as long as nobody knows."""
        self._looking: BackgroundTask[ImageTask] | None = None

    @property
    def waits(self) -> bool:
        """Whether it is one's own that has not been looked at."""
        return self.dataset not in TASKS and self._looking is None

    @property
    def under_way(self) -> bool:
        return self._looking is not None and not self._looking.done.is_set()

    def turn_to(self, dataset: str) -> None:
        """Another data set is named, or the same again."""
        if dataset != self.dataset:
            self.dataset, self._looking = dataset, None
            self.task = TASKS.get(dataset, self.task)

    def begin(self) -> None:
        """Look at the files, again if that has been done; the answer is there when this is no more `under_way`."""
        if (dataset := self.dataset) not in TASKS and not self.under_way:
            self._looking = BackgroundTask("look at data", lambda _stop, _report: task_of(dataset))

    def settle(self) -> None:
        """Take what was found."""
        if self._looking is not None and self._looking.done.is_set() and self._looking.result is not None:
            self.task = self._looking.result

    @property
    def problem(self) -> str:
        """Why no network can be for it; empty when one can."""
        if self.waits or self.under_way:
            return f"looking at {name_of(self.dataset)}..."
        return self._looking.problem() if self._looking is not None else ""


def _key(arch: str, whole_file: bool, dataset: str) -> object:
    """What the answer depends on: equal as long as it holds; None for what cannot be examined."""
    if not is_user_module(arch) or module_problem(arch):
        return None
    try:
        state = Path(split_reference(arch)[0]).expanduser().stat()
    except OSError:
        return None
    return arch, whole_file, dataset, state.st_mtime_ns, state.st_size
