"""Templates: specs with choices in them, for a search over networks.

c{8:20:2}            a whole number from 8 to 20 in steps of 2; {8:20} in steps of 1
s{24,32,40}p1        one of a list, of numbers or of any text without blanks: {c,s}16, {p2,a2}
c{w=8:20} c{w}p1     a choice with a name, and the same once more
[s40p1 s40p1]        words that are there or not
rep{1:3}(c16)        a count is a number as any other

Plain Python: neither torch nor Optuna is needed to read one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.errors import SpecError
from core.models.grammar.foreign import PARTED
from core.models.grammar.words import joined, texts_of, words
from core.models.reference import is_reference

Choice = int | str | bool
MARKS = "{}[]"
MAX_SLOTS = 64
MAX_OPTIONS = 1_000
"""Values of a range, or of a list, in one place."""
BRACES = "braces hold LOW:HIGH, LOW:HIGH:STEP or A,B,C, as in c{8:20:2}, or a name from before, as in c{w=8:20} c{w}"

_RANGE = re.compile(r"(\d{1,6}):(\d{1,6})(?::(\d{1,6}))?", re.ASCII)
_LONG_RANGE = re.compile(r"\d+:\d+(?::\d+)?", re.ASCII)
_NAMED = re.compile(r"\s*([A-Za-z_]\w*)\s*=(.*)", re.ASCII)
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_VALUE = re.compile(r"[^\s{}\[\]()|,:]+")
_PART = re.compile(r"[{}\[\]]|[^{}\[\]]+")


@dataclass(frozen=True, slots=True)
class TemplateSlot:
    """A place of a template where something is chosen: `text` as it is written, `word` with what stands around it.

    `values` are all that may stand there, in order; a slot with a `step` is a range of whole numbers, and of one that
    `is_optional` they say whether the words behind it are there.
    """

    text: str
    word: str
    values: tuple[Choice, ...]
    step: int | None = None
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template. `parts` are its texts and, as numbers, its slots in the order in which they are written; the
    parts of words that may be missing stand behind their own slot, in a tuple."""

    text: str
    slots: tuple[TemplateSlot, ...]
    parts: tuple[str | int | tuple[str | int, ...], ...]

    def spec(self, choices: Sequence[Choice]) -> str:
        """The plain spec with a choice for each slot."""
        found: list[str] = []
        for before, part in zip(("", *self.parts), self.parts, strict=False):
            match part:
                case str():
                    found.append(part)
                case tuple():
                    assert isinstance(before, int), "words in brackets stand behind their slot"
                    if choices[before]:
                        found += [one if isinstance(one, str) else str(choices[one]) for one in part]
                case _ if not self.slots[part].is_optional:
                    found.append(str(choices[part]))
                case _:
                    found.append(" ")
        return joined(texts_of("".join(found)))


def is_template(arch: str) -> bool:
    """Whether an architecture has choices in it, and is no file of one's own, whose arguments may have such marks."""
    return any(mark in arch for mark in MARKS) and not is_reference(arch)


