"""Errors and layer tables as JSON, for the pipe to a process that runs somebody's code."""

from __future__ import annotations

import traceback
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.advice import Advice
from core.errors import (
    DataError,
    InvalidValue,
    LabError,
    OverBudget,
    RunError,
    Stopped,
    StorageError,
    TrainingFailed,
)
from core.models.layer import Layer
from core.models.own.files import OwnFiles
from core.models.summary import Summary

_KINDS: Mapping[str, type[LabError]] = {
    kind.__name__: kind for kind in (DataError, OverBudget, RunError, Stopped, StorageError, TrainingFailed)
}


class OtherTraceback(Exception):
    """The traceback of an error of another process."""


def error_record(error: LabError) -> dict[str, Any]:
    record = {"kind": type(error).__name__, "message": error.message, "advice": error.advice.to_record()}
    if error.__cause__ is not None:
        record["traceback"] = "".join(traceback.format_exception(error.__cause__))
    if isinstance(error, InvalidValue):
        record |= {"field": error.field, "value": str(error.value), "allowed": error.allowed}
    return record


def error_of(record: Mapping[str, Any]) -> LabError:
    """The error of an `error_record`, its cause an `OtherTraceback`."""
    advice = Advice.from_record(record["advice"]) or Advice()
    error: LabError
    if "field" in record:
        error = InvalidValue(record["field"], record["value"], record["allowed"], hint=advice)
        error.message = record["message"]
    else:
        error = _KINDS[record["kind"]](record["message"], hint=advice)
    if "traceback" in record:
        error.__cause__ = OtherTraceback(f"\n{record['traceback']}")
    return error


def summary_record(summary: Summary) -> dict[str, Any]:
    return {**asdict(summary), "files": [str(path) for path in summary.files]}


def summary_of(record: Mapping[str, Any]) -> Summary:
    """The layer table of a `summary_record`."""
    layers = (Layer(**{**layer, "output_shape": tuple(layer["output_shape"])}) for layer in record["layers"])
    return Summary(**{**record, "layers": tuple(layers), "files": tuple(map(Path, record["files"]))})


def files_record(files: OwnFiles | None) -> dict[str, Any] | None:
    if files is None:
        return None
    contents = {name: b64encode(content).decode() for name, content in files.contents.items()}
    return {"root": str(files.root), "main": files.main, "contents": contents}


def files_of(record: Mapping[str, Any] | None) -> OwnFiles | None:
    """The files of a `files_record`."""
    if record is None:
        return None
    contents = {name: b64decode(content) for name, content in record["contents"].items()}
    return OwnFiles(Path(record["root"]), record["main"], contents)
