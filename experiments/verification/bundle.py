"""Bundles: a run packed as one zip (config, log, weights, environment, predictions, and the copy that it keeps of the
code of a user's own module) that somebody else can verify.

A bundle from an unknown source is safe to open: nothing in it is executed, only known file names and those of a copy
are read, of bounded size, and any other zip is refused.
"""

from __future__ import annotations

import json
import re
import stat
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from io import BytesIO
from math import prod
from os import SEEK_END
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from core.advice import Advice
from core.errors import InvalidValue, LabError, RunError, one_line
from core.events import EpochFinished, RunStarted
from core.models.network import summarize_config
from core.models.spec import is_user_module
from core.storage.files import open_regular
from experiments.runs.config import stored_config, stored_task
from experiments.runs.eventlog import EventReader
from experiments.runs.folder import Run
from experiments.runs.json_files import parse_json
from experiments.runs.parent import PARENT
from experiments.runs.source import FOLDER, MAX_BYTES, MAX_FILES, RECORD, names_obstacle, read_source
from experiments.runs.teacher import MAX_BYTES as MAX_TEACHER
from experiments.runs.teacher import TEACHER
from experiments.runs.view import how_to_finish
from experiments.verification.findings import Check, compare_sums

MANIFEST = "manifest.json"
VERSION = 1
MIB = 1 << 20
LIMITS = {
    "config.json": MIB,
    "meta.json": MIB,
    "env.json": MIB,
    "events.jsonl": 64 * MIB,
    "final.safetensors": 64 * MIB,
    "best.safetensors": 64 * MIB,
    "predictions.safetensors": 16 * MIB,
    PARENT: MIB,
    TEACHER: MAX_TEACHER,
    RECORD: MIB,
}
"""The files of a bundle beside its manifest and its code, and the largest size of each in bytes, unpacked."""
NEEDED = ("config.json", "events.jsonl")
MAX_BUNDLE = sum(LIMITS.values()) + MAX_BYTES + 2 * MIB
MAX_ACTIVATIONS = 400_000
"""Values in the largest layer's output for one image. A larger network could fill the memory."""
MAX_MACS = 1_000_000_000
"""Multiply-accumulates for one image. A larger network could keep the machine busy for hours."""
MAX_EPOCHS = 20_000
"""Epochs in the log. A longer one would take hours to check."""
MAX_STARTS = 1_000
"""Starts in the log, each of which may have a config of a megabyte."""
CODE_HINT = "take the code out of the bundle, look at it, and name the file then"

_RUN_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{4}")
_END_RECORD = 22
"""Bytes of the end-of-central-directory record of a zip without a comment."""
_ZIP64_LOCATOR = 20


def pack(run: Run) -> bytes:
    """The bytes of a run's bundle. The same files always give the same bytes.

    Raises:
        RunError: when the run has no weights, or a file is larger than a bundle may hold.
    """
    contents = {}
    for name, limit in LIMITS.items():
        try:
            with open_regular(run.folder / name) as file:
                contents[name] = file.read(limit + 1)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise RunError(f"{run.folder / name}: cannot be read: {error.strerror}", hint="check the file") from error
        if len(contents[name]) > limit:
            raise RunError(f"{run.folder / name}: larger than {limit // MIB} MiB", hint="bundles hold small networks")
    contents |= _packed_code(run)
    if not {"final.safetensors", "best.safetensors"} & contents.keys():
        raise RunError(f"run {run.id} has no weights", hint=how_to_finish(run.id, [run.view().end]))
    files = {name: {"bytes": len(content), "sha256": sha256(content).hexdigest()} for name, content in contents.items()}
    manifest = {"bundle": "mnist-tui", "version": VERSION, "run_id": run.id, "files": files}
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, MANIFEST, json.dumps(manifest, indent=1).encode() + b"\n")
        for name, content in contents.items():
            _add(archive, name, content)
    return packed.getvalue()


