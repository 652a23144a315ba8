"""The Lab: pick or type a network, set a run's values, start it."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Button, Input

from core.errors import LabError
from core.models.network import recorded_arch, summarize_config
from core.models.spec import REGISTRY, is_user_module, named_spec
from experiments.presets.loader import load_preset
from experiments.runs.folder import Meta, Run, RunSpec
from experiments.runs.own_code import has_named_files
from experiments.runs.seeds import seed_specs
from tui.live.examining import DataLook
from tui.live.forms.fields import label
from tui.live.forms.form import Checked, check, texts_of
from tui.live.machine import devices_found
from tui.live.messages import StartRequested
from tui.live.translating import Translating
from tui.screens.dialogs import Ask
from tui.screens.lab_base import DEFAULT_ARCH, Fork, LabBase
from tui.text.keys import key
from tui.text.output import counted
from tui.text.wording import arch_in_short
from tui.widgets.forms.run_form import OWN_VALUES, RunForm
from tui.widgets.forms.spec_editor import SpecEditor
from tui.widgets.keys import bind
from tui.widgets.lines.paragraph import Paragraph
from tui.widgets.tables.arch_list import ArchList, DataFor
from tui.widgets.tables.table import Table

TRANSLATION_INTERVAL = 0.1
"""Seconds between two looks at whether a spec has been found."""
DATA_PAUSE, DATA_INTERVAL = 0.4, 0.1
"""Seconds without a key after which one's own data are looked at, and between two looks at whether that is done."""
DEVICES_INTERVAL = 0.5
"""Seconds between two looks at whether the machine's devices are known."""


