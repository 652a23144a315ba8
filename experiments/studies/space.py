"""The search space of a sweep: which config fields vary, and over which values, as written on the command line.

0.05             one value: the field is fixed
64,128,256       a choice
none,affine+erase  a choice of lists, each with + inside
0.01:0.1         a range, both ends included
0.01:0.1:log     a range searched by its logarithm
0:0.2:0.05       a range in steps
c{8:20:2} gap fc10  a template of networks: `core.models.grammar.template`
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Self

from core.advice import Action, Advice, Hint, Tip
from core.config import TrainConfig, allowed_values
from core.data.task_of import task_of
from core.errors import InvalidValue
from core.models.grammar.template import Template, is_template, parse_template
from core.models.grammar.template_values import check_values
from core.models.grammar.words import joined, texts_of
from core.models.network import absolute_arch, check_module_file, summarize_config
from core.models.reference import split_archs
from core.models.spec import is_user_module
from core.models.template_range import TemplateRange
from experiments.studies.dimensions import (
    LISTS,
    MAX_GRID,
    Dimension,
    ListDimension,
    RangeDimension,
    Value,
    divides,
    in_words,
    rounded,
)

if TYPE_CHECKING:
    from optuna.trial import Trial

__all__ = ["Dimension", "ListDimension", "RangeDimension", "Space", "Value", "divides", "in_words", "rounded"]

FIXED = frozenset(
    {"dataset", "seed", "val_split", "target", "stop_at_target", "limit_train", "limit_test", "device", "engine"}
    | {"max_params", "max_epochs", "budget", "run_whole_file", "teacher", "tta"}
)
"""Fields that say what a result is a result of, or where it is worked out; a search over them would mean nothing."""
FORMS = "written as VALUE, A,B,C, LOW:HIGH, LOW:HIGH:log or LOW:HIGH:STEP"

_BOOLEANS = {"true": True, "on": True, "false": False, "off": False}


SLOT = "arch."
"""What the names of a template's choices begin with; a number from 1 follows."""


