"""The spec of a network as it is typed, and what it amounts to, at each keystroke."""

from __future__ import annotations

from rich.highlighter import Highlighter
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input, Static

from core.errors import SpecError
from core.models.layer import Layer
from core.models.spec import REGISTRY, is_user_module, words
from core.models.summary import Summary
from tui.live.forms.advice import for_interface
from tui.live.forms.module_file import module_problem
from tui.widgets.forms.budget_meter import BudgetMeter
from tui.widgets.forms.field import Field
from tui.widgets.tables.arch_list import layers_so_far, name_of, summary_of
from tui.widgets.tables.table import Cell, Column, Table

LAYER_COLUMNS = (
    Column("Layer", 0, min_width=14),
    Column("Output", 11, right=True),
    Column("Params", 7, right=True),
    Column("MACs", 11, right=True, rank=2),
    Column("Field", 5, right=True, rank=1),
)


class _MarkToken(Highlighter):
    """Underlines the token that is wrong."""

    def __init__(self) -> None:
        self.position = 0

    def highlight(self, text: Text) -> None:
        for word in words(text.plain)[self.position - 1 : self.position] if self.position else ():
            text.stylize("bold underline red", word.start, word.end)


class SpecEditor(Vertical):
    DEFAULT_CSS = """
    SpecEditor { height: 1fr; }
    SpecEditor > #spec { background: $surface; }
    SpecEditor > #spec:focus { background: $surface-lighten-1; }
    SpecEditor > #spec:nocolor { text-style: underline; }
    SpecEditor > #spec-error { height: auto; max-height: 3; color: $text-error; display: none; }
    SpecEditor > #spec-error.-shown { display: block; }
    SpecEditor > #meter { margin: 0; }
    """

    class Changed(Message):
        """Another spec; `summary` is None while it is wrong, or is a user's own module."""

        def __init__(self, editor: SpecEditor, spec: str, summary: Summary | None) -> None:
            super().__init__()
            self.editor, self.spec, self.summary = editor, spec, summary

    def __init__(self, spec: str, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._initial = spec
        self._mark = _MarkToken()
        self._dropout = 0.0
        self._budget: int | None = None
        self.summary: Summary | None = None
        self.error: SpecError | None = None
        self._module_problem = ""

    def compose(self) -> ComposeResult:
        yield Field(
            self._initial, id="spec", compact=True, highlighter=self._mark, max_length=1000, select_on_focus=False
        )
        yield Static(id="spec-error", markup=False)
        yield BudgetMeter(id="meter")
        yield Table(LAYER_COLUMNS, cursor=False, id="layers")

    def on_mount(self) -> None:
        self._update()

    @property
    def spec(self) -> str:
        return self.query_one("#spec", Input).value

    @property
    def arch(self) -> str:
        """The network as a config names it: by its name where it has one."""
        return name_of(self.spec)

    @property
    def problem(self) -> str:
        """The error in the spec, or nothing."""
        return self.error.message.partition(": ")[2] if self.error else self._module_problem

    def put(self, spec: str) -> None:
        """Take another spec without telling anyone."""
        field = self.query_one("#spec", Input)
        if field.value != spec:
            with field.prevent(Input.Changed):
                field.value = spec
            field.cursor_position = len(spec)
        self._update()

    def read_field(self) -> None:
        """Take over what stands in the field now, whether its message has arrived here or not."""
        self._update()

    def hold_against(self, budget: int | None, dropout: float) -> None:
        """Show the network with this dropout, against this budget."""
        if (budget, dropout) != (self._budget, self._dropout):
            self._budget, self._dropout = budget, dropout
            self._update()

    @on(Input.Changed, "#spec")
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._update()
        self.post_message(self.Changed(self, self.spec, self.summary))

    def _update(self) -> None:
        spec = self.spec.strip()
        self.summary, self.error, self._module_problem = None, None, ""
        rows: tuple[Layer, ...] = ()
        if is_user_module(spec):
            self._module_problem = module_problem(spec)
        else:
            try:
                summary_of(spec)  # first without dropout, so that an error counts positions as they are typed
                self.summary = summary_of(spec, self._dropout)
                rows = self.summary.rows
            except SpecError as error:
                self.error = error
                rows = layers_so_far(error, spec, self._dropout)
        self._mark.position = self.error.position if self.error and spec not in REGISTRY else 0
        self._show_error()
        total = sum(layer.params for layer in rows) if rows else None
        self.query_one(BudgetMeter).show(total, self._budget, partial=self.error is not None)
        self.query_one("#layers", Table).show(len(rows), lambda row: _cells(rows[row]))

    def _show_error(self) -> None:
        line = self.query_one("#spec-error", Static)
        if self.error is not None:
            hint = f" ({for_interface(self.error.advice)})" if self.error.advice else ""
            text = Text.assemble((self.error.token, "bold underline"), f" at position {self.error.position}: ")
            line.update(text.append(self.error.reason + hint))
        elif self._module_problem:
            line.update(self._module_problem)
        line.set_class(bool(self.problem), "-shown")


def _cells(layer: Layer) -> tuple[Cell, ...]:
    field = "-" if layer.receptive_field is None else str(layer.receptive_field)
    params: Cell = f"{layer.params:,}" if layer.params else ("0", "muted")
    macs: Cell = f"{layer.macs:,}" if layer.macs else ("0", "muted")
    return (layer.label, "x".join(map(str, layer.output_shape)), params, macs, field)
