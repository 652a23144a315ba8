"""Lives of a run that is stopped, killed and extended at random, held against one that was left in peace."""

from __future__ import annotations

import random
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from random_runs import TASK, Recipe, draw_recipe, write_data, write_module
from replay_engine import ReplayEngine
from safetensors.torch import load_file

from core.config import TrainConfig
from core.engines.engine import BY_BATCH
from core.errors import Stopped
from core.events import EpochFinished, RunFailed, RunFinished, RunStarted, RunStopped, StepProgress
from core.grouped.network import grouping_obstacle
from core.models.spec import is_user_module
from core.storage.checkpoint import load_checkpoint
from experiments.execution.grouped_runs import train_group
from experiments.execution.runner import Runner
from experiments.locations import Locations
from experiments.runs.config import EXTENDED
from experiments.runs.eventlog import EventReader
from experiments.runs.folder import Run, RunSpec
from experiments.runs.store import Store
from experiments.verification.verify import verify

FILE_EVENTS = frozenset({"open", "os.rename", "os.remove", "os.truncate", "os.utime"})
TORN = b'{"event": "step_progress", "time": "2026-'
WAYS = ("stop", "stop", "kill", "kill", "interrupt", "abandon", "defect")


class Killed(BaseException):
    """The process would be gone here."""


class Kills:
    """At a file operation in a home: copies the home as a process that is killed there would leave it, and goes on no
    further."""

    def __init__(self) -> None:
        self._home: Path | None = None
        self._to = Path()
        self._left = 0
        self.count = 0
        sys.addaudithook(self._look)  # which cannot be taken away again

    @contextmanager
    def at(self, number: int, home: Path, to: Path) -> Iterator[None]:
        """Within the block the operation of that number, from 1, is one too many; 0 for none."""
        self._home, self._to, self._left, self.count = home, to, number, 0
        try:
            yield
        finally:
            self._home = None

    def _look(self, event: str, args: tuple[object, ...]) -> None:
        home = self._home
        if home is None or event not in FILE_EVENTS or not any(str(home) in str(argument) for argument in args):
            return
        self.count += 1
        if self.count == self._left:
            self._home = None
            shutil.copytree(home, self._to)
            raise Killed


@dataclass(frozen=True, slots=True)
class Size:
    """What a whole life of a run has of everything at which it can be disturbed."""

    questions: int
    operations: int
    events: int