@dataclass(frozen=True, slots=True)
class Space:
    """The dimensions of a search, in the order of the config's fields.

    A `template` of networks has a dimension for each of its choices, named ``arch.1`` and on.
    """

    dimensions: tuple[Dimension, ...]
    template: Template | None = None

    @classmethod
    def parse(cls, options: Mapping[str, str], dataset: str | None = None) -> tuple[Self, dict[str, Value]]:
        """The space that options span, field by field, and the values of the fields that they fix.

        Args:
            dataset: what networks are for; None for one that they have been held against before.

        Raises:
            InvalidValue: naming the field, what was written and what is allowed.
            DataError: for a data set of one's own that is not there, or of no use.
        """
        dimensions: list[Dimension] = []
        fixed: dict[str, Value] = {}
        template = None
        for field in TrainConfig.model_fields:
            if field not in options:
                continue
            if field == "arch" and is_template(options[field]):
                template = parse_template(options[field])
                if dataset is not None:
                    check_values(template)
                    TemplateRange(template, task_of(dataset))
                dimensions += slot_dimensions(template)
                continue
            parsed = parse_option(field, options[field], dataset)
            if isinstance(parsed, ListDimension | RangeDimension):
                dimensions.append(parsed)
            else:
                fixed[field] = parsed
        return cls(tuple(dimensions), template), fixed

    def __bool__(self) -> bool:
        return bool(self.dimensions)

    def __str__(self) -> str:
        return ", ".join(f"{field} {text}" for field, text in self.to_json().items())

    def to_json(self) -> dict[str, str]:
        """Each config field that varies as it would be written; `parse` reads it again."""
        written: dict[str, str] = {}
        for dimension in self.dimensions:
            if dimension.field.startswith(SLOT):
                assert self.template is not None, "choices are a template's"
                written["arch"] = self.template.text
            else:
                written[dimension.field] = str(dimension)
        return written

    def dimension(self, field: str) -> Dimension | None:
        return next((dimension for dimension in self.dimensions if dimension.field == field), None)

    def suggest(self, trial: Trial) -> dict[str, Value]:
        """Let a sampler propose values for a trial; those that the trial has already are kept.

        Of a template what is a list comes first. Which width is the last one, to which the others leave only so much of
        the budget, changes from trial to trial.
        """
        values = {dimension.field: dimension.suggest(trial) for dimension in self.in_turn(trial.number)}
        return {dimension.field: values[dimension.field] for dimension in self.dimensions}

    def in_turn(self, number: int) -> list[Dimension]:
        """The dimensions in the order in which trial `number` is given its values."""
        slots = [dimension for dimension in self.dimensions if dimension.field.startswith(SLOT)]
        others = [dimension for dimension in self.dimensions if dimension not in slots]
        widths = [dimension for dimension in slots if isinstance(dimension, RangeDimension)]
        first = number % len(widths) if widths else 0
        return [*others, *(one for one in slots if one not in widths), *widths[first:], *widths[:first]]

    def changes(self, params: Mapping[str, Value]) -> dict[str, Value]:
        """The config fields of a trial's values: of a template's choices the spec that they are, once all are made."""
        changes = {field: value for field, value in params.items() if not field.startswith(SLOT)}
        if (spec := self.spec(params)) is not None:
            changes["arch"] = spec
        return changes

    def spec(self, params: Mapping[str, Value]) -> str | None:
        """The plain spec of a template's choices; None without a template, or before all are made."""
        if self.template is None:
            return None
        names = [f"{SLOT}{number}" for number in range(1, len(self.template.slots) + 1)]
        if any(name not in params for name in names):
            return None
        return self.template.spec([as_choice(params[name]) for name in names])

    def grid(self) -> dict[str, Sequence[Value]]:
        """Every value of each dimension.

        Raises:
            InvalidValue: when there are too many, or no end of them.
        """
        values = {dimension.field: dimension.grid() for dimension in self.dimensions}
        size = math.prod(map(len, values.values()))
        if size > MAX_GRID:
            raise InvalidValue("sampler", "grid", f"{size:,} combinations, at most {MAX_GRID:,}", hint="use tpe")
        return {field: list(column) for field, column in values.items()}

    def combinations(self, fields: Sequence[str]) -> list[dict[str, Value]]:
        """Every combination of the extremes of these fields, as far as they are dimensions; a template's are left
        out."""
        found = [dimension for dimension in self.dimensions if dimension.field in fields]
        products = itertools.islice(itertools.product(*(dimension.ends() for dimension in found)), MAX_GRID)
        names = [dimension.field for dimension in found]
        return [dict(zip(names, values, strict=True)) for values in products]


def slot_dimensions(template: Template) -> list[Dimension]:
    """A dimension for each choice of a template."""
    found: list[Dimension] = []
    for number, slot in enumerate(template.slots, start=1):
        name, values = f"{SLOT}{number}", slot.values
        low, high = values[0], values[-1]
        if slot.step is not None and isinstance(low, int) and isinstance(high, int):
            found.append(RangeDimension(name, low, high, step=None if slot.step == 1 else slot.step))
        else:
            found.append(ListDimension(name, values))
    return found


def as_choice(value: Value) -> int | str | bool:
    """A value of a dimension as a choice in a template."""
    return int(value) if isinstance(value, float) else value


def parse_option(field: str, text: str, dataset: str | None = None) -> Value | Dimension:
    """One option: a value, or a dimension.

    Raises:
        InvalidValue.
    """
    kind = type(TrainConfig.model_fields[field].default)
    if field in FIXED or (kind is not str and not any(mark in text for mark in ",:")):
        if field in FIXED and "," in text:
            raise InvalidValue(field, text, "takes one value", hint="a sweep does not search over it")
        return parse_value(field, text, dataset=dataset)
    if kind in (int, float) and ":" in text:
        return _range(field, text)
    parts = split_archs(text) if field == "arch" else text.split(",")
    values = tuple(parse_value(field, part.strip(), whole=text, dataset=dataset) for part in parts)
    if len(set(values)) < len(values):
        raise InvalidValue(field, text, "lists a value twice", hint="leave one of them out")
    return values[0] if len(values) == 1 else ListDimension(field, values)


