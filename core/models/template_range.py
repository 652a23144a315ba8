"""What the specs of a template amount to: the smallest and the largest of them, and how choices are kept within a
number of parameters.

A width is taken to add parameters as it grows. Where it does not, a spec over the limit may come out, and smaller ones
may be missed; whoever trains counts once more.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial

from core.errors import SpecError, shown
from core.models.grammar.template import Choice, Template, TemplateSlot, choices_of
from core.models.spec import find
from core.models.summary import Summary, summarize
from core.task import MNIST_TASK, ImageTask

TRIES = 24
"""Random choices among which one that can be built is looked for."""
ROUNDS = 3
"""Times that every slot is gone through on the way to the smallest and the largest spec."""


@lru_cache(maxsize=4096)
def _count(spec: str, task: ImageTask) -> int | None:
    """The parameters of a spec; None for one that cannot be built."""
    try:
        return summarize(find(spec, task), task).total_params
    except SpecError:
        return None


class TemplateRange:
    """The specs of a template for a task, from the one with the least to the one with the most parameters.

    Raises:
        SpecError: when none was found that can be built, with the reason why the first choice in every slot cannot.
    """

    def __init__(self, template: Template, task: ImageTask = MNIST_TASK) -> None:
        self.template, self._task = template, task
        start = self._buildable()
        self._least = self._extreme(start, 1)
        self._most = self._extreme(start, -1)

    @property
    def least(self) -> Summary:
        return self._summary(self._least)

    @property
    def most(self) -> Summary:
        return self._summary(self._most)

    @property
    def least_spec(self) -> str:
        return self.template.spec(self._least)

    def spec(self, chosen: Mapping[int, Choice]) -> str:
        """The spec of some choices, the rest as in the smallest."""
        return self.template.spec(choices_of(self.template, chosen, self._least))

    def fitting(self, number: int, wanted: Choice, chosen: Mapping[int, Choice], limit: float) -> Choice:
        """The choice for a slot with which a spec can still be built within so many parameters, after those made.

        It is the one that is wanted where that can be; of a range else the largest below it, of a list the one with the
        most parameters, and where nothing can be, what is wanted.
        """

        def size(choice: Choice) -> float:
            found = _count(self.spec({**chosen, number: choice}), self._task)
            return found if found is not None and found <= limit else math.inf

        if size(wanted) < math.inf:
            return wanted
        slot = self.template.slots[number]
        if slot.step is not None:
            below = slot.values[: slot.values.index(wanted)] if wanted in slot.values else ()
            low, high = 0, len(below)
            while low < high:  # the first of those below that is too large
                middle = (low + high) // 2
                low, high = (middle + 1, high) if size(below[middle]) < math.inf else (low, middle)
            if low:
                return below[low - 1]
        sizes = {choice: size(choice) for choice in _ends(slot)}
        fitting = [choice for choice, found in sizes.items() if found < math.inf]
        return max(fitting, key=lambda choice: sizes[choice], default=wanted)

    def _summary(self, choices: Sequence[Choice]) -> Summary:
        return summarize(find(self.template.spec(choices), self._task), self._task)

    def _buildable(self) -> list[Choice]:
        slots = self.template.slots
        first = [slot.values[0] for slot in slots]
        last = [slot.values[-1] for slot in slots]
        draw = random.Random(0)
        for number in range(TRIES):
            choices = (first, last)[number] if number < 2 else [draw.choice(slot.values) for slot in slots]
            if _count(self.template.spec(choices), self._task) is not None:
                return choices
        try:
            self._summary(first)
        except SpecError as error:
            reason = f"{error.reason}; none of its specs can be built, such as {shown(self.template.spec(first), 60)}"
            raise SpecError(self.template.text, error.token, error.position, reason) from None
        raise AssertionError("the first choice can be built, or says why not")

    def _extreme(self, start: Sequence[Choice], sign: int) -> list[Choice]:
        """The choices with the fewest parameters, or with a negative sign the most, found slot by slot."""
        choices = list(start)

        def size(number: int, choice: Choice) -> float:
            tried = [*choices[:number], choice, *choices[number + 1 :]]
            found = _count(self.template.spec(tried), self._task)
            return math.inf if found is None else sign * found

        for _ in range(ROUNDS):
            before = list(choices)
            for number, slot in enumerate(self.template.slots):
                choices[number] = min((choices[number], *_ends(slot)), key=partial(size, number))
            if choices == before:
                break
        return choices


def _ends(slot: TemplateSlot) -> tuple[Choice, ...]:
    """The choices to look at: both ends of a range, all of a list."""
    return (slot.values[0], slot.values[-1]) if slot.step is not None else slot.values
