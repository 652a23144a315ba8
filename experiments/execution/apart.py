"""Somebody's own module in a process of its own, so that nothing that its code does ends this one.

Code from a file may leave by `os._exit`, crash, fork, block signals, write to any stream, or never return. What it was
asked for comes back through a pipe as JSON, or the reason why it does not.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from core.advice import Advice
from core.config import TrainConfig
from core.data.task_of import task_of
from core.errors import InvalidValue, LabError, ShouldStop, Stopped
from core.events import RunFinished, RunStopped
from core.models.own.files import OwnFiles
from core.models.spec import is_user_module
from core.models.summary import Summary
from core.task import ImageTask
from core.training.range_curve import RangeTest
from experiments.execution.executor import STOP_PATIENCE
from experiments.execution.fleet import POLL
from experiments.execution.lr_find import RangeStep, range_test, step_of
from experiments.execution.own_process import serve_module
from experiments.execution.records import error_of, files_of, files_record, summary_of
from experiments.execution.runner import Runner
from experiments.execution.spawning import signals_held_back, worker_context
from experiments.execution.supervision import lost
from experiments.execution.translating import FoundSpec
from experiments.runs.config import stored_config, stored_task
from experiments.runs.eventlog import Entry, EventReader
from experiments.runs.folder import Run, RunSpec
from experiments.runs.own_code import named_code
from experiments.runs.owner import Owner
from experiments.runs.view import RunView, fold, reduce

PATIENCE = 300.0
"""Seconds without a word after which code that has not returned is given up."""
GRACE = 2.0
"""Seconds to end in, for a process that has not begun a run: it has nothing to save."""


@dataclass(frozen=True, slots=True)
class Examined:
    """The layer table of a user's own module, and the code that it was loaded from."""

    summary: Summary
    source: OwnFiles | None


def examine(
    config: TrainConfig,
    should_stop: ShouldStop = lambda: "",
    runner: Runner | None = None,
    files: OwnFiles | None = None,
    task: ImageTask | None = None,
) -> Examined:
    """What a config's own module is, found in a process of its own.

    Args:
        files: its code, in place of what lies on the disk.
        runner: where its data set is to be found, to try the training of the module, too.
        task: what the data set asks of it, where that is known already.

    Raises:
        InvalidValue, OverBudget: for a module that cannot be trained, and what its code did to its process.
        LabError: for a data set or a device that is not there.
        Stopped: when asked to.
    """
    found = _ask("examine", config, should_stop, runner, files, task)
    return Examined(summary_of(found["summary"]), files_of(found["source"]))


def try_code(run: Run, arch: str | None, should_stop: ShouldStop = lambda: "") -> None:
    """Run the code of a run's own module in a process of its own first, so that what it does to its process is told,
    before this process loads it. Does nothing where `arch`, as in `named_code`, does not allow to run it.

    Raises:
        InvalidValue, Stopped: as `examine`.
    """
    if arch is None:
        return
    try:
        view = run.view()
        code, task = named_code(run, stored_config(run, view), arch), stored_task(run, view)
    except LabError:
        return  # whoever loads it says so
    if is_user_module(code.config.arch):
        examine(code.config.model_copy(update={"budget": False}), should_stop, files=code.files, task=task)


def find_spec(
    arch: str, should_stop: ShouldStop = lambda: "", *, run_whole_file: bool = False, dataset: str = "auto"
) -> FoundSpec:
    """The spec that equals the module of ``FILE.py:CLASS``, of any number of parameters, on images of a data set; its
    code is run in a process of its own.

    Raises:
        InvalidValue: for a module that cannot be loaded, or does not map images to logits.
        Stopped: when asked to.
    """
    values = {"arch": arch, "run_whole_file": run_whole_file, "dataset": dataset, "budget": False}
    config = TrainConfig.checked(values)
    found = _ask("translate", config, should_stop)
    return FoundSpec(**{**found, "obstacles": tuple(found["obstacles"]), "notes": tuple(found["notes"])})


