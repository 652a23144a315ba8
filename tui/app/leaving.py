"""Leaving the interface: by a key, which asks while a run is live, or by a signal, which does not."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from textual.app import App

from core.errors import LabError
from experiments.runs.folder import Run
from experiments.runs.store import Store
from tui.command_line.early_signals import SIGNALS
from tui.command_line.exit_codes import ExitCode, stop_code
from tui.live.launch import hand_over
from tui.live.session import ResumedRun, Session
from tui.screens.dialogs import Ask

DEADLINE = 9.0
"""Seconds after which the process goes, saved or not. Files are whole at any moment."""
GRACE = 2.0
"""Seconds that Textual gets to put the terminal back once the run has ended."""
SAVING = "mnist-tui: saving...\n"


class Leaving:
    """`farewell` is what is left to do, and to say, once the terminal is back."""

    def __init__(self, app: App[int], session: Session, store: Store) -> None:
        self._app, self._session, self._store = app, session, store
        self._watching = False
        self.farewell: Callable[[], str] = lambda: ""

    async def ask(self) -> None:
        """Quit, asking first what is to become of a live run."""
        if isinstance(self._app.screen, Ask):
            return
        if not self._session.live:
            self._app.exit(ExitCode.DONE)
            return
        answers = (
            ("save", "Save and quit: stop after a checkpoint"),
            ("detach", "Quit, and keep it running without a terminal"),
            ("discard", "Discard: stop and delete the run"),
            ("stay", "Stay here"),
        )
        await self._app.push_screen(Ask("Quit?", self._what_is_at_stake(), answers, danger="discard"), self._answered)

    def _what_is_at_stake(self) -> str:
        job, run = self._session.job, self._stopped_run()
        words = ["A run is being trained."]
        if seeds := self._waiting_seeds():
            words.append(f"{seeds.capitalize()} will be trained only if you keep it running.")
        resumed = job is not None and isinstance(job.plans[0], ResumedRun)
        if run is None:
            words.append("It has not gone on yet." if resumed else "It has no folder yet: there is nothing to delete.")
        else:
            earlier = ", with what it had before it was continued" if resumed else ""
            words.append(f"Discard deletes {run.meta().name or run.id} for good, log and weights{earlier}.")
        return " ".join(words)

    def _waiting_seeds(self) -> str:
        """The runs of a group that have not begun, in words; nothing for a run alone, which the question names."""
        job = self._session.job
        seeds = [str(seed) for seed in job.waiting_seeds] if job is not None and len(job.plans) > 1 else []
        if len(seeds) > 5:
            return f"seeds {seeds[0]} to {seeds[-1]}"
        if len(seeds) > 1:
            return f"seeds {', '.join(seeds[:-1])} and {seeds[-1]}"
        return f"seed {seeds[0]}" if seeds else ""

    def _answered(self, answer: str | None) -> None:
        app = self._app
        if answer not in ("save", "detach", "discard"):
            return
        self.farewell = {"save": self._dropped, "detach": self._detach, "discard": self._discard}[answer]
        self._session.stop("quit" if answer == "save" else answer)
        app.exit(ExitCode.DONE)

    def _dropped(self) -> str:
        seeds = self._waiting_seeds()
        return f"{seeds} will not be trained" if seeds else ""

    def _detach(self) -> str:
        """Hand over to a process that goes on where this one has stopped, and with the seeds that wait."""
        job, run = self._session.job, self._stopped_run()
        assert job is not None, "only a live job is asked about"
        try:
            reference = hand_over(job, self._session.locations)
        except LabError as error:
            saved = f"{run.id} was stopped and saved, but not detached" if run is not None else "not detached"
            return "; ".join(filter(None, (f"{saved}: {error.message}", self._dropped())))
        if not reference:
            return f"{job.run_id} has finished meanwhile"
        return f"{reference} goes on; mnist-tui watch {reference} follows it, mnist-tui stop {reference} stops it"

    def _discard(self) -> str:
        run = self._stopped_run()
        if run is None:
            return self._dropped()
        try:
            self._store.remove(run)
            words = f"{run.id} was discarded"
        except LabError as error:
            words = f"{run.id} was stopped but not deleted: {error.message}"
        return "; ".join(filter(None, (words, self._dropped())))

    def _stopped_run(self) -> Run | None:
        job = self._session.job
        return self._store.run(job.run_id) if job is not None and job.run_id else None

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Within the block SIGINT, SIGTERM and SIGHUP stop the run and leave."""
        previous = {number: signal.signal(number, self._on_signal) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def hang_up(self) -> None:
        """The terminal is gone. May be called on any thread."""
        self._leave("SIGHUP")

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._leave(signal.Signals(number).name)

    def _leave(self, reason: str) -> None:
        app, code = self._app, stop_code(reason)
        self._session.stop(reason)
        if self._watching:
            return
        self._watching = True
        threading.Thread(target=self._go_anyway, args=(code,), name="deadline", daemon=True).start()
        with suppress(RuntimeError):  # the loop has ended already
            if app._loop is not None:
                app._loop.call_soon_threadsafe(app.exit, code)

    def _go_anyway(self, code: ExitCode) -> None:
        """End the process when leaving takes too long: a stalled terminal blocks whoever writes to it."""
        started = time.monotonic()
        self._session.wait(DEADLINE - GRACE)
        time.sleep(max(0.0, min(GRACE, DEADLINE - (time.monotonic() - started))))
        os._exit(code)
