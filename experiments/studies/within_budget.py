"""Choices of a template that leave room for the others: how proposals stay within the budget by construction."""

from __future__ import annotations

import math
from collections.abc import Mapping

from core.config import TrainConfig
from core.data.task_of import task_of
from core.errors import OverBudget
from core.models.template_range import TemplateRange
from experiments.studies.dimensions import Value
from experiments.studies.space import SLOT, Space, as_choice


class WithinBudget:
    """The networks of a space's template that a config's budget allows. Without a template it changes nothing.

    Raises:
        SpecError: for a template that nothing can be built from.
        DataError: for a data set of one's own that is not there.
    """

    def __init__(self, space: Space, base: TrainConfig) -> None:
        self._limit = base.max_params if base.budget else math.inf
        self.range = None if space.template is None else TemplateRange(space.template, task_of(base.dataset))

    @property
    def least(self) -> dict[str, Value]:
        """The smallest network as a config field; nothing without a template."""
        return {} if self.range is None else {"arch": self.range.least_spec}

    def check(self) -> None:
        """Raise `OverBudget` when even the smallest network is."""
        if self.range is not None and (least := self.range.least.total_params) > self._limit:
            text = f"the smallest network of the template has {least:,} parameters, at most {self._limit:,}"
            raise OverBudget(text, hint="give it smaller widths, or fewer words")

    def fit(self, name: str, value: Value, others: Mapping[str, Value]) -> Value:
        """The value of a dimension that leaves room for the rest of the network, after what the others have already:
        the one proposed where it does, else the largest that does."""
        if self.range is None or not name.startswith(SLOT):
            return value
        chosen = {_number(other): as_choice(made) for other, made in others.items() if other.startswith(SLOT)}
        return self.range.fitting(_number(name), as_choice(value), chosen, self._limit)


def _number(name: str) -> int:
    return int(name.removeprefix(SLOT)) - 1
