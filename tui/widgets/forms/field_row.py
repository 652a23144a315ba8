"""A field of a form: its name and its control."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.suggester import Suggester
from textual.widgets import Input, Static

from tui.widgets.forms.choice import Choice
from tui.widgets.forms.field import Field
from tui.widgets.forms.open_choice import OpenChoice


class FieldRow(Horizontal):
    """Marked when what is in it is wrong, or has changed."""

    DEFAULT_CSS = """
    FieldRow { height: 1; }
    FieldRow > .label { width: 18; color: $text-muted; }
    FieldRow > Input { width: 1fr; background: $surface; }
    FieldRow > Input:focus { background: $surface-lighten-1; }
    FieldRow > Input:nocolor { text-style: underline; }
    FieldRow > Choice { width: 1fr; }
    FieldRow:focus-within > .label { color: $foreground; text-style: bold; }
    FieldRow.-changed > .label { color: $text-warning; }
    FieldRow.-wrong > .label { color: $text-error; text-style: bold; }
    """

    def __init__(
        self,
        field: str,
        title: str,
        value: str,
        *,
        options: Sequence[str] = (),
        placeholder: str = "",
        suggester: Suggester | None = None,
    ) -> None:
        """With `options` it is one of a few words, else it is typed; with a `suggester`, which completes, either."""
        super().__init__(id=f"row-{field}")
        self.field = field
        self._label, self._value = title, value
        self._options, self._placeholder = tuple(options), placeholder
        self._suggester = suggester
        self._marked = (False, False)

    def compose(self) -> ComposeResult:
        yield Static(self._title(), classes="label", markup=False)
        name = f"field-{self.field}"
        typed: dict[str, Any] = {"compact": True, "max_length": 1000, "select_on_focus": True, "id": name}
        if self._suggester is not None:
            yield OpenChoice(self._options, self._value, suggester=self._suggester, **typed)
        elif self._options:
            yield Choice(self._options, self._value, id=name)
        else:
            yield Field(self._value, placeholder=self._placeholder, **typed)

    def put(self, value: str) -> None:
        """Take a value without telling anyone; of a long one the beginning shows."""
        control = self.query_one(f"#field-{self.field}")
        if isinstance(control, Choice):
            control.put(value)
        elif isinstance(control, Field) and control.value != value:
            with control.prevent(Input.Changed):
                control.value = value
            if control.has_focus:
                control.select_whole()
            else:
                control.cursor_position = 0

    @property
    def value(self) -> str:
        """The text in the control."""
        control = self.query_one(f"#field-{self.field}")
        return control.value if isinstance(control, Choice | Input) else self._value

    def mark(self, *, wrong: bool, changed: bool) -> None:
        if (wrong, changed) == self._marked:
            return
        self._marked = (wrong, changed)
        self.set_class(wrong, "-wrong")
        self.set_class(changed and not wrong, "-changed")
        self.query_one(".label", Static).update(self._title("! " if wrong else "* " if changed else ""), layout=False)

    def _title(self, sign: str = "") -> str:
        return f"{sign or '  '}{self._label}"
