"""The state that the interface keeps between starts, in ``<home>/state.json``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from core.errors import StorageError
from core.storage.files import open_regular, replacing
from core.storage.trust import is_trusted, make_private_folder

MAX_BYTES = 1 << 20


@dataclass(slots=True)
class State:
    """`form` is the Lab's fields as typed, wrong ones too; `own_spec` the last spec that has no name;
    `ascii_hinted`: the hint of `--ascii` was given."""

    theme: str = "textual-dark"
    form: dict[str, str] = field(default_factory=dict)
    own_spec: str = ""
    ascii_hinted: bool = False
    runs_sort: str = "started"
    runs_reverse: bool = False
    runs_unfolded: bool = False
    runs_preview: bool = True
    runs_columns: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, path: Path) -> State:
        """Load what was saved; anything missing or damaged takes its default, and so does all of it where another user
        could have written it, who could name a file of code in the form."""
        try:
            with open_regular(path, follow_link=True) as file:
                trusted = is_trusted(path, "the interface begins as if for the first time")
                values = json.loads(file.read(MAX_BYTES)) if trusted else {}
        except (OSError, ValueError, RecursionError):
            values = {}
        return cls(**_sound(values)) if isinstance(values, dict) else cls()

    def save(self, path: Path) -> None:
        """Write it whole or not at all.

        Raises:
            StorageError: when the home cannot be written.
        """
        try:
            make_private_folder(path.parent)
            with replacing(path) as part:
                part.write_text(json.dumps(asdict(self), indent=1) + "\n")
        except OSError as error:
            raise StorageError(f"{path}: cannot be written: {error.strerror}", hint="free some space there") from error


def _sound(values: dict[str, Any]) -> dict[str, Any]:
    """The values of the right kind, all others left out."""
    default = State()
    sound = {
        f.name: values[f.name] for f in fields(State) if type(values.get(f.name)) is type(getattr(default, f.name))
    }
    if "form" in sound:
        sound["form"] = {key: text for key, text in sound["form"].items() if isinstance(text, str) and len(text) < 1001}
    if "runs_columns" in sound:
        sound["runs_columns"] = [name for name in sound["runs_columns"] if isinstance(name, str)]
    return sound
