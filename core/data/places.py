"""Where the files of a known data set lie in a folder that somebody names as that of their data. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from zipfile import ZipFile

from core.data.sources import FILES, SOURCES, FileFacts
from core.data.stored import ZIP_DAMAGE, Stored, ZipMember, md5_of, unpacked_md5
from core.errors import DataError, reason_of
from core.storage.files import is_file, is_folder, open_regular

_HEADER = 16
_ARCHIVES = ("gzip.zip", "emnist.zip", "EMNIST.zip")


@dataclass(frozen=True, slots=True)
class SourcePlace:
    """Where a data set is, or would be put.

    `files` are those that are there, by their published names, `missing` the names of the others. `others` says where
    files of such names are that turned out to be another data set's, and which: ``/data is of fashion``.
    """

    folder: Path
    files: Mapping[str, Stored]
    missing: tuple[str, ...]
    others: tuple[str, ...] = ()


def find_place(root: Path, name: str) -> SourcePlace:
    """The place of a data set in a root, which may have torchvision's folders or be itself the folder of the files.

    Sets of the same file names are told apart by what is in the files, unless the folder has the set's own name.

    Raises:
        DataError: when a folder cannot be looked into.
    """
    try:
        return _find_place(root, name)
    except OSError as error:
        where = error.filename or root
        raise DataError(f"{where}: cannot be read: {reason_of(error)}", hint="check its permissions") from error


def _find_place(root: Path, name: str) -> SourcePlace:
    source = SOURCES[name]
    others: list[str] = []
    best: SourcePlace | None = None
    for folder, named in _candidates(root, name):
        files = _files_in(folder, source.files)
        if not files and source.archive:
            files = _in_archive(folder, source.files)
        if not files:
            continue
        if not named and source.files[0].name in FILES and (other := holds(files)) not in ("", name):
            others.append(f"{folder} is of {other}")
            continue
        missing = tuple(file.name for file in source.files if file.name not in files)
        if best is None or len(missing) < len(best.missing):
            best = SourcePlace(folder, files, missing, tuple(others))
        if not missing:
            break
    if best is not None:
        return best
    return SourcePlace(root / source.folder / "raw", {}, source.names, tuple(others))


def holds(files: Mapping[str, Stored]) -> str:
    """Which of the sets with MNIST's file names files are of, by the sums of one of them; empty when none says so."""
    for name in sorted(files, key=lambda one: prod(FILES[one])):
        try:
            packed, plain = md5_of(files[name]), unpacked_md5(files[name], prod(FILES[name]) + _HEADER)
        except DataError:
            continue
        for source, facts in SOURCES.items():
            for file in facts.files:
                if file.name == name and (packed == file.packed or plain == file.plain):
                    return source
    return ""


def is_open_to_downloads(root: Path) -> bool:
    """Whether a run may make folders in a root without being asked to: one that is not there yet, that is empty, or
    that has a folder of torchvision's for some data set already."""
    folders = {source.folder for source in SOURCES.values()}
    try:
        entries = [path for path in root.iterdir() if not path.name.startswith(".")]
        return not entries or any(path.name in folders and is_folder(path) for path in entries)
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _candidates(root: Path, name: str) -> Iterator[tuple[Path, bool]]:
    """The folders to look into, in order, and whether each has the data set's own name."""
    source = SOURCES[name]
    for own in dict.fromkeys((source.folder, *source.aliases)):
        for folder in (root / own / "raw", root / own, root / own / "gzip", root / own / "raw" / "gzip"):
            if is_folder(folder):
                yield folder, True
    for folder in (root / "raw", root, root / "gzip", root / "raw" / "gzip"):
        if is_folder(folder):
            yield folder, False


def _files_in(folder: Path, files: tuple[FileFacts, ...]) -> dict[str, Stored]:
    found: dict[str, Stored] = {}
    for file in files:
        dotted = file.name.replace("-idx", ".idx")
        names = [f"{file.name}.gz", file.name, f"{dotted}.gz", dotted]
        names += [f"{one}/{other}" for one in (file.name, dotted) for other in (file.name, dotted)]
        path = next((folder / one for one in names if is_file(folder / one)), None)
        if path is not None:
            found[file.name] = path
    return found


def _in_archive(folder: Path, files: tuple[FileFacts, ...]) -> dict[str, Stored]:
    for archive in (folder / name for name in _ARCHIVES):
        try:
            with open_regular(archive, follow_link=True) as opened, ZipFile(opened) as zipped:
                members = {member.rpartition("/")[2].removesuffix(".gz"): member for member in zipped.namelist()}
        except (OSError, *ZIP_DAMAGE):
            continue
        found: dict[str, Stored] = {
            file.name: ZipMember(archive, members[file.name]) for file in files if file.name in members
        }
        if found:
            return found
    return {}
