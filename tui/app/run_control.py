"""Starting, stopping and continuing runs, with a question where several are concerned."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from textual.app import App

from core.errors import RunError, StorageError
from experiments.runs.folder import Run, RunSpec
from experiments.runs.own_code import code_in_words, is_known, own_arch
from experiments.runs.row import Status
from tui.live.job_words import waiting_seeds, what_is_trained
from tui.live.jobs.watch import live_elsewhere
from tui.live.lab import Lab
from tui.live.session import Job
from tui.live.task import BackgroundTask, in_a_sentence
from tui.screens.dialogs import Ask
from tui.text.keys import with_keys
from tui.text.output import counted
from tui.widgets.textual_private import open_screens

_CAN_GO_ON = (Status.STOPPED, Status.CRASHED)
PUT_AWAY = 1.0
"""Seconds that a job whose runs have ended is waited for at most."""


class RunControl:
    """`show_training` leads to the Training screen, when something has been started."""

    def __init__(self, app: App[int], lab: Lab, show_training: Callable[[], Awaitable[None]]) -> None:
        self._app, self._lab, self._show_training = app, lab, show_training

    async def show_live_runs(self, is_wanted: Callable[[], bool]) -> None:
        """Lead to what is trained already, by a process that lost its terminal say, where that is wanted by then."""
        lab = self._lab
        live = await asyncio.to_thread(live_elsewhere, lab.store)
        if live and is_wanted() and not lab.session.live:
            lab.run_watch.show(lab.store.run(live[0]))
            await self._show_training()
            others = f", and {len(live) - 1} more" if len(live) > 1 else ""
            words = with_keys(f"{live[0]}{others}: {{runs}} lists all")
            self._app.notify(words, title="Still in training", markup=False)

    async def start(self, specs: Sequence[RunSpec], *, detached: bool = False) -> None:
        """Train runs here; in line, for a process of their own, where that is asked for or the machine is busy."""
        ahead = await self._jobs_ahead()
        if detached or ahead:
            from tui.live.jobs.line import put_in_line

            put = partial(put_in_line, self._lab.locations, specs, "interface")
            self._app.run_worker(self._put_in_line(put, ahead, "Cannot start"), exit_on_error=False)
            return
        self._lab.run_watch.expect_new_runs()
        await self._begin(Job(specs))

    async def _begin(self, job: Job) -> None:
        """Train here; a range test that goes on in another mode ends first, as both would draw of torch's numbers."""
        from tui.screens.find_rate import FindRate  # which the first screen does not wait for

        for screens in open_screens(self._app).values():
            for screen in screens:
                if isinstance(screen, FindRate):
                    await screen.give_up()
        self._lab.session.start(job)
        await self._show_training()

    async def _jobs_ahead(self) -> int:
        """The jobs behind which what is asked for now waits; one that is prepared here has no folder yet, and one whose
        runs have ended is waited for."""
        from tui.live.jobs.line import jobs_ahead

        session, until = self._lab.session, time.monotonic() + PUT_AWAY
        while session.live and session.job is not None and session.job.is_over and time.monotonic() < until:
            await asyncio.sleep(0.02)
        ahead = await asyncio.to_thread(jobs_ahead, self._lab.locations)
        return max(ahead, int(self._lab.session.live))

    async def _put_in_line(self, put: Callable[[], object], ahead: int, title: str) -> None:
        """Put runs in line on a thread, which may have to look at own code, and say where they are, or by this title
        that they cannot be."""
        line = self._lab.line
        task = BackgroundTask("put in line", lambda *_: put())
        while not task.done.is_set():
            await asyncio.sleep(0.02)
        line.hurry()
        if problem := task.problem():
            self._refuse(problem, title)
            return
        what = "it begins now" if not ahead else f"{ahead} before it" if ahead > 1 else "one before it"
        words = with_keys(f"{what}; {{line}} in Runs or Training lists what is in line")
        self._app.notify(words, title="In line", markup=False)

    async def stop(self, run: Run) -> None:
        """Stop a run, wherever it is trained. Of several that are trained here one is stopped alone, or all are."""
        session, job = self._lab.session, self._lab.session.job
        if job is None or not session.works_on(run.id):
            self._ask_to_stop(run)
        elif job.stopping or len(job.live_ids) < 2:
            session.stop("stop")
        else:
            waiting = waiting_seeds(job)
            alone = f"Stop {run.meta().name or run.id} alone" + ("; no other one begins then" if waiting else "")
            answers = (("all", "Stop all of them, each after a checkpoint"), ("one", alone), ("stay", "Let them go on"))
            text = " ".join(filter(None, (what_is_trained(job), waiting and f"Still to begin: {waiting}.")))
            await self._app.push_screen(Ask("Stop?", text, answers), lambda answer: self._stop_answered(run, answer))

    def _stop_answered(self, run: Run, answer: str | None) -> None:
        if answer == "all":
            self._lab.session.stop("stop")
        elif answer == "one":
            self._ask_to_stop(run)

    async def stop_all(self, runs: Sequence[Run]) -> None:
        """Stop several runs, wherever they are trained, the last first, so that none of those that wait begins."""
        session, job = self._lab.session, self._lab.session.job
        ids = {run.id for run in runs}
        if job is not None and session.live and job.live_ids and set(job.live_ids) <= ids:
            session.stop("stop")
        problems = []
        for run in sorted(runs, key=lambda run: run.id, reverse=True):
            if run.is_alive() and not (job is not None and job.stopping and run.id in job.live_ids):
                try:
                    run.ask_to_stop()
                except StorageError as error:
                    problems.append(in_a_sentence(error))
        asked = len(ids) - len(problems)
        words = f"{counted(asked, 'run')} asked to stop after a checkpoint"
        self._app.notify(words, title="Stopping")
        if problems:
            self._refuse(problems[0], "Cannot stop all of them")

    def _ask_to_stop(self, run: Run) -> None:
        if not run.is_alive():
            self._app.notify("it is not being trained any more", title="Nothing to stop")
            return
        try:
            run.ask_to_stop()
            self._app.notify(f"{run.id} was asked to stop after a checkpoint", title="Stopping", markup=False)
        except StorageError as error:
            self._refuse(in_a_sentence(error), "Cannot stop it")

    async def resume(self, run: Run) -> None:
        """Go on with a run; with the others of its group that were stopped too, if that is the answer. In line, where
        the machine is busy."""
        if not run.folder.is_dir():
            self._refuse("its folder has been deleted", "Cannot continue")
            return
        others = await asyncio.to_thread(self._stopped_with, run)
        if isinstance(self._app.screen, Ask):  # the key was pressed again meanwhile
            return
        if not others:
            await self._ask_to_go_on_with([run])
            return
        text = f"{len(others)} more of its group {'were' if len(others) > 1 else 'was'} stopped, too."
        answers = (
            ("one", f"Continue {run.meta().name or run.id} alone"),
            ("all", f"Continue all {1 + len(others)}"),
            ("stay", "Leave them"),
        )

        async def answered(answer: str | None) -> None:
            if answer in ("one", "all"):
                await self._ask_to_go_on_with([run, *others] if answer == "all" else [run])

        await self._app.push_screen(Ask("Continue?", text, answers), answered)

    def _stopped_with(self, run: Run) -> list[Run]:
        """The other runs of its group that were stopped before their end, in the order of their seeds. Reads the home:
        the catalog knows only what there was when the list of runs was last shown."""
        if (group := run.meta().group_id) is None:
            return []
        store = self._lab.store
        rows = [row for row, status in store.rows() if row.group_id == group and status in _CAN_GO_ON]
        rows.sort(key=lambda row: row.seed or 0)
        return [store.run(row.run_id) for row in rows if row.run_id != run.id]

    async def _ask_to_go_on_with(self, runs: Sequence[Run]) -> None:
        """Go on with runs. Someone who presses the key on a run has named its code, and the title shows whose it is;
        code that came from elsewhere with the run's folder is asked about."""
        try:
            archs = [await asyncio.to_thread(own_arch, run) for run in runs]
            foreign = [run for run in runs if not await asyncio.to_thread(is_known, run)]
            words = code_in_words(foreign[0]) if foreign else ""
        except RunError as error:
            self._refuse(in_a_sentence(error), "Cannot continue")
            return
        if not foreign:
            await self._go_on_with(runs, archs)
            return

        async def answered(answer: str | None) -> None:
            if answer == "consent":
                await self._go_on_with(runs, archs)

        text = f"{foreign[0].meta().name or foreign[0].id} trains {words}."
        answers = (("consent", "Run that code and continue"), ("stay", "Leave it"))
        await self._app.push_screen(Ask("Run its code?", text, answers), answered)

    async def _go_on_with(self, runs: Sequence[Run], archs: Sequence[str | None]) -> None:
        from experiments.execution.runner import Runner
        from experiments.execution.together.recorded import ResumedRun, config_of
        from tui.live.jobs.line import put_in_line_again

        resumed = [ResumedRun(run, arch) for run, arch in zip(runs, archs, strict=True)]
        locations = self._lab.locations
        if ahead := await self._jobs_ahead():

            def put() -> object:
                for task in resumed:
                    config_of(Runner(locations), task)  # or the reason why it cannot go on
                return put_in_line_again(locations, runs, "interface")

            self._app.run_worker(self._put_in_line(put, ahead, "Cannot continue"), exit_on_error=False)
            return
        self._lab.run_watch.expect(runs[0])
        await self._begin(Job(resumed))

    def _refuse(self, words: str, title: str) -> None:
        self._app.notify(words, title=title, severity="error", markup=False)
