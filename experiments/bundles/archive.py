"""Reads the zip of a bundle from an unknown source: only names that a bundle has, of bounded size; nothing is run."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Callable, Mapping
from os import SEEK_END
from typing import Any, BinaryIO

from core.errors import one_line
from experiments.bundles.contents import (
    GROUP,
    LIMITS,
    MAX_BUNDLE,
    MAX_GROUP,
    MAX_RUNS,
    MEMBER,
    MIB,
    NEEDED,
    RUN,
    VERSION,
    is_code,
)
from experiments.runs.json_files import parse_json
from experiments.runs.naming import RUN_ID
from experiments.runs.provenance import MANIFEST
from experiments.runs.source import FOLDER, MAX_BYTES, MAX_FILES, names_obstacle

_END_RECORD = 22
"""Bytes of the end-of-central-directory record of a zip without a comment."""
_ZIP64_LOCATOR = 20


class Refused(Exception):
    """The zip is not a bundle that is safe to open; the message says why."""


def read_run(file: BinaryIO) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The manifest of a run's bundle, and the content of every other file by name.

    Raises:
        Refused: when it is none.
    """
    contents = _read(file, _check_run)
    for needed in (MANIFEST, *NEEDED):
        if needed not in contents:
            raise Refused(f"it has no {needed}")
    manifest = _manifest(contents.pop(MANIFEST), RUN)
    if not isinstance(run_id := manifest.get("run_id"), str) or not RUN_ID.fullmatch(run_id):
        raise Refused(f"{MANIFEST}: not whole")
    return manifest, contents


def read_group(file: BinaryIO) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The manifest of a group's bundle, and the bundle of each run by its name in it.

    Raises:
        Refused: when it is none.
    """
    contents = _read(file, _check_group)
    manifest = _manifest(contents.pop(MANIFEST), GROUP)
    if manifest["files"].keys() != contents.keys():
        raise Refused(f"{MANIFEST}: lists other runs than it has")
    return manifest, contents


def is_group(file: BinaryIO) -> bool:
    """Whether a zip, if it is a bundle, is one of a group: it has a run's bundle in it.

    Raises:
        Refused: when its list of files cannot be read, or is longer than that of a bundle.
    """
    _check_directory(file)
    try:
        with zipfile.ZipFile(file) as archive:
            return any(MEMBER.fullmatch(name) for name in archive.namelist())
    except Exception as error:  # zipfile raises many kinds of errors on damaged files
        raise Refused(f"damaged: {one_line(error)}") from error


def _read(file: BinaryIO, check: Callable[[Mapping[str, zipfile.ZipInfo]], None]) -> dict[str, bytes]:
    """The content of every file of the zip, by name, once `check` has let pass what it says of them."""
    _check_directory(file)
    try:
        with zipfile.ZipFile(file) as archive:
            members = {member.filename: member for member in archive.infolist()}
            if len(members) < len(archive.infolist()):
                raise Refused("a name is in it twice")
            check(members)
            return {name: _content(archive, member) for name, member in members.items()}
    except Refused:
        raise
    except Exception as error:  # zipfile and zlib raise many kinds of errors on damaged files
        raise Refused(f"damaged: {one_line(error)}") from error


def _check_directory(file: BinaryIO) -> None:
    """Check the zip's end record before `zipfile` reads a list of files of the size given there into memory."""
    size = file.seek(0, SEEK_END)
    if size > MAX_GROUP:
        raise Refused(f"larger than {MAX_GROUP // MIB} MiB")
    file.seek(max(0, size - _END_RECORD - _ZIP64_LOCATOR))
    tail = file.read()
    end, before = tail[-_END_RECORD:], tail[:-_END_RECORD]
    if len(end) < _END_RECORD or not end.startswith(b"PK\5\6"):
        raise Refused("its end is not that of a bundle")
    count = int.from_bytes(end[10:12], "little")
    most = max(len(LIMITS) + MAX_FILES, MAX_RUNS) + 1
    if before.startswith(b"PK\6\7") or count > most or int.from_bytes(end[12:16], "little") > MIB:
        raise Refused("it lists more files than a bundle has")


def _check_run(members: Mapping[str, zipfile.ZipInfo]) -> None:
    if len(members) > len(LIMITS) + MAX_FILES + 1:
        raise Refused("it lists more files than a bundle has")
    code = [name for name in members if is_code(name)]
    if reason := names_obstacle(name.removeprefix(f"{FOLDER}/") for name in code):
        raise Refused(reason)
    if sum(members[name].file_size for name in code) > MAX_BYTES:
        raise Refused(f"its code would have more than {MAX_BYTES // MIB} MiB")
    limits = {**LIMITS, MANIFEST: MIB, **dict.fromkeys(code, MAX_BYTES)}
    for name, member in members.items():
        _check_member(member, limits.get(name))


def _check_group(members: Mapping[str, zipfile.ZipInfo]) -> None:
    if MANIFEST not in members:
        raise Refused(f"it has no {MANIFEST}")
    for name, member in members.items():
        _check_member(member, MIB if name == MANIFEST else MAX_BUNDLE if MEMBER.fullmatch(name) else None)
        if name != MANIFEST and member.compress_type != zipfile.ZIP_STORED:  # so that the file bounds the memory
            raise Refused(f"{name} is packed in a way of its own")
    if sum(member.file_size for member in members.values()) > MAX_GROUP:
        raise Refused(f"its runs would have more than {MAX_GROUP // MIB} MiB")


def _check_member(member: zipfile.ZipInfo, limit: int | None) -> None:
    name = member.filename
    if limit is None:
        raise Refused(f"no bundle has a file {one_line(name, 60)!r}")
    mode = member.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise Refused(f"{name} is not a plain file")
    if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Refused(f"{name} is packed in a way of its own")
    if member.file_size > limit:
        raise Refused(f"{name} would have {member.file_size:,} bytes, more than {limit:,}")


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """The unpacked bytes, at most one more than the zip's list says. A file that is longer then fails its checksum."""
    with archive.open(member) as packed:
        return packed.read(member.file_size + 1)


def _manifest(content: bytes, kind: str) -> dict[str, Any]:
    try:
        manifest = parse_json(content)
    except (ValueError, RecursionError) as error:
        raise Refused(f"{MANIFEST}: {one_line(error)}") from error
    if not isinstance(manifest, dict) or manifest.get("bundle") != kind or manifest.get("version") != VERSION:
        raise Refused(f"{MANIFEST}: not of a bundle of version {VERSION}")
    if not isinstance(manifest.get("files"), dict):
        raise Refused(f"{MANIFEST}: not whole")
    return manifest