def _ask(
    what: str,
    config: TrainConfig,
    should_stop: ShouldStop,
    runner: Runner | None = None,
    files: OwnFiles | None = None,
    task: ImageTask | None = None,
) -> Mapping[str, Any]:
    task = task or task_of(config.dataset)
    order = {"do": what, "config": config.model_dump(), "files": files_record(files), "task": [task.size, task.classes]}
    child = _Child(config.arch, order, runner)
    try:
        while True:
            if reason := should_stop():
                raise Stopped(reason)
            if message := child.next_word(POLL):
                return message
    finally:
        child.end(0.0)


def find_rate(runner: Runner, config: TrainConfig, test: RangeTest) -> Iterator[RangeStep]:
    """`range_test`, for a user's own module in a process of its own."""
    runner.check_network(config)
    if not is_user_module(config.arch):
        yield from range_test(runner, config, test)
        return
    child = _Child(config.arch, {"do": "range test", "config": config.model_dump(), "test": asdict(test)}, runner)
    try:
        while True:
            Stopped.check(runner.should_stop)
            message = child.next_word(POLL) or {}
            if "done" in message:
                return
            if message:
                yield step_of(message)
    finally:
        child.end(0.0)


def train_new(runner: Runner, spec: RunSpec) -> Iterator[Entry]:
    """`Runner.run`, for a user's own module in a process of its own."""
    if not is_user_module(spec.config.arch):
        return runner.run(spec.config, spec.meta, spec.files)
    spec = replace(spec, config=runner.teachers.settled(runner.store, spec.config))
    files = spec.files or runner.first_read.of(spec.config)
    runner.check(spec.config, files)
    order = {"do": "run", "config": spec.config.model_dump(), "meta": spec.meta.to_json(), "files": files_record(files)}
    return _train(runner, spec.config.arch, order, None)


def make_all_new(runner: Runner, specs: Sequence[RunSpec]) -> list[Run]:
    """`Runner.create_all`, which has to know the code of own modules; they are loaded in a process of their own."""
    for spec in specs:
        if is_user_module(spec.config.arch) and spec.files is None and runner.first_read.of(spec.config) is None:
            runner.check(spec.config)
            runner.first_read.keep(spec.config, examine(spec.config, runner.should_stop).source)
    return runner.create_all(specs)


def train_on(
    runner: Runner, run: Run, *, epochs: int | None = None, arch: str | None = None, no_budget: bool = False
) -> Iterator[Entry]:
    """`Runner.resume`, for a user's own module in a process of its own."""
    options = {"epochs": epochs, "arch": arch, "no_budget": no_budget}
    own = str(run.config().get("arch", ""))
    if not is_user_module(own):
        return runner.resume(run, epochs=epochs, arch=arch, no_budget=no_budget)
    runner.check_resumable(run, epochs=epochs, arch=arch, no_budget=no_budget)
    return _train(runner, arch or own, {"do": "resume", "run": run.id, "options": options}, run)


def _train(runner: Runner, arch: str, order: Mapping[str, Any], run: Run | None) -> Iterator[Entry]:
    """Yield the entries of a run as its process writes them down; what ends that process ends the run, not this one."""
    log = EventReader(run.log) if run is not None else None
    before = fold(log.poll()) if log is not None else RunView()
    view = replace(before, end=None)
    child = _Child(arch, order, runner, run)
    stopping, deadline = "", float("inf")
    try:
        while True:
            if not stopping and (reason := runner.should_stop() or ("stop" if _wants_stop(run) else "")):
                stopping = reason
                deadline = time.monotonic() + (STOP_PATIENCE if child.begun else GRACE)
                child.stop(reason)
            try:
                message = child.next_word(POLL)
            except InvalidValue as gone:
                for entry in log.poll() if log is not None else ():
                    view = reduce(view, entry)
                    yield entry
                if isinstance(before.end, RunFinished) and view.resumed_at == before.resumed_at:
                    run = None  # it keeps its result
                if view.end is None:
                    yield from _without_end(run, view, gone, stopping)
                return
            if message and "begun" in message:
                run = runner.store.run(message["begun"])
                if "config" in order:
                    runner.first_read.keep(TrainConfig.model_validate(order["config"]), files_of(message["source"]))
                log = log or EventReader(run.log)
            for entry in log.poll() if log is not None else ():
                view = reduce(view, entry)
                yield entry
            if message and "done" in message:
                return
            if time.monotonic() > deadline:
                child.end(0.0)
    finally:
        child.end(STOP_PATIENCE if child.begun and view.end is None else GRACE)


