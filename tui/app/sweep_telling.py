"""What the terminal is to tell of the sweeps of the home, which other processes drive."""

from __future__ import annotations

from collections.abc import Callable

from experiments.export.sweep_news import first_at_target, result_in_words
from experiments.studies.list import StudyEntry
from experiments.studies.view import StudyView
from tui.live.studies import StudyWatch
from tui.text.output import percent

Tell = Callable[[str, str], object]
"""Is told a title and a text."""


class SweepTelling:
    """Looks at the sweeps that are driven when the app does; what is new of one is told once."""

    def __init__(self, watch: StudyWatch) -> None:
        self._watch = watch
        self._seen: dict[str, StudyEntry] = {}

    def look(self, tell: Tell, end: Callable[[str, str, bool], object]) -> None:
        """`end` is told a title, a text, and whether that is a failure."""
        self._watch.look_at_driven()
        for entry in self._watch.entries:
            before = self._seen.get(entry.name)
            if before is not entry:
                self._seen[entry.name] = entry
                if before is not None and before.is_driven:
                    self._compare(before, entry, tell, end)

    def driven(self) -> StudyView | None:
        """The sweep to show the progress of."""
        return next((entry.view for entry in self._watch.entries if entry.is_driven and entry.view is not None), None)

    def _compare(
        self, before: StudyEntry, now: StudyEntry, tell: Tell, end: Callable[[str, str, bool], object]
    ) -> None:
        old, view = before.view, now.view
        if view is not None:
            reached = first_at_target(view)
            if reached is not None and (old is None or first_at_target(old) is None):
                words = f"{now.name}, {view.plan.base.target:g}% by trial {reached[0]} in epoch {reached[1]}"
                tell("Target reached", words)
            failed = next((trial for trial in view.trials if trial.state == "failed"), None)
            if failed is not None and now.is_driven and (old is None or not old.count("failed")):
                tell("Failed", f"{now.name}, trial {failed.number}: {failed.reason}")
        if not now.is_driven:
            words = f"sweep {now.name}" + (f", {result_in_words(view)}" if view is not None else "")
            is_lost = bool(now.problem) or (view is not None and view.done > 0 and view.count("failed") == view.done)
            title = "Failed" if now.problem else now.standing.capitalize()
            end(title, f"{words}: {now.problem}" if now.problem else words, is_lost)


def share_of(view: StudyView) -> float:
    """The share of a sweep that is done; a race comes after its trials, and nobody knows how long it takes."""
    return min(1.0, view.done / view.planned) if view.planned else 0.0


def title_of_sweep(view: StudyView) -> str:
    """``45% sweep-1 9/20 trials 99.12%``."""
    best = f" {percent(view.best.value)}" if view.best is not None and view.best.value is not None else ""
    return f"{share_of(view):.0%} {view.name} {view.done}/{view.planned} trials{best}"
