"""What may be done with the runs of the list: with the current one, or with all that are marked, after one question."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from textual import work
from textual.widgets import Input

from core.errors import LabError
from experiments.results.filters.fields import Listed
from experiments.runs.folder import Run
from experiments.runs.labels import check_label, split_tags
from experiments.runs.row import RunRow, Status
from tui.live.catalog import Catalog
from tui.live.messages import ForkRequested, ResumeRequested, StopAllRequested, StopRequested
from tui.live.runs.listing import ListEntry
from tui.live.runs.reporting import write_report
from tui.live.task import BackgroundTask, in_a_sentence
from tui.screens.base import WorkScreen
from tui.screens.dialogs import Ask, Prompt
from tui.screens.notes import edit_note
from tui.screens.opening import open_draw, open_inspect
from tui.text.copying import Copy, copies_of_run
from tui.text.output import counted, percent
from tui.text.wording import arch_in_short

if TYPE_CHECKING:
    from experiments.reports.templated import Template

NAMED = 6
"""Runs that a question names; of others it says the number."""


class RunActions(WorkScreen):
    """Rename, tag, note, stop and delete."""

    @property
    @abstractmethod
    def current(self) -> ListEntry | None:
        """The entry under the cursor."""

    @property
    @abstractmethod
    def chosen(self) -> Sequence[Listed]:
        """The runs that are marked; without marks those of the current entry."""

    @property
    @abstractmethod
    def reported(self) -> Sequence[str]:
        """The ids of the runs and groups that a report is to be about."""

    @abstractmethod
    def rearrange(self) -> None:
        """Show the runs again, after one has changed."""

    @property
    def catalog(self) -> Catalog:
        return self.lab.catalog

    def run_of(self, row: RunRow) -> Run:
        return self.lab.store.run(row.run_id)

    @property
    def shown_run(self) -> Run | None:
        """The current run; of a fold its best."""
        return self.run_of(self.current.shown[0]) if self.current is not None else None

    def find(self, words: str) -> None:
        """Show the runs that a filter finds."""
        self.query_one("#filter", Input).value = words
        self.set_focus(self.query_one("#runs"))

    def copies(self) -> Sequence[Copy]:
        return copies_of_run(self.shown_run) if self.shown_run is not None else ()

    def action_fork(self) -> None:
        if self.shown_run:
            self.post_message(ForkRequested(self.shown_run))

    async def action_inspect(self) -> None:
        if self.shown_run:
            await open_inspect(self.app, self.shown_run)

    async def action_draw(self) -> None:
        if self.shown_run:
            await open_draw(self.app, self.shown_run)

    def action_resume(self) -> None:
        if (row := self._resumable) is not None:
            self.post_message(ResumeRequested(self.run_of(row[0])))

    @property
    def _resumable(self) -> Listed | None:
        states = (Status.STOPPED, Status.CRASHED, Status.FAILED)
        runs = self.current.runs if self.current is not None else ()
        return next((item for item in runs if item[1] in states), None)

    async def action_rename(self) -> None:
        if self.current is not None and self.current.fold is None:
            run = self.run_of(self.current.row)
            prompt = Prompt("Rename", run.id, run.meta().name, lambda name: check_label("name", _one_line(name)))
            await self.app.push_screen(prompt, lambda name: self._rename(run, name))

    def _rename(self, run: Run, name: str | None) -> None:
        if name is not None:
            self._change([(run, {"name": _one_line(name)})])

    async def action_tag(self) -> None:
        runs = [self.run_of(row) for row, _ in self.chosen]
        if len(runs) == 1:
            text, tags = f"{runs[0].id}: tags, separated by commas or spaces", ", ".join(runs[0].meta().tags)
            prompt = Prompt("Tag", text, tags, _check_tags)
            await self.app.push_screen(prompt, lambda answer: self._tag_one(runs[0], tags, answer))
        elif runs:
            text = f"{named(self.chosen)}: tags to add, separated by commas or spaces; -tag takes one away"
            prompt = Prompt(f"Tag {len(runs)} runs", text, "", _check_tags)
            await self.app.push_screen(prompt, lambda answer: self._tag_all(runs, answer or ""))

    def _tag_one(self, run: Run, before: str, answer: str | None) -> None:
        if answer not in (None, before):
            self._change([(run, {"tags": split_tags([answer or ""], at_spaces=True, known=run.meta().tags)})])

    def _tag_all(self, runs: Sequence[Run], answer: str) -> None:
        known = {tag for run in runs for tag in run.meta().tags}
        words = split_tags([answer], at_spaces=True, known=known | {f"-{tag}" for tag in known})
        away = {word.removeprefix("-").lstrip("#") for word in words if word.startswith("-")}
        new = [word for word in words if not word.startswith("-")]
        kept = [(run, [tag for tag in run.meta().tags if tag not in away]) for run in runs]
        if words:
            self._change([(run, {"tags": tuple(dict.fromkeys([*tags, *new]))}) for run, tags in kept])

    @work(group="change")
    async def _change(self, changes: Sequence[tuple[Run, Mapping[str, Any]]]) -> None:
        """Keep names and tags, on a thread, as they may be those of thousands of runs."""

        def keep() -> None:
            for run, fields in changes:
                run.change_meta(**fields)

        task = BackgroundTask("change", lambda *_: keep())
        while not task.done.is_set():
            await asyncio.sleep(0.01)
        if problem := task.problem():
            self.notify(problem, title="Not kept", severity="error", markup=False)
        self._read_again([run.id for run, _ in changes])

    def _read_again(self, run_ids: Sequence[str]) -> None:
        self.catalog.read_again(*run_ids)
        self.rearrange()

    async def action_note(self) -> None:
        """Open the note of the current run; of a fold the one note that all of its runs have."""
        if self.current is None:
            return
        rows = [row for row, _ in self.current.runs]
        if len({row.note for row in rows}) > 1:
            words = "its runs have different notes: unfold it, and open that of one"
            self.notify(words, title="Several notes", severity="warning")
            return
        title = self.current.row.name or self.current.row.run_id
        runs, ids = [self.run_of(row) for row in rows], [row.run_id for row in rows]
        await edit_note(self.app, runs, title, lambda: self._read_again(ids))

    async def action_report(self) -> None:
        """Write a page on what is marked, else on the current run or group; of a sweep on its best run."""
        references = self.reported
        if not references:
            return
        alone = [item for item in self.chosen if [item[0].run_id] == list(references)]
        words = f"A page on {named(alone or self.chosen)}.\n\nIt is written into {self.lab.locations.home / 'reports'}."
        answers = (("course", "For a course: network, log, curves, mistakes, notes"), ("standard", "All numbers"))

        def answered(answer: str | None) -> None:
            if answer in ("course", "standard"):
                self._report("course" if answer == "course" else "standard", references)

        await self.app.push_screen(Ask("Report", words, answers), answered)

    @work(group="report")
    async def _report(self, template: Template, references: Sequence[str]) -> None:
        task = BackgroundTask("report", lambda *_: write_report(self.lab, template, references))
        self.notify("the report is being written", title="Report")
        while not task.done.is_set():
            await asyncio.sleep(0.05)
        if task.result is not None:
            self.notify(str(task.result), title="Report written", markup=False, timeout=15)
        else:
            self.notify(task.problem(), title="No report", severity="error", markup=False)

    async def action_stop(self) -> None:
        live = [item for item in self.chosen if item[1] is Status.RUNNING]
        if len(live) == 1:
            self.post_message(StopRequested(self.run_of(live[0][0])))
        elif live:
            text = f"{named(live)}.\n\nEach stops after a checkpoint, and can be continued."
            answers = (("stop", f"Stop these {len(live)} runs"), ("stay", "Let them go on"))
            await self.app.push_screen(
                Ask("Stop them?", text, answers), lambda answer: self._stop(live) if answer == "stop" else None
            )

    def _stop(self, items: Sequence[Listed]) -> None:
        self.post_message(StopAllRequested([self.run_of(row) for row, _ in items]))

    async def action_delete(self) -> None:
        dead = [item for item in self.chosen if item[1] is not Status.RUNNING]
        live = len(self.chosen) - len(dead)
        if not dead:
            if live:
                what = "it is being trained" if live == 1 else "they are being trained"
                self.notify(
                    f"{what}; stop {'it' if live == 1 else 'them'} first", title="Cannot delete", severity="warning"
                )
            return
        many = len(dead) > 1
        text = f"{named(dead)}." if many else _described(dead[0][0])
        text += f"\n\n{'Their logs, weights and checkpoints are' if many else 'Its log, weights and checkpoint are'}"
        text += " deleted for good."
        if live:
            text += (
                f" {live} more {'is' if live == 1 else 'are'} being trained, and {'stays' if live == 1 else 'stay'}."
            )
        title = f"Delete these {len(dead)} runs?" if many else "Delete this run?"
        keep, delete = ("Keep them", f"Delete {len(dead)} runs") if many else ("Keep it", "Delete it")
        runs = [self.run_of(row) for row, _ in dead]

        def answered(answer: str | None) -> None:
            if answer == "delete":
                self._delete(runs)

        answers = (("keep", keep), ("delete", delete))
        await self.app.push_screen(Ask(title, text, answers, danger="delete"), answered)

    @work(group="delete runs")
    async def _delete(self, runs: Sequence[Run]) -> None:
        """Delete runs, on a thread; one that cannot be stops none of the others."""
        problems: list[str] = []

        def remove(*_: object) -> int:
            for run in runs:
                try:
                    self.lab.store.remove(run)
                except LabError as error:
                    problems.append(in_a_sentence(error))
            return len(runs) - len(problems)

        task = BackgroundTask("delete", remove)
        while not task.done.is_set():
            await asyncio.sleep(0.02)
        for words in [*problems[:3], *filter(None, [task.problem()])]:
            self.notify(words, title="Not deleted", severity="error", markup=False)
        if task.result:
            what = f"{runs[0].id} is deleted" if len(runs) == 1 else f"{task.result} runs are deleted"
            self.notify(what, markup=False)
        self._read_again([run.id for run in runs])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        current = self.current if self.ready else None
        match action:
            case "stop":
                return self.ready and any(status is Status.RUNNING for _, status in self.chosen)
            case "resume":
                return self.ready and self._resumable is not None
            case "rename":
                return current is not None and current.fold is None
            case "delete" | "tag" | "report":
                return self.ready and bool(self.chosen)
            case "inspect" | "draw" | "fork" | "note":
                return current is not None
            case _:
                return super().check_action(action, parameters)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _check_tags(text: str) -> None:
    for tag in split_tags([text], at_spaces=True):
        check_label("tag", tag)


def named(items: Sequence[Listed]) -> str:
    """The names of runs, of many the first ones and the number of the others."""
    names = [row.name or row.run_id for row, _ in items]
    rest = len(names) - NAMED
    return ", ".join(names) if rest < 2 else f"{', '.join(names[:NAMED])} and {rest} more"


def _described(row: RunRow) -> str:
    what = f"{row.name or row.run_id}: {arch_in_short(row.arch)} on {row.dataset}, {counted(row.epochs_done, 'epoch')}"
    return f"{what}, best {percent(row.best_test_accuracy)}."