@contextmanager
def unpacked(path: Path) -> Iterator[tuple[Run, tuple[Check, ...]]]:
    """Unpack a bundle into a temporary folder, which is deleted after the block.

    Yields:
        The run, and a check of each file against the manifest.

    Raises:
        RunError: when the file cannot be read, is no bundle, or holds something that a bundle may not hold.
    """
    try:
        with open_regular(path, follow_link=True) as file, TemporaryDirectory(prefix="mnist-tui-") as folder:
            contents = _read(file)
            manifest = _manifest(contents.pop(MANIFEST))
            run = Run(Path(folder) / manifest["run_id"])
            run.folder.mkdir()
            for name, content in contents.items():
                (run.folder / name).parent.mkdir(parents=True, exist_ok=True)
                (run.folder / name).write_bytes(content)
            _check_log_size(run)
            _check_code(run, contents)
            _check_network_size(run)
            try:
                yield run, tuple(_compare_sums(contents, manifest["files"]))
            except InvalidValue as error:
                if error.field in ("run", "arch") and f"{FOLDER}/" in "".join(contents):
                    error.advice = Advice(CODE_HINT)
                raise
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}", hint="name a bundle of mnist-tui") from error
    except _Refused as error:
        raise RunError(f"{path}: not a bundle that is safe to open: {error}", hint="ask for a new one") from error


def _packed_code(run: Run) -> dict[str, bytes]:
    """The copy that a run keeps of its code."""
    kept = read_source(run.folder)
    if kept is None or kept.left_out:
        return {}
    return {f"{FOLDER}/{name}": content for name, content in kept.files().contents.items()}


def _check_code(run: Run, contents: Mapping[str, bytes]) -> None:
    """Refuse files that are no part of the copy of the code, and a record that no copy has."""
    try:
        kept = read_source(run.folder)
    except RunError as error:
        raise _Refused(one_line(error.message.removeprefix(f"{run.folder}/"))) from error
    listed = {f"{FOLDER}/{name}" for name in kept.sums} if kept is not None and not kept.left_out else set()
    if other := next((name for name in contents if name not in LIMITS and name not in listed), None):
        raise _Refused(f"no bundle has a file {one_line(other, 60)!r}")


class _Refused(Exception):
    """The zip is not a bundle that is safe to open; the message says why."""


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    info = zipfile.ZipInfo(name)  # dated 1 January 1980, so that the bytes do not depend on the time
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 3
    info.external_attr = (stat.S_IFREG | 0o644) << 16
    archive.writestr(info, content)


def _read(file: BinaryIO) -> dict[str, bytes]:
    """The content of every file of the zip, by name."""
    _check_directory(file)
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            names = [member.filename for member in members]
            if len(set(names)) < len(names):
                raise _Refused("a name is in it twice")
            if reason := names_obstacle(name.removeprefix(f"{FOLDER}/") for name in names if _is_code(name)):
                raise _Refused(reason)
            if sum(member.file_size for member in members if _is_code(member.filename)) > MAX_BYTES:
                raise _Refused(f"its code would have more than {MAX_BYTES // MIB} MiB")
            for member in members:
                _check_member(member)
            for needed in (MANIFEST, *NEEDED):
                if needed not in names:
                    raise _Refused(f"it has no {needed}")
            return {member.filename: _content(archive, member) for member in members}
    except _Refused:
        raise
    except Exception as error:  # zipfile and zlib raise many kinds of errors on damaged files
        raise _Refused(f"damaged: {one_line(error)}") from error


