"""Which run Training shows, and the readers of the logs behind it."""

from __future__ import annotations

from experiments.runs.folder import Run
from experiments.runs.store import Store
from tui.live.follow import Follower
from tui.live.session import Session


class RunWatch:
    """`shown` is the run of Training, whoever trains it. `own` is one that the session trains: it stays until that has
    ended, and moves on to another one that is live then, and what is shown with it."""

    def __init__(self, session: Session, store: Store) -> None:
        self._session, self._store = session, store
        self.own: Follower | None = None
        self.shown: Follower | None = None

    def expect_new_runs(self) -> None:
        """The session starts runs that have no folders yet: show none until one has."""
        self.own = self.shown = None

    def expect(self, run: Run) -> None:
        """The session goes on with a run. Its curves stay on the screen while it is prepared, and when it turns out
        that it cannot go on."""
        if self.shown is None or self.shown.run.id != run.id:
            self.shown = Follower(run)
        self.own = self.shown

    def show(self, run: Run) -> None:
        own = self.own if self.own is not None and self.own.run.id == run.id else None
        self.shown = own or Follower(run)
        job = self._session.job
        if job is not None and run.id in job.live_ids:
            self.own = self.shown

    def turn(self, by: int) -> None:
        """Show the live run before or behind the one that is shown, in the order of their seeds."""
        if not (live := self._session.job.live_ids if self._session.job is not None else []):
            return
        shown = self.shown.run.id if self.shown is not None else ""
        place = live.index(shown) + by if shown in live else 0
        self.show(self._store.run(live[place % len(live)]))

    def poll(self) -> bool:
        """Take in what has come into the logs; whether anything has changed."""
        changed = self._move_on()
        for follower in {id(f): f for f in (self.own, self.shown) if f is not None}.values():
            changed = follower.poll() or changed
        return changed

    def _move_on(self) -> bool:
        """Follow the session to its first run once there is one, and to another one when that has ended."""
        job, own = self._session.job, self.own
        if job is None or (own is not None and own.run.id in job.run_ids and own.run.id not in job.ends):
            return False
        run_id = next(iter(job.live_ids or job.run_ids[-1:]), "")
        if not run_id or (own is not None and (own.run.id == run_id or not job.live_ids)):
            return False
        self.own = Follower(self._store.run(run_id))
        if self.shown is None or self.shown is own:
            self.shown = self.own
        return True
