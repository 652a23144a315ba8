"""Everything beside the network that decides a run, held against its limits as it is typed."""

from __future__ import annotations

from asyncio import Lock
from collections.abc import Iterable, Mapping
from functools import cache

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from experiments.presets.loader import load_preset, preset_names
from tui.drawing.rate_plots import schedule_plot
from tui.live.forms.fields import (
    ADVANCED,
    ADVANCED_FIELDS,
    CHOOSERS,
    CURVE_FIELDS,
    FOR_MODULES,
    MAIN_FIELDS,
    OPEN,
    advanced_with_effect,
    allowed,
    choices,
    help_text,
    label,
    range_text,
)
from tui.live.forms.form import KEPT_BY_PRESETS, changed_fields, curve_config, texts_of
from tui.widgets.charts.plot_view import PlotView
from tui.widgets.forms.choice import Choice
from tui.widgets.forms.completion import ListCompletion
from tui.widgets.forms.field_row import FieldRow
from tui.widgets.forms.form_parts import Fields, Fold, PresetRow
from tui.widgets.lines.line import Line

OWN_VALUES = "your own"


class RunForm(Vertical):
    """`texts` holds every field as typed, whether its row is on the screen or not.

    Of the advanced fields those are shown that make a difference beside the others. One that is wrong, or differs from
    the original of a fork, is shown in any case: nothing is hidden that a run begins with and the original had not.
    """

    DEFAULT_CSS = """
    RunForm > #fields { height: 1fr; scrollbar-size-vertical: 1; }
    RunForm #fold { height: 1; color: $text-muted; margin-top: 1; }
    RunForm #fold:focus { background: $primary; color: $text; }
    RunForm #fold:nocolor:focus { text-style: reverse; }
    RunForm > #fields > #advanced > Line { height: 1; color: $text-muted; text-style: bold; }
    RunForm > #curve { display: none; height: 5; border-top: solid $foreground 25%; }
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
        self._changed: Mapping[str, str] = {}
        self._relevant: set[str] = set()
        self._devices: tuple[str, ...] = ()
        self.unfolded = False
        self._folding = Lock()
        self._rows: dict[str, FieldRow] = {}
        self._titles: dict[str, Line] = {}

    def compose(self) -> ComposeResult:
        with Fields(id="fields", can_focus=False):
            preset = Choice((OWN_VALUES, *preset_names()), self._matching_preset(), id="preset")
            yield PresetRow(Static("  Preset", classes="label", markup=False), preset)
            for field in (*MAIN_FIELDS, "name"):
                self._rows[field] = self._row(field)
                yield self._rows[field]
            yield Fold(id="fold")
            yield Vertical(id="advanced")
        yield PlotView(id="curve")
        yield Static(id="help", markup=False)

    def on_mount(self) -> None:
        self.query_one("#advanced").styles.height = "auto"
        self._show_fold()

    def put(self, texts: Mapping[str, str]) -> None:
        """Take values without telling anyone."""
        self.texts |= texts
        for field, row in self._rows.items():
            row.put(self.texts[field])
        self.query_one("#preset", Choice).put(self._matching_preset())

    def read_controls(self) -> None:
        """Take over what stands in the rows now, whether its message has arrived here or not."""
        for field, row in self._rows.items():
            self.texts[field] = row.value

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
        """Show the fields of modules of one's own from now on, or hide them as a spec has no use for them."""
        self._own_module = own

    def offer_devices(self, names: Iterable[str]) -> None:
        """Let the field of the device choose these, too."""
        self._devices = tuple(names)
        if "device" in self._rows:
            device = self.query_one("#field-device", Choice)
            device.options = tuple(dict.fromkeys((*device.options, *self._devices)))

    def draw(self) -> None:
        """Draw the schedule, if what it depends on is right; nothing else need be."""
        plot, config = self.query_one("#curve", PlotView), curve_config(self.texts)
        if config is None:
            plot.clear()
        else:
            key = tuple(getattr(config, field) for field in CURVE_FIELDS)
            plot.show(key, lambda plain: schedule_plot(config, ascii_only=plain))

    def take(self, field: str, text: str) -> None:
        """Put a value into a field as if it had been typed."""
        self.put({field: text})
        self._own = dict(self.texts)
        self.post_message(self.Changed())

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
            self.take_preset(event.value)
        else:
            self._set(event.choice, event.value)

    def _set(self, control: Widget, value: str) -> None:
        field = (control.id or "").removeprefix("field-")
        self.texts[field] = value
        self._own = dict(self.texts)
        self.query_one("#preset", Choice).put(self._matching_preset())
        self.post_message(self.Changed())

    def take_preset(self, name: str) -> None:
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

    def _row(self, field: str) -> FieldRow:
        empty = "all" if "empty for all" in allowed(field) else "optional" if field == "name" else ""
        offered = choices(field)
        if field == "device":
            offered = tuple(dict.fromkeys((*offered, *self._devices)))
        completion = ListCompletion(OPEN[field]) if field in OPEN else None
        text = self.texts[field]
        return FieldRow(field, label(field), text, options=offered, placeholder=empty, suggester=completion)

    def on_fold_toggled(self) -> None:
        self.run_worker(self._toggle())

    async def _toggle(self) -> None:
        async with self._folding:  # whoever is faster with the key than this finds it done
            await (self._fold() if self.unfolded else self._unfold())

    async def _fold(self) -> None:
        for field in ADVANCED_FIELDS:
            del self._rows[field]
        self._titles = {}
        await self.query_one("#advanced").remove_children()
        self.unfolded = False
        self._mark()

    async def _unfold(self) -> None:
        titles = {title: Line(id=f"group-{title.lower()}") for title, fields in ADVANCED.items() if fields}
        rows = {field: self._row(field) for field in ADVANCED_FIELDS}
        self._show_relevant(titles, rows)  # the others need not be laid out
        parts: list[Widget] = []
        for title, line in titles.items():
            parts += [line, *(rows[field] for field in ADVANCED[title])]
        await self.query_one("#advanced").mount_all(parts)
        self._titles, self._rows, self.unfolded = titles, self._rows | rows, True
        self.put({})  # what has come meanwhile
        self._mark()
        self.call_after_refresh(self._scroll_to_fold)

    def _scroll_to_fold(self) -> None:
        self.query_one(Fields).scroll_to(y=self.query_one(Fold).virtual_region.y, animate=False)

    def _show_fold(self) -> None:
        defaults = texts_of({})
        relevant = {field: defaults[field] for field in ADVANCED_FIELDS if field in self._relevant}
        other = len(changed_fields(self.texts, relevant))
        wrong = sum(field in self._errors for field in ADVANCED_FIELDS)
        defaults_of = "its default" if other == 1 else "their defaults"
        more = f" ({wrong} wrong)" if wrong else f" ({other} not at {defaults_of})" if other else ""
        self.query_one(Fold).show(f"{'▾' if self.unfolded else '▸'} Advanced{more}")

    def _mark(self) -> None:
        self._changed = self.changes
        unused = () if self._own_module else FOR_MODULES
        self._relevant = advanced_with_effect(self.texts).difference(unused) | {*self._errors, *self._changed}
        for field, row in self._rows.items():
            row.mark(wrong=field in self._errors, changed=field in self._changed)
        self._show_relevant(self._titles, self._rows)
        self._show_fold()

    def _show_relevant(self, titles: Mapping[str, Line], rows: Mapping[str, FieldRow]) -> None:
        """Show the advanced fields that are relevant now, and the one that is being edited, under their titles."""
        for title, line in titles.items():
            shown = False
            for field in ADVANCED[title]:
                is_shown = field in self._relevant or field == self._focused_field
                _display(rows[field], is_shown)
                shown = shown or is_shown
            _display(line, shown)
            chooser = CHOOSERS.get(title)
            line.show(f"{title}: {self.texts[chooser]}" if chooser else title)

    def on_descendant_focus(self, _event: events.DescendantFocus) -> None:
        self._show_help()

    @property
    def _focused_field(self) -> str:
        """The field that is being edited, if one is."""
        focused = (self.screen.focused.id if self.screen.focused is not None else None) or ""
        field = focused.removeprefix("field-")
        return field if field in self._rows else ""

    def _show_help(self) -> None:
        field = self._focused_field
        curve = self.query_one("#curve")
        if curve.has_class("-shaped") != (field in CURVE_FIELDS):
            curve.toggle_class("-shaped")
        text = Content()
        if self.query_one("#preset").has_focus:
            text = Content(self._preset_help())
        elif field in self._errors:
            text = Content.styled(f"{label(field)} {self._errors[field]}", "$text-error")
        elif field:
            words = [help_text(field), range_text(field)]
            if field == "epochs" and self.texts["budget"] == "on":
                words.append(f"At most {self.texts['max_epochs']} within the budget.")
            if field in self._changed:
                words.append(f"The original has {self._changed[field] or 'nothing'}.")
            text = Content(" ".join(filter(None, words)))
        if not text.is_same(self._help):
            self._help = text
            self.query_one("#help", Static).update(text, layout=False)

    def _preset_help(self) -> str:
        name = self.query_one("#preset", Choice).value
        return load_preset(name).description if name != OWN_VALUES else "Left and right go through the presets."


def _display(widget: Widget, shown: bool) -> None:
    if widget.display != shown:  # else all is laid out again
        widget.display = shown


@cache
def _preset_texts(name: str) -> dict[str, str]:
    texts = texts_of(load_preset(name).config.model_dump())
    return {field: text for field, text in texts.items() if field not in KEPT_BY_PRESETS}
