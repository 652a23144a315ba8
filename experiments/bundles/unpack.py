"""Opens bundles. One from an unknown source is safe to open: nothing in it is executed, only known file names and those
of a copy of code are read, of bounded size, and any other zip is refused."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from io import BytesIO
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from core.advice import Advice
from core.errors import InvalidValue, LabError, RunError, one_line
from core.events import EpochFinished, RunStarted
from core.models.network import summarize_config
from core.models.spec import is_user_module
from core.storage.files import open_regular
from experiments.bundles.archive import Refused, is_group, read_group, read_run
from experiments.bundles.contents import LIMITS, MAX_GROUP, MIB
from experiments.runs.config import stored_config, stored_task
from experiments.runs.eventlog import EventReader
from experiments.runs.folder import Run
from experiments.runs.provenance import MANIFEST
from experiments.runs.source import FOLDER, read_source
from experiments.verification.findings import Check, compare_sums

MAX_ACTIVATIONS = 400_000
"""Values in the largest layer's output for one image. A larger network could fill the memory."""
MAX_MACS = 1_000_000_000
"""Multiply-accumulates for one image. A larger network could keep the machine busy for hours."""
MAX_EPOCHS = 20_000
"""Epochs in the log. A longer one would take hours to check."""
MAX_STARTS = 1_000
"""Starts in the log, each of which may have a config of a megabyte."""
CODE_HINT = "take the code out of the bundle, look at it, and name the file then"

Unpacked = list[tuple[Run, tuple[Check, ...]]]
"""The runs of a bundle, each with a check of each of its files against the manifest."""


@contextmanager
def unpacked(path: Path) -> Iterator[Unpacked]:
    """Unpack a bundle, of a run or of a group, into a temporary folder, which is deleted after the block.

    Raises:
        RunError: when the file cannot be read, is no bundle, or holds something that a bundle may not hold.
    """
    try:
        with open_regular(path, follow_link=True) as file, TemporaryDirectory(prefix="mnist-tui-") as folder:
            found = _unpack_group(file, Path(folder)) if is_group(file) else [_unpack(file, Path(folder), ())]
            try:
                yield found
            except InvalidValue as error:
                if error.field in ("run", "arch") and any((run.folder / FOLDER).exists() for run, _ in found):
                    error.advice = Advice(CODE_HINT)
                raise
            except RunError as error:
                error.message = error.message.replace(f"{folder}{os.sep}", f"{path}: ")
                raise
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}", hint="name a bundle of mnist-tui") from error
    except Refused as error:
        raise RunError(f"{path}: not a bundle that is safe to open: {error}", hint="ask for a new one") from error


def _unpack_group(file: BinaryIO, folder: Path) -> Unpacked:
    manifest, contents = read_group(file)
    found: Unpacked = []
    room = MAX_GROUP
    for name, content in contents.items():
        before = _compare_sum(name, content, manifest["files"])
        try:
            run, checks = _unpack(BytesIO(content), folder, (before,))
        except Refused as error:
            raise Refused(f"{name}: {error}") from error
        if f"{run.id}.zip" != name:
            raise Refused(f"{name}: is of run {run.id}")
        room -= sum(path.stat().st_size for path in run.folder.rglob("*") if path.is_file())
        if room < 0:
            raise Refused(f"its runs would have more than {MAX_GROUP // MIB} MiB")
        found.append((run, checks))
    return found


def _unpack(file: BinaryIO, folder: Path, before: tuple[Check, ...]) -> tuple[Run, tuple[Check, ...]]:
    """Write the files of a run's bundle, and its manifest, into a folder of its own."""
    manifest, contents = read_run(file)
    run = Run(folder / manifest["run_id"])
    run.folder.mkdir()
    for name, content in {**contents, MANIFEST: json.dumps(manifest, indent=1).encode()}.items():
        (run.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (run.folder / name).write_bytes(content)
    _check_log_size(run)
    _check_code(run, contents)
    _check_network_size(run)
    files: Mapping[str, Any] = manifest["files"]
    named = sorted(contents.keys() | files.keys())
    return run, (*before, *(_compare_sum(name, contents.get(name), files) for name in named))


def _compare_sum(name: str, content: bytes | None, files: Mapping[str, Any]) -> Check:
    """Compare the SHA-256 of a file with the manifest; a file that only one of the two has differs."""
    listed = files.get(name)
    stored = listed.get("sha256") if isinstance(listed, dict) else None
    found = None if content is None else sha256(content).hexdigest()
    return compare_sums(one_line(name, 60), MANIFEST, stored, found)


def _check_code(run: Run, contents: Mapping[str, bytes]) -> None:
    """Refuse files that are no part of the copy of the code, and a record that no copy has."""
    try:
        kept = read_source(run.folder)
    except RunError as error:
        raise Refused(one_line(_within(run, error))) from error
    listed = {f"{FOLDER}/{name}" for name in kept.sums} if kept is not None and not kept.left_out else set()
    if other := next((name for name in contents if name not in LIMITS and name not in listed), None):
        raise Refused(f"no bundle has a file {one_line(other, 60)!r}")


def _check_log_size(run: Run) -> None:
    """Refuse a log that would take hours to check. What is read of it is counted, however it is written."""
    counts = Counter(type(entry.event) for entry in EventReader(run.log).skim())
    for event, limit, words in ((EpochFinished, MAX_EPOCHS, "epochs"), (RunStarted, MAX_STARTS, "starts")):
        if counts[event] > limit:
            raise Refused(f"its log has more than {limit:,} {words}")


def _check_network_size(run: Run) -> None:
    """Refuse a network too large to be run. A user's own module is not checked: it runs only when named again."""
    try:
        view = run.view()
        config, task = stored_config(run, view).model_copy(update={"budget": False}), stored_task(run, view)
        summary = None if is_user_module(config.arch) else summarize_config(config, task)
    except LabError as error:
        raise Refused(_within(run, error)) from error
    if summary is None:
        return
    if 4 * summary.total_params > LIMITS["final.safetensors"]:
        raise Refused(f"its network has {summary.total_params:,} parameters, more than its files can hold")
    largest = max(prod(layer.output_shape) for layer in summary.all_layers)
    if largest > MAX_ACTIVATIONS or summary.macs > MAX_MACS:
        raise Refused(f"its network needs {summary.macs:,} multiply-adds and {largest:,} values for one image")


def _within(run: Run, error: LabError) -> str:
    """What an error says, with files named by their place in the bundle: nobody knows the folder that it is in."""
    return error.message.removeprefix(f"{run.folder}{os.sep}")
