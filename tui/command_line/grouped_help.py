"""Help in which options with a panel of their own stand under its title, in plain text: rich is not imported for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand

if TYPE_CHECKING:
    Record = tuple[str, str]


class GroupedCommand(TyperCommand):
    """A command whose help lists its options by `rich_help_panel`, those without one first."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[Record]] = {"Arguments": [], "Options": []}
        for parameter in self.get_params(ctx):
            if (record := parameter.get_help_record(ctx)) is not None:
                title = "Arguments" if parameter.param_type_name == "argument" else "Options"
                title = getattr(parameter, "rich_help_panel", None) or title
                sections.setdefault(title, []).append(record)
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)
