"""The files that a user's own module was loaded from, as they were then.

The loader reads every file of the user's through `OwnReader`, which remembers what was in it; `OwnModule.source` is all
of that. Given such files instead, it finds these bytes in place of what lies on the disk: their code runs with the
`__file__` that it would have under `root`, whatever is there now, and no other file is imported from there.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from core.storage.files import open_regular

MAX_READ = 64 << 20
"""Bytes of a file that are read at most."""


@dataclass(frozen=True)
class OwnFiles:
    """Files of a user, and what was in them.

    `root` is the folder that holds all of them, `main` the one that was named, `contents` the bytes of each; `main` and
    the keys are paths from `root`, with "/" between their parts.
    """

    root: Path
    main: str
    contents: Mapping[str, bytes]

    @classmethod
    def read(cls, root: Path, main: str, names: Iterable[str]) -> OwnFiles:
        """These files as they are on the disk now; those that are not there, or cannot be read, are left out."""
        contents: dict[str, bytes] = {}
        for name in sorted({main, *names}):
            try:
                with open_regular(root / name, follow_link=True) as file:
                    contents[name] = file.read(MAX_READ)
            except OSError:
                continue
        return cls(root, main, contents)

    @property
    def path(self) -> Path:
        """The file that was named."""
        return self.root / self.main

    @cached_property
    def sums(self) -> Mapping[str, str]:
        """The SHA-256 of each file."""
        return {name: sha256(content).hexdigest() for name, content in sorted(self.contents.items())}

    @cached_property
    def digest(self) -> str:
        """One SHA-256 for all of them: equal for the same files with the same contents, wherever they lie."""
        return digest_of(self.main, self.sums)

    def differing(self, now: OwnFiles) -> list[str]:
        """Those of these files that are others in `now`, or not there."""
        return [name for name, content in self.contents.items() if now.contents.get(name) != content]


def digest_of(main: str, sums: Mapping[str, str]) -> str:
    """The digest of files by their sums."""
    listed = "".join(f"{sums[name]} {name}\n" for name in sorted(sums))
    return sha256(f"{main}\n{listed}".encode(errors="surrogatepass")).hexdigest()


class OwnReader:
    """Reads the files of one user's module for the loader: from the disk, or from `files` where these are given, so
    that there are no others. Paths are absolute."""

    def __init__(self, files: OwnFiles | None = None) -> None:
        self._files = files
        self._read: dict[Path, bytes] = {}
        self._found: set[Path] = set()
        self._around: set[Path] = set()

    def read(self, path: Path) -> bytes:
        """What is in a file. It is the same each time.

        Raises:
            OSError: when there is no such file.
        """
        if path not in self._read:
            if self._files is None:
                with open_regular(path, follow_link=True) as file:
                    self._read[path] = file.read()
            else:
                content = self._files.contents.get(self._name(path) or "")
                if content is None:
                    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
                self._read[path] = content
        return self._read[path]

    def is_file(self, path: Path) -> bool:
        """Whether there is such a file. One that is there, as the ``__init__.py`` by which a folder is a package, is
        among the files that were read."""
        found = path.is_file() if self._files is None else self._name(path) in self._files.contents
        if found:
            self._found.add(path)
        return found

    @property
    def folders(self) -> list[Path]:
        """The folders of the files given, none where there are no such files."""
        files = self._files
        return [] if files is None else sorted({(files.root / name).parent for name in files.contents})

    def is_dir(self, path: Path) -> bool:
        """Whether there is such a folder."""
        if self._files is None:
            return path.is_dir()
        name = self._name(path)
        return name is not None and any(known.startswith(f"{name}/" if name else "") for known in self._files.contents)

    def reach(self, folder: Path) -> None:
        """Let the root be this folder or above it, as a package without an ``__init__.py`` is imported from there."""
        self._around.add(folder)

    def source(self, main: Path) -> OwnFiles:
        """All that was read, with the file that was named. The root is the folder that holds it all, and that packages
        are imported from."""
        if self._files is not None:
            return self._files
        for path in self._found:
            self.read(path)
        root = Path(os.path.commonpath([*self._around, *(path.parent for path in {main, *self._read})]))
        while root / "__init__.py" in self._read and root != root.parent:
            root = root.parent
        contents = {path.relative_to(root).as_posix(): content for path, content in self._read.items()}
        return OwnFiles(root, main.relative_to(root).as_posix(), contents)

    def _name(self, path: Path) -> str | None:
        """The path from the root of the given files, "" for the root itself; None outside of it."""
        assert self._files is not None
        for root in (self._files.root, self._files.root.resolve()):
            if path.is_relative_to(root):
                name = path.relative_to(root).as_posix()
                return "" if name == "." else name
        return None
