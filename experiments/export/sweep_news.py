"""What has become of a sweep, told to an address while nobody is there: its end, its first failure, its target."""

from __future__ import annotations

from core.errors import LabError
from core.history import reaches
from experiments.export.notifications import News, percent
from experiments.studies.events import RaceRunEnded, SweepEvent, TrialFinished, TrialReported
from experiments.studies.view import StudyView

IMAGES = {"val": "held-out", "test": "test"}
"""The images that values are of, in words."""


class SweepNews:
    """The news in the events of a sweep. The target is told of the first trial that reaches it, a failure of the first
    that fails; how many there were is told at the end.

    Args:
        before: the study as it stood, in which both may have happened already.
    """

    def __init__(self, before: StudyView) -> None:
        self._study, self._images = before.name, before.values_are
        self._target = before.plan.base.target
        self._has_reached = first_at_target(before) is not None
        self._has_failed = before.count("failed") > 0

    def of(self, event: SweepEvent) -> News | None:
        """The news of an event, if it has any."""
        match event:
            case TrialReported() if not self._has_reached and reaches(event.value, self._target):
                self._has_reached = True
                text = f"{percent(event.value)} ({IMAGES[self._images]}) by trial {event.trial} in epoch {event.epoch}"
                return News("target", event.run_id, f"{self._study}: target reached", f"{text}, of {self._target:g}%")
            case TrialFinished(state="failed") if not self._has_failed:
                self._has_failed = True
                return News("failed", event.run_id, f"{self._study}: trial {event.trial} failed", event.reason)
            case RaceRunEnded(value=None) if not self._has_failed:
                self._has_failed = True
                title = f"{self._study}: a run of trial {event.trial} in the race failed"
                return News("failed", event.run_id, title, event.reason or "no score")
            case _:
                return None

    def broken(self, error: LabError) -> News:
        """The news that the search as a whole has come to an end by an error."""
        return News("failed", "", f"{self._study}: sweep failed", error.message)

    def end(self, after: StudyView, reason: str) -> News | None:
        """The news of the end; somebody who stops a sweep knows of it, a signal that stops it is news."""
        if reason and not reason.startswith("SIG"):
            return None
        if reason:
            return News("stopped", "", f"{self._study}: sweep stopped", f"{reason}; {result_in_words(after)}")
        is_lost = after.done > 0 and after.count("failed") == after.done
        return News("failed" if is_lost else "finished", "", f"{self._study}: sweep finished", result_in_words(after))


def first_at_target(view: StudyView) -> tuple[int, int] | None:
    """The first trial, by number, that has reached the target of the study, and in which epoch."""
    target = view.plan.base.target
    for trial in view.trials:
        for epoch, value in trial.values.items():
            if reaches(value, target):
                return trial.number, epoch
    return None


def result_in_words(view: StudyView) -> str:
    """``24 trials: 20 finished, 4 pruned, best 99.31% (held-out) by trial 7; trial 7 won the race``."""
    counts = ", ".join(f"{count} {state}" for state, count in view.states.items() if count)
    trials = f"{len(view.trained)} trial{'s' * (len(view.trained) != 1)}"
    words = f"{trials}: {counts}" if counts else trials
    if view.best is not None and view.best.value is not None:
        words += f", best {percent(view.best.value)} ({IMAGES[view.plan.scored_on]}) by trial {view.best.number}"
    if view.front:
        words += f", front of {len(view.front)}"
    if (winner := view.race.get("winner")) is not None:
        words += f"; trial {winner} won the race"
    return words
