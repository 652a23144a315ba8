"""The search of a `sweep` and the race after it as one stream of events, with their news told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from core.errors import LabError
from experiments.locations import Locations
from experiments.studies.folder import StudyFolder
from experiments.studies.plan import SweepPlan
from tui.command_line.signals import StopFlag

if TYPE_CHECKING:
    from experiments.execution.executor import Executor
    from experiments.execution.runner import Runner
    from experiments.export.notifications import Announcer
    from experiments.studies.events import SweepEvent
    from experiments.studies.view import StudyView


def driven(
    runner: Runner, folder: StudyFolder, plan: SweepPlan, trainer: Executor, stop: StopFlag
) -> Iterator[SweepEvent]:
    """The events of the trials, and then of the race between the best of them."""
    from experiments.studies.driver import SweepDriver
    from experiments.studies.racing.race import run_race
    from experiments.studies.view import study_view

    yield from SweepDriver(runner, folder, plan, trainer).run(stop)
    view = study_view(runner.store.home, folder.name)
    if view.race_is_due and not stop():
        yield from run_race(runner, folder, view, lambda: executor_of(plan, runner.locations), stop)


def announced(
    events: Iterator[SweepEvent], before: StudyView, announcer: Announcer, stop: StopFlag
) -> Iterator[SweepEvent]:
    """Pass events on, with their news told; none where there was nothing to do."""
    from experiments.export.sweep_news import SweepNews
    from experiments.studies.view import study_view

    news, any_event = SweepNews(before), False
    try:
        for event in events:
            any_event = True
            if (said := news.of(event)) is not None:
                announcer.tell(said)
            yield event
    except LabError as error:
        announcer.tell(news.broken(error))
        raise
    after = study_view(announcer.store.home, before.name)
    if any_event and (said := news.end(after, stop())) is not None:
        announcer.tell(said)


def executor_of(plan: SweepPlan, locations: Locations) -> Executor:
    """Where the trials of a plan are trained."""
    where, device = plan.placement, plan.base.device
    if where.executor == "ray":
        from experiments.execution.ray_executor import RayExecutor

        return RayExecutor(
            locations, device=device, address=where.ray_address, jobs=where.jobs, gpus_per_trial=where.gpus_per_trial
        )
    from experiments.execution.local_executor import LocalExecutor, local_slots

    return LocalExecutor(locations, local_slots(device, where.jobs, where.gpus_per_trial))
