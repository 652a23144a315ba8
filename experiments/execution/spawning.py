"""Starting processes with `multiprocessing`, so that no signal ends them while they still import."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.context import ForkServerContext, SpawnContext

APART = "experiments.execution.own_process"
SIGNALS = {signal.SIGINT, signal.SIGHUP, signal.SIGTERM}


@contextmanager
def signals_held_back() -> Iterator[None]:
    """A process that is started within the block inherits what is blocked: Ctrl+C goes to it too, and would end it with
    a traceback. It hears signals once it calls `hear_signals`."""
    resource_tracker.ensure_running()  # which unblocks signals
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def hear_signals() -> None:
    """Let this process hear signals; those of the terminal it ignores, as the one that started it decides on them."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def worker_context() -> ForkServerContext | SpawnContext:
    """The context that starts processes that train.

    On Linux each is a fork of a server that has imported torch: two seconds of work, done once for all of them. A fork
    is safe because the server has one thread then (numpy's OpenBLAS ends its own before a fork) and never touches a
    GPU. The server keeps the environment variables of its start; what differs for a worker is set in `serve`. On macOS
    system libraries do not bear a fork, so every worker begins anew.
    """
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "core.training.trainer", "experiments.execution.worker", APART])
    return context
