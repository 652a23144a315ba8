"""The report that a course asks for: network, parameters, receptive fields, log, curves, mistakes, and the notes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from experiments.locations import Locations
from experiments.reports.charts import RunCurve, charts_of
from experiments.reports.misclassified import misclassified
from experiments.reports.note_sections import SECTIONS, joined
from experiments.reports.page import (
    CHART_SIZES,
    ReportPart,
    environment,
    epochs_of,
    group_of,
    layers_of,
    percent_of,
    table_of,
)
from experiments.results.groups import GroupMember
from experiments.runs.environment import package_versions
from experiments.statistics.digits import in_digits


def course_report(parts: Sequence[ReportPart], locations: Locations) -> str:
    """The page.

    Raises:
        RunError: when the log of a run cannot be read.
    """
    return (
        environment()
        .get_template("course.html")
        .render(
            title=", ".join(part.title for part in parts),
            parts=[_part(part, locations) for part in parts],
            sections=SECTIONS,
            version=package_versions(("mnist-tui",))["mnist-tui"],
        )
    )


def _part(part: ReportPart, locations: Locations) -> dict[str, Any]:
    members = [GroupMember.of(run) for run in part.runs]
    names = [member.name or member.run_id for member in members]
    curve = RunCurve("", [member.view for member in members])
    return {
        "title": part.title,
        "facts": _facts(members),
        "aim": _aim(members[0]),
        "notes": joined(zip(names, (run.meta().note for run in part.runs), strict=True)),
        "runs": _runs(members) if len(members) > 1 else None,
        "group": None if part.group is None else group_of(part.group),
        "layers": layers_of(part.runs[0]),
        "logs": [(name, epochs_of(member)) for name, member in zip(names, members, strict=True)],
        "charts": {
            kind: list(map(Markup, charts_of([curve], width=width, height=height)))  # they escape the texts in them
            for kind, (width, height) in CHART_SIZES.items()
        },
        "has_bands": len(members) > 1,
        "wrong": misclassified(part.runs, locations),
    }


def _facts(members: Sequence[GroupMember]) -> dict[str, str]:
    """What there is to know at a glance of a run, or of the first run of a group."""
    member, config, started = members[0], members[0].config, members[0].view.started
    facts: dict[str, object] = {
        "run": ", ".join(member.run_id for member in members),
        "data": started.dataset if started is not None else config.get("dataset"),
        "images": f"{started.train_images:,} training, {started.test_images:,} test" if started is not None else None,
        "parameters": f"{started.total_params:,}" if started is not None else None,
        "epochs": len(member.view.epochs),
        "optimizer": config.get("optimizer"),
        "learning rate": f"{in_digits(config.get('lr'))}, {config.get('schedule')}",
        "batch size": config.get("batch_size"),
        "augmentation": config.get("augment"),
    }
    if len(members) == 1:
        target, reached = config.get("target"), member.view.first_epoch_at_target
        facts |= {
            "best test accuracy": percent_of(member.view.best_test_accuracy),
            "test accuracy of the last epoch": percent_of(member.view.final_test_accuracy),
            f"epoch at {in_digits(target)}%": ("not reached" if reached is None else reached) if target else None,
        }
    return {name: str(value) for name, value in facts.items() if value is not None}


def _aim(member: GroupMember) -> str:
    """The aim that the config of a run gives it."""
    config = member.config
    aim = f"{in_digits(config.get('target'))}% test accuracy within {config.get('epochs')} epochs"
    limit = config.get("max_params")
    return (
        f"{aim}, with at most {limit:,} parameters." if isinstance(limit, int) and config.get("budget") else f"{aim}."
    )


def _runs(members: Sequence[GroupMember]) -> Any:
    columns = ("run", "seed", "status", "epochs", "best", "final", "epoch of the target")
    return table_of(
        columns,
        [
            (
                member.name or member.run_id,
                None if member.seed is None else str(member.seed),
                str(member.status),
                len(member.view.epochs),
                percent_of(member.view.best_test_accuracy),
                percent_of(member.view.final_test_accuracy),
                member.view.first_epoch_at_target,
            )
            for member in members
        ],
    )
