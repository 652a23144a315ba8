"""Training in child processes that can be killed at any moment, forked from a server that has imported torch."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import resource
import signal
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType

from core.config import TrainConfig
from core.events import EpochFinished, StepProgress
from experiments.execution.runner import Runner
from experiments.locations import Locations
from experiments.runs.folder import Run
from experiments.runs.store import Store

CONFIG = TrainConfig.checked(
    {
        "arch": "c4 p2 c8 gap fc10",
        "dataset": "mnist-5k",
        "epochs": 12,
        "batch_size": 64,
        "limit_train": 500,
        "limit_test": 100,
        "schedule": "onecycle",
        "augment": "affine",
        "dropout": 0.1,
        "ema": True,
        "device": "cpu",
    }
)
"""Twelve epochs of eight steps, the last one short, with every kind of random draw in them."""

FILE_EVENTS = frozenset({"open", "os.rename", "os.remove", "os.truncate", "os.utime", "tempfile.mkstemp"})

context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(
    ["torch", "safetensors.torch", "core.training.trainer", "core.data.loader", "experiments.execution.runner"]
)


def start(
    locations: Locations,
    run_id: str = "",
    *,
    kill_at: int = 0,
    kill_at_call: int = 0,
    kill_in_epoch: int = 0,
    file_limit: int = 0,
) -> BaseProcess:
    """Train in a child: a new run, or an old one from where it is.

    `kill_at` lets the child kill itself right before that operation, counted from 1, on a file of the home, and
    `kill_at_call` right before that call of any function once its first epoch is done, with which all is imported;
    `kill_in_epoch` in the steps of that epoch, when no checkpoint is being written. No file can grow beyond
    `file_limit` bytes.
    """
    child = context.Process(
        target=_train, args=(locations, run_id, kill_at, kill_at_call, kill_in_epoch, file_limit), daemon=True
    )
    child.start()
    return child


def _train(
    locations: Locations, run_id: str, kill_at: int, kill_at_call: int, kill_in_epoch: int, file_limit: int
) -> None:
    import torch

    import core.training.loop

    torch.set_num_threads(1)
    core.training.loop.PROGRESS_INTERVAL = 0.0  # every step is written down
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    if kill_at:
        _kill_before_operation(kill_at, locations.home)
    if file_limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
    runner = Runner(locations)
    entries = runner.resume(runner.store.run(run_id)) if run_id else runner.run(CONFIG)
    for entry in entries:
        if kill_at_call and isinstance(entry.event, EpochFinished):
            _kill_before_call(kill_at_call)
            kill_at_call = 0
        if isinstance(entry.event, StepProgress) and entry.event.epoch == kill_in_epoch:
            os.kill(os.getpid(), signal.SIGKILL)


def _kill_before_operation(number: int, home: Path) -> None:
    counter = itertools.count(1)

    def count(event: str, args: tuple[object, ...]) -> None:
        touches_home = event in FILE_EVENTS and any(str(home) in str(argument) for argument in args)
        if touches_home and next(counter) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def _kill_before_call(number: int) -> None:
    """Functions of Python and of C are counted, so that it may be anywhere: in a step, in a write, between two."""
    counter = itertools.count(1)

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        if event in ("call", "c_call") and next(counter) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)


def only_run(locations: Locations) -> Run | None:
    """The home's one run, None while it has none."""
    runs = Store(locations.home).runs()
    assert len(runs) <= 1
    return runs[0] if runs else None


def train_to_the_end(locations: Locations) -> Run:
    """Finish the home's run, or make one, undisturbed."""
    run = only_run(locations)
    child = start(locations, run.id if run else "")
    child.join(120)
    assert child.exitcode == 0
    run = only_run(locations)
    assert run is not None
    return run
