"""Event files for TensorBoard, written from a run's log or while the run trains."""

from __future__ import annotations

import json
import warnings
from datetime import datetime
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
    """A `Tracker` that writes the entries of one run, with their own times, as event files into a folder."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # from imports within TensorBoard
            from torch.utils.tensorboard.writer import SummaryWriter
        self._writer: Any = SummaryWriter(str(folder))

    def take(self, entry: Entry) -> None:
        """Write the values of an entry."""
        time = datetime.fromisoformat(entry.time).timestamp()
        match entry.event:
            case RunStarted() as event:
                config = json.dumps(dict(event.config), indent=1)
                self._writer.add_text("config", f"```\n{config}\n```", 0, walltime=time)
                self._writer.add_text("network", f"`{event.spec}`, {event.total_params:,} parameters", 0, walltime=time)
            case StepProgress(loss=loss) as event if loss is not None:
                step = (event.epoch - 1) * event.steps_per_epoch + event.step
                self._writer.add_scalar("loss/step", loss, step, walltime=time)
            case EpochFinished() as event:
                for tag, field in SCALARS.items():
                    value = getattr(event, field)
                    if value is not None:
                        self._writer.add_scalar(tag, value, event.epoch, walltime=time)
                self._writer.flush()
            case RunFinished() as event:
                self._writer.add_scalar("accuracy/final", event.final_test_accuracy, event.epochs, walltime=time)
            case _:
                pass

    def close(self) -> None:
        self._writer.close()


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
