"""A sweep as people and programs follow it: a line for each trial that has ended, and what came of them all."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import assert_never

from experiments.runs.store import Store
from experiments.studies.events import (
    ProposalRejected,
    RaceJudged,
    RaceRunEnded,
    SweepEvent,
    SweepStopped,
    TrialFinished,
    TrialReported,
    TrialStarted,
    WorkerDied,
    to_record,
)
from experiments.studies.view import StudyView
from tui.text.output import counted, note, percent, say
from tui.text.race_words import race_in_words
from tui.text.study_report import (
    COSTS,
    objective_in_words,
    params_in_words,
    say_study,
    score_in_words,
    space_in_words,
    study_record,
    trials_in_words,
)

MORE = 10
"""Trials to add, as an example to who continues what is complete."""


class SweepReport:
    """Prints a sweep as it goes. With `as_json` everything is an event a line, the last one `sweep_finished`."""

    def __init__(self, before: StudyView, *, as_json: bool) -> None:
        self._study = before.name
        self._plan = before.plan
        self._before = before
        self._stopped = False
        self._as_json = as_json
        self._best = before.best.value if before.best else None

    def begin(self) -> None:
        planned, grid = self._before.planned, self._before.combinations
        whole = f" of {grid:,} combinations" if grid is not None else ""
        note(
            f"study {self._study}: {trials_in_words(planned)}{whole}, {self._plan.sampler}, pruner {self._plan.pruner}"
        )
        note(f"space: {space_in_words(self._plan.space)}")
        note(f"objective: {objective_in_words(self._plan)}")
        if self._before.is_complete:
            more = f"--trials {self._before.asked + MORE} adds {MORE}"
            if grid is not None:
                more = "that is the whole grid" if self._before.asked >= grid else f"--trials {grid} is the whole grid"
            note(f"nothing to do: {trials_in_words(planned)} done; {more}")

    def show(self, event: SweepEvent) -> None:
        if self._as_json:
            record = to_record(event, self._study)
            if isinstance(event, TrialReported):
                record["values_are"] = self._before.values_are
            say(json.dumps(record, allow_nan=False))
        match event:
            case TrialStarted():
                verb = "goes on" if event.resumed else "starts"
                seed = f" with seed {event.seed}" if self._plan.seeds_per_trial > 1 else ""
                note(f"trial {event.trial} {verb}{seed}: {params_in_words(event.params, self._plan.space)}")
            case TrialReported():
                pass
            case TrialFinished():
                self._show_end(event)
            case ProposalRejected():
                note(f"trial {event.trial} rejected: {event.reason}")
            case WorkerDied():
                then = "the trial goes on from its checkpoint" if event.retried else "it is given up"
                note(f"trial {event.trial} lost its worker: {event.reason}; {then}")
            case SweepStopped():
                self._stopped = True
                note(f"stopped ({event.reason}); mnist-tui sweep --study {self._study} goes on")
            case RaceRunEnded():
                self._show_race_run(event)
            case RaceJudged():
                note(race_in_words(event.left, event.dropped, event.failed, is_over=event.is_over))
            case _ as unreachable:
                assert_never(unreachable)

    def end(self, view: StudyView, store: Store) -> None:
        """Print what came of all trials."""
        if not self._as_json:
            say_study(view, store)
            return
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        record = {"event": "sweep_finished", "time": time, "stopped": self._stopped} | study_record(view, store)
        say(json.dumps(record, allow_nan=False))

    def _show_race_run(self, event: RaceRunEnded) -> None:
        if not self._as_json:
            score = percent(event.value) if event.value is not None else event.reason or "no score"
            say(f"race, trial {event.trial}: {score}, run {event.run_id}")

    def _show_end(self, event: TrialFinished) -> None:
        if event.value is not None:
            self._best = max(self._best or 0.0, event.value)
        if self._as_json:
            return
        scores = [score_in_words(objective, score) for objective, score in event.scores.items()]
        names = (f" {COSTS[objective]}" if objective in COSTS else "" for objective in event.scores)
        said = [*(f"{score}{name}" for score, name in zip(scores, names, strict=True)), event.reason]
        score = ", ".join(part for part in said if part)
        best = f", best so far {percent(self._best)}" if self._best is not None else ""
        epochs = counted(event.epochs, "epoch")
        params = params_in_words(event.params, self._plan.space)
        say(f"trial {event.trial} {event.state} after {epochs}: {score} ({params}), run {event.run_id}{best}")
