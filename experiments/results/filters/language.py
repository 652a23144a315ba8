"""Filters of runs as people type them: ``acc>99.4 params<8k lr=0.01..0.05 tag:best status:live !sweep``.

Every term must hold, with ``!`` before it must not. A term is a word that is looked for in id, name, network, data,
status, tags and note, or a field with what it is held against: ``:`` and ``=`` (texts: has it in it, is it), ``!=``,
``<``, ``<=``, ``>``, ``>=``, a span ``0.01..0.05``, several values with commas between them, or ``*`` for any.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from core.errors import InvalidValue
from experiments.results.filters.fields import (
    ALSO,
    FIELDS,
    STATES,
    FilterField,
    Kind,
    Listed,
    number_in,
    searched,
)
from experiments.statistics.digits import in_digits

_TERM = re.compile(
    r"""(?P<term>(?P<no>!*)
        (?:(?P<field>[A-Za-z_]+)(?:\s*(?P<op><=|>=|!=|<|>|=)\s*|(?P<is>:)))?
        (?P<value>"[^"]*"?|[^\s"]*)
    )\s*""",
    re.VERBOSE,
)
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": lambda value, bound: value < bound and not _same(value, bound),
    "<=": lambda value, bound: value <= bound or _same(value, bound),
    ">": lambda value, bound: value > bound and not _same(value, bound),
    ">=": lambda value, bound: value >= bound or _same(value, bound),
}
Test = Callable[[Listed], bool]


@dataclass(frozen=True, slots=True)
class RunFilter:
    """The runs that are looked for: `words` that they must or must not have, in small letters, and tests of fields."""

    words: tuple[tuple[str, bool], ...] = ()
    tests: tuple[Test, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.words or self.tests)

    def holds(self, item: Listed, text: str | None = None) -> bool:
        """Whether it holds for a run; `text` is what `searched` gives, where that is at hand."""
        if self.words:
            text = searched(item) if text is None else text
            if not all((word in text) is wanted for word, wanted in self.words):
                return False
        return all(test(item) for test in self.tests)

    def of(self, items: Iterable[Listed]) -> list[Listed]:
        """The runs for which it holds."""
        return [item for item in items if self.holds(item)]


def parse_filter(text: str) -> RunFilter:
    """Read a filter.

    Raises:
        InvalidValue: naming the first term that is wrong, and what is allowed.
    """
    found, mistake = read_filter(text)
    if mistake is not None:
        raise mistake
    return found


def read_filter(text: str) -> tuple[RunFilter, InvalidValue | None]:
    """The filter of all terms that are right, as of one that is being typed, and what is wrong with the first other."""
    mistakes: list[InvalidValue] = []
    words: list[tuple[str, bool]] = []
    tests: list[Test] = []
    place, text = 0, text.strip()
    while place < len(text):
        match = _TERM.match(text, place)
        assert match is not None, "every part of it may be missing"
        place = match.end()
        field, operator, value = match["field"], match["op"] or match["is"], match["value"].strip('"')
        wanted = len(match["no"]) % 2 == 0
        if field is None:
            if value:
                words.append((value.lower(), wanted))
            elif match["no"]:
                mistakes.append(_wrong(match["term"], "! excludes what follows it: !sweep"))
            continue
        try:
            test = _test_of(field.lower(), operator, value)
        except ValueError as error:
            mistakes.append(_wrong(match["term"], str(error)))
        else:
            tests.append(test if wanted else _negated(test))
    return RunFilter(tuple(words), tuple(tests)), next(iter(mistakes), None)


def fields_in_words() -> str:
    """The names of all fields."""
    return ", ".join(FIELDS)


def _wrong(term: str, allowed: str) -> InvalidValue:
    hint = 'for example acc>99.4 params<8k lr=0.01..0.05 tag:best status:live !sweep; "..." looks for a text as it is'
    return InvalidValue("where", term.strip(), allowed, hint=hint)


def _negated(test: Test) -> Test:
    return lambda item: not test(item)


def _test_of(name: str, operator: str, value: str) -> Test:
    """The test of one term; ValueError says what is allowed instead."""
    name = ALSO.get(name, name)
    field = FIELDS.get(name)
    if field is None:
        close = get_close_matches(name, [*FIELDS, *ALSO], n=1)
        meant = f"did you mean {close[0]}? " if close else ""
        raise ValueError(
            f"there is no field {name}; {meant}There are {fields_in_words()}".replace("; There", "; there")
        )
    if not value:
        raise ValueError(f"{name} needs a value, such as {field.example}")
    if value == "*":
        has = _has_any(field)
        return _negated(has) if operator == "!=" else has
    test = _number_test(name, field, operator, value) if field.is_number else _text_test(name, field, operator, value)
    return _negated(test) if operator == "!=" else test


def _has_any(field: FilterField) -> Test:
    return lambda item: field.of(item) is not None if field.is_number else any(field.of(item) or ())  # type: ignore[arg-type]


def _number_test(name: str, field: FilterField, operator: str, text: str) -> Test:
    if operator in _COMPARISONS:
        bound, holds = number_in(name, text), _COMPARISONS[operator]
        return lambda item: (value := field.of(item)) is not None and holds(value, bound)  # type: ignore[arg-type]
    spans = [_span(name, part) for part in text.split(",")]

    def is_in(item: Listed) -> bool:
        value = field.of(item)
        return isinstance(value, int | float) and any(_within(float(value), *span) for span in spans)

    return is_in


def _span(name: str, text: str) -> tuple[float, float]:
    """Both ends of ``0.01..0.05``, ``..0.05`` or ``0.01..``; a number alone is both."""
    first, dots, last = text.partition("..")
    if not dots:
        return (value := number_in(name, text)), value
    if not first and not last:
        raise ValueError(f"{name} takes a span with an end, such as {name}=1..5")
    low = number_in(name, first) if first else -math.inf
    high = number_in(name, last) if last else math.inf
    if low > high:
        raise ValueError(f"the span goes from the smaller to the larger: {name}={last}..{first}")
    return low, high


def _within(value: float, low: float, high: float) -> bool:
    return low <= value <= high or _same(value, low) or _same(value, high)


def _same(value: float, other: float) -> bool:
    """Whether two numbers look the same where runs are listed."""
    is_near = abs(value - other) <= 0.01 * abs(other)
    return value == other or (is_near and in_digits(float(value)) == in_digits(float(other)))


def _text_test(name: str, field: FilterField, operator: str, text: str) -> Test:
    if operator in _COMPARISONS:
        raise ValueError(f"{name} takes : or =, such as {field.example}")
    wanted = [part for part in (part.strip().lower() for part in text.split(",")) if part]
    if name == "status" and (unknown := next((word for word in wanted if word not in STATES), "")):
        raise ValueError(f"there is no status {unknown}; there are {', '.join(STATES)}")
    is_part = field.kind is Kind.PART and operator == ":"

    def holds(item: Listed) -> bool:
        texts: Sequence[str] = field.of(item) or ()  # type: ignore[assignment]
        found = [text.lower() for text in texts]
        return any(one in text if is_part else one == text for one in wanted for text in found)

    return holds
