"""Runs: everything that was trained in this home, and what is being trained now, here or elsewhere."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Static

from core.errors import LabError
from experiments.runs.folder import Run
from experiments.runs.row import Status
from tui.live.catalog import SORTS, Catalog, Item, arranged
from tui.live.group_line import GroupResults, run_in_words
from tui.live.marks import MOST, Marks
from tui.live.messages import ForkRequested, OpenRequested, ResumeRequested, StopRequested
from tui.live.task import BackgroundTask, in_a_sentence
from tui.screens.base import WorkScreen
from tui.screens.dialogs import Ask, Prompt
from tui.screens.opening import open_compare, open_draw, open_inspect
from tui.text.keys import with_keys
from tui.text.output import percent
from tui.text.wording import arch_in_short
from tui.widgets.forms.field import Field
from tui.widgets.keys import bind
from tui.widgets.lines.line import Line
from tui.widgets.tables.run_table import RunTable
from tui.widgets.tables.table import Table

STALE = 30.0
"""Seconds after which all runs are read again when one comes back: somebody else may have renamed some."""
EMPTY = """There are no runs yet.

Start one in the Lab ({lab}), or from a shell with: mnist-tui run"""


class RunsScreen(WorkScreen):
    MODE = "runs"
    AUTO_FOCUS = "#runs"
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("open", "open", "Open", tooltip="Show the run in Training; a live one goes on there"),
        bind("fork", "fork", "Fork", tooltip="Take its config to the Lab, to change and start again"),
        bind(
            "inspect", "inspect", "Inspect", tooltip="What its network confuses, its layers, filters and feature maps"
        ),
        bind("draw", "draw", "Draw", tooltip="Draw a digit for its network"),
        bind("mark", "mark", "Mark", tooltip=f"Mark it to be compared; up to {MOST}"),
        bind("mark_group", "mark_group", "Group", tooltip="Mark its whole group as one"),
        bind("compare", "compare", "Compare", tooltip="Compare what is marked"),
        bind("filter", "filter", "Filter", tooltip="Find runs by words"),
        bind("order", "sort", "Sort", tooltip="Next order: newest, best, name and others"),
        bind("tag", "tag", "Tag", tooltip="Set the tags"),
        bind("edit", "rename", "Rename", tooltip="Give it another name"),
        bind("continue", "resume", "Continue", tooltip="Go on from its last checkpoint"),
        bind("stop", "stop", "Stop", tooltip="Stop it after a checkpoint, wherever it is trained"),
        bind("delete", "delete", "Delete", tooltip="Delete it, after a question"),
        bind("again", "reload", "Reload", tooltip="Read all runs again"),
        bind("back", "leave_filter", "Leave filter", tooltip="Leave the filter as it is"),
        bind("back", "clear_filter", "Clear filter", tooltip="Show all runs again"),
        bind("back", "unmark", "Unmark", tooltip="Take all marks away"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._items: list[Item] = []
        self._chosen = ""
        self._marks = Marks()

    def on_mount(self) -> None:
        self._groups = GroupResults(self.lab.store)
        super().on_mount()

    def compose_body(self) -> ComposeResult:
        yield Static(with_keys(EMPTY), id="no-runs", markup=False)
        with Vertical(id="runs-body"):
            with Horizontal(id="runs-bar"):
                yield Field(
                    placeholder="filter: words of id, name, network, data, status, #tag", id="filter", compact=True
                )
                yield Line(id="runs-count")
            yield RunTable(id="runs")
            yield Line(id="run-words")

    @property
    def _catalog(self) -> Catalog:
        return self.lab.catalog

    @property
    def _table(self) -> RunTable:
        return self.query_one("#runs", RunTable)

    def on_screen_resume(self) -> None:
        if self._catalog.loaded:
            self.rearrange()
        if self._catalog.age() > STALE:
            self.action_reload()

    def action_reload(self) -> None:
        """Read every run again."""
        self.lab.load_catalog()

    def rearrange(self) -> None:
        """Show the runs in order, the same one current as before, wherever it has moved to."""
        if not self.ready:
            return
        sort = self.lab.state.runs_sort
        sort = sort if sort in SORTS else "started"
        everything = self._catalog.items
        self._items = arranged(everything, sort, self.query_one("#filter", Input).value)
        self.set_class(self._catalog.loaded and not everything, "-empty")
        row = next((i for i, (row, _) in enumerate(self._items) if row.run_id == self._chosen), 0)
        self._marks.keep(row for row, _ in everything)
        self._table.show_items(self._items, self._marks)
        self._table.move_to(row)
        count, total = len(self._items), len(everything)
        if total and not count:
            self.query_one("#runs-count", Line).show("no run has all these words")
            self._refresh_keys()
            return
        shown = f"{count:,} of {total:,} runs" if count < total else f"{total:,} run{'s' * (total != 1)}"
        live = sum(status is Status.RUNNING for _, status in everything)
        self.query_one("#runs-count", Line).show(f"{shown}, {live} live, by {SORTS[sort]}")
        self._refresh_keys()

    @property
    def _current(self) -> Item | None:
        row = self._table.cursor_row
        return self._items[row] if 0 <= row < len(self._items) else None

    @property
    def _run(self) -> Run | None:
        return self.lab.store.run(self._current[0].run_id) if self._current else None

    @on(Table.Moved, "#runs")
    def _moved(self) -> None:
        self._chosen = self._current[0].run_id if self._current else ""
        self._refresh_keys()

    def _refresh_keys(self) -> None:
        """Show all that depends on the current run: the keys, and the line under the list."""
        current, searching = self._current, bool(self.query_one("#filter", Input).value)
        self._show_words(current)
        facts = (current[1], bool(current[0].group_id)) if current else None
        some = bool(self._catalog.items)
        marked = bool(self._marks.references)
        self.refresh_keys(some, facts, self.lab.session.live, searching, len(self._to_compare), marked)

    def _show_words(self, current: Item | None) -> None:
        """The line under the list."""
        words = f"{len(self._marks.references)} marked;  " if self._marks.references else ""
        if current is not None:
            row, _ = current
            runs = [item for item in self._catalog.items if row.group_id and item[0].group_id == row.group_id]
            result = self._groups.known(runs)
            words += run_in_words(row, len(runs), result)
            if runs and not result:
                self._read_group(runs)
        self.query_one("#run-words", Line).show(words)

    @work(exclusive=True, group="read group")
    async def _read_group(self, runs: Sequence[Item]) -> None:
        """Read what a group came to, on a thread, and say it."""
        task = BackgroundTask("group", lambda *_: self._groups.read(runs))
        while not task.done.is_set():
            await asyncio.sleep(0.02)
        if task.result is not None:
            self._show_words(self._current)

    @on(Table.Chosen, "#runs")
    def action_open(self) -> None:
        if self._run:
            self.post_message(OpenRequested(self._run))

    def action_fork(self) -> None:
        if self._run:
            self.post_message(ForkRequested(self._run))

    async def action_inspect(self) -> None:
        if self._run:
            await open_inspect(self.app, self._run)

    async def action_draw(self) -> None:
        if self._run:
            await open_draw(self.app, self._run)

    @property
    def _to_compare(self) -> list[str]:
        return self._marks.to_compare(self._current[0] if self._current else None)

    def action_mark(self) -> None:
        if self._current:
            self._mark(self._current[0].run_id)

    def action_mark_group(self) -> None:
        if self._current and self._current[0].group_id:
            self._mark(self._current[0].group_id)

    def _mark(self, reference: str) -> None:
        if not self._marks.toggle(reference):
            self.notify(f"{MOST} are marked, and no more can be compared", title="Not marked", severity="warning")
        self.rearrange()

    async def action_compare(self) -> None:
        await open_compare(self.app, self._to_compare)

    def action_resume(self) -> None:
        if self._run:
            self.post_message(ResumeRequested(self._run))

    def action_stop(self) -> None:
        if self._run:
            self.post_message(StopRequested(self._run))

    def action_filter(self) -> None:
        self.set_focus(self.query_one("#filter", Input))

    def action_leave_filter(self) -> None:
        self.set_focus(self._table)

    def action_clear_filter(self) -> None:
        self.query_one("#filter", Input).value = ""
        self.set_focus(self._table)

    def action_unmark(self) -> None:
        self._marks.clear()
        self.rearrange()

    @on(Input.Changed, "#filter")
    def _filter_typed(self) -> None:
        self.rearrange()

    @on(Input.Submitted, "#filter")
    def _filter_done(self) -> None:
        self.set_focus(self._table)

    def action_sort(self) -> None:
        keys = list(SORTS)
        sort = self.lab.state.runs_sort
        self.lab.remember(runs_sort=keys[(keys.index(sort) + 1) % len(keys)] if sort in SORTS else keys[0])
        self.rearrange()

    async def action_rename(self) -> None:
        if (run := self._run) is not None:
            await self.app.push_screen(Prompt("Rename", run.id, run.meta().name), lambda name: self._rename(run, name))

    def _rename(self, run: Run, name: str | None) -> None:
        if name is not None:
            self._change(run, name=" ".join(name.split()))

    async def action_tag(self) -> None:
        if (run := self._run) is not None:
            text, tags = f"{run.id}: tags, with commas or spaces between them", ", ".join(run.meta().tags)
            await self.app.push_screen(Prompt("Tag", text, tags), lambda answer: self._tag(run, tags, answer))

    def _tag(self, run: Run, before: str, answer: str | None) -> None:
        if answer not in (None, before):  # a tag that was given on the command line may have a space in it
            parts = (part.lstrip("#") for part in re.split(r"[,\s]+", answer))
            self._change(run, tags=tuple(dict.fromkeys(filter(None, parts))))

    def _change(self, run: Run, *, name: str | None = None, tags: tuple[str, ...] | None = None) -> None:
        try:
            run.change_meta(name=name, tags=tags)
        except LabError as error:
            self.notify(in_a_sentence(error), title="Not kept", severity="error", markup=False)
        self._catalog.read_again(run.id)
        self.rearrange()

    async def action_delete(self) -> None:
        if (current := self._current) is None or (run := self._run) is None:
            return
        row, status = current
        if status is Status.RUNNING:
            self.notify("it is being trained; stop it first", title="Cannot delete", severity="warning")
            return
        what = f"{row.name or row.run_id}: {arch_in_short(row.arch)} on {row.dataset}, {row.epochs_done} epochs"
        best = percent(row.best_test_accuracy)
        text = f"{what}, best {best}.\n\nIts log, weights and checkpoint are deleted for good."
        await self.app.push_screen(
            Ask("Delete this run?", text, (("keep", "Keep it"), ("delete", "Delete it")), danger="delete"),
            lambda answer: self._delete(run) if answer == "delete" else None,
        )

    def _delete(self, run: Run) -> None:
        try:
            self.lab.store.remove(run)
        except LabError as error:
            self.notify(in_a_sentence(error), title="Not deleted", severity="error", markup=False)
        else:
            self.notify(f"{run.id} is deleted", markup=False)
        self._catalog.read_again(run.id)
        self.rearrange()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        current = self._current if self.ready else None
        live = current is not None and current[1] is Status.RUNNING
        match action:
            case "stop":
                return live
            case "resume":
                resumable = (Status.STOPPED, Status.CRASHED, Status.FAILED)
                return current is not None and current[1] in resumable and not self.lab.session.live
            case "leave_filter":
                return self.ready and self.query_one("#filter", Input).has_focus
            case "clear_filter":
                field = self.query_one("#filter", Input) if self.ready else None
                return field is not None and not field.has_focus and bool(field.value)
            case "mark_group":
                return current is not None and current[0].group_id is not None
            case "compare":
                return self.ready and len(self._to_compare) > 1
            case "unmark":
                return bool(self._marks.references) and not any(
                    self.check_action(action, ()) for action in ("leave_filter", "clear_filter")
                )
            case "filter" | "sort" | "reload":
                return bool(self._catalog.items)
            case "mark" | "open" | "inspect" | "draw" | "delete" | "fork" | "tag" | "rename":
                return current is not None
            case _:
                return super().check_action(action, parameters)

    def help_lines(self) -> tuple[str, ...]:
        return (
            "Live runs come first, those of other terminals and machines too; {open} attaches to one.",
            "A filter finds runs that have all its words somewhere: conv5 finished #baseline.",
            "Best is the best test accuracy over epochs, and optimistic for that; final is that of the last epoch.",
            "Runs with held-out images have no best; in the order by best they stand where their final puts them.",
            "A star after a data set: a part of its images (limits on training or test images).",
            "Mark runs with {mark}, or the group of one with {mark_group}, and compare them with {compare}:",
            "the others are held against the first.",
        )