class Lives:
    """Trains runs in homes of a folder. `teacher_home` has the run that some of them learn from."""

    def __init__(self, folder: Path, data: Path, cache: Path, teacher_home: Path, kills: Kills) -> None:
        self._folder, self._data, self._cache, self._teacher_home = folder, data, cache, teacher_home
        self._kills = kills
        self._homes = 0

    def undisturbed(self, recipe: Recipe) -> tuple[Run, Locations, Size]:
        locations = self._new_home(recipe)
        questions = 0

        def never() -> str:
            nonlocal questions
            questions += 1
            return ""

        with _as(recipe), self._kills.at(0, locations.home, self._folder):
            events = _take(Runner(locations, never).run(recipe.config), -1)
        (run,) = self._made(locations)
        return run, locations, Size(questions, self._kills.count, events)

    def disturbed(self, recipe: Recipe, size: Size, rng: random.Random) -> tuple[Run, Locations, list[str]]:
        """A run of the same recipe, disturbed up to three times and then left to end; and what was done to it."""
        locations, told = self._new_home(recipe), []
        run: Run | None = None
        for _ in range(rng.choice([1, 1, 2, 3])):
            way = rng.choice(WAYS)
            locations, run, happened = self._disturb(recipe, locations, run, way, size, rng)
            told.append(happened)
            if run is not None and isinstance(run.view().end, RunFinished):
                return run, locations, told
        self._live(recipe, locations, run, rng, lambda: "")
        (run,) = [run] if run is not None else self._made(locations)
        return run, locations, told

    def extended(self, recipe: Recipe, rng: random.Random) -> tuple[Run, Locations, TrainConfig] | None:
        """A run that has finished and is then extended to what the recipe has, stopped once meanwhile, and the config
        that this comes to; None where it cannot be extended."""
        config = recipe.config
        if config.epochs < 2 or config.swa or config.schedule in ("onecycle", "cosine"):
            return None
        short = config.model_copy(update={"epochs": rng.randint(1, config.epochs - 1), "warmup_epochs": 0.0})
        run, locations, _ = self.undisturbed(replace(recipe, config=short))
        if not isinstance(run.view().end, RunFinished) or run.view().epochs_done >= config.epochs:
            return None
        left = rng.randrange(12)

        def should_stop() -> str:
            nonlocal left
            left -= 1
            return "" if left >= 0 else "enough"

        with suppress(Stopped):
            self._resume(recipe, locations, run, rng, should_stop, epochs=config.epochs)
        if isinstance(run.view().end, RunFinished) and run.view().epochs_done < config.epochs:  # stopped at the start
            self._resume(recipe, locations, run, rng, lambda: "", epochs=config.epochs)
        elif not isinstance(run.view().end, RunFinished):
            self._resume(recipe, locations, run, rng, lambda: "")
        wanted = TrainConfig.checked(run.config())
        of_both = dict.fromkeys((*EXTENDED, "dataset", "arch"))
        assert wanted.model_dump() | of_both == short.model_dump() | of_both
        return run, locations, wanted

    def grouped(self, recipe: Recipe, rng: random.Random) -> list[str]:
        """Differences of runs that were trained as one network, stopped, and gone on with by themselves: in their next
        step from the group that was not stopped, and when disturbed once more from themselves undisturbed."""
        configs = [recipe.config.model_copy(update={"seed": recipe.config.seed + copy}) for copy in range(3)]
        if grouping_obstacle(configs, TASK):
            return []
        left = rng.randrange(60)

        def should_stop() -> str:
            nonlocal left
            left -= 1
            return "" if left >= 0 else "enough"

        found: list[str] = []
        homes = [self._new_home(recipe), self._new_home(recipe)]
        for home, stop in zip(homes, (lambda: "", should_stop), strict=True):
            with _as(recipe), suppress(Stopped):
                _take(train_group(Runner(home, stop), [RunSpec(config) for config in configs]), -1)
        whole, stopped = ({run.config()["seed"]: run for run in self._made(home)} for home in homes)
        for seed, run in stopped.items():
            if not isinstance(run.view().end, RunStopped):
                continue
            ends = []
            for disturbances in (0, 2):
                home = replace(homes[1], home=self._folder / f"home-{self._homes}")
                self._homes += 1
                shutil.copytree(homes[1].home, home.home)
                one = Runner(home).store.run(run.id)
                size = Size(20, 60, 20)
                told = []
                for _ in range(disturbances):
                    if isinstance(one.view().end, RunFinished):
                        break
                    home, one, happened = self._disturb(recipe, home, one, rng.choice(WAYS), size, rng)
                    told.append(happened)
                if not isinstance(one.view().end, RunFinished):
                    self._resume(recipe, home, one, rng, lambda: "")
                ends.append(one)
            found += [f"seed {seed}, {told}: {words}" for words in differences(ends[1], ends[0])]
            found += _next_step_differences(ends[0], run, whole[seed])
        return found

    def _disturb(
        self, recipe: Recipe, locations: Locations, run: Run | None, way: str, size: Size, rng: random.Random
    ) -> tuple[Locations, Run | None, str]:
        at = rng.randrange({"kill": size.operations, "abandon": size.events}.get(way, size.questions) + 1)
        at = rng.choice([at, at, at, 0, 1])
        to = self._folder / f"home-{self._homes}"
        left = at

        def should_stop() -> str:
            nonlocal left
            left -= 1
            if left >= 0 or way in ("kill", "abandon"):
                return ""
            if way == "interrupt":
                raise KeyboardInterrupt
            if way == "defect":
                raise ZeroDivisionError("a defect")
            return "enough"

        try:
            with self._kills.at(at if way == "kill" else 0, locations.home, to):
                self._live(recipe, locations, run, rng, should_stop, at if way == "abandon" else -1)
        except Killed:
            self._homes += 1
            locations = replace(locations, home=to)
            for killed in self._made(locations):
                killed.disown()  # its process is gone
                if killed.log.exists() and rng.random() < 0.5:
                    with killed.log.open("ab") as log:
                        log.write(TORN)
        except (KeyboardInterrupt, ZeroDivisionError, Stopped):
            pass
        made = {one.id: one for one in self._made(locations)}
        begun = next(iter(made.values()), None) if run is None else made[run.id]
        return locations, begun, f"{way} at {at}"

    def _live(
        self,
        recipe: Recipe,
        locations: Locations,
        run: Run | None,
        rng: random.Random,
        should_stop: Callable[[], str],
        events: int = -1,
    ) -> None:
        """Begin the run, or go on with it; with so many events taken of it, all for -1."""
        if run is not None:
            self._resume(recipe, locations, run, rng, should_stop, events)
            return
        _stir(rng)
        with _as(recipe):
            _take(Runner(locations, should_stop).run(recipe.config), events)

    def _resume(
        self,
        recipe: Recipe,
        locations: Locations,
        run: Run,
        rng: random.Random,
        should_stop: Callable[[], str],
        events: int = -1,
        *,
        epochs: int | None = None,
    ) -> None:
        """Go on in a process that has drawn other random numbers and computes on other threads."""
        _stir(rng)
        elsewhere = replace(recipe, threads=rng.choice([1, 1, 1, 1, 2]))
        arch = recipe.config.arch if is_user_module(recipe.config.arch) else None
        with _as(elsewhere):
            _take(Runner(locations, should_stop).resume(run, arch=arch, epochs=epochs), events)

    def _new_home(self, recipe: Recipe) -> Locations:
        home = self._folder / f"home-{self._homes}"
        self._homes += 1
        if recipe.config.teacher:
            shutil.copytree(self._teacher_home, home)
        return Locations(home, self._data, self._cache)

    def _made(self, locations: Locations) -> list[Run]:
        theirs = {run.id for run in Store(self._teacher_home).runs()}
        return [run for run in Runner(locations).store.runs() if run.id not in theirs]


