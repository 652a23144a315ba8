"""Which run Training shows, and the readers of the logs behind it."""

from __future__ import annotations

from experiments.runs.folder import Run
from experiments.runs.store import Store
from tui.live.follow import Follower
from tui.live.seed_watch import SeedWatch
from tui.live.session import Session


class RunWatch:
    """`shown` is the run of Training, whoever trains it. `own` is one that the session trains: it stays until that has
    ended, and moves on to another one that is live then, and what is shown with it. `seeds` are those of its group."""

    def __init__(self, session: Session, store: Store) -> None:
        self._session, self._store = session, store
        self.own: Follower | None = None
        self.shown: Follower | None = None
        self.seeds = SeedWatch(store)

    def expect_new_runs(self) -> None:
        """The session starts runs that have no folders yet: show none until one has."""
        self.own = self.shown = None

    def expect(self, run: Run) -> None:
        """The session goes on with a run. Its curves stay on the screen while it is prepared, and when it turns out
        that it cannot go on."""
        if self.shown is None or self.shown.run.id != run.id:
            self.shown = self._reader_of(run)
        self.own = self.shown

    def show(self, run: Run) -> None:
        self.shown = self._reader_of(run)
        job = self._session.job
        if job is not None and run.id in job.live_ids:
            self.own = self.shown

    def _reader_of(self, run: Run) -> Follower:
        """The one that reads this run's log already, or a new one."""
        own = self.own if self.own is not None and self.own.run.id == run.id else None
        if found := own or self.seeds.find(run.id):
            return found
        follower = Follower(run)
        follower.poll()  # most logs are read whole by that: a key pressed right now finds the run as it is
        return follower

    @property
    def turns(self) -> list[str]:
        """The runs among which one can turn: the seeds of the group that have begun, else all that are live here."""
        if len(seeds := [follower.run.id for follower in self.seeds.begun]) > 1:
            return seeds
        return self._session.job.live_ids if self._session.job is not None else []

    @property
    def has_others(self) -> bool:
        """Whether there is a run to turn to beside the one that is shown."""
        shown = self.shown.run.id if self.shown is not None else ""
        return any(run_id != shown for run_id in self.turns)

    def turn(self, by: int) -> None:
        """Show the run before or behind the one that is shown, in the order of their seeds."""
        if not (ids := self.turns):
            return
        shown = self.shown.run.id if self.shown is not None else ""
        place = ids.index(shown) + by if shown in ids else 0
        self.show(self._store.run(ids[place % len(ids)]))

    def poll(self) -> bool:
        """Take in what has come into the logs; whether anything has changed."""
        changed = self._move_on()
        followers = list({id(f): f for f in (self.own, self.shown) if f is not None}.values())
        for follower in followers:
            changed = follower.poll() or changed
        return self.seeds.look(self.shown, followers) or changed

    def _move_on(self) -> bool:
        """Follow the session to its first run once there is one, and to another one when that has ended."""
        job, own = self._session.job, self.own
        if job is None or (own is not None and own.run.id in job.run_ids and own.run.id not in job.ends):
            return False
        run_id = next(iter(job.live_ids or job.run_ids[-1:]), "")
        if not run_id or (own is not None and (own.run.id == run_id or not job.live_ids)):
            return False
        self.own = self._reader_of(self._store.run(run_id))
        if self.shown is None or self.shown is own:
            self.shown = self.own
        return True
