"""What the Lab opens above itself for the values in its form."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from textual import on
from textual.widgets import Button

from core.dataset_names import name_of
from tui.live.forms.fields import label
from tui.live.forms.form import Checked, check
from tui.live.jobs.watch import LOOK
from tui.screens.base import WorkScreen
from tui.text.copying import Copy, copies_of_config
from tui.text.keys import with_keys
from tui.text.output import counted
from tui.text.wording import arch_in_short
from tui.widgets.forms.run_form import RunForm
from tui.widgets.forms.spec_editor import SpecEditor
from tui.widgets.lines.paragraph import Paragraph

DEFAULT_ARCH = "conv9"


@dataclass(frozen=True, slots=True)
class Fork:
    """The run that the values were taken from."""

    run_id: str
    title: str
    arch: str
    texts: dict[str, str]


class LabBase(WorkScreen):
    """The dialogs of the Lab: digits as augmentation makes them, and a learning-rate range test."""

    _checked: Checked
    _ahead = 0
    """The jobs behind which a start would wait, as the verdict has them."""

    def on_mount(self) -> None:
        self.set_interval(LOOK, self._look_at_line)

    def on_screen_resume(self) -> None:
        self.lab.line.counts_jobs = True

    def on_screen_suspend(self) -> None:
        self.lab.line.counts_jobs = False

    def _look_at_line(self) -> None:
        if self.ready and self.lab.line.ahead != self._ahead:
            self._show_verdict()

    @abstractmethod
    def _problem(self) -> str:
        """The reason why no run can start; empty when one can."""

    @abstractmethod
    def _sought_spec(self) -> str:
        """The own module whose equal as a spec is being looked for; empty while none is."""

    def _show_verdict(self) -> None:
        """Say whether a run can start, of what, and whether at once."""
        problem, self._ahead = self._problem(), self.lab.line.ahead
        verdict = self.query_one("#verdict", Paragraph)
        verdict.show(f"Cannot start: {problem}" if problem else self._promise())
        verdict.set_class(bool(problem), "-wrong")
        self.query_one("#start", Button).disabled = bool(problem)

    def _promise(self) -> str:
        if sought := self._sought_spec():
            return f"Looking for the spec that equals {arch_in_short(sought)}."
        config, seeds = self._checked.config, self._checked.seeds
        assert config is not None, "else there is a problem"
        words = f"{len(seeds)} runs" if len(seeds) > 1 else "Ready"
        if self._ahead:
            jobs = f"{self._ahead} jobs" if self._ahead > 1 else "1 job"
            words += f"; a start waits in line behind {jobs}"
        arch = short if len(short := arch_in_short(config.arch)) < 24 else "this network"
        return f"{words}: {arch} on {name_of(config.dataset)}, {counted(config.epochs, 'epoch')}."

    @property
    def _form(self) -> RunForm:
        return self.query_one(RunForm)

    @abstractmethod
    def judge_again(self) -> str:
        """Check what stands in the fields now; returns the reason why no run can start, empty when one can."""

    def copies(self) -> Sequence[Copy]:
        self.judge_again()
        config = self._checked.config
        if config is None:  # there is no command for what is wrong
            return [("spec", self.query_one(SpecEditor).arch)]
        return copies_of_config(config, self._checked.seeds, self._form.texts["name"].strip())

    @abstractmethod
    def start(self, *, detached: bool) -> None:
        """Ask for the runs of the form to be trained, `detached` in a process of their own."""

    @on(Button.Pressed, "#start")
    def action_start(self) -> None:
        self.start(detached=False)

    def action_start_detached(self) -> None:
        self.start(detached=True)

    def action_digits(self) -> None:
        """Draw digits by the values as they are; the budget and the network have no part in it."""
        self._form.read_controls()
        checked = check(self._form.texts | {"budget": "off"}, DEFAULT_ARCH)
        if checked.config is not None:
            from tui.screens.augmented import AugmentedDigits

            self.app.push_screen(AugmentedDigits(self.lab.locations, checked.config))
            return
        for field, error in checked.errors.items():
            self.notify(f"{label(field)} {error}" if field else error, severity="error", markup=False)
            return

    def action_find_rate(self) -> None:
        """Make a learning-rate range test of what the form says, and take the rate that it suggests."""
        live = with_keys("a run is being trained; stop it first ({stop} in Training)") if self.lab.session.live else ""
        if problem := self.judge_again() or live:
            self.notify(problem, title="No range test", severity="warning", markup=False)
        elif self._checked.config is not None:
            from tui.screens.find_rate import FindRate

            self.app.push_screen(FindRate(self.lab.locations, self._checked.config), self._take_rate)

    def action_presets(self) -> None:
        from tui.screens.everywhere.presets import Presets

        self.app.push_screen(Presets(), lambda name: self.take_preset(name) if name else None)

    def take_preset(self, name: str) -> None:
        """Lay a preset over the form and the network."""
        self._form.take_preset(name)
        self.set_focus(self.query_one("#preset"))

    def _take_rate(self, rate: float | None) -> None:
        if rate is not None:
            self._form.take("lr", f"{rate:g}")
            self.set_focus(self.query_one("#field-lr"))
