"""The dimensions of a search space: a field of the config, or a choice in a template, and its values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.advice import Action, Advice, Tip
from core.errors import InvalidValue

if TYPE_CHECKING:
    from optuna.trial import Trial

Value = str | int | float | bool

LISTS = frozenset({"augment", "milestones"})
"""Fields whose values are lists, within which a sweep has + where the config has commas."""
MAX_GRID = 100_000


@dataclass(frozen=True, slots=True)
class ListDimension:
    """One of a few values."""

    field: str
    values: tuple[Value, ...]

    def __str__(self) -> str:
        words = [in_words(value) for value in self.values]
        return ",".join([word.replace(",", "+") for word in words] if self.field in LISTS else words)

    def ends(self) -> tuple[Value, ...]:
        return self.values

    def grid(self) -> tuple[Value, ...]:
        return self.values

    def holds(self, value: Value) -> bool:
        return value in self.values

    def read(self, text: str) -> Value:
        """The value that is written so, or the text where there is none."""
        return next((value for value in self.values if in_words(value) == text.strip()), text)

    def suggest(self, trial: Trial) -> Value:
        value = trial.suggest_categorical(self.field, self.values)
        assert value is not None, "None is no choice"
        return value


@dataclass(frozen=True, slots=True)
class RangeDimension:
    """Numbers from `low` to `high`, both included; whole numbers where these are."""

    field: str
    low: float
    high: float
    log: bool = False
    step: float | None = None

    def __str__(self) -> str:
        ends = [in_words(self.low), in_words(self.high)]
        return ":".join([*ends, "log"] if self.log else ends if self.step is None else [*ends, in_words(self.step)])

    def ends(self) -> tuple[Value, ...]:
        return (self.low, self.high)

    def grid(self) -> tuple[Value, ...]:
        """Every value.

        Raises:
            InvalidValue: for a range that has no end of them.
        """
        whole = isinstance(self.low, int)
        step = self.step if self.step is not None else 1 if whole and not self.log else None
        if step is None:
            hint = Advice("list them, or give a step: ", Tip(Action.OPTION, self.field, "LOW:HIGH:STEP"))
            raise InvalidValue(self.field, str(self), "a grid needs a finite number of values", hint=hint)
        count = round((self.high - self.low) / step) + 1
        if count > MAX_GRID:
            raise InvalidValue(self.field, str(self), f"more than {MAX_GRID:,} values", hint="take a larger step")
        values = [self.low + index * step for index in range(count)]
        return tuple(values if whole else [rounded(value) for value in values])

    def holds(self, value: Value) -> bool:
        if isinstance(value, str) or not self.low <= value <= self.high:
            return False
        return self.step is None or divides(self.step, value - self.low)

    def read(self, text: str) -> Value:
        """The whole number that is written so, or the text where it is none."""
        return int(text) if text.strip().isdecimal() else text

    def suggest(self, trial: Trial) -> Value:
        if isinstance(self.low, int) and isinstance(self.high, int):
            step = 1 if self.step is None else int(self.step)
            return trial.suggest_int(self.field, self.low, self.high, step=step, log=self.log)
        return trial.suggest_float(self.field, self.low, self.high, step=self.step, log=self.log)


Dimension = ListDimension | RangeDimension


def rounded(value: float) -> float:
    """A sum or product of numbers with few digits, as it would be written."""
    return float(f"{value:.12g}")


def divides(step: float, distance: float) -> bool:
    """Whether a distance is a whole number of steps, but for what floating point adds to it."""
    return abs(distance / step - round(distance / step)) < 1e-6


def in_words(value: Value) -> str:
    """A value as it would be written on the command line: ``100`` for a number of any type."""
    if isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value).removesuffix(".0")