def parse_template(text: str) -> Template:
    """Read a template. What its specs amount to is not looked at.

    Raises:
        SpecError: with the place and what is allowed there.
    """
    return _Reader(text).template()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = " ".join(text.split())
        self._slots: list[TemplateSlot] = []
        self._names: dict[str, int] = {}
        self._pieces = [(match[0], match.start()) for match in _PART.finditer(self._text)]

    def template(self) -> Template:
        parts: list[str | int | tuple[str | int, ...]] = []
        inside: list[str | int] | None = None
        start = 0
        pieces = iter(self._pieces)
        for piece, at in pieces:
            target = parts if inside is None else inside
            if piece == "{":
                content, place = next(pieces, ("", at))
                closing, _ = next(pieces, ("", at)) if content not in MARKS else (content, place)
                if closing != "}" or content in MARKS:
                    reason = f"{{ holds nothing; {BRACES}" if closing == "}" else "{ is not closed: } is missing"
                    raise self._fail(at, reason)
                target.append(self._slot(content, at, place + len(content)))
            elif piece == "[":
                if inside is not None:
                    raise self._fail(at, "[ ] cannot stand within [ ]")
                inside, start = [], at
                parts.append(self._optional(at))
            elif piece == "]" and inside is not None:
                if not any(isinstance(part, int) or part.strip() for part in inside):
                    raise self._fail(start, "[ ] holds no words; it holds those that may be missing, as in [s40p1]")
                parts += [tuple(inside), " "]
                inside = None
            elif piece in MARKS:
                raise self._fail(at, f"{piece} closes nothing")
            elif "," in piece:
                reason = "a comma parts the values in braces, or networks in a list, where a template cannot stand"
                raise self._fail(at + piece.index(","), f"{PARTED}; {reason}")
            else:
                target.append(piece)
        if inside is not None:
            raise self._fail(start, "[ is not closed: ] is missing")
        return Template(self._text, tuple(self._slots), tuple(parts))

    def _optional(self, at: int) -> int:
        end = self._text.find("]", at)
        text = self._text[at : end + 1] if end > 0 else "["
        return self._add(TemplateSlot(text, text, (False, True), is_optional=True), at)

    def _slot(self, content: str, at: int, end: int) -> int:
        text, word = self._text[at : end + 1], self._word(at)
        if content.strip() in self._names:
            return self._names[content.strip()]
        if match := _NAMED.fullmatch(content):
            if match[1] in self._names:
                raise self._fail(
                    at, f"the name {match[1]} is given twice; the second time it is written {{{match[1]}}}"
                )
            number = self._names[match[1]] = self._chosen(match[2], text, word, at)
            return number
        return self._chosen(content, text, word, at)

    def _chosen(self, content: str, text: str, word: str, at: int) -> int:
        """A new choice between what stands in braces."""
        if match := _RANGE.fullmatch(content.replace(" ", "")):
            low, high, step = int(match[1]), int(match[2]), int(match[3] or 1)
            if not low < high:
                raise self._fail(at, f"in {text} LOW must be below HIGH")
            if step < 1 or (high - low) % step:
                raise self._fail(at, f"in {text} STEP must divide the range from {low} to {high} evenly")
            return self._add(TemplateSlot(text, word, tuple(range(low, high + 1, step)), step), at)
        values = [part.strip() for part in content.split(",")]
        if _LONG_RANGE.fullmatch(content.replace(" ", "")):
            raise self._fail(at, f"in {text} a number has more than 6 digits")
        if not all(_VALUE.fullmatch(value) for value in values):
            raise self._fail(at, f"{text} is none of them: {BRACES}")
        if _NAME.fullmatch(content.strip()):
            raise self._fail(at, f"no choice before it has the name {content.strip()}; {BRACES}")
        if len(values) < 2:
            raise self._fail(at, f"{text} leaves no choice; {BRACES}")
        if len(set(values)) < len(values):
            raise self._fail(at, f"{text} lists a value twice")
        numbers = all(value.isdecimal() and value.isascii() and len(value) <= 6 for value in values)
        return self._add(TemplateSlot(text, word, tuple(map(int, values)) if numbers else tuple(values)), at)

    def _add(self, slot: TemplateSlot, at: int) -> int:
        if len(self._slots) == MAX_SLOTS:
            raise self._fail(at, f"at most {MAX_SLOTS} choices")
        if len(slot.values) > MAX_OPTIONS:
            raise self._fail(at, f"{slot.text} has {len(slot.values):,} values, at most {MAX_OPTIONS:,}")
        self._slots.append(slot)
        return len(self._slots) - 1

    def _word(self, at: int) -> str:
        """The word around a place, without the brackets of a word that may be missing."""
        start = max(self._text.rfind(mark, 0, at) for mark in " [(|") + 1
        end = min(
            place for mark in " ](|)" if (place := f"{self._text}{mark}".find(mark, self._text.find("}", at))) > 0
        )
        return self._text[start:end]

    def _fail(self, at: int, reason: str) -> SpecError:
        """The error of a place, which names the word that it is in and where this stands."""
        found = words(self._text)
        number = next((n for n, word in enumerate(found) if word.start <= at < word.end), len(found) - 1)
        return SpecError(self._text, found[number].text, number + 1, reason)


def choices_of(template: Template, chosen: Mapping[int, Choice], rest: Sequence[Choice]) -> list[Choice]:
    """A choice for each slot: those that were made, and the rest from elsewhere."""
    return [chosen.get(number, rest[number]) for number in range(len(template.slots))]