class Cases:
    """Cases by number, each of a recipe drawn with it; all of them in one folder, made once a process."""

    def __init__(self, folder: Path, cache: Path, kills: Kills) -> None:
        self._folder, self._cache, self._kills = folder, cache, kills
        self._data, self._module = write_data(folder), write_module(folder)
        self._teacher_home = folder / "teacher"
        values = {"arch": "fc3", "dataset": str(self._data), "epochs": 1, "batch_size": 50, "device": "cpu"}
        runner = Runner(Locations(self._teacher_home, folder, cache))
        self._teacher = list(runner.run(TrainConfig.checked(values)))[-1].run_id

    def check(self, number: int) -> tuple[str, list[str]]:
        """The kind of a case, with what was done to the run, and the differences that were found."""
        rng = random.Random(number)
        recipe = draw_recipe(rng, self._data, self._module, self._teacher, threads=2)
        with TemporaryDirectory(dir=self._folder) as folder:
            lives = Lives(Path(folder), self._folder, self._cache, self._teacher_home, self._kills)
            kind = rng.choice(["disturbed"] * 5 + ["extended"] * 3 + ["grouped"] * 2)
            if kind == "grouped" and recipe.engine != "auto" and not is_user_module(recipe.config.arch):
                return f"grouped, {recipe.engine}", lives.grouped(recipe, rng)
            if kind == "extended" and (extended := lives.extended(recipe, rng)) is not None:
                run, locations, config = extended
                whole, _, _ = lives.undisturbed(replace(recipe, config=config))
                return f"extended, {recipe.engine}", differences(run, whole) + verification_findings(run, locations)
            whole, _, size = lives.undisturbed(recipe)
            run, locations, told = lives.disturbed(recipe, size, rng)
            found = differences(run, whole)
            if isinstance(run.view().end, RunFinished):
                found += verification_findings(run, locations)
            return f"{', '.join(told)}, {recipe.engine}", found


