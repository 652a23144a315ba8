"""What the networks of a template amount to, in words."""

from __future__ import annotations

from functools import lru_cache

from core.models.grammar.template import parse_template
from core.models.grammar.template_values import check_values
from core.models.template_range import TemplateRange
from core.task import ImageTask


@lru_cache(maxsize=64)
def range_of(template: str, task: ImageTask) -> TemplateRange:
    """The networks of a template, from the smallest to the largest.

    Raises:
        SpecError.
    """
    parsed = parse_template(template)
    check_values(parsed)
    return TemplateRange(parsed, task)


def range_in_words(least: int, most: int, budget: int | None) -> str:
    """``1,850 to 20,570 of 20,000``, of the parameters of the networks of a template."""
    words = f"{least:,} to {most:,}"
    if budget is None:
        return f"{words} parameters, no budget"
    return f"{words} of {budget:,}" + (", all over the budget" if least > budget else "")
