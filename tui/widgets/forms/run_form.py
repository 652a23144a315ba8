"""Everything beside the network that decides a run, held against its limits as it is typed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from experiments.presets.loader import load_preset, preset_names
from tui.live.forms.fields import (
    ADVANCED_FIELDS,
    FOR_MODULES,
    MAIN_FIELDS,
    allowed,
    choices,
    help_text,
    label,
    range_text,
    suggestions,
)
from tui.live.forms.form import KEPT_BY_PRESETS, changed_fields, texts_of
from tui.widgets.forms.choice import Choice
from tui.widgets.forms.field_row import FieldRow
from tui.widgets.lines.line import Line

OWN_VALUES = "your own"


class RunForm(Vertical):
    """`texts` holds every field as typed, whether its row is on the screen or folded away."""

    DEFAULT_CSS = """
    RunForm > #fields { height: 1fr; scrollbar-size-vertical: 1; }
    RunForm #fold { height: 1; color: $text-muted; margin-top: 1; }
    RunForm #fold:focus { background: $primary; color: $text; }
    RunForm #fold:nocolor:focus { text-style: reverse; }
    RunForm > #help { height: 6; border-top: solid $foreground 25%; color: $text-muted; }
    """

    class Changed(Message):
        """A value has changed. `preset` is given when all of them were taken from it."""

        def __init__(self, preset: str = "") -> None:
            super().__init__()
            self.preset = preset

    def __init__(self, texts: Mapping[str, str], *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self.texts: dict[str, str] = texts_of({}) | {"name": ""} | dict(texts)
        self._own = dict(self.texts)
        self._original: dict[str, str] | None = None
        self._errors: Mapping[str, str] = {}
        self._own_module = False
        self._help = Content()

    def compose(self) -> ComposeResult:
        with Fields(id="fields", can_focus=False):
            preset = Choice((OWN_VALUES, *preset_names()), self._matching_preset(), id="preset")
            yield PresetRow(Static("  Preset", classes="label", markup=False), preset)
            for field in (*MAIN_FIELDS, "name"):
                yield _row(field, self.texts[field])
            yield Fold(id="fold")
            yield Vertical(id="advanced")
        yield Static(id="help", markup=False)

    def on_mount(self) -> None:
        self.query_one("#advanced").styles.height = "auto"
        self._show_fold()

    @property
    def unfolded(self) -> bool:
        return bool(self.query("#row-momentum"))

    def put(self, texts: Mapping[str, str]) -> None:
        """Take values without telling anyone."""
        self.texts |= texts
        for row in self._rows():
            row.put(self.texts[row.field])
        self.query_one("#preset", Choice).put(self._matching_preset())

    def read_controls(self) -> None:
        """Take over what stands in the rows now, whether its message has arrived here or not."""
        for row in self._rows():
            self.texts[row.field] = row.value

    def compare_with(self, original: Mapping[str, str] | None) -> None:
        """Mark what differs from the original of a fork from now on; None for no marks."""
        self._original = dict(original) if original is not None else None
        self._mark()

    @property
    def changes(self) -> dict[str, str]:
        """The fields that differ from the original of a fork, with its texts."""
        return changed_fields(self.texts, self._original) if self._original is not None else {}

    def show_errors(self, errors: Mapping[str, str]) -> None:
        self._errors = errors
        self._mark()
        self._show_help()

    def offer_for_modules(self, own: bool) -> None:
        """Show the fields of modules of one's own, or hide them as a spec has no use for them."""
        self._own_module = own
        for row in self._rows():
            row.display = own or row.field not in FOR_MODULES

    def offer_devices(self, names: Iterable[str]) -> None:
        """Let the field of the device choose these, too."""
        device = self.query_one("#field-device", Choice)
        device.options = tuple(dict.fromkeys((*device.options, *names)))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._set(event.input, event.value)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.screen.focus_next()

    @on(Choice.Changed)
    def _turned(self, event: Choice.Changed) -> None:
        event.stop()
        if event.choice.id == "preset":
            self._take_preset(event.value)
        else:
            self._set(event.choice, event.value)

    def _set(self, control: Widget, value: str) -> None:
        field = (control.id or "").removeprefix("field-")
        self.texts[field] = value
        self._own = dict(self.texts)
        self.query_one("#preset", Choice).put(self._matching_preset())
        self.post_message(self.Changed())

    def _take_preset(self, name: str) -> None:
        """Lay a preset over the fields; the user's own values stay one turn of the choice away."""
        if name == OWN_VALUES:
            self.put(self._own)
            self.post_message(self.Changed(OWN_VALUES))
        else:
            self.put(_preset_texts(name))
            self.post_message(self.Changed(name))
        self.query_one("#preset", Choice).put(name)

    def _matching_preset(self) -> str:
        for name in preset_names():
            if not changed_fields(self.texts, _preset_texts(name)):
                return name
        return OWN_VALUES

    def _rows(self) -> Iterable[FieldRow]:
        return self.query(FieldRow).results(FieldRow)

    def on_fold_toggled(self) -> None:
        self.run_worker(self._toggle(), exclusive=True)

    async def _toggle(self) -> None:
        folder = self.query_one("#advanced")
        if self.unfolded:
            await folder.remove_children()
        else:
            await folder.mount_all(_row(field, self.texts[field]) for field in ADVANCED_FIELDS)
            self.offer_for_modules(self._own_module)
            self._mark()
            self.query_one("#row-momentum").scroll_visible(animate=False, top=True)
        self._show_fold()

    def _show_fold(self) -> None:
        defaults = texts_of({})
        other = len(changed_fields(self.texts, {field: defaults[field] for field in ADVANCED_FIELDS}))
        wrong = sum(field in self._errors for field in ADVANCED_FIELDS)
        defaults_of = "its default" if other == 1 else "their defaults"
        more = f" ({wrong} wrong)" if wrong else f" ({other} not at {defaults_of})" if other else ""
        self.query_one(Fold).show(f"{'▾' if self.unfolded else '▸'} Advanced{more}")

    def _mark(self) -> None:
        changes = self.changes
        for row in self._rows():
            row.mark(wrong=row.field in self._errors, changed=row.field in changes)
        self._show_fold()

    def on_descendant_focus(self, _event: events.DescendantFocus) -> None:
        self._show_help()

    def _show_help(self) -> None:
        row = next((row for row in self._rows() if row.has_pseudo_class("focus-within")), None)
        field = row.field if row is not None else ""
        text = Content()
        if self.query_one("#preset").has_focus:
            text = Content(self._preset_help())
        elif field in self._errors:
            text = Content.styled(f"{label(field)} {self._errors[field]}", "$text-error")
        elif field:
            words = [help_text(field), range_text(field)]
            if field == "epochs" and self.texts["budget"] == "on":
                words.append(f"At most {self.texts['max_epochs']} within the budget.")
            if field in self.changes:
                words.append(f"The original has {self.changes[field] or 'nothing'}.")
            text = Content(" ".join(filter(None, words)))
        if not text.is_same(self._help):
            self._help = text
            self.query_one("#help", Static).update(text, layout=False)

    def _preset_help(self) -> str:
        name = self.query_one("#preset", Choice).value
        return load_preset(name).description if name != OWN_VALUES else "Left and right go through the presets."


class PresetRow(Horizontal):
    DEFAULT_CSS = """
    PresetRow { height: 1; margin-bottom: 1; }
    PresetRow > .label { width: 18; color: $text-muted; }
    PresetRow > Choice { width: 1fr; }
    """


class Fields(VerticalScroll, inherit_bindings=False):
    """Up and down go from field to field, and what is focused scrolls into view."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
    ]


class Fold(Line, can_focus=True):
    """Shows and hides what is under it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,space", "unfold", "Unfold")]

    class Toggled(Message):
        pass

    def action_unfold(self) -> None:
        self.post_message(self.Toggled())

    def on_click(self) -> None:
        self.action_unfold()


def _row(field: str, value: str) -> FieldRow:
    empty = "all" if "empty for all" in allowed(field) else "optional" if field == "name" else ""
    known = suggestions(field)
    return FieldRow(field, label(field), value, options=choices(field), placeholder=empty, suggestions=known)


@cache
def _preset_texts(name: str) -> dict[str, str]:
    texts = texts_of(load_preset(name).config.model_dump())
    return {field: text for field, text in texts.items() if field not in KEPT_BY_PRESETS}
