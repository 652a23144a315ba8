"""A process that trains the runs named to it through a pipe, one after the other."""

from __future__ import annotations

import gc
import os
import signal
import time
from multiprocessing.connection import Connection

from core.errors import LabError, Stopped
from experiments.execution.executor import Slot
from experiments.execution.runner import Runner
from experiments.execution.spawning import hear_signals
from experiments.execution.supervision import ABANDONED
from experiments.locations import Locations
from experiments.runs.own_code import own_arch

TRAIN, STOP, SHARE = "train", "stop", "share"
"""The orders, followed by a run's id, by a reason, and by how many cores are the worker's at the moment."""
THREADS = 1
"""Threads of torch in each worker, however many workers there are: its results depend on them, and must not depend on
how many runs are trained at once. What does not depend on them takes the worker's share of cores."""
LOOK_INTERVAL = 0.1
"""Seconds between two looks into the pipe."""


class Orders:
    """The worker's end of the pipe, and a `ShouldStop`: what comes while a run is trained is the reason to stop it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._reason = ""
        self._next_look = 0.0
        self._idle = True
        self._leaving = False

    def next_run(self) -> str:
        """Wait for the next run's id; empty when there is none to come."""
        self._reason, self._idle = "", True
        try:
            while not self._leaving:
                order, word = self._connection.recv()
                if order == TRAIN:
                    self._idle = False
                    return str(word)
                self._take(order, word)
        except (EOFError, OSError):
            pass
        return ""

    def leave(self, number: int, _frame: object = None) -> None:
        """Handle a signal to this process: stop the run with a checkpoint, and end."""
        self._leaving = True
        self._reason = self._reason or signal.Signals(number).name
        if self._idle:
            raise SystemExit(128 + number)

    def report(self, error: str) -> None:
        """Say that the run is over, and why it could not be started where that is so.

        A process that leaves says nothing, and closes the pipe: it is not to be given another run.
        """
        if self._leaving:
            return
        try:
            self._connection.send(error)
        except OSError:  # the driver is gone, as `next_run` will tell
            return

    def _take(self, order: str, word: str | int) -> None:
        """Follow an order that is not to train."""
        if order == SHARE:
            from core.device.threads import allow_threads

            allow_threads(int(word))
        elif not self._idle:
            self._reason = str(word)

    def __call__(self) -> str:
        now = time.monotonic()
        if not self._reason and now >= self._next_look:
            self._next_look = now + LOOK_INTERVAL
            try:
                while not self._reason and self._connection.poll():
                    self._take(*self._connection.recv())
            except (EOFError, OSError):
                self._reason = ABANDONED
        return self._reason


def serve(connection: Connection, locations: Locations, slot: Slot) -> None:
    """Train what comes through the pipe until it is closed. What a run raises unexpectedly ends the process."""
    orders = Orders(connection)
    signal.signal(signal.SIGTERM, orders.leave)
    hear_signals()
    os.dup2(2, 1)  # the driver's stdout is for data, not for what a module of one's own prints
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(THREADS)
    if slot.gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = slot.gpu
    import torch

    torch.set_num_threads(THREADS)
    runner = Runner(locations, orders)
    while run_id := orders.next_run():
        orders.report(_train(runner, run_id))
        forget_runs()


def forget_runs() -> None:
    """Free what runs that are over still hold of a GPU's memory, in cycles that nothing refers to."""
    import torch

    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        gc.collect()


def _train(runner: Runner, run_id: str) -> str:
    """Train a run to whatever end; returns why it could not be started, empty when it could."""
    run = runner.store.run(run_id)
    try:
        for _ in runner.resume(run, arch=own_arch(run)):  # who gave the order has named the code
            pass
    except Stopped:
        return ""  # before its first step, as its log says
    except LabError as error:
        return error.message
    return ""
