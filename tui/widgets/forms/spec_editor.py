"""The spec of a network as it is typed, and what it amounts to, at each keystroke."""

from __future__ import annotations

from rich.highlighter import Highlighter
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Input, Static

from core.config import MAX_PARAMS
from core.errors import SpecError
from core.models.grammar.template import is_template
from core.models.layer import Layer
from core.models.spec import REGISTRY, is_user_module, named_spec, words
from core.models.summary import Summary
from experiments.runs.own_code import remember_file, was_file_named
from tui.live.examining import ModuleExamination
from tui.live.forms.advice import for_interface
from tui.live.forms.module_file import module_problem
from tui.text.template_words import range_of
from tui.text.wording import odd_in_words
from tui.widgets.forms.budget_meter import BudgetMeter
from tui.widgets.forms.field import Field
from tui.widgets.tables.arch_list import MNIST, DataFor, layers_so_far, name_of, summary_of
from tui.widgets.tables.spec_layers import SpecLayers

TEMPLATE = "this is a template, over whose networks Sweeps begins a search"
PAUSE = 0.8
"""Seconds without a key after which the code of a module that has been typed is run, to count it."""
LOOK = 0.1
"""Seconds between two looks at whether it has been counted."""


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
        """Another spec; `summary` is None while it is wrong, or is a user's own module that has not been counted."""

        def __init__(self, editor: SpecEditor, spec: str, summary: Summary | None) -> None:
            super().__init__()
            self.editor, self.spec, self.summary = editor, spec, summary

    def __init__(self, spec: str, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._initial = spec
        self._taken = spec  # what was put or typed last
        self._mark = _MarkToken()
        self._dropout = 0.0
        self._budget: int | None = MAX_PARAMS
        self.summary: Summary | None = None
        self.error: SpecError | None = None
        self._module_problem = ""
        self._whole_file = False
        self._data = MNIST
        self._examination = ModuleExamination()
        self._typing: Timer | None = None
        self._looking: Timer | None = None

    def compose(self) -> ComposeResult:
        yield Field(
            self._initial, id="spec", compact=True, highlighter=self._mark, max_length=1000, select_on_focus=False
        )
        yield Static(id="spec-error", markup=False)
        yield BudgetMeter(id="meter")
        yield SpecLayers(id="layers")

    def on_mount(self) -> None:
        self.put(self._initial)

    @property
    def spec(self) -> str:
        return self.query_one("#spec", Input).value

    @property
    def arch(self) -> str:
        """The network as a config names it: by its name where it has one."""
        return name_of(self.spec, self._data.task.classes)

    @property
    def problem(self) -> str:
        """The error in the spec, or nothing."""
        return self.error.message.partition(": ")[2] if self.error else self._module_problem

    def put(self, spec: str) -> None:
        """Take another spec without telling anyone."""
        field = self.query_one("#spec", Input)
        if field.value != spec:
            with field.prevent(Input.Changed):
                field.value = self._taken = spec
            field.cursor_position = len(spec)
        if is_user_module(spec.strip()) and was_file_named(spec.strip()):
            self._examine()
        self._update()

    def read_field(self) -> None:
        """Take over what stands in the field now, whether its message has arrived here or not."""
        self._update()

    def hold_against(
        self, budget: int | None, dropout: float, *, whole_file: bool = False, data: DataFor = MNIST
    ) -> None:
        """Show the network with this dropout, against this budget, for a data set; a module with all of its file run,
        or not. A named network gets the last layer that the data set's classes need."""
        held = (budget, dropout, whole_file, data)
        if held != (self._budget, self._dropout, self._whole_file, self._data):
            name, known = self.arch, data == self._data
            self._budget, self._dropout, self._whole_file, self._data = held
            self.put(named_spec(name, data.task.classes) if name in REGISTRY and not known else self.spec)

    @on(Input.Changed, "#spec")
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if self.spec != self._taken:  # a field tells of the text that it begins with, too, which nobody has typed
            self._taken = self.spec
            self._examination.give_up()
            if self._typing is not None:
                self._typing.stop()
            if is_user_module(self.spec.strip()):
                self._typing = self.set_timer(PAUSE, self.examine)
        self._update()
        self.post_message(self.Changed(self, self.spec, self.summary))

    @on(Input.Submitted, "#spec")
    def _entered(self) -> None:
        self.examine(again=True)  # files that the module imports may have changed

    def examine(self, *, again: bool = False) -> None:
        """Run the code of a module that was named here, in the background, and show its table once it is known.

        One that comes from elsewhere, such as the form that was stored or a run, is run for a table only when its
        user has named that file before on this machine (see `put`): else he presses enter on it.
        """
        self.remember()
        self._examine(again=again)
        self._update()

    def remember(self) -> None:
        """The user has named what is in the field: a module's file is his own to run from now on."""
        spec = self.spec.strip()
        if is_user_module(spec) and not module_problem(spec):
            remember_file(spec)

    def _examine(self, *, again: bool = False) -> None:
        self._examination.begin(self.spec.strip(), whole_file=self._whole_file, dataset=self._data.dataset, again=again)
        if self._examination.under_way and self._looking is None:
            self._looking = self.set_interval(LOOK, self._look)

    def _look(self) -> None:
        if not self._examination.under_way and self._looking is not None:
            self._looking.stop()
            self._looking = None
            self._update()
            self.post_message(self.Changed(self, self.spec, self.summary))

    def on_unmount(self) -> None:
        self._examination.give_up()

    def _update(self) -> None:
        spec = self.spec.strip()
        self.summary, self.error, self._module_problem = None, None, ""
        if is_template(spec):
            self._show_template(spec)
            return
        rows: tuple[Layer, ...] = ()
        found: Summary | str | None = None
        if is_user_module(spec):
            self._module_problem = module_problem(spec)
            found = self._examination.found(spec, whole_file=self._whole_file, dataset=self._data.dataset)
            if isinstance(found, Summary):
                self.summary, rows = found, found.rows
        else:
            try:
                # First without dropout, so that an error counts positions as they are typed.
                summary_of(spec, data=self._data)
                self.summary = summary_of(spec, self._dropout, self._data)
                rows = self.summary.rows
            except SpecError as error:
                self.error = error
                rows = layers_so_far(error, spec, self._dropout, self._data)
        self._mark.position = self.error.position if self.error and spec not in REGISTRY else 0
        self._show_error(found if isinstance(found, str) else "")
        counted = self.summary.total_params if self.summary is not None else sum(layer.params for layer in rows)
        total = counted if rows else None
        wrong = bool(self.problem) or isinstance(found, str)
        self.query_one(BudgetMeter).show(total, self._budget, partial=wrong, waiting=self._examination.under_way)
        self.query_one(SpecLayers).show_layers(rows)

    def _show_template(self, spec: str) -> None:
        """Show from where to where its networks go. A run cannot be one of them, as nobody has said which."""
        meter, layers = self.query_one(BudgetMeter), self.query_one(SpecLayers)
        try:
            found = range_of(spec, self._data.task)
        except SpecError as error:
            self.error = error
            meter.show(None, self._budget, partial=True)
            layers.show_layers(())
        else:
            self._module_problem = TEMPLATE
            meter.show(found.most.total_params, self._budget, least=found.least.total_params)
            layers.show_template(found.least, found.most)
        self._mark.position = self.error.position if self.error is not None else 0
        self._show_error("")

    def _show_error(self, found: str) -> None:
        """Show what is wrong with the spec, or was `found` wrong with a module when its code was run; else what is odd
        about it."""
        line = self.query_one("#spec-error", Static)
        if self.error is not None:
            hint = f" ({for_interface(self.error.advice)})" if self.error.advice else ""
            text = Text.assemble((self.error.token, "bold underline"), f" at position {self.error.position}: ")
            line.update(text.append(self.error.reason + hint))
        else:
            found = found or (odd_in_words(self.summary) if self.summary is not None else "")
            line.update(self._module_problem or found)
        line.set_class(bool(self.problem or found), "-shown")
