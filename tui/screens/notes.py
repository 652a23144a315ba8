"""The note of a run: a text of several lines, here or in the user's own editor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from textual.app import App, ComposeResult, SuspendNotSupported
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static, TextArea

from core.errors import LabError
from experiments.runs.folder import Run
from experiments.runs.labels import MAX_NOTE, checked_note
from tui.live.runs.editor import edited
from tui.live.task import in_a_sentence
from tui.screens.dialogs import Ask
from tui.text.keys import with_keys
from tui.text.plain import plain
from tui.widgets.keys import bind

HEADINGS = "Target\n\n\nResult\n\n\nAnalysis\n"


class NoteEditor(ModalScreen[bool]):
    """The note of runs that have the same one; dismissed when it is kept, with True, or left as it was, with False."""

    DEFAULT_CSS = """
    NoteEditor { align: center middle; background: $background 60%; }
    NoteEditor TextArea, NoteEditor TextArea:focus { height: 14; border: none; padding: 0; }
    NoteEditor.-low TextArea { height: 9; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("save", "save", "Save", priority=True),
        bind("editor", "outside", "Editor", priority=True),
        bind("headings", "headings", "Headings", priority=True),
        bind("back", "leave", "Leave", priority=True),
    ]

    def __init__(self, title: str, runs: Sequence[Run]) -> None:
        super().__init__()
        self._title, self._runs, self._note = title, runs, runs[0].meta().note
        self._before = plain(self._note)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog note") as box:
            box.border_title = Content(f"Note: {self._title}")
            yield TextArea(self._before, id="note", soft_wrap=True, show_line_numbers=False, tab_behavior="indent")
            words = (
                "{save} saves, {editor} opens it in $EDITOR, {headings} puts in Target, Result, Analysis; {back} leaves"
            )
            yield Static(with_keys(words), classes="keys", markup=False)

    def on_mount(self) -> None:
        self._area.move_cursor(self._area.document.end)

    @property
    def _area(self) -> TextArea:
        return self.query_one("#note", TextArea)

    @property
    def is_changed(self) -> bool:
        return self._area.text.strip() != self._before.strip()

    async def action_save(self) -> None:
        """Keep the note; where somebody else has changed it meanwhile, ask which."""
        others = [run for run in self._runs if run.folder.is_dir() and run.meta().note != self._note]
        if not self.is_changed:
            self.dismiss(False)
        elif others:
            theirs = others[0].meta().note
            answers = (("both", "Keep both, one below the other"), ("ours", "Keep only this one"))
            question = Ask("Which note?", "Somebody else has changed the note meanwhile.", answers)
            await self.app.push_screen(question, lambda answer: self._settle(answer, theirs))
        else:
            self._keep(self._area.text)

    def _settle(self, answer: str | None, theirs: str) -> None:
        if answer:
            ours = self._area.text
            self._keep(ours if answer == "ours" else "\n\n".join(filter(None, (theirs, ours))))

    def _keep(self, text: str) -> None:
        """Write it down; where that fails it stays in the dialog."""
        try:
            note = checked_note(text)
            for run in self._runs:
                run.change_meta(note=note)
        except LabError as error:
            self.notify(in_a_sentence(error), title="Not saved", severity="error", markup=False, timeout=20)
        else:
            self.app.notify("the note is saved" if note else "the note is removed", title="Note")
            self.dismiss(True)

    async def action_leave(self) -> None:
        """Leave at once what has not been changed; else a question, as it may be long."""
        if not self.is_changed:
            self.dismiss(False)
            return
        answers = (("edit", "Keep editing"), ("save", "Save it"), ("discard", "Discard the changes"))
        text = "The note has unsaved changes."
        await self.app.push_screen(Ask("Leave the note?", text, answers, danger="discard"), self._left)

    async def _left(self, answer: str | None) -> None:
        if answer == "save":
            await self.action_save()
        elif answer == "discard":
            self.dismiss(False)

    def action_headings(self) -> None:
        """Put in the headings that a report sets apart, each that is not there yet."""
        lines = {line.strip(" #:").lower() for line in self._area.text.splitlines()}
        missing = [heading for heading in HEADINGS.split() if heading.lower() not in lines]
        if missing:
            before = self._area.text.rstrip()
            self._area.text = (f"{before}\n\n" if before else "") + "\n\n\n".join(missing) + "\n"
            row = self._area.text.splitlines().index(missing[0])
            self._area.move_cursor((row + 1, 0))

    def action_outside(self) -> None:
        """Open it in the user's editor; what that leaves is in the dialog then, not saved yet."""
        try:
            self._area.text = plain(edited(self._area.text, self.app.suspend))[: 2 * MAX_NOTE]
        except SuspendNotSupported:
            self.notify("no editor can be opened in this terminal", title="No editor", severity="error")
        except LabError as error:
            self.notify(in_a_sentence(error), title="No editor", severity="error", markup=False)
        self._area.move_cursor(self._area.document.end)


async def edit_note(app: App[Any], runs: Sequence[Run], title: str, done: Callable[[], None]) -> None:
    """Open the note of a run, or of several that have the same one; `done` is called when it has become another."""
    await app.push_screen(NoteEditor(title, runs), lambda changed: done() if changed else None)
