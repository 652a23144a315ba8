"""Bundles: a run packed as one zip (config, log, weights, environment, predictions, and the copy that it keeps of the
code of a user's own module) that somebody else can verify, or the runs of a group packed together.

A group's bundle is a zip of the bundles of its runs. Equal runs always give equal bytes.
"""

from __future__ import annotations

import json
import stat
import zipfile
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from io import BytesIO
from typing import Any

from core.errors import InvalidValue, RunError
from core.storage.files import open_regular
from experiments.bundles.contents import (
    GROUP,
    LARGE,
    LIMITS,
    LOG,
    MAX_GROUP,
    MAX_RUNS,
    MIB,
    RUN,
    STEPS,
    VERSION,
    without_steps,
)
from experiments.runs.environment import PERSONAL
from experiments.runs.folder import Run
from experiments.runs.json_files import parse_json
from experiments.runs.provenance import MANIFEST, WEIGHTS, came_without_weights, left_out_of
from experiments.runs.source import FOLDER, read_source
from experiments.runs.view import how_to_finish


def has_weights(run: Run) -> bool:
    """Whether a run can be packed: it has weights, or came in a bundle that left them out."""
    return came_without_weights(run.folder) or any((run.folder / name).exists() for name in WEIGHTS)


def pack(run: Run, *, small: bool = False, anonymous: bool = False) -> bytes:
    """The bytes of a run's bundle.

    Args:
        small: leave out weights and predictions, and of the log the losses within epochs. The bundle says what of this
            the run had.
        anonymous: leave out what may tell who made the run: the machine's name, the command line and the folder.

    Raises:
        RunError: when the run has no weights, or a file is larger than a bundle may hold.
    """
    if not has_weights(run):
        raise RunError(f"run {run.id} has no weights", hint=how_to_finish(run.id, [run.view().end]))
    contents = {name: content for name in LIMITS if (content := _read(run, name)) is not None}
    contents |= _packed_code(run)
    before = left_out_of(run.folder)
    left_out = [name for name in LARGE if name in before or (small and name in contents)]
    contents = {name: content for name, content in contents.items() if name not in left_out}
    if small:
        contents[LOG] = without_steps(contents[LOG])
    if small or STEPS in before:
        left_out.append(STEPS)
    if anonymous and "env.json" in contents:
        contents["env.json"] = _without_names(contents["env.json"])
    manifest = {"bundle": RUN, "version": VERSION, "run_id": run.id, "files": _sums(contents)}
    return _zipped(manifest | ({"left_out": left_out} if left_out else {}), contents.items(), zipfile.ZIP_DEFLATED)


def pack_all(group_id: str, runs: Sequence[Run], *, logs: bool = False, anonymous: bool = False) -> bytes:
    """The bytes of a bundle of a group's runs.

    Args:
        logs: pack all but the first run small.
        anonymous: as in `pack`.

    Raises:
        RunError: as `pack`.
        InvalidValue: when they are more, or larger, than such a bundle may hold.
    """
    if len(runs) > MAX_RUNS:
        raise InvalidValue("run", group_id, f"has {len(runs)} runs, a bundle holds {MAX_RUNS}")
    packed: dict[str, bytes] = {}
    for number, run in enumerate(runs):
        packed[f"{run.id}.zip"] = pack(run, small=logs and number > 0, anonymous=anonymous)
        if sum(map(len, packed.values())) > MAX_GROUP:
            raise InvalidValue("run", group_id, f"has more than the {MAX_GROUP // MIB} MiB that a bundle holds")
    manifest = {"bundle": GROUP, "version": VERSION, "group_id": group_id, "files": _sums(packed)}
    return _zipped(manifest, packed.items(), zipfile.ZIP_STORED)


def _read(run: Run, name: str) -> bytes | None:
    """A file of a run; None where it has none of that name."""
    try:
        with open_regular(run.folder / name) as file:
            content = file.read(LIMITS[name] + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunError(f"{run.folder / name}: cannot be read: {error.strerror}", hint="check the file") from error
    if len(content) > LIMITS[name]:
        raise RunError(
            f"{run.folder / name}: larger than {LIMITS[name] // MIB} MiB", hint="bundles hold small networks"
        )
    return content


def _packed_code(run: Run) -> dict[str, bytes]:
    """The copy that a run keeps of its code."""
    kept = read_source(run.folder)
    if kept is None or kept.left_out:
        return {}
    return {f"{FOLDER}/{name}": content for name, content in kept.files().contents.items()}


def _without_names(environment: bytes) -> bytes:
    """The record of the environment without what is personal; nothing of one that cannot be read."""
    try:
        kept = parse_json(environment)
    except (ValueError, RecursionError):
        kept = None
    kept = {key: value for key, value in kept.items() if key not in PERSONAL} if isinstance(kept, dict) else {}
    return json.dumps(kept, indent=1).encode() + b"\n"


def _sums(contents: Mapping[str, bytes]) -> dict[str, Any]:
    return {name: {"bytes": len(content), "sha256": sha256(content).hexdigest()} for name, content in contents.items()}


def _zipped(manifest: Mapping[str, Any], contents: Collection[tuple[str, bytes]], compression: int) -> bytes:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        _add(archive, MANIFEST, json.dumps(manifest, indent=1).encode() + b"\n", zipfile.ZIP_DEFLATED)
        for name, content in contents:
            _add(archive, name, content, compression)
    return packed.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: bytes, compression: int) -> None:
    info = zipfile.ZipInfo(name)  # dated 1 January 1980, so that the bytes do not depend on the time
    info.compress_type = compression
    info.create_system = 3
    info.external_attr = (stat.S_IFREG | 0o644) << 16
    archive.writestr(info, content)
