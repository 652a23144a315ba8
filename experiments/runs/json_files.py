"""JSON as the standard has it: without NaN and infinities, which Python reads but other programs do not."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from core.storage.files import open_regular, replacing

MAX_JSON = 1 << 20
"""Bytes of a file that are read at most."""


def parse_json(text: bytes) -> Any:
    """Decode a text that anything may have happened to.

    Raises:
        ValueError, RecursionError: when it is not JSON, or nested too deeply.
    """
    return json.loads(text, parse_constant=_refuse, parse_float=_finite)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file that anything may have happened to; empty where it is not one."""
    try:
        with open_regular(path) as file:
            values = parse_json(file.read(MAX_JSON))
    except (OSError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def write_json(path: Path, content: object) -> None:
    """Replace a JSON file as a whole.

    Raises:
        OSError: when it cannot be written; the file is then as it was.
    """
    with replacing(path) as part:
        part.write_text(json.dumps(content, indent=1) + "\n")


def _refuse(literal: str) -> float:
    raise ValueError(f"{literal} is not JSON")


def _finite(literal: str) -> float:
    number = float(literal)
    return number if math.isfinite(number) else _refuse(literal)
