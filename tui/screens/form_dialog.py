"""A dialog of several fields, checked as they are typed."""

from __future__ import annotations

import textwrap
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Generic, TypeVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from core.advice import Tip
from core.errors import InvalidValue, LabError
from tui.live.forms.advice import tip_in_words
from tui.live.task import in_a_sentence
from tui.text.keys import key
from tui.widgets.forms.choice import Choice
from tui.widgets.forms.field_row import FieldRow
from tui.widgets.keys import bind
from tui.widgets.lines.paragraph import Paragraph

Result = TypeVar("Result")


AROUND = 14
"""Lines of a dialog without its fields, in a low window."""
LOW = 10
"""Lines of fields for which there is room in every window that is not low."""


class Problem(Paragraph):
    """The error, in as many lines as it takes and a dialog has room for."""

    DEFAULT_CSS = "Problem { color: $text-error; }"
    MOST = 4

    _said = ""

    def say(self, words: str) -> None:
        self._said = words
        self.styles.height = "auto"
        width = self.content_size.width
        wrapped = textwrap.TextWrapper(max(width, 1), max_lines=self.MOST, placeholder=" …", break_on_hyphens=False)
        self.show(wrapped.fill(words) if width > 0 else words)

    def on_resize(self) -> None:
        self.say(self._said)


class FormDialog(ModalScreen[Result | None], Generic[Result]):
    """Enter is taken when nothing is wrong; dismissed with the result of the fields, or with None for escape.

    What it begins with is not found fault with before something is changed or enter pressed.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        bind("back", "dismiss(None)", "Cancel"),
        bind("open", "submit"),
        bind("down", "app.focus_next"),
        bind("up", "app.focus_previous"),
    ]

    def __init__(self, title: str, text: str, done: str) -> None:
        """`done` says what enter does."""
        super().__init__()
        self._title, self._text, self._done = title, text, done
        self._first: dict[str, str] = {}
        self._is_edited = False

    @abstractmethod
    def rows(self) -> Sequence[FieldRow]:
        """The fields, each with its first value."""

    @abstractmethod
    def result(self, texts: Mapping[str, str]) -> Result:
        """Make the result of the dialog from its fields.

        Raises:
            LabError: naming what is wrong first.
        """

    def help_of(self, field: str) -> str:
        """A sentence or two on a field."""
        return field

    def field_of(self, error: LabError) -> str:
        """The field at fault; empty for none of them."""
        return error.field if isinstance(error, InvalidValue) else ""

    def tip_in_words(self, tip: Tip) -> str:
        """A tip in terms of the fields here."""
        return tip_in_words(tip)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog form") as box:
            box.border_title = Content(self._title)
            yield Static(self._text, classes="question", markup=False)
            with VerticalScroll(classes="fields", can_focus=False):
                yield from self.rows()
            yield Static(id="field-help", markup=False)
            yield Problem(id="field-problem", min_height=2)
            yield Static(f"{key('open')} {self._done}, {key('back')} cancels", classes="keys", markup=False)

    def on_mount(self) -> None:
        self._first = self.texts

    def on_resize(self, event: events.Resize) -> None:
        """In a low window the fields scroll, so that what is wrong with them has its lines."""
        spare = event.size.height - AROUND
        self.query_one(".fields").styles.max_height = max(2, spare) if spare < LOW else None

    @property
    def texts(self) -> dict[str, str]:
        return {row.field: row.value.strip() for row in self.query(FieldRow)}

    def judge(self) -> Result | None:
        """Check everything, say what is wrong, and return what it amounts to when nothing is."""
        result, problem, wrong = None, "", ""
        try:
            result = self.result(self.texts)
        except LabError as error:
            problem = in_a_sentence(error, self.tip_in_words)
            wrong = self.field_of(error)
        for row in self.query(FieldRow):
            row.mark(wrong=row.field == wrong, changed=False)
        self.query_one(Problem).say(problem)
        return result

    @on(Input.Changed)
    @on(Choice.Changed)
    def _changed(self) -> None:
        """A field also says so of what it begins with."""
        self._is_edited = self._is_edited or self.texts != self._first
        if self._is_edited:
            self.judge()

    @on(Input.Submitted)
    def action_submit(self) -> None:
        result = self.judge()
        if result is not None:
            self.dismiss(result)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        self.show_help((event.widget.id or "").removeprefix("field-"))

    def show_help(self, field: str) -> None:
        """Show the help of a field if it is the one with the focus."""
        if self.focused is not None and self.focused.id == f"field-{field}":
            self.query_one("#field-help", Static).update(self.help_of(field), layout=False)
