"""The events of a sweep. They hold plain scalars, like the events of a run; accuracies are fractions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from experiments.studies.dimensions import Value


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialStarted:
    """A run of a trial is being trained, from its last checkpoint where `resumed`; `seed` is its own."""

    NAME: ClassVar = "trial_started"
    trial: int
    run_id: str
    params: Mapping[str, Value]
    resumed: bool
    seed: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialReported:
    """The objective after an epoch of a trial."""

    NAME: ClassVar = "trial_reported"
    trial: int
    run_id: str
    epoch: int
    value: float


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialFinished:
    """A trial has an end: `state` is finished, pruned or failed; `scores` are the objectives of a finished one by name,
    over several seeds their means, and `value` is the first of them. One that repeats another has the other's run, and
    `reason` says so."""

    NAME: ClassVar = "trial_finished"
    trial: int
    run_id: str
    state: str
    params: Mapping[str, Value]
    value: float | None
    scores: Mapping[str, float]
    epochs: int
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ProposalRejected:
    """A proposal that is not trained, over the budget for example. It counts as none of the trials."""

    NAME: ClassVar = "proposal_rejected"
    trial: int
    params: Mapping[str, Value]
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerDied:
    """A trial's worker is gone; unless this was the last try, the trial goes on from its checkpoint with another."""

    NAME: ClassVar = "worker_died"
    trial: int
    run_id: str
    reason: str
    retried: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepStopped:
    """Somebody asked the sweep to stop; its trials have checkpoints and go on when the study is continued."""

    NAME: ClassVar = "sweep_stopped"
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RaceRunEnded:
    """A run of the race between the best trials is over: `value` is its accuracy, None where it has no end, for
    `reason`."""

    NAME: ClassVar = "race_run_ended"
    trial: int
    run_id: str
    value: float | None
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RaceJudged:
    """The trials in a race were compared: those `left`, the one ahead first, and all that were ever `dropped`, of which
    `failed` are those that were so because a run of theirs failed."""

    NAME: ClassVar = "race_judged"
    left: Sequence[int]
    dropped: Sequence[int]
    failed: Sequence[int]
    is_over: bool


TrialEvent = TrialStarted | TrialReported | TrialFinished | ProposalRejected | WorkerDied
RaceEvent = RaceRunEnded | RaceJudged
SweepEvent = TrialEvent | RaceEvent | SweepStopped


def to_record(event: SweepEvent, study: str) -> dict[str, Any]:
    """The event as JSON-ready keys and values: event, time (ISO 8601, UTC), run_id and study first."""
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    values = asdict(event)
    return {"event": event.NAME, "time": time, "run_id": values.pop("run_id", None), "study": study, **values}
