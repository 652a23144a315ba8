"""What the terminal is to tell of the runs that the interface follows, and of sweeps, while one looks elsewhere."""

from __future__ import annotations

from experiments.runs.row import Status
from tui.app.signs import Signs
from tui.app.sweep_telling import SweepTelling, share_of, title_of_sweep
from tui.live.follow import Follower
from tui.live.session import Job, Session
from tui.live.studies import StudyWatch
from tui.live.watch import RunWatch
from tui.text.output import percent
from tui.widgets.lines.progress_panel import fraction_done

IDLE = "mnist-tui"


class Telling:
    """Looks at the runs when the app does, and gives signs of what is new."""

    def __init__(self, session: Session, watch: RunWatch, studies: StudyWatch) -> None:
        self._session, self._watch = session, watch
        self._sweeps = SweepTelling(studies)
        self.signs = Signs((), {}, lambda _: None)
        self._last = IDLE
        self._failed = False
        self._seen: dict[str, tuple[Status, int | None]] = {}

    def look(self) -> None:
        """Show how far training has come, and tell of targets, and of ends that come elsewhere."""
        followed = {id(one): one for one in (self._watch.own, self._watch.shown) if one is not None}
        for follower in followed.values():
            self._look_at(follower)
        self._sweeps.look(self.signs.tell, lambda title, text, failed: self.end(title, text, failed=failed))
        job = self._session.job if self._session.live else None
        live = self._watch.own if job is not None else self._watch.shown
        if job is not None and (live is None or live.view.started is None):
            self.signs.show(f"{self._session.stage or 'training'} - {IDLE}", "running", 0.0)
        elif live is not None and (job is not None or live.status is Status.RUNNING):
            share = share_done(live, job)
            self.signs.show(title_of_live(live, job, share), "running", share)
        elif (sweep := self._sweeps.driven()) is not None:
            self.signs.show(f"{title_of_sweep(sweep)} - {IDLE}", "running", share_of(sweep))
        else:
            self.signs.show(self._last, "failed" if self._failed else "none", 1.0)

    def end(self, title: str, text: str, *, failed: bool) -> None:
        """Tell how a job of this process ended."""
        words = text.splitlines()[0] if text else ""
        self._last, self._failed = f"{title}: {words} - {IDLE}", failed
        self.signs.tell(title, words)

    def _look_at(self, follower: Follower) -> None:
        status, reached = follower.status, follower.view.first_epoch_at_target
        job = self._session.job
        is_own = job is not None and follower.run.id in job.run_ids
        before = self._seen.get(follower.run.id)
        if before is None and is_own and not follower.view.seconds_before:  # past its target already, maybe
            before = (Status.RUNNING, None)
        self._seen[follower.run.id] = (status, reached)
        if before is None or before[0] is not Status.RUNNING:
            return
        if before[1] is None and reached is not None:
            self.signs.tell("Target reached", f"{follower.title}, {follower.config.get('target')}% in epoch {reached}")
        if status is not Status.RUNNING and not is_own:
            best = max(follower.view.accuracies.values(), default=None)
            words = follower.title + ("" if best is None else f", best {percent(best)}")
            self.end(str(status).capitalize(), words, failed=status in (Status.FAILED, Status.CRASHED))


def share_done(follower: Follower, job: Job | None) -> float:
    """The share of a run that is done; of a job, that of all its runs."""
    share = fraction_done(follower.view) or 0.0
    return share if job is None or job.size == 1 else min(1.0, (len(job.ends) + share) / job.size)


def title_of_live(follower: Follower, job: Job | None, share: float) -> str:
    """``45% try epoch 9/20 99.12% - mnist-tui``."""
    view = follower.view
    epoch = view.progress.epoch if view.progress else 1
    best = max(view.accuracies.values(), default=None)
    words = [f"{share:.0%} {follower.title} epoch {epoch}/{follower.config.get('epochs', '?')}"]
    words += [] if best is None else [percent(best)]
    words += [f"{len(job.ends) + 1} of {job.size}"] if job is not None and job.size > 1 else []
    return f"{' '.join(words)} - {IDLE}"
