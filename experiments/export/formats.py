"""The export formats, and what they share: the target file, needed packages, and writing as a whole or not at all."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from core.advice import Action, Advice, Tip
from core.errors import InvalidValue, StorageError
from core.storage.files import draft_prefix, make_draft, remove_drafts, replacing
from experiments.extras import require
from experiments.inference.network import StoredWeights
from experiments.runs.folder import Run


@dataclass(frozen=True, slots=True)
class Format:
    """One export format.

    `module` of this package makes it: `render(run, source, arch)` returns the content of a file; of a format that is a
    folder of files, `write(run, folder)` fills the folder. One that `runs_code` builds the network, of a user's own
    module too. `packages` must be installed; `extra` is the extra of this project that installs them.
    """

    module: str
    suffix: str
    help: str
    is_folder: bool = False
    runs_code: bool = False
    packages: tuple[str, ...] = ()
    extra: str = ""


FORMATS: Mapping[str, Format] = {
    "safetensors": Format("weights", ".safetensors", "the weights, with spec, config and scores as metadata"),
    "onnx": Format(
        "onnx_model",
        ".onnx",
        "the network: pixels (N, 1, S, S) from 0 to 1 to logits (N, classes), with the same metadata",
        runs_code=True,
        packages=("onnx", "onnxscript"),
        extra="export",
    ),
    "csv": Format("epoch_table", ".csv", "loss, accuracy, learning rate and time by epoch"),
    "json": Format("record", ".json", "config, curves by epoch and by step, and the result"),
    "svg": Format("chart", ".svg", "accuracy and loss by epoch as a picture"),
    "tensorboard": Format(
        "event_files",
        "-tensorboard",
        "event files for TensorBoard, in a folder",
        is_folder=True,
        packages=("tensorboard",),
        extra="tensorboard",
    ),
}


def find_format(name: str) -> Format:
    """The format of this name, its packages checked.

    Raises:
        InvalidValue: when there is none of this name, or when it needs a package that is not installed.
    """
    if name not in FORMATS:
        hint = Tip(Action.EXAMPLE, "format", "onnx")
        raise InvalidValue("format", name, f"must be one of {', '.join(FORMATS)}", hint=hint)
    found = FORMATS[name]
    require("format", name, found.packages, found.extra)
    return found


def default_target(run: Run, chosen: Format) -> Path:
    """The path of the file where none is given, in the current folder."""
    return Path(f"{run.id}{chosen.suffix}")


def render(run: Run, chosen: Format, source: StoredWeights | None, arch: str | None) -> bytes:
    """The content of the file.

    Args:
        source: which weights, None for the final ones, or the best where there are no final ones.
        arch: for a user's own module its FILE.py:CLASS once more, so that no code is run that nobody named.

    Raises:
        RunError: when the format needs weights and the run has none, or its files are damaged.
        InvalidValue: when `arch` is missing, not asked for, or cannot be built.
    """
    content: bytes = _module(chosen).render(run, source, arch)
    return content


def export(
    run: Run, chosen: Format, target: Path, source: StoredWeights | None, arch: str | None, *, force: bool = False
) -> None:
    """Write the file, or the folder of files, as a whole or not at all.

    Raises:
        InvalidValue: when there is something at `target`, unless it is a file and `force` allows to replace it.
        StorageError: when it cannot be written.
        Otherwise as `render`.
    """
    if chosen.is_folder:
        check_free(target, force=False)
        _write(target, lambda: _fill_folder(run, chosen, target))
        return
    save(target, lambda: render(run, chosen, source, arch), force=force)


def save(target: Path, make: Callable[[], bytes], *, force: bool) -> None:
    """Write what `make` returns. It is called only after the target has been checked.

    Raises:
        InvalidValue, StorageError: as `export`.
    """
    check_free(target, force=force)
    target = target.resolve()  # a link is written through, not replaced

    def write() -> None:
        with replacing(target) as part:
            part.write_bytes(make())

    _write(target, write)


def check_free(target: Path, *, force: bool) -> None:
    """Raise `InvalidValue` when there is something at `target` that may not be replaced."""
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unwritable(target, error) from error
    other = Tip(Action.CHOOSE, "output", "another place")
    if stat.S_ISDIR(mode):
        raise InvalidValue("output", str(target), "exists already, as a folder", hint=other)
    if not stat.S_ISREG(mode):
        raise InvalidValue("output", str(target), "is not a regular file", hint=other)
    if (target.parent / "events.jsonl").exists():
        raise InvalidValue("output", str(target), "is a run's own file", hint=other)
    if not force:
        hint = Advice(Tip(Action.OVERWRITE), ", or ", other)
        raise InvalidValue("output", str(target), "exists already", hint=hint)


def _fill_folder(run: Run, chosen: Format, target: Path) -> None:
    draft = make_draft(draft_prefix(target), target.parent)
    try:
        _module(chosen).write(run, draft)
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write(target: Path, write: Callable[[], None]) -> None:
    """Call `write`; raises `StorageError` where it raises `OSError`. What was killed while it wrote a file of whatever
    name in that folder has left its half there."""
    remove_drafts(target, of_all=True)
    try:
        write()
    except OSError as error:
        raise _unwritable(target, error) from error


def _unwritable(target: Path, error: OSError) -> StorageError:
    reason = error.strerror or str(error)
    return StorageError(f"{target}: cannot be written: {reason}", hint=Tip(Action.CHOOSE, "output", "another place"))


def _module(chosen: Format) -> Any:
    return import_module(f"experiments.export.{chosen.module}")
