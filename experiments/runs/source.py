"""The copy of a user's own files that a run, or a study, keeps: those that its network was loaded from, as they were.

source.json   where they lay, the one that was named, and bytes and SHA-256 of each
source/       the files, at the places that they had to one another

Files too large to be kept are in the record alone. Nothing here runs any of them: `experiments/runs/code.py` says when
that may be.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from core.errors import RunError
from core.models.own.files import OwnFiles, digest_of
from core.storage.files import open_regular, replacing
from experiments.runs.folder import Run
from experiments.runs.json_files import read_json, write_json

RECORD, FOLDER = "source.json", "source"
MAX_FILES = 200
MAX_BYTES = 8 << 20
"""Bytes of all files together."""
MAX_NAME, MAX_DEPTH = 240, 16

_PART = re.compile(r"[^\x00-\x1f\x7f/\\:*?\"<>|\ud800-\udfff]{1,120}")
_SUM = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class KeptSource:
    """What the record in a folder says.

    `root` is where the files lay, `main` the one that was named, `sizes` the bytes and `sums` the SHA-256 of each.
    `left_out` is why no copy of them was kept, else empty.
    """

    folder: Path
    root: str
    main: str
    sizes: Mapping[str, int]
    sums: Mapping[str, str]
    left_out: str

    @property
    def digest(self) -> str:
        """As that of `OwnFiles`."""
        return digest_of(self.main, self.sums)

    @property
    def path(self) -> Path:
        """The copy of the file that was named."""
        return self.folder / FOLDER / self.main

    @property
    def original(self) -> Path:
        """The file that was named."""
        return Path(self.root) / self.main

    def files(self) -> OwnFiles:
        """The copy, held against its sums. It counts as lying where the files lay, as its code may look for others
        beside it, unless that folder is not there.

        Raises:
            RunError: when a file is missing, or not what was kept.
        """
        contents = {}
        for name in self.sums:
            contents[name] = _read(self.folder / FOLDER, name, self.sizes[name])
        home = Path(self.root)
        root = home if home.is_absolute() and home.is_dir() else (self.folder / FOLDER).absolute()
        files = OwnFiles(root, self.main, contents)
        for name, found in files.sums.items():
            if found != self.sums[name]:
                raise _damaged(self.folder / FOLDER / name, "it is not the file that was kept")
        return files


def write_source(folder: Path, files: OwnFiles) -> None:
    """Keep a copy of files in a folder that is not in its place yet, and which is put there as a whole, or in that of a
    run that has not begun; the record comes last.

    Raises:
        OSError: when it cannot be written.
    """
    left_out = _obstacle(files)
    if not left_out:
        for name, content in files.contents.items():
            path = folder / FOLDER / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as part:
                part.write_bytes(content)
    sums = sorted(files.sums.items(), key=lambda item: item[0] != files.main)[:MAX_FILES]
    listed = {name: {"bytes": len(files.contents[name]), "sha256": found} for name, found in sums}
    record = {"root": str(files.root), "main": files.main, "files": listed, "left_out": left_out}
    write_json(folder / RECORD, record)


def add_source(run: Run, files: OwnFiles) -> None:
    """Keep the code of a run that has not begun, unless it is kept already.

    Raises:
        StorageError: when it cannot be written.
    """
    try:
        if read_source(run.folder) is None:
            write_source(run.folder, files)
    except OSError as error:
        raise run.unwritable(error) from error


def read_source(folder: Path) -> KeptSource | None:
    """What is kept in a folder; None where nothing is, as by versions before this one, and for specs.

    Raises:
        RunError: when the record is damaged.
    """
    if not os.path.lexists(folder / RECORD):
        if os.path.lexists(folder / FOLDER) and _has_begun(folder):
            raise _damaged(folder / RECORD, "it is missing")
        return None
    return parse_source(folder, read_json(folder / RECORD))


def _has_begun(folder: Path) -> bool:
    """Whether a run's log has a line; before that its code may be half kept, and is kept anew when it begins."""
    try:
        return (folder / "events.jsonl").stat().st_size > 0
    except OSError:
        return not (folder / "config.json").exists()  # no folder of a run


def parse_source(folder: Path, record: Mapping[str, Any]) -> KeptSource:
    """Check a record that anything may have happened to.

    Raises:
        RunError: for one that no run of ours has.
    """
    root, main, listed, left_out = (record.get(key) for key in ("root", "main", "files", "left_out"))
    if not (isinstance(root, str) and isinstance(main, str) and isinstance(listed, dict) and isinstance(left_out, str)):
        raise _damaged(folder / RECORD, "it is not whole")
    sizes: dict[str, int] = {}
    sums: dict[str, str] = {}
    for name, entry in listed.items():
        size, found = (entry.get(key) for key in ("bytes", "sha256")) if isinstance(entry, dict) else (None, None)
        if type(size) is not int or size < 0 or not isinstance(found, str) or not _SUM.fullmatch(found):
            raise _damaged(folder / RECORD, "it is not whole")
        sizes[name], sums[name] = size, found
    if main not in sums:
        raise _damaged(folder / RECORD, "it does not list the file that was named")
    if left_out:
        sums = {name: found for name, found in sums.items() if name == main or not names_obstacle([name])}
    elif reason := names_obstacle(sums) or _size_obstacle(sizes.values()):
        raise _damaged(folder / RECORD, reason)
    return KeptSource(folder, root, main, sizes, dict(sorted(sums.items())), left_out)


def names_obstacle(names: Iterable[str]) -> str:
    """Why files may not have these names, empty when they may: plain relative ones, which mean the same to any system,
    and so many that they can be listed."""
    folded: set[str] = set()
    folders: set[str] = set()
    for count, name in enumerate(names, start=1):
        parts = name.split("/")
        plain = all(_PART.fullmatch(part) and part == part.rstrip(". ") for part in parts)  # which . and .. are not
        if not plain or len(name) > MAX_NAME or len(parts) > MAX_DEPTH:
            return f"a name is not plain: {name[:60]!r}"
        if count > MAX_FILES:
            return f"more than {MAX_FILES} files"
        if name.casefold() in folded:
            return f"two files are called {name[:60]!r} but for capitals"
        folded.add(name.casefold())
        folders |= {parent.as_posix().casefold() for parent in PurePosixPath(name).parents}
    return "a file is called as a folder is" if folded & folders else ""


def _obstacle(files: OwnFiles) -> str:
    return names_obstacle(files.contents) or _size_obstacle(map(len, files.contents.values()))


def _size_obstacle(sizes: Iterable[int]) -> str:
    return f"together more than {MAX_BYTES >> 20} MiB" if sum(sizes) > MAX_BYTES else ""


def _read(folder: Path, name: str, size: int) -> bytes:
    path = folder / name
    try:
        if path.resolve() != folder.resolve() / name:
            raise _damaged(path, "it is a link")
        with open_regular(path) as file:
            return file.read(size + 1)
    except OSError as error:
        raise _damaged(path, error.strerror or "it cannot be read") from error


def _damaged(path: Path, reason: str) -> RunError:
    hint = "name the file as it was then, where you still have it"
    return RunError(f"{path}: damaged: {reason}", hint=hint)