def _wants_stop(run: Run | None) -> bool:
    return run is not None and run.wants_stop()


def _without_end(run: Run | None, view: RunView, gone: InvalidValue, stopping: str) -> Iterator[Entry]:
    """The end of a run whose process is gone, which that could not write down."""
    if run is None or view.started is None:
        if stopping:
            raise Stopped(stopping)
        raise gone
    if not stopping:
        yield lost(run, view, gone.allowed)
        return
    with run.open_log() as log:  # it did not answer, and goes on from its last checkpoint
        entry = log.append(
            RunStopped(epoch=view.progress.epoch if view.progress else view.epochs_done, reason=stopping)
        )
    run.release()
    yield entry


class _Child:
    """The process, as this one sees it."""

    def __init__(self, arch: str, order: Mapping[str, Any], runner: Runner | None, run: Run | None = None) -> None:
        self._arch = arch
        self._runner = runner
        context = worker_context()
        self._pipe, theirs = context.Pipe()
        args = (theirs, runner and runner.locations, str(Path.cwd()), dict(os.environ))
        self._process = context.Process(target=serve_module, args=args, name="own module")
        self._process.daemon = True
        with signals_held_back():
            self._process.start()
        theirs.close()
        if run is not None:
            run.forget_stop()
            run.hand_over(Owner.of(self._process.pid or 0))
        self.begun = False
        self._heard = time.monotonic()
        self._send({**order, "arch": arch})

    def next_word(self, seconds: float) -> Mapping[str, Any] | None:
        """The next message within so many seconds, if there is one.

        Raises:
            LabError: which the process met before there was a run.
            InvalidValue: when it is gone, or has said nothing for too long.
        """
        if not self._pipe.closed and self._pipe.poll(seconds):
            try:
                message: dict[str, Any] = json.loads(self._pipe.recv_bytes())
            except (EOFError, OSError):
                self.end(GRACE)
                raise self._gone() from None
            self._heard = time.monotonic()
            if "error" in message:
                raise error_of(message["error"])
            if "progress" in message:
                if self._runner is not None:
                    self._runner.progress(*message["progress"])
                return None
            self.begun = self.begun or "begun" in message
            return message
        if self._pipe.closed or (self._process.exitcode is not None and not self._pipe.poll(0)):
            self.end(0.0)
            raise self._gone()
        if not self.begun and time.monotonic() - self._heard > PATIENCE:
            self.end(0.0)
            hint = "look for a loop that does not end, at the top level of the file, in the constructor or in forward"
            raise InvalidValue("arch", self._arch, f"its code has not returned for {PATIENCE:.0f} s", hint=hint)
        return None

    def stop(self, reason: str) -> None:
        self._send({"stop": reason})

    def end(self, patience: float) -> None:
        """Close the pipe, which the process takes for the end, and kill it when it has not ended in so many seconds."""
        self._pipe.close()
        self._process.join(patience)
        self._process.kill()
        self._process.join()

    def _send(self, message: Mapping[str, Any]) -> None:
        with suppress(OSError):  # it is gone, as `next_word` will tell
            self._pipe.send_bytes(json.dumps(message).encode())

    def _gone(self) -> InvalidValue:
        code = self._process.exitcode or 0
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"left with exit code {code}"
        hint = "its code may call os._exit, have crashed, or have used up the memory; run the file with python to see"
        return InvalidValue("arch", self._arch, f"the process that ran its code {how}", hint=Advice(hint))
