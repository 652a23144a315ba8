"""The settings in a form; what is changed is written into the user's file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from experiments.settings import Loaded, read_value
from tui.screens.form_dialog import FormDialog
from tui.text.settings import CHECKS, SettingRow, choices_of, rows_of, text_to_type
from tui.widgets.forms.field_row import FieldRow

Changes = dict[str, str]
"""Settings that are to be written, as a person writes them; an empty text takes one out of the file."""


class SettingsForm(FormDialog[Changes]):
    """Dismissed with what was changed. Keys are set one by one on the command line, or in the file."""

    def __init__(self, loaded: Loaded) -> None:
        self._shown: dict[str, SettingRow] = {row.name: row for row in rows_of(loaded) if row.name != "keymap"}
        self._texts = {name: text_to_type(row) for name, row in self._shown.items()}
        super().__init__(
            "Settings", "They are saved in your settings file and apply from the next start.", "saves them"
        )

    def rows(self) -> Sequence[FieldRow]:
        return [
            FieldRow(name, name.replace("_", " ").capitalize(), text, options=choices_of(name))
            for name, text in self._texts.items()
        ]

    def help_of(self, field: str) -> str:
        row = self._shown[field]
        _, is_line, line = row.source.rpartition(", line ")
        return f"{row.help} Now from {f'line {line} of the file' if is_line else row.source}."

    def result(self, texts: Mapping[str, str]) -> Changes:
        changes = {name: text for name, text in texts.items() if text != self._texts[name]}
        for name, text in changes.items():
            if text:
                read_value(name, text, CHECKS)
        return changes