def differences(run: Run, other: Run) -> list[str]:
    """In what a run is another than one that nothing happened to."""
    view, wanted = run.view(), other.view()
    found = [f"end: {_plain(view.end)} not {_plain(wanted.end)}"] if _plain(view.end) != _plain(wanted.end) else []
    if isinstance(wanted.end, RunFailed):
        return found
    for epoch, expected in zip(view.epochs, wanted.epochs, strict=False):
        if _plain(epoch) != _plain(expected):
            found.append(f"epoch: {_plain(epoch)} not {_plain(expected)}")
    if len(view.epochs) != len(wanted.epochs):
        found.append(f"{len(view.epochs)} epochs, not {len(wanted.epochs)}")
    names = ["spec", "total_params", "dataset", "steps_per_epoch", "teacher", "engine", "pixel_mean"]
    if not BY_BATCH.items() <= other.order_of_sums().items():  # the device's name has threads, which do not matter then
        names.append("device")
    starts = [(name, getattr(view.started, name), getattr(wanted.started, name)) for name in names]
    found += [f"{name}: {value} not {expected}" for name, value, expected in starts if value != expected]
    losses, expected_losses = _losses(run), _losses(other)
    if losses != expected_losses:
        found.append(f"losses of steps: {losses} not {expected_losses}")
    for name in ("best.safetensors", "final.safetensors", "predictions.safetensors"):
        found += _tensor_differences(name, load_file(run.folder / name), load_file(other.folder / name))
    kept, expected_kept = load_checkpoint(run.checkpoint), load_checkpoint(other.checkpoint)
    assert kept is not None
    assert expected_kept is not None
    found += _tensor_differences("checkpoint", dict(kept.tensors), dict(expected_kept.tensors))
    return found


def _next_step_differences(resumed: Run, stopped: Run, whole: Run) -> list[str]:
    """The loss of the first step after the stop, which follows from all that a checkpoint has, but for rounding."""
    losses, done, expected = _losses(resumed), _losses(stopped), _losses(whole)
    place = next((place for place in losses if place not in done), None)
    loss, wanted = losses.get(place), expected.get(place)
    if place is None or loss is None or wanted is None:
        return []
    tolerance = 0.1 if resumed.config()["precision"] == "bf16" else 2e-3
    same = abs(loss - wanted) <= tolerance * max(abs(wanted), 0.1)
    return [] if same else [f"step {place} after the stop of a group: loss {loss}, not {wanted}"]


def verification_findings(run: Run, locations: Locations) -> list[str]:
    """What `verify` does not agree with in a run."""
    arch = run.config()["arch"]
    found = verify(run, locations, arch=arch if is_user_module(arch) else None)
    return [f"verify: {check}" for check in found.checks if check.agrees is False]


def _losses(run: Run) -> dict[tuple[int, int], float | None]:
    """The loss of each step; one that was taken again after a kill must have come out the same."""
    losses: dict[tuple[int, int], float | None] = {}
    for entry in EventReader(run.log).poll():
        if isinstance(event := entry.event, StepProgress):
            place = (event.epoch, event.step)
            assert losses.get(place, event.loss) == event.loss, f"step {place} came out another when taken again"
            losses[place] = event.loss
    return losses


OF_THE_MACHINE = ("seconds", "images_per_second", "threads")


def _plain(event: object) -> dict[str, Any]:
    """What of an event does not depend on time."""
    if isinstance(event, RunFinished | EpochFinished | RunFailed | RunStarted):
        values = {name: getattr(event, name) for name in event.__slots__}
        return {name: value for name, value in values.items() if name not in OF_THE_MACHINE}
    return {"kind": type(event).__name__}


def _tensor_differences(file: str, tensors: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> list[str]:
    if tensors.keys() != expected.keys():
        return [f"{file} has {sorted(tensors.keys() ^ expected.keys())} in one and not in the other"]
    other = [name for name, tensor in tensors.items() if not torch.equal(tensor, expected[name])]
    return [f"{file}: {', '.join(other)} differ"] if other else []


@contextmanager
def _as(recipe: Recipe) -> Iterator[None]:
    """Computes as the recipe says, and writes every step down."""
    before = torch.get_num_threads()
    torch.set_num_threads(recipe.threads)
    with ExitStack() as stack:
        stack.enter_context(patch("core.training.loop.PROGRESS_INTERVAL", 0.0))
        if recipe.engine == "replay":
            stack.enter_context(patch("core.training.loop.make_engine", lambda *_: ReplayEngine()))
        try:
            yield
        finally:
            torch.set_num_threads(before)


def _stir(rng: random.Random) -> None:
    """Draw random numbers, as whatever a process has done before."""
    torch.manual_seed(rng.randrange(1000))
    random.seed(rng.randrange(1000))
    np.random.seed(rng.randrange(1000))


def _take(entries: Iterator[object], count: int) -> int:
    """Take so many events, all for -1; returns how many there were."""
    number = 0
    with closing(entries):
        for number, _ in enumerate(entries, 1):
            if number == count:
                break
    return number
