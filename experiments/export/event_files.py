"""Event files for TensorBoard, written from a run's log or while the run trains."""

from __future__ import annotations

import json
import warnings
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from core.events import EpochFinished, RunFinished, RunStarted, StepProgress
from experiments.runs.eventlog import Entry, EventReader
from experiments.runs.folder import Run

SCALARS = {
    "loss/train": "train_loss",
    "loss/test": "test_loss",
    "loss/held_out": "val_loss",
    "accuracy/train": "train_accuracy",
    "accuracy/test": "test_accuracy",
    "accuracy/held_out": "val_accuracy",
    "lr": "lr",
    "images_per_second": "images_per_second",
}
"""TensorBoard tags, and the field of an epoch that each shows, by epoch. One more, `loss/step`, is by step."""


class EventFiles:
    """A `Tracker` that writes the entries of one run, with their own times, as event files into a folder.

    What the folder's files have already is not written again, be it a step that a killed run does once more.
    """

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # from imports within TensorBoard
            from torch.utils.tensorboard.writer import SummaryWriter

            self._last = _last_steps(folder)
        self._writer: Any = SummaryWriter(str(folder))

    def take(self, entry: Entry) -> None:
        """Write the values of an entry."""
        time = datetime.fromisoformat(entry.time).timestamp()
        match entry.event:
            case RunStarted() as event:
                config = json.dumps(dict(event.config), indent=1)
                network = f"`{event.spec}`, {event.total_params:,} parameters"
                for tag, text in (("config", f"```\n{config}\n```"), ("network", network)):
                    if self._is_new(f"{tag}/text_summary", 0):
                        self._writer.add_text(tag, text, 0, walltime=time)
            case StepProgress(loss=loss) as event if loss is not None:
                self._scalar("loss/step", loss, (event.epoch - 1) * event.steps_per_epoch + event.step, time)
            case EpochFinished() as event:
                for tag, field in SCALARS.items():
                    value = getattr(event, field)
                    if value is not None:
                        self._scalar(tag, value, event.epoch, time)
                self._writer.flush()
            case RunFinished() as event:
                self._scalar("accuracy/final", event.final_test_accuracy, event.epochs, time)
            case _:
                pass

    def close(self) -> None:
        self._writer.close()

    def _scalar(self, tag: str, value: float, step: int, time: float) -> None:
        if self._is_new(tag, step):
            self._writer.add_scalar(tag, value, step, walltime=time)

    def _is_new(self, tag: str, step: int) -> bool:
        if step <= self._last.get(tag, -1):
            return False
        self._last[tag] = step
        return True


def _last_steps(folder: Path) -> dict[str, int]:
    """The last step that event files of a folder have of each tag."""
    if not any(folder.glob("events.out.tfevents.*")):
        return {}
    reader: Any = import_module("tensorboard.backend.event_processing.event_accumulator")
    read = reader.EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
    read.Reload()
    tags = read.Tags()
    steps = {tag: [event.step for event in read.Scalars(tag)] for tag in tags["scalars"]}
    steps |= {tag: [event.step for event in read.Tensors(tag)] for tag in tags["tensors"]}
    return {tag: max(found) for tag, found in steps.items() if found}


def write(run: Run, folder: Path) -> None:
    """Write a run's whole log as event files into a folder.

    Raises:
        OSError: when it cannot be written.
    """
    files = EventFiles(folder)
    try:
        for entry in EventReader(run.log).poll():
            files.take(entry)
    finally:
        files.close()