def parse_value(field: str, text: str, *, whole: str = "", dataset: str | None = None) -> Value:
    """One value of a field, held against the field's own limits; for a data set an architecture is also built on paper,
    and the file of a user's own module has to be there, of which a study that has begun keeps a copy.

    Raises:
        InvalidValue: naming what was written, all of it where `text` is only a part.
    """
    info = TrainConfig.model_fields[field]
    kind = int if info.default is None else type(info.default)
    try:
        value: Value = _BOOLEANS[text.lower()] if kind is bool else kind(text)
        checked = TrainConfig.each_checked({field: value, "budget": False})
    except (KeyError, ValueError, InvalidValue):
        allowed = f"must be {allowed_values(field)}"
        forms = "written as VALUE, A,B,C or A,B+C,D" if field in LISTS else "written as VALUE or A,B,C"
        many = "" if field in FIXED else f", {FORMS if kind in (int, float) else forms}"
        raise InvalidValue(field, whole or text, allowed + many, hint=_hint(field, text, whole)) from None
    if field in LISTS:  # one list is one value, however it is written
        return str(getattr(checked, field))
    if field != "arch":
        return value
    if is_user_module(checked.arch):
        if dataset is not None:
            check_module_file(checked.arch)
        return absolute_arch(checked.arch)
    if dataset is not None:
        summarize_config(checked.model_copy(update={"dataset": dataset}), task_of(dataset))
    return joined(texts_of(checked.arch))  # one network is one value, however it is spaced


def _range(field: str, text: str) -> RangeDimension:
    parts = text.split(":")
    if not 2 <= len(parts) <= 3 or "," in text:
        raise InvalidValue(field, text, f"must be {FORMS}", hint=f"for example {_EXAMPLES.get(field, '0.01:0.1')}")
    low, high = (parse_value(field, part.strip(), whole=text) for part in parts[:2])
    assert isinstance(low, int | float), "only numbers have ranges"
    assert isinstance(high, int | float)
    if not low < high:
        hint = f"write {':'.join([parts[1], parts[0], *parts[2:]])}" if high < low else f"write {low} for one value"
        raise InvalidValue(field, text, "LOW must be below HIGH", hint=hint)
    last = parts[2].strip() if len(parts) == 3 else ""
    if last == "log":
        if low <= 0:
            raise InvalidValue(field, text, "a logarithmic range must start above 0", hint="leave :log out")
        return RangeDimension(field, low, high, log=True)
    if len(parts) == 2:
        return RangeDimension(field, low, high)
    try:
        step = type(low)(last)
    except ValueError:
        step = type(low)(0)
    if not 0 < step <= high - low or _exact(high, low) % Decimal(str(step)):
        noun = "a whole number" if isinstance(low, int) else "a number"
        allowed = f"STEP must be log, or {noun} that divides the range evenly"
        raise InvalidValue(field, text, allowed, hint=f"for example {low}:{high}:{_round_step(low, high)}")
    return RangeDimension(field, low, high, step=step)


def _exact(high: float, low: float) -> Decimal:
    """The difference of two numbers as they are written."""
    return Decimal(str(high)) - Decimal(str(low))


def _round_step(low: float, high: float) -> str:
    """The step of the fewest digits that divides a range into 3 to 20 parts, or into as few as there can be."""
    span = _exact(high, low)
    steps = [(span / parts).normalize() for parts in range(3, 21)]
    if isinstance(low, int):
        steps = [step for step in steps if step == step.to_integral_value()] or [Decimal(1)]
    return f"{min(steps, key=lambda step: len(step.as_tuple().digits)):f}"


_EXAMPLES = {
    "augment": "none,affine+erase",
    "milestones": "10,5+10",
    "batch_size": "64:512:64",
    "epochs": "5:15:5",
    "dropout": "0:0.2",
}


def _hint(field: str, part: str, whole: str) -> Hint:
    if whole and whole != part:
        return Advice(f"{part or 'an empty value'!r} is wrong in ", Tip(Action.OPTION, field))
    default = TrainConfig.model_fields[field].default
    example = _EXAMPLES.get(field) or in_words(1000 if default is None else default)
    return Advice("for example ", Tip(Action.OPTION, field, example))
