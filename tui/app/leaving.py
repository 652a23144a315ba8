"""Leaving the interface: by a key, which asks while a run is live, or by a signal, which does not."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType

from textual.app import App

from core.errors import LabError
from experiments.runs.store import Store
from tui.command_line.early_signals import SIGNALS
from tui.command_line.exit_codes import ExitCode, stop_code
from tui.live.job_words import names_in_words, waiting_seeds, what_is_trained
from tui.live.session import Job, Session
from tui.screens.dialogs import Ask
from tui.screens.notes import NoteEditor
from tui.text.output import note
from tui.widgets.textual_private import call_soon, open_screens

DEADLINE = 9.0
"""Seconds after which the process goes, saved or not. Files are whole at any moment."""
HAND_OVER_PATIENCE = 30.0
"""The same where runs are to go on in another process: they have to be let go of first, and nobody has hung up."""
GRACE = 2.0
"""Seconds that Textual gets to put the terminal back once the run has ended."""
SAVING = "mnist-tui: saving...\n"


class Leaving:
    """`farewell` is what is left to do, and to say, once the terminal is back and the session has ended, which has so
    many seconds of `patience` to do so.

    Where the terminal is gone and the session `keeps` its runs, `has_hung_up` says that it goes on to their end without
    the app. The same process does: it has all it needs, and nothing can go wrong in a change to another one.
    """

    def __init__(self, app: App[int], session: Session, store: Store) -> None:
        self._app, self._session, self._store = app, session, store
        self._watching = False
        self._question: Ask | None = None
        self.keeps = True
        self.has_hung_up = False
        self.patience = DEADLINE
        self.farewell: Callable[[], str] = lambda: ""

    async def ask(self) -> None:
        """Quit, asking first what is to become of a note that has not been saved, and of a live run."""
        if self._app.screen is self._question or await self._asks_about_note():
            return
        if not self._session.live:
            self._app.exit(ExitCode.DONE)
            return
        job = self._session.job
        assert job is not None, "a live session has a job"
        several = len(job.live_ids) > 1
        answers = (
            ("save", f"Quit, and stop {'them' if several else 'it'} after a checkpoint"),
            ("detach", f"Quit, and keep {'them' if several else 'it'} running without a terminal"),
            ("discard", f"Discard: stop and delete {'these runs' if several else 'the run'}"),
            ("stay", "Stay here"),
        )
        ended = set(job.ends)

        def answered(answer: str | None) -> None:
            self._answered(job, answer, ended)

        self._question = Ask("Quit?", self._what_is_at_stake(job), answers, danger="discard")
        await self._app.push_screen(self._question, answered)

    async def _asks_about_note(self) -> bool:
        """Whether a note somewhere has unsaved changes; it is shown then, and asks what is to become of them."""
        for mode, screens in open_screens(self._app).items():
            for editor in screens:
                if isinstance(editor, NoteEditor) and editor.is_changed:
                    await self._app.switch_mode(mode)
                    if isinstance(shown := self._app.screen, NoteEditor):  # else it asks already
                        await shown.action_leave()
                    return True
        return False

    def _what_is_at_stake(self, job: Job) -> str:
        words = [what_is_trained(job)]
        if seeds := waiting_seeds(job):
            words.append(f"{seeds.capitalize()} will be trained only if you keep it running.")
        live = [self._store.run(run_id) for run_id in job.live_ids]
        if live:
            earlier = ", with what it had before it was continued" if job.resumed else ""
            names = names_in_words([run.meta().name or run.id for run in live])
            words.append(f"Discard deletes {names} for good, log and weights{earlier}.")
        else:
            nothing = "It has no folder yet: there is nothing to delete."
            words.append("It has not gone on yet." if job.resumed else nothing)
        return " ".join(words)

    def _answered(self, job: Job, answer: str | None, spared: Set[str]) -> None:
        match answer:
            case "save":
                pass
            case "detach":
                self.patience = HAND_OVER_PATIENCE
                self.farewell = lambda: self._detach(job)
            case "discard":
                self.farewell = lambda: self._discard(job, spared)
            case _:
                return
        self._session.stop("quit" if answer == "save" else answer)
        self._app.exit(ExitCode.DONE)

    def _detach(self, job: Job) -> str:
        """Hand over to a process that goes on where this one has stopped, and with the seeds that wait."""
        try:
            from tui.live.launch import hand_over

            reference = hand_over(job, self._session.locations)
        except LabError as error:
            saved = f"{' '.join(job.run_ids)} stopped and saved, but not detached" if job.run_ids else "not detached"
            return f"{saved}: {error.message}"
        if not reference:
            return f"{' '.join(job.run_ids)} finished meanwhile"
        return f"{reference} goes on; mnist-tui watch {reference} follows it, mnist-tui stop {reference} stops it"

    def _discard(self, job: Job, spared: Set[str]) -> str:
        """Delete the job's runs but those that had ended before the question was asked."""
        deleted, words = [], []
        for run in (self._store.run(run_id) for run_id in (*job.run_ids, *job.left_ids) if run_id not in spared):
            try:
                self._store.remove(run)
                deleted.append(run.id)
            except LabError as error:
                words.append(f"{run.id} was stopped but not deleted: {error.message}")
        if deleted:
            words.insert(0, f"{names_in_words(deleted)} {'were' if len(deleted) > 1 else 'was'} discarded")
        return "; ".join(words)

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
        app, code, job = self._app, stop_code(reason), self._session.job
        if self.keeps and reason == "SIGHUP" and self._session.live and job is not None and not job.stopping:
            self.has_hung_up = True
        elif not (reason == "SIGHUP" and self.has_hung_up):  # it may come several times, from several sides
            self._session.stop(reason)
        if self._watching:
            return
        self._watching = True
        threading.Thread(target=self._go_anyway, args=(code,), name="deadline", daemon=True).start()
        call_soon(app, app.exit, code)

    def code_after_hangup(self) -> ExitCode:
        """The exit code of a session that went on without a terminal, once that has ended."""
        job = self._session.job
        return stop_code(job.stopping) if job is not None and job.stopping else ExitCode.DONE

    def _go_anyway(self, code: ExitCode) -> None:
        """End the process when leaving takes too long: a stalled terminal blocks whoever writes to it."""
        if self.has_hung_up:
            self._say_who_goes_on()
            self._session.wait(math.inf)
            time.sleep(GRACE)
            os._exit(self.code_after_hangup())
        started, patience = time.monotonic(), self.patience
        self._session.wait(patience - GRACE)
        time.sleep(patience if patience > DEADLINE else max(0.0, min(GRACE, patience - (time.monotonic() - started))))
        os._exit(code)

    def _say_who_goes_on(self) -> None:
        """In the log of what is printed beside the app. Not in the signal's handler, which may have come in the middle
        of a line."""
        runs = " ".join(self._session.job.live_ids if self._session.job is not None else ()) or "what is prepared"
        note(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} the terminal is gone: {runs} goes on without it")
