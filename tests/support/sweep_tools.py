"""Executors for tests: one that trains in this process, and one whose runs do as a test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from core.config import TrainConfig
from experiments.execution.executor import Ended
from experiments.execution.runner import Runner
from experiments.locations import Locations
from experiments.runs.folder import Run
from experiments.studies.driver import SweepDriver
from experiments.studies.folder import StudyFolder
from experiments.studies.plan import SweepPlan, make_plan

TINY = {"arch": "c4 p2 c8 gap fc10", "dataset": "mnist-5k", "epochs": "2", "batch_size": "128", "device": "cpu"}
TINY |= {"limit_train": "256", "limit_test": "100", "val_split": "50"}


def tiny_plan(changes: dict[str, str] | None = None, *, objective: str = "val", **fields: object) -> SweepPlan:
    """A search over the learning rate of runs that take a tenth of a second."""
    options = {**TINY, "lr": "0.001:1:log", **(changes or {})}
    plan = make_plan(("--preset", "seed-conv9"), options, objective=objective, budget=None)
    return SweepPlan(**{name: getattr(plan, name) for name in plan.__dataclass_fields__} | {"trials": 3} | fields)


class Inline:
    """Trains one run at a time, for real."""

    def __init__(self, locations: Locations) -> None:
        self.runner = Runner(locations, lambda: self.reason)
        self.reason = ""
        self.run: Run | None = None

    def has_room(self) -> bool:
        return self.run is None

    def start(self, run: Run) -> None:
        self.run = run

    def wait(self, seconds: float) -> list[Ended]:
        run, self.run = self.run, None
        if run is None:
            return []
        for _ in self.runner.resume(run):
            pass
        return [Ended(run.id)]

    def stop(self, reason: str) -> None:
        self.reason = reason

    def close(self) -> None:
        self.run = None


Play = Callable[[Run, int], Iterator[object]]
"""What a run does, event by event: given the run and which life of it this is, from 1. An exception is its worker's
death, and so is an `Ended`."""


class Scripted:
    """Lets runs write the events of a play, one each time that is waited; a wish to stop is heard between two."""

    def __init__(self, script, play: Play, room: int = 1) -> None:
        self._script = script
        self._play = play
        self._room = room
        self._lives: dict[str, int] = {}
        self._plays: dict[str, tuple[Run, Iterator[object]]] = {}
        self._reason = ""
        self.is_closed = False

    def has_room(self) -> bool:
        return len(self._plays) < self._room

    def start(self, run: Run) -> None:
        life = self._lives[run.id] = self._lives.get(run.id, 0) + 1
        config = run.config() | {"budget": False}
        data = {"dataset": config["dataset"], "val_images": config["val_split"]}
        self._script.write(run, self._script.started(config=config, **data))
        self._plays[run.id] = (run, self._play(run, life))

    def wait(self, seconds: float) -> list[Ended]:
        ended = []
        for run, play in list(self._plays.values()):
            reason = self._reason or ("stop" if run.wants_stop() else "")
            event = self._script.stopped(reason=reason) if reason else next(play, None)
            if isinstance(event, Ended):
                ended.append(event)
            else:
                if event is not None:
                    self._script.write(run, event)
                if event is None or reason:
                    run.release()
                    ended.append(Ended(run.id))
            if ended and ended[-1].run_id == run.id:
                del self._plays[run.id]
        return ended

    def stop(self, reason: str) -> None:
        self._reason = reason

    def close(self) -> None:
        self._plays = {}
        self.is_closed = True


def three_epochs(script, accuracy=0.5):
    """A play: each run has three epochs of this accuracy on held-out images."""

    def play(run, life):
        for epoch in (1, 2, 3):
            yield script.epoch(epoch, accuracy, on_test=False)
        yield script.finished(best_test_accuracy=None, best_epoch=None)

    return play


def sweeping(
    locations: Locations, plan: SweepPlan, executor, name: str = "s", should_stop=lambda: ""
) -> Iterator[object]:
    """The events of a sweep, whose study this process drives up to the end or until the iterator is closed."""
    folder = StudyFolder.of(locations.home, name)
    with folder.held():
        folder.write_plan(plan)
        yield from SweepDriver(Runner(locations), folder, plan, executor).run(should_stop)


def drive(locations: Locations, plan: SweepPlan, executor, *, name: str = "s", should_stop=lambda: "") -> list[object]:
    """The events of a sweep up to its end."""
    return list(sweeping(locations, plan, executor, name, should_stop))


def config_of(plan: SweepPlan, **params: object) -> TrainConfig:
    return plan.base.changed(**params)
