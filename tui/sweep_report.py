"""A sweep as people and programs read it: a line for each trial that has ended, and what came of them all."""

from __future__ import annotations

import json
import math
import shlex
from collections import Counter
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
        note(f"study {self._study}: {_trials(planned)}{whole}, {self._plan.sampler}, pruner {self._plan.pruner}")
        note(f"space: {self._plan.space}")
        note(f"objective: {objective_in_words(self._plan)}")
        if self._before.is_complete:
            more = f"--trials {self._plan.trials + MORE} adds {MORE}"
            if grid is not None:
                more = "that is the whole grid" if self._plan.trials >= grid else f"--trials {grid} is the whole grid"
            note(f"nothing to do: {_trials(planned)} done; {more}")

    def show(self, event: SweepEvent) -> None:
        if self._as_json:
            record = to_record(event, self._study)
            if isinstance(event, TrialReported):
                record["values_are"] = self._before.values_are
            say(json.dumps(record, allow_nan=False))
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
                self._stopped = True
                note(f"stopped ({event.reason}); mnist-tui sweep --study {self._study} goes on")
            case _ as unreachable:
                assert_never(unreachable)

    def end(self, view: StudyView, images: int | None) -> None:
        """Print what came of all trials; `images` are those that the best was scored on, where there is a best."""
        if self._as_json:
            say(json.dumps(self._summary(view), allow_nan=False))
            return
        counts = [f"{count} {state}" for state, count in view.states.items() if count]
        say(f"study {view.name}: {_trials(len(view.trained))}, {', '.join(counts) or 'none begun'}{_rejected(view)}")
        say(f"objective: {objective_in_words(self._plan)}")
        if view.repeated:
            say(f"{view.repeated} of {_trials(len(view.trained))} repeat the params of another, and so its result")
        if view.count("failed"):
            say(_how_to_redo(view))
        if view.best is None:
            return
        say()
        say(_best_table(view))
        if images and view.best.value is not None:
            say(_noise(view.best.value, images))
        say()
        if view.importance:
            shares = ", ".join(f"{field} {share:.0%}" for field, share in view.importance.items())
            say(f"importance (PED-ANOVA, {view.count('finished')} trials): {shares}")
        elif view.count("finished") < IMPORTANCE_TRIALS:
            say(f"importance: needs {IMPORTANCE_TRIALS} finished trials")
        else:
            say("importance: all trials score the same")
        say(f"best: mnist-tui run {shlex.join(flags_of(view.plan, view.best.params))}")

    def _show_end(self, event: TrialFinished) -> None:
        if event.value is not None:
            self._best = max(self._best or 0.0, event.value)
        if self._as_json:
            return
        score = ", ".join(part for part in (event.value is not None and percent(event.value), event.reason) if part)
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
            "stopped": self._stopped,
            "run_id": best.run_id if best else None,
            "study": view.name,
            "objective": self._plan.objective,
            "objective_is_optimistic": self._plan.objective == "test",
            "space": self._plan.space.to_json(),
            "trials": len(view.trained),
            "rejected": view.count("rejected"),
            "states": dict(view.states),
            "repeated": view.repeated,
            "values_are": view.values_are,
            "best": _trial_record(view, best) if best else None,
            "best_flags": flags_of(view.plan, best.params) if best else None,
            "importance": dict(view.importance) or None,
            "results": [_trial_record(view, trial) for trial in view.trials],
        }


def _trials(count: int) -> str:
    return f"{count:,} trial{'s' * (count != 1)}"


def _rejected(view: StudyView) -> str:
    """How many proposals were not trained, and why most of them."""
    reasons = Counter(trial.reason for trial in view.trials if trial.state == "rejected")
    if not reasons:
        return ""
    reason, count = reasons.most_common(1)[0]
    often = f" ({count} of them)" if len(reasons) > 1 else ""
    return f"; {reasons.total():,} proposal{'s' * (reasons.total() != 1)} rejected: {reason}{often}"


def _noise(best: float, images: int) -> str:
    """How far apart two trials must be to mean anything: what chance does to the accuracy of the best."""
    error = math.sqrt(best * (1 - best) / images)
    return f"one standard error of {percent(best)} on {images:,} images: {error * 100:.2f} points"


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


def _trial_record(view: StudyView, trial: TrialView) -> dict[str, Any]:
    return {
        "trial": trial.number,
        "run_id": trial.run_id,
        "state": view.state_of(trial),
        "value": trial.value,
        "params": dict(trial.params),
        "values": {str(epoch): value for epoch, value in trial.values.items()},
        "reason": trial.reason,
    }
