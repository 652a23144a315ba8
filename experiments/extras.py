"""Packages that not everybody needs, each asked for only where it is used."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from core.errors import InvalidValue


def require(field: str, value: object, packages: Sequence[str], extra: str = "") -> None:
    """Raise `InvalidValue` when a value needs packages that are not installed; none is imported."""
    missing = [package for package in packages if not _is_installed(package)]
    if missing:
        what = f"mnist-tui[{extra}]" if extra else " ".join(missing)
        raise InvalidValue(field, value, f"needs {' and '.join(missing)}", hint=f"pip install '{what}'")


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ValueError:  # it has been imported as something that is no package
        return False
