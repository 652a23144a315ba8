"""Runs: everything that was trained in this home, and what is being trained now, here or elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Static

from experiments.results.filters.fields import Listed
from experiments.results.filters.language import RunFilter, read_filter
from experiments.results.ordering import ORDERS, STATUS, is_descending
from experiments.runs.row import Status
from tui.live.messages import OpenRequested
from tui.live.runs.group_line import GroupResults, entry_in_words
from tui.live.runs.listing import NEWEST, Folds, ListEntry, Listing
from tui.live.runs.marks import MOST, Marks
from tui.live.runs.preview import Previews
from tui.live.task import BackgroundTask
from tui.screens.opening import open_compare
from tui.screens.runs.actions import RunActions
from tui.screens.runs.columns import ChooseColumns
from tui.screens.runs.help import EMPTY, HELP, KEYS
from tui.text.columns import chosen_columns
from tui.text.keys import with_keys
from tui.text.output import counted
from tui.widgets.forms.field import Field
from tui.widgets.lines.line import Line
from tui.widgets.tables.preview_pane import PreviewPane
from tui.widgets.tables.run_table import RunTable
from tui.widgets.tables.table import Table

PAUSE = 0.2
"""Seconds that the cursor rests on a run before its folder is read."""


class RunsScreen(RunActions):
    MODE = "runs"
    AUTO_FOCUS = "#runs"
    BINDINGS: ClassVar[list[BindingType]] = KEYS

    def __init__(self) -> None:
        super().__init__()
        self._entries: list[ListEntry] = []
        self._listing = Listing()
        self._chosen_key = ""
        self._marks = Marks()
        self._filter, self._mistake = RunFilter(), ""

    def on_mount(self) -> None:
        self._groups = GroupResults(self.lab.store)
        self._previews = Previews(self.lab.store)
        self._folds = Folds(all_open=self.lab.state.runs_unfolded)
        self.set_class(self.lab.state.runs_preview, "-preview")
        super().on_mount()

    def compose_body(self) -> ComposeResult:
        yield Static(with_keys(EMPTY), id="no-runs", markup=False)
        with Vertical(id="runs-body"):
            with Horizontal(id="runs-bar"):
                yield Field(placeholder="filter: words, acc>99.4 params<8k tag:best", id="filter", compact=True)
                yield Line(id="runs-count")
            with Horizontal(id="runs-list"):
                yield RunTable(id="runs")
                yield PreviewPane(id="preview")
            yield Line(id="run-words")

    @property
    def _table(self) -> RunTable:
        return self.query_one("#runs", RunTable)

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        if self.catalog.loaded:
            self.rearrange()
        elif not self.catalog.loading:  # after which it is arranged
            self.action_reload()

    def on_resize(self) -> None:
        self.call_after_refresh(self._show_preview)

    def action_reload(self) -> None:
        """Read every run again."""
        self.lab.load_catalog()

    @property
    def _sort(self) -> str:
        sort = self.lab.state.runs_sort
        return sort if sort in ORDERS or sort == STATUS else NEWEST

    def rearrange(self) -> None:
        """Show the runs in order, the same one current as before, wherever it has moved to."""
        if not self.ready:
            return
        sort, reverse = self._sort, self.lab.state.runs_reverse
        everything = self.catalog.items
        self._entries = self._listing.arrange(
            everything, self._filter, sort, reverse=reverse, is_open=self._folds.is_open
        )
        self.set_class(self.catalog.loaded and not everything, "-empty")
        keys = enumerate(entry.key for entry in self._entries if self._chosen_key)
        row = next((row for row, key in keys if key == self._chosen_key), 0)
        self._marks.keep(everything)
        self._table.show_entries(self._entries, self._marks, self._columns)
        self._table.say_sorted(sort, descending=is_descending(sort, reverse=reverse))
        self._table.move_to(row)
        self._say_count(len(everything))
        self._refresh_keys()

    def _say_count(self, total: int) -> None:
        count = self._listing.count
        line = self.query_one("#runs-count", Line)
        if total and not count:
            line.show("no run matches")
            return
        shown = f"{count:,} of {total:,} runs" if count < total else counted(total, "run")
        words = ORDERS[self._sort].words if self._sort in ORDERS else self._sort
        line.show(f"{shown}, {self._listing.live} live, by {words}")

    @property
    def current(self) -> ListEntry | None:
        row = self._table.cursor_row
        return self._entries[row] if 0 <= row < len(self._entries) else None

    @property
    def chosen(self) -> Sequence[Listed]:
        if self._marks.references:
            return self._marks.of(self.catalog.items)
        return self.current.runs if self.current is not None else ()

    @property
    def reported(self) -> Sequence[str]:
        if self._marks.references or self.current is None:
            return list(self._marks.references)
        fold = self.current.fold
        return [self.current.key if fold is not None and not fold.is_sweep else self.current.shown[0].run_id]

    @on(Table.Moved, "#runs")
    def _moved(self) -> None:
        self._chosen_key = self.current.key if self.current is not None else ""
        self._refresh_keys()

    def _refresh_keys(self) -> None:
        """Show all that depends on the current run: the keys, the line under the list, the preview."""
        current, searching = self.current, bool(self.query_one("#filter", Input).value)
        # Later: a frame is drawn from the highest line that has changed to the lowest, which would be the whole list.
        self.call_after_refresh(self._show_words)
        self._show_preview()
        facts = (current.status, current.fold is not None, current.is_inside, current.is_open) if current else None
        marked, live = len(self._marks.references), any(status is Status.RUNNING for _, status in self.chosen)
        self.refresh_keys(bool(self.catalog.items), facts, self.lab.session.live, searching, marked, live)

    def _show_words(self) -> None:
        """The line under the list: what is wrong with the filter, else the current run, or what its group came to."""
        line, current = self.query_one("#run-words", Line), self.current
        line.set_class(bool(self._mistake), "-wrong")
        if self._mistake or current is None:
            line.show(self._mistake)
            return
        marked = f"{len(self._marks.of(self.catalog.items))} marked;  " if self._marks.references else ""
        runs = self._group_of(current)
        line.show(marked + entry_in_words(current, len(runs), self._groups.known(runs)))
        if runs and not self._groups.known(runs):
            self._read_group(runs)

    def _group_of(self, entry: ListEntry) -> Sequence[Listed]:
        """All runs of the group that an entry is, or is in."""
        group = entry.row.group_id
        return [item for item in self.catalog.items if item[0].group_id == group] if group else []

    async def _on_thread(self, name: str, work: Callable[[], object]) -> None:
        task = BackgroundTask(name, lambda *_: work())
        while not task.done.is_set():
            await asyncio.sleep(0.02)

    @work(exclusive=True, group="read group")
    async def _read_group(self, runs: Sequence[Listed]) -> None:
        await self._on_thread("group", lambda: self._groups.read(runs))
        self._show_words()
        self._show_preview()

    def _show_preview(self) -> None:
        if self.ready and self.has_class("-preview" if self.has_class("-wide") else "-peek"):
            self._preview_soon()

    @work(exclusive=True, group="preview")
    async def _preview_soon(self) -> None:
        """Show the current run; neither read nor painted for one that the cursor only passes."""
        await asyncio.sleep(PAUSE)
        if (entry := self.current) is not None and not self._previews.is_fresh(entry.shown):
            await self._on_thread("preview", lambda: self._previews.read(entry.shown))
        if (current := self.current) is not None:
            words = self._groups.known(self._group_of(current)) if current.fold is not None else ""
            rows = [row for row, _ in self.catalog.items]
            self.query_one(PreviewPane).show(current, self._previews.known(current.shown), rows, words)

    def action_preview(self) -> None:
        self.toggle_class("-preview" if self.has_class("-wide") else "-peek")
        self.lab.remember(runs_preview=self.has_class("-preview"))
        self.call_after_refresh(self._show_preview)

    @on(Table.Chosen, "#runs")
    def action_open(self) -> None:
        if self.current is not None and self.current.fold is not None:
            self._turn(self.current.key, is_open=not self.current.is_open)
        elif self.current is not None:
            self.post_message(OpenRequested(self.run_of(self.current.row)))

    # --- Folds

    def _turn(self, key: str, *, is_open: bool) -> None:
        self._folds.turn(key, is_open=is_open)
        self._chosen_key = key
        self.rearrange()

    def action_unfold(self) -> None:
        if self.current is not None and self.current.fold is not None:
            self._turn(self.current.key, is_open=True)

    def action_fold(self) -> None:
        """Fold what is open; from a run within it as well."""
        entries = self._entries[: self._table.cursor_row + 1]
        head = next((entry for entry in reversed(entries) if not entry.is_inside), None)
        if head is not None and head.is_open:
            self._turn(head.key, is_open=False)

    def action_fold_all(self) -> None:
        self._folds.turn_all()
        self.lab.remember(runs_unfolded=self._folds.all_open)
        self.rearrange()

    # --- Marks

    def action_mark(self) -> None:
        if self.current is not None:
            self._marks.toggle(self.current)
            self.rearrange()

    def action_mark_group(self) -> None:
        group = self.current.row.group_id if self.current is not None else None
        if group is not None:
            self._marks.set([group], marked=group not in self._marks.references)
            self.rearrange()

    def action_mark_all(self) -> None:
        """Mark everything that is listed; again, and nothing of it is."""
        runs = [row.run_id for entry in self._entries if not entry.is_inside for row, _ in entry.runs]
        self._marks.set(runs, marked=not all(run_id in self._marks.references for run_id in runs))
        self.rearrange()

    def action_unmark(self) -> None:
        self._marks.clear()
        self.rearrange()

    async def action_compare(self) -> None:
        references = self._marks.to_compare(self.current)
        if len(references) > MOST:
            words = with_keys(
                f"{len(references)} are marked, at most {MOST} can be compared; {{mark_group}} marks a group as one"
            )
            self.notify(words, title="Not compared", severity="warning")
            return
        await open_compare(self.app, references)

    # --- Filter, order, columns

    def action_filter(self) -> None:
        self.set_focus(self.query_one("#filter", Input))

    @on(Input.Submitted, "#filter")
    def action_leave_filter(self) -> None:
        self.set_focus(self._table)

    def action_clear_filter(self) -> None:
        self.query_one("#filter", Input).value = ""
        self.action_leave_filter()

    @on(Input.Changed, "#filter")
    def _filter_typed(self, event: Input.Changed) -> None:
        """Of a term that is wrong, or not finished, is said what is allowed; the others count."""
        self._filter, mistake = read_filter(event.value)
        self._mistake = "" if mistake is None else f"{mistake.value}: {mistake.allowed}"
        self.rearrange()

    def action_sort(self) -> None:
        keys = list(ORDERS)
        self._sort_by(keys[(keys.index(self._sort) + 1) % len(keys)] if self._sort in ORDERS else keys[0])

    def action_reverse(self) -> None:
        self.lab.remember(runs_reverse=not self.lab.state.runs_reverse)
        self.rearrange()

    @on(Table.HeaderChosen, "#runs")
    def _header_chosen(self, event: Table.HeaderChosen) -> None:
        if event.sort == self._sort:
            self.action_reverse()
        else:
            self._sort_by(event.sort)

    def _sort_by(self, sort: str) -> None:
        self.lab.remember(runs_sort=sort, runs_reverse=False)
        self.rearrange()

    @property
    def _columns(self) -> tuple[str, ...]:
        """Those chosen here, else those of the user's settings."""
        return chosen_columns(self.lab.state.runs_columns or self.lab.settings.columns)

    async def action_columns(self) -> None:
        await self.app.push_screen(ChooseColumns(self._columns), self._take_columns)

    def _take_columns(self, names: tuple[str, ...] | None) -> None:
        if names is not None:
            self.lab.remember(runs_columns=list(names))
            self.rearrange()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        current = self.current if self.ready else None
        match action:
            case "leave_filter":
                return self.ready and self.query_one("#filter", Input).has_focus
            case "clear_filter":
                field = self.query_one("#filter", Input) if self.ready else None
                return field is not None and not field.has_focus and bool(field.value)
            case "mark_group":
                return current is not None and current.row.group_id is not None
            case "compare":
                return self.ready and len(self._marks.to_compare(current)) > 1
            case "unmark":
                return bool(self._marks.references) and not any(
                    self.check_action(action, ()) for action in ("leave_filter", "clear_filter")
                )
            case "unfold":
                return current is not None and current.fold is not None and not current.is_open
            case "fold":
                return current is not None and (current.is_open or current.is_inside)
            case "filter" | "sort" | "reload" | "reverse" | "columns" | "preview" | "fold_all" | "mark_all":
                return bool(self.catalog.items)
            case "mark" | "open" | "copy":
                return current is not None
            case _:
                return super().check_action(action, parameters)

    def help_lines(self) -> tuple[str, ...]:
        return HELP
