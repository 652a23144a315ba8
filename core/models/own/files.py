"""The files that a user's own module was loaded from, as they were then.

The loader says which they are (`OwnModule.files`) and, given such files, reads these bytes in place of what lies on the
disk: code of theirs runs with the `__file__` it would have under `root`, and nothing else is imported from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from core.storage.files import open_regular


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
                with open_regular(root / name) as file:
                    contents[name] = file.read()
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
        listed = "".join(f"{found} {name}\n" for name, found in self.sums.items())
        return sha256(f"{self.main}\n{listed}".encode()).hexdigest()

    def differing(self, now: OwnFiles) -> list[str]:
        """Those of these files that are others in `now`, or not there."""
        return [name for name, content in self.contents.items() if now.contents.get(name) != content]
