"""What the Lab opens above itself for the values in its form."""

from __future__ import annotations

from abc import abstractmethod

from tui.live.forms.fields import label
from tui.live.forms.form import Checked, check
from tui.screens.augmented import AugmentedDigits
from tui.screens.base import WorkScreen
from tui.screens.find_rate import FindRate
from tui.widgets.forms.run_form import RunForm

DEFAULT_ARCH = "conv9"


class LabBase(WorkScreen):
    """The dialogs of the Lab: digits as augmentation makes them, and a learning-rate range test."""

    _checked: Checked

    @property
    def _form(self) -> RunForm:
        return self.query_one(RunForm)

    @abstractmethod
    def judge_again(self) -> str:
        """Check what stands in the fields now; returns the reason why no run can start, empty when one can."""

    def action_digits(self) -> None:
        """Draw digits by the values as they are; the budget and the network have no part in it."""
        self._form.read_controls()
        checked = check(self._form.texts | {"budget": "off"}, DEFAULT_ARCH)
        if checked.config is not None:
            self.app.push_screen(AugmentedDigits(self.lab.locations, checked.config))
            return
        for field, error in checked.errors.items():
            self.notify(f"{label(field)} {error}" if field else error, severity="error", markup=False)
            return

    def action_find_rate(self) -> None:
        """Make a learning-rate range test of what the form says, and take the rate that it suggests."""
        if problem := self.judge_again():
            self.notify(problem, title="No range test", severity="warning", markup=False)
        elif self._checked.config is not None:
            self.app.push_screen(FindRate(self.lab.locations, self._checked.config), self._take_rate)

    def _take_rate(self, rate: float | None) -> None:
        if rate is not None:
            self._form.take("lr", f"{rate:g}")
            self.set_focus(self.query_one("#field-lr"))
