"""The dialogs of sweeps: one begins a sweep, one adds a trial to a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.config import TrainConfig
from experiments.locations import Locations
from experiments.plan import Plan
from experiments.space import Dimension, Range, Value, in_words
from experiments.study_view import check_trial
from tui.form import help_text, label
from tui.screens.form_dialog import FormDialog
from tui.sweep_form import CHOICES, HELP, LABELS, Wanted, check_sweep
from tui.widgets.field_row import FieldRow
from tui.wording import arch_in_short

OPEN = "-"
"""Chosen for a dimension that is left to the sampler; of one that is typed nothing is."""


class NewSweep(FormDialog[Wanted]):
    """Around the config that the Lab holds."""

    def __init__(self, locations: Locations, base: TrainConfig, name: str) -> None:
        base_words = f"{arch_in_short(base.arch)} on {base.dataset}, lr {base.lr:g}, batch {base.batch_size}"
        super().__init__("New sweep", f"What is not searched is as in the Lab: {base_words}.", "start")
        self._locations, self._base = locations, base
        self._first = {"study": name, "trials": "20", "epochs": str(base.epochs)}

    def rows(self) -> Sequence[FieldRow]:
        hints = {"space": "--lr 0.01:0.1:log --batch-size 64,128", "jobs": "one for each GPU or core"}
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
        return HELP.get(field, "")

    def field_of(self, name: str) -> str:
        return name if name in LABELS else "space"

    def result(self, texts: Mapping[str, str]) -> Wanted:
        return check_sweep(texts, self._base, self._locations)


class AddTrial(FormDialog[dict[str, str]]):
    """A field for each dimension of the space; what is left empty is the sampler's to choose."""

    def __init__(self, name: str, plan: Plan, params: Mapping[str, Value]) -> None:
        """`params` are values to begin with."""
        is_grid = plan.sampler == "grid"
        rest = "A grid needs all of them." if is_grid else "What is empty is left to the sampler."
        super().__init__("Add a trial", f"A trial of {name} beside those planned. {rest}", "add")
        self._plan, self._params = plan, params

    def rows(self) -> Sequence[FieldRow]:
        return [self._row(dimension) for dimension in self._plan.space.dimensions]

    def _row(self, dimension: Dimension) -> FieldRow:
        field, options = dimension.field, self._options(dimension)
        first = in_words(self._params[field]) if field in self._params else next(iter(options), "")
        return FieldRow(field, label(field), first, options=options, placeholder=str(dimension))

    def _options(self, dimension: Dimension) -> tuple[str, ...]:
        """The words of a choice, the first of which leaves it open where that may be."""
        if isinstance(dimension, Range):
            return ()
        values = tuple(in_words(value) for value in dimension.values)
        return values if self._plan.sampler == "grid" else (OPEN, *values)

    def help_of(self, field: str) -> str:
        dimension = self._plan.space.dimension(field)
        searched = f"{dimension}: " if isinstance(dimension, Range) else ""
        return f"{searched}{help_text(field)}" if dimension is not None else ""

    def result(self, texts: Mapping[str, str]) -> dict[str, str]:
        given = {field: text for field, text in texts.items() if text not in ("", OPEN)}
        check_trial(self._plan, given)
        return given
