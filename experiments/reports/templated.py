"""A report by the template that was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from experiments.locations import Locations
from experiments.reports.characters import well_formed
from experiments.reports.course import course_report
from experiments.reports.page import ReportPart, report

Template = Literal["standard", "course"]


def page_of(template: Template, parts: Sequence[ReportPart], locations: Locations) -> bytes:
    """The page of these runs and groups, in UTF-8.

    Raises:
        RunError: when the log of a run cannot be read.
    """
    return well_formed(course_report(parts, locations) if template == "course" else report(parts))
