"""The dialogs of sweeps: one begins a sweep, one asks for more trials of it, one adds a trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.advice import Tip
from core.config import TrainConfig
from core.dataset_names import name_of
from core.errors import InvalidValue, LabError
from core.models.grammar.template import is_template
from experiments.locations import Locations
from experiments.studies.plan import SweepPlan
from experiments.studies.space import Dimension, RangeDimension, Value, in_words
from experiments.studies.view import StudyView, check_trial
from tui.live.forms.fields import help_text, label
from tui.live.forms.sweep_form import (
    CHOICES,
    HELP,
    LABELS,
    SweepRequest,
    check_sweep,
    template_words,
    tip_in_form_words,
)
from tui.screens.form_dialog import FormDialog
from tui.text.numbers import whole_number
from tui.text.study_report import dimension_in_words
from tui.text.wording import arch_in_short
from tui.widgets.forms.field_row import FieldRow

OPEN = "-"
"""Chosen for a dimension that is left to the sampler; of one that is typed nothing is."""


class NewSweep(FormDialog[SweepRequest]):
    """Begins a sweep around the Lab's config."""

    def __init__(self, locations: Locations, base: TrainConfig, name: str) -> None:
        searched = f"{words} " if (words := template_words("", base)) else ""
        text = f"{searched}What Space does not say is as in the Lab: {_base_in_words(base)}."
        super().__init__("New sweep", text, "starts it")
        self._locations, self._base = locations, base
        self._first = {"study": name, "trials": "20", "epochs": str(base.epochs), "seeds_per_trial": "1", "race": "0"}

    def rows(self) -> Sequence[FieldRow]:
        hints = {"space": "for example --lr 0.01:0.1:log --dropout 0,0.05", "jobs": "one for each GPU or core"}
        return [
            FieldRow(
                field,
                title,
                self._first.get(field, CHOICES.get(field, ("",))[0]),
                options=CHOICES.get(field, ()),
                placeholder=hints.get(field, ""),
            )
            for field, title in LABELS.items()
        ]

    def help_of(self, field: str) -> str:
        words = template_words(self.texts["space"], self._base) if field == "space" else ""
        return words or HELP.get(field, "")

    def judge(self) -> SweepRequest | None:
        result = super().judge()
        self.show_help("space")
        return result

    def field_of(self, error: LabError) -> str:
        name = super().field_of(error)
        in_space = name == "epochs" and "--epochs" in self.texts["space"]
        return name if name in LABELS and not in_space else "space"

    def result(self, texts: Mapping[str, str]) -> SweepRequest:
        return check_sweep(texts, self._base, self._locations)

    def tip_in_words(self, tip: Tip) -> str:
        return tip_in_form_words(tip)


def _base_in_words(base: TrainConfig) -> str:
    """The Lab's network and values in short, with the numbers of images where not all are used."""
    network = "" if is_template(base.arch) else f"{arch_in_short(base.arch)} on "
    words = [f"{network}{name_of(base.dataset)}", f"lr {base.lr:g}", f"batch {base.batch_size}"]
    data = {"val_split": "{:,} held out", "limit_train": "{:,} training images", "limit_test": "{:,} test images"}
    words += [form.format(count) for field, form in data.items() if (count := getattr(base, field))]
    return ", ".join(words)


class MoreTrials(FormDialog[int]):
    """Asks up to how many trials a study goes on that has done those it was asked for."""

    def __init__(self, view: StudyView, most: int) -> None:
        """`most` is the largest number of trials that there can be."""
        asked = view.plan.trials
        added = sum(trial.added for trial in view.trained)
        beside = f", plus {added:,} added by hand" if added else ""
        text = f"All {asked:,} trials of {view.name} are done{beside}. New total:"
        super().__init__("Continue", text, "continues it")
        self._least, self._most = asked + 1, most

    def rows(self) -> Sequence[FieldRow]:
        return [FieldRow("trials", LABELS["trials"], str(min(2 * (self._least - 1), self._most)))]

    def help_of(self, field: str) -> str:
        return HELP[field]

    def result(self, texts: Mapping[str, str]) -> int:
        return whole_number("trials", self._least, self._most)(texts["trials"])


class AddTrial(FormDialog[dict[str, str]]):
    """Asks for the values of a new trial, a field for each dimension; the sampler chooses those that are left empty."""

    def __init__(self, name: str, plan: SweepPlan, params: Mapping[str, Value]) -> None:
        """`params` are values to begin with."""
        is_grid = plan.sampler == "grid"
        rest = "A grid needs all of them." if is_grid else "The sampler chooses what is left empty."
        super().__init__("Add a trial", f"A trial of {name} beside those planned. {rest}", "adds it")
        self._plan, self._params = plan, params

    def rows(self) -> Sequence[FieldRow]:
        return [self._row(dimension) for dimension in self._plan.space.dimensions]

    def _row(self, dimension: Dimension) -> FieldRow:
        field, options = dimension.field, self._options(dimension)
        first = in_words(self._params[field]) if field in self._params else next(iter(options), "")
        return FieldRow(field, label(field), first, options=options, placeholder=dimension_in_words(dimension))

    def _options(self, dimension: Dimension) -> tuple[str, ...]:
        """The words of a choice, the first of which leaves it open where that may be."""
        if isinstance(dimension, RangeDimension):
            return ()
        values = tuple(in_words(value) for value in dimension.values)
        return values if self._plan.sampler == "grid" else (OPEN, *values)

    def help_of(self, field: str) -> str:
        return help_text(field)

    def result(self, texts: Mapping[str, str]) -> dict[str, str]:
        given = {field: text for field, text in texts.items() if text not in ("", OPEN)}
        if self._plan.sampler == "grid" and (missing := [field for field in texts if field not in given]):
            raise InvalidValue(missing[0], "", "a grid leaves nothing open", hint="give it a value")
        try:
            check_trial(self._plan, given)
        except InvalidValue as error:
            dimension = self._plan.space.dimension(error.field)
            if not isinstance(dimension, RangeDimension):
                raise
            kind = "whole number" if isinstance(dimension.low, int) else "number"
            allowed = f"must be one {kind} within {dimension_in_words(dimension)}"
            hint = (
                "one of the grid's values" if self._plan.sampler == "grid" else "or nothing, for the sampler to choose"
            )
            raise InvalidValue(error.field, error.value, allowed, hint=hint) from error
        return given