def _check_directory(file: BinaryIO) -> None:
    """Check the zip's end record before `zipfile` reads a list of files of the size given there into memory."""
    size = file.seek(0, SEEK_END)
    if size > MAX_BUNDLE:
        raise _Refused(f"larger than {MAX_BUNDLE // MIB} MiB")
    file.seek(max(0, size - _END_RECORD - _ZIP64_LOCATOR))
    tail = file.read()
    end, before = tail[-_END_RECORD:], tail[:-_END_RECORD]
    if len(end) < _END_RECORD or not end.startswith(b"PK\5\6"):
        raise _Refused("its end is not that of a bundle")
    count = int.from_bytes(end[10:12], "little")
    if (
        before.startswith(b"PK\6\7")
        or count > len(LIMITS) + MAX_FILES + 1
        or int.from_bytes(end[12:16], "little") > MIB
    ):
        raise _Refused("it lists more files than a bundle has")


def _check_member(member: zipfile.ZipInfo) -> None:
    name, limit = member.filename, {**LIMITS, MANIFEST: MIB}.get(member.filename)
    if _is_code(name):
        limit = MAX_BYTES
    if limit is None:
        raise _Refused(f"no bundle has a file {one_line(name, 60)!r}")
    mode = member.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise _Refused(f"{name} is not a plain file")
    if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _Refused(f"{name} is packed in a way of its own")
    if member.file_size > limit:
        raise _Refused(f"{name} would have {member.file_size:,} bytes, more than {limit:,}")


def _is_code(name: str) -> bool:
    return name.startswith(f"{FOLDER}/")


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """The unpacked bytes, at most one more than the zip's list says. A file that is longer then fails its checksum."""
    with archive.open(member) as packed:
        return packed.read(member.file_size + 1)


def _manifest(content: bytes) -> dict[str, Any]:
    try:
        manifest = parse_json(content)
    except (ValueError, RecursionError) as error:
        raise _Refused(f"{MANIFEST}: {one_line(error)}") from error
    if not isinstance(manifest, dict) or manifest.get("bundle") != "mnist-tui" or manifest.get("version") != VERSION:
        raise _Refused(f"{MANIFEST}: not of a bundle of version {VERSION}")
    run_id, files = manifest.get("run_id"), manifest.get("files")
    if not isinstance(run_id, str) or not _RUN_ID.fullmatch(run_id) or not isinstance(files, dict):
        raise _Refused(f"{MANIFEST}: not whole")
    return manifest


def _compare_sums(contents: dict[str, bytes], files: dict[str, Any]) -> Iterator[Check]:
    """Compare the SHA-256 of each file with the manifest; a file that only one of the two has differs."""
    for name in sorted(contents.keys() | files.keys()):
        listed = files.get(name)
        stored = listed.get("sha256") if isinstance(listed, dict) else None
        found = sha256(contents[name]).hexdigest() if name in contents else None
        yield compare_sums(one_line(name, 60), MANIFEST, stored, found)


def _check_log_size(run: Run) -> None:
    """Refuse a log that would take hours to check. What is read of it is counted, however it is written."""
    counts = Counter(type(entry.event) for entry in EventReader(run.log).skim())
    for event, limit, words in ((EpochFinished, MAX_EPOCHS, "epochs"), (RunStarted, MAX_STARTS, "starts")):
        if counts[event] > limit:
            raise _Refused(f"its log has more than {limit:,} {words}")


def _check_network_size(run: Run) -> None:
    """Refuse a network too large to be run. A user's own module is not checked: it runs only when named again."""
    try:
        view = run.view()
        config, task = stored_config(run, view).model_copy(update={"budget": False}), stored_task(run, view)
        summary = None if is_user_module(config.arch) else summarize_config(config, task)
    except LabError as error:
        raise _Refused(error.message) from error
    if summary is None:
        return
    if 4 * summary.total_params > LIMITS["final.safetensors"]:
        raise _Refused(f"its network has {summary.total_params:,} parameters, more than its files can hold")
    largest = max(prod(layer.output_shape) for layer in summary.all_layers)
    if largest > MAX_ACTIVATIONS or summary.macs > MAX_MACS:
        raise _Refused(f"its network needs {summary.macs:,} multiply-adds and {largest:,} values for one image")
