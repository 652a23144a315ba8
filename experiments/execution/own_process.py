"""The process in which somebody's own module is loaded and trained (`experiments.execution.apart`)."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from multiprocessing.connection import Connection
from threading import Thread
from typing import Any

from core.config import TrainConfig
from core.errors import InvalidValue, LabError
from core.task import ImageTask
from core.training.range_curve import RangeTest
from experiments.execution.executor import STOP_PATIENCE
from experiments.execution.lr_find import range_test, step_record
from experiments.execution.records import error_record, files_of, files_record, summary_record
from experiments.execution.runner import Runner
from experiments.execution.spawning import hear_signals
from experiments.execution.supervision import ABANDONED
from experiments.execution.translating import spec_of, table_of
from experiments.locations import Locations
from experiments.runs.folder import Meta

Say = Callable[[Mapping[str, object]], None]
"""Sends a message to the process that asked."""


class _Wishes:
    """A `ShouldStop` in the process: hears what comes through the pipe, on a thread, while somebody's code runs."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.reason = ""
        self.patience = 0.0  # there is nothing to save

    def __call__(self) -> str:
        return self.reason

    def listen(self) -> None:
        Thread(target=self._listen, name="listen", daemon=True).start()

    def _listen(self) -> None:
        with suppress(EOFError, OSError):
            while True:
                self.reason = self.reason or str(json.loads(self._pipe.recv_bytes())["stop"])
        self.reason = self.reason or ABANDONED
        time.sleep(self.patience)
        os._exit(1)  # nobody is left who could kill it


def serve_module(pipe: Connection, locations: Locations | None, folder: str, environment: Mapping[str, str]) -> None:
    """Do what the first message asks for, and say what came of it."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    order = json.loads(pipe.recv_bytes())
    wishes = _Wishes(pipe)
    hear_signals()
    signal.signal(signal.SIGTERM, lambda number, _: setattr(wishes, "reason", signal.Signals(number).name))
    _fence()
    wishes.listen()

    def say(message: Mapping[str, object]) -> None:
        with suppress(OSError):  # nobody is there any more, as the wishes tell
            pipe.send_bytes(json.dumps(message).encode())

    try:
        _do(order, locations, wishes, say)
    except LabError as error:
        say({"error": error_record(error)})
    except (KeyboardInterrupt, SystemExit) as error:  # no signal does that here
        words = f"its code raised {type(error).__name__}"
        say({"error": error_record(InvalidValue("arch", order["arch"], words, hint="leave that to whoever runs it"))})
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(0)  # threads that the module has started would keep it


def _fence() -> None:
    """Keep the module's output off the terminal's stdout, its hands off the keyboard, and its forks from going on here
    as this process does."""
    os.dup2(2, 1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.register_at_fork(after_in_child=lambda: os._exit(0))


def _do(order: Mapping[str, Any], locations: Locations | None, wishes: _Wishes, say: Say) -> None:
    task = ImageTask(*order.get("task", ()))
    if order["do"] == "translate":
        say(asdict(spec_of(TrainConfig.model_validate(order["config"]), task)))
        return
    config = TrainConfig.model_validate(order["config"]) if "config" in order else None
    files = files_of(order.get("files"))
    if locations is None:
        assert config is not None
        from core.models.network import build_network

        network = build_network(config, files, task)
        say({"summary": summary_record(table_of(network, task)), "source": files_record(network.source)})
        return
    runner = Runner(locations, wishes, lambda *told: say({"progress": told}))
    match order["do"]:
        case "examine":
            assert config is not None
            trainer, source = runner.prepare(config, files)
            say({"summary": summary_record(trainer.summary), "source": files_record(source)})
            return
        case "range test":
            assert config is not None
            for step in range_test(runner, config, RangeTest(**order["test"]), files):
                say(step_record(step))
            say({"done": True})
            return
        case "run":
            assert config is not None
            entries = runner.run(config, Meta.from_json(order["meta"]), files)
        case _:
            entries = runner.resume(runner.store.run(order["run"]), **order["options"])
    begun = False
    for entry in entries:
        if not begun:
            wishes.patience, begun = STOP_PATIENCE, True
            source = None if config is None else runner.first_read.of(config)
            say({"begun": entry.run_id, "source": files_record(source)})
    say({"done": True})