class LabScreen(LabBase):
    MODE = "lab"
    AUTO_FOCUS = "#archs"
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("start", "start", "Start", tooltip="Train the network with these values", priority=True),
        bind("start_detached", "start_detached", "Detached", tooltip="Start it in a process of its own", priority=True),
        bind("edit", "edit", "Edit spec", tooltip="Type a network of your own"),
        bind("find_rate", "find_rate", "Find rate", tooltip="Look for a learning rate: train while it rises"),
        bind("values", "values", "Values", tooltip="To learning rate, batch size and the rest"),
        bind("presets", "presets", "Presets", tooltip="The presets in a list, with their measured accuracy"),
        bind("digits", "digits", "Images", tooltip="Look at images as augmentation makes them"),
        bind("copy", "copy", "Copy", tooltip="Copy the spec, or the command that trains this"),
        bind("back", "leave_field", "Leave field"),
        bind("as_spec", "translate", "As a spec", tooltip="Write a module of your own as the spec it equals"),
        bind("unlink", "unfork", "Unlink original", tooltip="Stop comparing with the original of a fork"),
        bind("down", "app.focus_next"),
        bind("up", "app.focus_previous"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._checked = Checked(None, (0,), {})
        self._fork: Fork | None = None
        self._own_spec = ""
        self._translating: Translating | None = None
        self._data = DataLook()
        self._data_timer: Timer | None = None

    def compose_body(self) -> ComposeResult:
        state = self.lab.state
        spec = state.form.get("arch", DEFAULT_ARCH)
        with Horizontal(id="lab"):
            with Vertical(id="network"):
                yield ArchList(state.own_spec, id="archs")
                yield SpecEditor(self._spec_of(spec), id="editor")
            with Vertical(id="values"):
                yield RunForm(state.form, id="form")
                yield Paragraph(id="verdict", min_height=2)
                yield Button(f"Start  {key('start')}", id="start", variant="primary", compact=True)

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#network").border_title = "Network"
        self.query_one("#values").border_title = "Run"
        self._own_spec = self._editor.spec
        self.query_one(ArchList).select(self._own_spec)
        self._devices_timer = self.set_interval(DEVICES_INTERVAL, self._offer_devices)
        self.judge()

    def on_descendant_focus(self) -> None:
        self._show_box()

    def on_descendant_blur(self) -> None:
        self._show_box()

    def _show_box(self) -> None:
        """Mark the half that has the focus: by ``:focus-within`` Textual would style all in it anew at every move."""
        for box in map(self.query_one, ("#network", "#values")):
            box.set_class(self.focused is not None and box in self.focused.ancestors, "-focused")

    def _offer_devices(self) -> None:
        if devices := devices_found():
            self._devices_timer.stop()
            self._form.offer_devices(devices)
            self.judge()  # only now is it known whether there is the device that was asked for

    def on_screen_resume(self) -> None:
        self._look_at_data()  # files may have changed
        self.judge()  # a run may have begun or ended meanwhile

    def on_unmount(self) -> None:
        if self._translating is not None:
            self._translating.cancel()  # else leaving would wait for a module that never returns

    @property
    def _editor(self) -> SpecEditor:
        return self.query_one(SpecEditor)

    def load_fork(self, run: Run, title: str) -> None:
        """Take over a run's config, and mark from now on what differs from it."""
        values = run.config()
        arch = str(values.get("arch", DEFAULT_ARCH))
        texts = texts_of(values)
        self._fork = Fork(run.id, title, arch, texts)
        self._form.put(texts | {"name": ""})
        self._form.compare_with(texts)
        self._editor.put(self._spec_of(arch))
        self.query_one(ArchList).select(self._editor.spec)
        self.set_focus(self.query_one("#field-lr"))
        self.judge()
        if has_named_files(run):
            self._editor.examine()

    def take_network(self, name: str) -> None:
        """Make a named network the one in the editor."""
        self.query_one(ArchList).select(self._spec_of(name))
        self._take_spec(self._spec_of(name))

    def judge(self) -> None:
        """Check everything, and say whether the run can start."""
        if not self.ready:
            return
        editor, form = self._editor, self._form
        if self._translating is not None and self._translating.arch != editor.arch:
            self._translating.cancel()
            self._end_translating()
        form.offer_for_modules(is_user_module(editor.arch))
        self._checked = check(form.texts, editor.arch)
        form.show_errors(self._checked.errors)
        form.draw()
        config = self._checked.config
        if config is not None:
            budget = config.max_params if config.budget else None
            self._turn_to_data(config.dataset)
            data = DataFor(config.dataset, self._data.task)
            editor.hold_against(budget, config.dropout, whole_file=config.run_whole_file, data=data)
            self.query_one(ArchList).show_all(budget, editor.summary if is_user_module(editor.arch) else None, data)
        self._show_verdict()
        self._show_fork()
        self.lab.remember(form=form.texts | {"arch": editor.arch}, own_spec=self.query_one(ArchList).own_spec)

    def _spec_of(self, arch: str) -> str:
        """What a config's network is for the data set of the form: a named one as its spec."""
        return named_spec(arch, self._data.task.classes) if arch in REGISTRY else arch

    def _turn_to_data(self, dataset: str) -> None:
        """Know what a data set asks of a network, or find it out once no more is typed of its path."""
        if dataset == self._data.dataset:
            return
        self._data.turn_to(dataset)
        if self._data_timer is not None:
            self._data_timer.stop()
        self._data_timer = self.set_timer(DATA_PAUSE, self._look_at_data) if self._data.waits else None

    def _look_at_data(self) -> None:
        self._data.begin()
        if self._data.under_way:
            if self._data_timer is not None:
                self._data_timer.stop()
            self._data_timer = self.set_interval(DATA_INTERVAL, self._take_data)

    def _take_data(self) -> None:
        if not self._data.under_way:
            if self._data_timer is not None:
                self._data_timer.stop()
            self._data.settle()
            self.judge()

    def judge_again(self) -> str:
        self._form.read_controls()
        self._editor.read_field()
        self.judge()
        return self._problem()

    def _problem(self) -> str:
        """The reason why no run can start; empty when one can."""
        if self._checked.config is not None and self._data.problem:
            return self._data.problem
        if self._editor.problem:
            return self._editor.problem
        for field, error in self._checked.errors.items():
            return f"{label(field)} {error}" if field else error
        assert self._checked.config is not None, "a form without errors has a config"
        try:
            summarize_config(self._checked.config, self._data.task)
            if self._editor.summary is not None:  # a module that has been counted
                self._checked.config.check_parameter_budget(self._editor.summary.total_params)
        except LabError as error:
            return error.message.partition(": ")[2]
        return ""

    def _sought_spec(self) -> str:
        return self._translating.arch if self._translating is not None else ""

    def _show_fork(self) -> None:
        title, box, is_other = "Run", self.query_one("#values"), False
        if self._fork is not None:
            mine, theirs = (recorded_arch(arch, self._data.task) for arch in (self._editor.arch, self._fork.arch))
            is_other = mine != theirs
            changes = list(self._form.changes) + ["network"] * is_other
            count = counted(len(changes), "change")
            title = f"Fork of {self._fork.title}, {count}"
            if len(title) > box.size.width - 4:  # the number must not be what is cut off
                title = f"Fork, {count}, of {self._fork.title}"
        if str(box.border_title) != title:  # else all that is in the box would be painted anew
            box.border_title = Content(title)  # a name may hold what markup would take for a tag
        self.query_one("#network").set_class(is_other, "-changed")
        self.refresh_keys(self._fork is not None, self._is_own_module, self._translating is not None)

    @on(Table.Moved, "#archs")
    def _picked(self, event: Table.Moved) -> None:
        self._take_spec(self.query_one(ArchList).spec_at(event.row))

    def _take_spec(self, spec: str) -> None:
        self._own_spec = spec
        self._editor.put(spec)
        self.judge()

    @on(Table.Chosen, "#archs")
    def _edit_picked(self) -> None:
        self.action_edit()

    @on(SpecEditor.Changed)
    def _spec_typed(self, event: SpecEditor.Changed) -> None:
        if event.spec.strip():
            self._own_spec = event.spec
            self.query_one(ArchList).select(event.spec)
        self.judge()

    @on(RunForm.Changed)
    def _value_changed(self, event: RunForm.Changed) -> None:
        if event.preset:
            is_own = event.preset == OWN_VALUES
            arch = self._own_spec if is_own else load_preset(event.preset).config.arch
            self._editor.put(self._spec_of(arch))
            self.query_one(ArchList).select(self._editor.spec)
        self.judge()

    @on(Input.Submitted, "#spec")
    def _spec_done(self) -> None:
        self.set_focus(self.query_one("#preset"))

    def start(self, *, detached: bool) -> None:
        if self.judge_again():
            return  # the verdict says why
        config, seeds, name = self._checked.config, self._checked.seeds, self._form.texts["name"].strip()
        assert config is not None
        self._editor.remember()
        meta = Meta(name, parent=self._fork.run_id if self._fork is not None else "")
        specs = [RunSpec(config, meta)]
        if len(seeds) > 1:
            specs = seed_specs(config, seeds, replace(meta, group_id=self.lab.store.new_group_id()))
        self.post_message(StartRequested(specs, detached=detached))

    def action_edit(self) -> None:
        field = self.query_one("#spec", Input)
        self.set_focus(field)
        field.cursor_position = len(field.value)

    def action_values(self) -> None:
        self.set_focus(self.query_one("#field-lr"))

    def action_leave_field(self) -> None:
        self.set_focus(self.query_one("#archs"))

    @property
    def _is_own_module(self) -> bool:
        return is_user_module(self._editor.arch) and not self._editor.problem

    def action_translate(self) -> None:
        """Find the spec of the module in the editor, on a thread: its code is run."""
        config = self._checked.config
        whole_file, dataset = (False, "auto") if config is None else (config.run_whole_file, config.dataset)
        self._translating = Translating(self._editor.arch, run_whole_file=whole_file, dataset=dataset)
        self._translating_timer = self.set_interval(TRANSLATION_INTERVAL, self._take_translation)
        self.judge()

    def _take_translation(self) -> None:
        task = self._translating
        if task is None or not task.done.is_set():
            return
        self._end_translating()
        title, found = arch_in_short(task.arch), task.result
        if found is None:
            self.notify(task.problem(), title=title, severity="error", markup=False)
        elif found.spec is None:
            words = "\n".join(found.obstacles)
            self.app.push_screen(Ask(f"No spec equals {title}. What stands in the way:", words, [("close", "Close")]))
        elif self._editor.arch == task.arch:
            self._editor.put(found.spec)
            self._own_spec = found.spec
            self.query_one(ArchList).select(found.spec)
            self.notify("\n".join([f"equals {found.spec}", *found.notes]), title=title, markup=False)
        self.judge()

    def _end_translating(self) -> None:
        self._translating_timer.stop()
        self._translating = None

    def action_unfork(self) -> None:
        self._fork = None
        self._form.compare_with(None)
        self._show_fork()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        match action:
            case "unfork":
                return self._fork is not None
            case "translate":
                return self._translating is None and self._is_own_module
            case "leave_field":
                return self.focused is not None and self.focused.id != "archs"
            case _:
                return super().check_action(action, parameters)

    def help_lines(self) -> tuple[str, ...]:
        return (
            "Pick a network on the left, or type one: c16 is a 3x3 convolution to 16 channels, p2 max pooling,",
            "gap global pooling, fc10 the ten outputs. The table below follows each keystroke.",
            "Tab and the arrows go from field to field, left and right change a choice, {start} starts the run.",
        )
