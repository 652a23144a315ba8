"""Whether each value that a template offers makes a word of the grammar."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Sequence

from core.errors import SpecError
from core.models.grammar.parser import read_word
from core.models.grammar.template import Choice, Template, TemplateSlot
from core.models.grammar.words import words

MAX_COMBINATIONS = 4_000
"""Of the choices within one word; one with more of them is not looked at."""

_APART = re.compile(r"([\s()|])")


def check_values(template: Template) -> None:
    """Refuse a value with which a word can never be read, whatever else is chosen: ``c{0:8}``, ``rep{0:3}(c8)``.

    Of a range both ends and the middle are looked at. A word that cannot be read with any value is left to those who
    build the networks, as its mistake lies elsewhere. Whether shapes fit is not looked at.

    Raises:
        SpecError: for the first such value, with what is allowed in its place.
    """
    for parts in _words_with_choices(template):
        numbers = sorted({part for part in parts if isinstance(part, int)})
        offered = [_looked_at(template.slots[number]) for number in numbers]
        if math.prod(map(len, offered)) > MAX_COMBINATIONS:
            continue
        failures: dict[tuple[int, Choice], SpecError] = {}
        read: set[tuple[int, Choice]] = set()
        for values in itertools.product(*offered):
            chosen = dict(zip(numbers, values, strict=True))
            try:
                read_word("".join(part if isinstance(part, str) else str(chosen[part]) for part in parts))
                read.update(chosen.items())
            except SpecError as error:
                for choice in chosen.items():
                    failures.setdefault(choice, error)
        for number, offers in zip(numbers, offered, strict=True):
            for value in offers if read else ():
                if (number, value) in failures and (number, value) not in read:
                    raise _refused(template, template.slots[number], value, failures[number, value])


def _words_with_choices(template: Template) -> Iterator[list[str | int]]:
    """The words that hold a choice, each as texts and the numbers of slots."""
    flat: list[str | int] = []
    for part in template.parts:
        if isinstance(part, tuple):
            flat += part
        else:
            optional = isinstance(part, int) and template.slots[part].is_optional
            flat.append(" " if optional else part)
    word: list[str | int] = []
    for part in [*flat, " "]:
        for piece in _APART.split(part) if isinstance(part, str) else [part]:
            if isinstance(piece, int) or not _APART.fullmatch(piece):
                word += [piece]
                continue
            if any(isinstance(one, int) for one in word):
                yield word
            word = []


def _looked_at(slot: TemplateSlot) -> Sequence[Choice]:
    values = slot.values
    return values if slot.step is None else sorted({values[0], values[len(values) // 2], values[-1]})


def _refused(template: Template, slot: TemplateSlot, value: Choice, error: SpecError) -> SpecError:
    place = template.text.find(slot.word)
    found = enumerate(words(template.text), start=1)
    position = next(number for number, word in found if word.start <= place < word.end)
    reason = f"{slot.text} includes {value}, which makes {error.token}: {error.reason}"
    return SpecError(template.text, slot.word, position, reason)
