"""The folders of this machine: the home of runs, the root of data sets, the cache of decoded ones."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from core.errors import InvalidValue

APP = "mnist-tui"
HOME_VARIABLE = "MNIST_TUI_HOME"
DATA_VARIABLE = "MNIST_TUI_DATA"


@dataclass(frozen=True, slots=True)
class Locations:
    """`home` holds runs and what is made from them, `data` a torchvision root, `cache` may be deleted at any time."""

    home: Path
    data: Path
    cache: Path

    @classmethod
    def resolve(
        cls, home: Path | None = None, data: Path | None = None, environ: Mapping[str, str] = os.environ
    ) -> Locations:
        """The folders that were asked for, else those of the environment variables, else the platform's."""
        user_cache = platformdirs.user_cache_path(APP, appauthor=False)
        home = home or _from(environ, HOME_VARIABLE) or platformdirs.user_data_path(APP, appauthor=False)
        data = data or _from(environ, DATA_VARIABLE) or user_cache / "data"
        return cls(_absolute("home", home), _absolute("data_dir", data), user_cache / "decoded")


def named_code_folder() -> Path:
    """Where this user's notes are of the code that he has named; nowhere in a home, which may come from elsewhere."""
    return platformdirs.user_cache_path(APP, appauthor=False) / "named-code"


def _absolute(setting: str, path: Path) -> Path:
    try:
        return path.expanduser().absolute()
    except RuntimeError:
        raise InvalidValue(setting, str(path), "is in nobody's home folder", hint="write the path in full") from None


def _from(environ: Mapping[str, str], variable: str) -> Path | None:
    return Path(environ[variable]) if environ.get(variable) else None
