"""The folders of this machine: the home of runs, the root of data sets, the cache of decoded ones; and the settings."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from core.advice import Action, Tip
from core.errors import InvalidValue
from core.storage.trust import user_cache

APP = "mnist-tui"
HOME_VARIABLE = "MNIST_TUI_HOME"
DATA_VARIABLE = "MNIST_TUI_DATA"
LONGEST = "runs/20260102-030405-abcd/.checkpoint-previous.safetensors.0123abcd"
"""As long as any path within a home."""


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
        cache = user_cache()
        home = home or _from(environ, HOME_VARIABLE) or _user_data()
        data = data or _from(environ, DATA_VARIABLE) or cache / "data"
        return cls(_absolute("home", home), _absolute("data_dir", data), cache / "decoded")


def _user_data() -> Path:
    try:
        return platformdirs.user_data_path(APP, appauthor=False)
    except RuntimeError:
        allowed = "cannot be found out: this user has no home folder"
        hint = Tip(Action.START_WITH, "home", "a folder for the runs")
        raise InvalidValue("home", "", allowed, hint=hint) from None


def settings_file() -> Path | None:
    """The file of this user's settings, whether there is one or not; None where the user has no home folder."""
    try:
        return platformdirs.user_config_path(APP, appauthor=False) / "settings.toml"
    except RuntimeError:
        return None


def named_code_folder() -> Path:
    """Where this user's notes are of the code that he has named; nowhere in a home, which may come from elsewhere."""
    return user_cache() / "named-code"


def _absolute(setting: str, path: Path) -> Path:
    try:
        path = path.expanduser().absolute()
        (path / LONGEST).lstat()
    except RuntimeError:
        raise InvalidValue(setting, str(path), "is there is no such user", hint="write the path in full") from None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise InvalidValue(setting, str(path), "is too long a path", hint="choose a shorter one") from None
    return path


def _from(environ: Mapping[str, str], variable: str) -> Path | None:
    return Path(environ[variable]) if environ.get(variable) else None
