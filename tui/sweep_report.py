"""A sweep as people and programs read it: a line for each trial that has ended, and what came of them all."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, assert_never

from experiments.plan import Plan, flags_of
from experiments.space import Value, in_words
from experiments.study_view import IMPORTANCE_TRIALS, StudyView, TrialView
from experiments.sweep_events import (
    ProposalRejected,
    SweepEvent,
    SweepStopped,
    TrialFinished,
    TrialReported,
    TrialStarted,
    WorkerDied,
    to_record,
)
from tui.output import note, percent, say, table

BEST = 10
"""Trials in the table at the end."""


class SweepReport:
    """Prints a sweep as it goes. With `as_json` everything is an event a line, the last one `sweep_finished`."""

    def __init__(self, before: StudyView, *, as_json: bool) -> None:
        self._study = before.name
        self._plan = before.plan
        self._as_json = as_json
        self._best = before.best.value if before.best else None

    def begin(self) -> None:
        note(f"study {self._study}: {self._plan.trials} trials, {self._plan.sampler}, pruner {self._plan.pruner}")
        note(f"space: {self._plan.space}")
        note(f"objective: {objective_in_words(self._plan)}")

    def show(self, event: SweepEvent) -> None:
        if self._as_json:
            say(json.dumps(to_record(event, self._study), allow_nan=False))
        match event:
            case TrialStarted():
                verb = "goes on" if event.resumed else "starts"
                note(f"trial {event.trial} {verb}: {params_in_words(event.params)}")
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
                note(f"stopped ({event.reason}); mnist-tui sweep --study {self._study} goes on")
            case _ as unreachable:
                assert_never(unreachable)

    def end(self, view: StudyView) -> None:
        """Print what came of all trials."""
        if self._as_json:
            say(json.dumps(self._summary(view), allow_nan=False))
            return
        counts = [f"{view.count(state)} {state}" for state in ("finished", "pruned", "failed", "running", "waiting")]
        counts = [count for count in counts if not count.startswith("0 ")]
        rejected = f"; {view.count('rejected')} proposals rejected" if view.count("rejected") else ""
        say(f"study {view.name}: {len(view.trained)} trials, {', '.join(counts) or 'none begun'}{rejected}")
        say(f"objective: {objective_in_words(self._plan)}")
        if view.count("failed"):
            say(_how_to_redo(view))
        if view.best is None:
            return
        say()
        say(_best_table(view))
        say()
        if view.importance:
            shares = ", ".join(f"{field} {share:.0%}" for field, share in view.importance.items())
            say(f"importance (PED-ANOVA, {view.count('finished')} trials): {shares}")
        else:
            say(f"importance: needs {IMPORTANCE_TRIALS} finished trials")
        say(f"best: mnist-tui run {shlex.join(flags_of(view.plan, view.best.params))}")

    def _show_end(self, event: TrialFinished) -> None:
        if event.value is not None:
            self._best = max(self._best or 0.0, event.value)
        if self._as_json:
            return
        score = percent(event.value) if event.value is not None else event.reason
        best = f", best so far {percent(self._best)}" if self._best is not None else ""
        epochs = f"{event.epochs} epoch" + ("" if event.epochs == 1 else "s")
        params = params_in_words(event.params)
        say(f"trial {event.trial} {event.state} after {epochs}: {score} ({params}), run {event.run_id}{best}")

    def _summary(self, view: StudyView) -> dict[str, Any]:
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        best = view.best
        return {
            "event": "sweep_finished",
            "time": time,
            "run_id": best.run_id if best else None,
            "study": view.name,
            "objective": self._plan.objective,
            "objective_is_optimistic": self._plan.objective == "test",
            "space": self._plan.space.to_json(),
            "trials": len(view.trained),
            "rejected": view.count("rejected"),
            "states": {state: view.count(state) for state in ("finished", "pruned", "failed", "running", "waiting")},
            "best": _trial_record(best) if best else None,
            "best_flags": flags_of(view.plan, best.params) if best else None,
            "importance": dict(view.importance) or None,
            "results": [_trial_record(trial) for trial in view.trials],
        }


def _how_to_redo(view: StudyView) -> str:
    """What may follow on failed trials, which continuing a study leaves as they are."""
    failed, ways = view.count("failed"), []
    if view.plan.sampler != "grid":  # which proposes nothing twice
        command = f"mnist-tui sweep --study {view.name} --trials {view.plan.trials + failed}"
        ways.append(f"{command} proposes {failed} other{'s' * (failed > 1)}")
    ways.append("in mnist-tui, Add trial on a failed one proposes the same again")
    return f"failed trials count and are not repeated by themselves: {'; '.join(ways)}"


def objective_in_words(plan: Plan) -> str:
    """What the sweep maximises, and what that is worth."""
    if plan.objective == "test":
        return "TEST accuracy after the last epoch (optimistic: the test set chooses the config)"
    return f"accuracy on {plan.base.val_split:,} held-out training images after the last epoch"


def params_in_words(params: Mapping[str, Value]) -> str:
    return " ".join(f"{field}={short(value)}" for field, value in params.items())


def short(value: Value) -> str:
    """A value in as few digits as tell it from others."""
    return f"{value:.4g}" if isinstance(value, float) else in_words(value)


def _best_table(view: StudyView) -> str:
    found = sorted(
        (trial for trial in view.trials if trial.value is not None),
        key=lambda trial: (-(trial.value or 0), trial.number),
    )
    fields = [dimension.field for dimension in view.plan.space.dimensions]
    rows = [
        [str(trial.number), percent(trial.value), *(short(trial.params[field]) for field in fields), trial.run_id]
        for trial in found[:BEST]
    ]
    return table(["trial", view.plan.objective, *fields, "run"], rows)


def _trial_record(trial: TrialView) -> dict[str, Any]:
    return {
        "trial": trial.number,
        "run_id": trial.run_id,
        "state": trial.state,
        "value": trial.value,
        "params": dict(trial.params),
        "values": {str(epoch): value for epoch, value in trial.values.items()},
        "reason": trial.reason,
    }
