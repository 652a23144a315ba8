"""Trains the trials of a sweep on a Ray cluster: one that is there, or one of this machine alone."""

from __future__ import annotations

import importlib.util
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from core.advice import Action, Tip
from core.errors import InvalidValue, StorageError, one_line
from core.storage.checkpoint import previous
from core.storage.files import open_regular, replacing
from experiments.execution.executor import Ended
from experiments.execution.ray_worker import Order, Parcel, RayWorker
from experiments.execution.supervision import REQUESTED
from experiments.locations import Locations
from experiments.runs.eventlog import EventWriter
from experiments.runs.folder import Run
from experiments.runs.own_code import kept_code
from experiments.runs.owner import Owner
from experiments.runs.teacher import TEACHER

CONNECT_PATIENCE = 5.0
"""Seconds that a cluster has to answer; Ray itself would go on trying for minutes."""
PLACEMENT_PATIENCE = 10.0
"""Seconds that a run may not begin before actors that have nothing to do give up their place on the cluster for it."""
DEVICES = ("auto", "cpu", "cuda")
"""Devices that a trial may ask for: a worker sees no GPU but its own, whatever number that has on its node."""
LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""The setting by which Ray's processes listen on 127.0.0.1 alone; by itself Ray does so only on Windows and macOS."""
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
"""Settings against reports to Ray's makers, and against a warning about CUDA_VISIBLE_DEVICES of CPU workers."""


def require_ray() -> None:
    """Raise `InvalidValue` when the ray extra is not installed."""
    if importlib.util.find_spec("ray") is None:
        hint = "pip install 'mnist-tui[ray]', here and on every node"
        raise InvalidValue("executor", "ray", "needs the ray extra, which is not installed", hint=hint)


@dataclass(slots=True)
class _Job:
    """A run under way on the cluster, and its log here."""

    run: Run
    log: EventWriter
    actor: Any
    parcels: Any
    started: float = field(default_factory=time.monotonic)
    has_begun: bool = False
    is_asked_to_stop: bool = False
    error: str = ""


class RayExecutor:
    """One actor for each trial at once, kept for as long as the sweep lasts and made anew where a node has died.

    What the cluster has is looked up each time, so that nodes may come and go. Runs are written here, in the driver's
    store, by this process.

    Raises:
        InvalidValue: when Ray cannot be imported, or the cluster not be joined, or it has not what a trial needs.
    """

    def __init__(
        self,
        locations: Locations,
        *,
        device: str = "auto",
        address: str | None = None,
        jobs: int | None = None,
        gpus_per_trial: float | None = None,
    ) -> None:
        require_ray()
        if device not in DEVICES:
            allowed = "must be auto, cpu or cuda on Ray, which chooses each trial's GPU itself"
            raise InvalidValue("device", device, allowed, hint=Tip(Action.SET, "device", "cuda"))
        self._data = locations.data
        self._jobs = jobs
        self._idle: list[Any] = []
        self._active: dict[str, _Job] = {}
        self._connect(address, jobs)
        self._needs = self._needs_of(device, gpus_per_trial)

    def has_room(self) -> bool:
        total = self._ray.cluster_resources()
        room = min(int(total.get(name, 0) / share + 1e-9) for name, share in self._needs.items())
        return len(self._active) < min(room, self._jobs or room)

    def start(self, run: Run) -> None:
        run.hand_over(Owner.this_process())
        files: dict[str, bytes] = {}
        for path in (run.checkpoint, run.folder / TEACHER, run.folder / "env.json"):
            with suppress(FileNotFoundError), open_regular(path) as file:
                files[path.name] = file.read()
        order = Order(run.id, run.config(), files, self._data, kept_code(run))
        actor = self._idle.pop() if self._idle else self._new_actor()
        parcels = actor.train.options(num_returns="streaming").remote(order)
        self._active[run.id] = _Job(run, run.open_log(), actor, parcels)

    def wait(self, seconds: float) -> list[Ended]:
        for job in self._active.values():
            if not job.is_asked_to_stop and job.run.wants_stop():
                self._ask_to_stop(job, REQUESTED)
        waiting = [job.parcels for job in self._active.values()]
        if not waiting:
            time.sleep(seconds)
            return []
        self._make_room()
        self._ray.wait(waiting, num_returns=1, timeout=seconds)
        ended = []
        for run_id, job in list(self._active.items()):
            try:
                end = self._receive(job)
            except (OSError, StorageError) as error:  # what it sends cannot be kept; the others may fare better
                self._ray.kill(job.actor)
                end = Ended(run_id, error=one_line(error))
            else:
                if end is not None and not end.worker_died:
                    self._idle.append(job.actor)
            if end is not None:
                ended.append(end)
                del self._active[run_id]
                job.log.close()
                job.run.release()
        return ended

    def stop(self, reason: str) -> None:
        for job in self._active.values():
            if job.has_begun:
                self._ask_to_stop(job, reason)
            else:  # it may have to wait for a node for ever, and has nothing to lose
                self._ray.kill(job.actor)

    def close(self) -> None:
        for job in self._active.values():
            job.log.close()
            job.run.release()
        for actor in [*self._idle, *(job.actor for job in self._active.values())]:
            self._ray.kill(actor)
        self._active, self._idle = {}, []
        self._ray.shutdown()

    def _connect(self, address: str | None, jobs: int | None) -> None:
        for variable, value in (QUIET | (LOOPBACK if address is None else {})).items():
            os.environ.setdefault(variable, value)
        self._ray = _import_ray()
        options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
        if address is None:
            options |= {"address": "local", "include_dashboard": False}
            options |= {} if jobs is None else {"num_cpus": jobs}
        else:
            _check_answers(address)
            options["address"] = address
        try:
            with _handlers_kept():
                self._ray.init(**options)
        except (ConnectionError, ValueError, RuntimeError, OSError) as error:
            hint = "start one with: ray start --head"
            raise InvalidValue(
                "ray_address", address or "local", f"cannot be joined: {one_line(error)}", hint=hint
            ) from error

    def _needs_of(self, device: str, gpus_per_trial: float | None) -> dict[str, float]:
        """The resources of one trial: a processor core, and its share of a GPU where the cluster has GPUs."""
        gpus = self._ray.cluster_resources().get("GPU", 0)
        if gpus_per_trial is not None and (device == "cpu" or gpus < gpus_per_trial):
            allowed = f"the cluster has {gpus:g} GPUs for device {device}"
            self._ray.shutdown()
            raise InvalidValue("gpus_per_trial", gpus_per_trial, allowed, hint=Tip(Action.LEAVE_OUT, "gpus_per_trial"))
        if device == "cpu" or (device == "auto" and not gpus):
            return {"CPU": 1}
        return {"CPU": 1, "GPU": gpus_per_trial or 1}

    def _new_actor(self) -> Any:
        remote = self._ray.remote(RayWorker)
        # Two threads: one trains, the other hears that it shall stop.
        options = {"num_cpus": self._needs["CPU"], "num_gpus": self._needs.get("GPU", 0), "max_concurrency": 2}
        return remote.options(**options).remote()

    def _make_room(self) -> None:
        """End idle actors where a run waits for a place: they keep theirs, and nodes may have gone meanwhile."""
        long_ago = time.monotonic() - PLACEMENT_PATIENCE
        if self._idle and any(not job.has_begun and job.started < long_ago for job in self._active.values()):
            for actor in self._idle:
                self._ray.kill(actor)
            self._idle = []

    def _ask_to_stop(self, job: _Job, reason: str) -> None:
        job.is_asked_to_stop = True
        job.actor.stop.remote(job.run.id, reason)

    def _receive(self, job: _Job) -> Ended | None:
        """Take in everything that has come from a run; its end, when that has come too."""
        while self._ray.wait([job.parcels], timeout=0)[0]:
            try:
                parcel: Parcel = self._ray.get(next(job.parcels))
            except StopIteration:
                return Ended(job.run.id, error=job.error)
            except self._ray.exceptions.RayError as death:
                return Ended(job.run.id, worker_died=one_line(death))
            job.has_begun = True
            job.error = parcel.error
            for name, content in parcel.files.items():
                path = job.run.folder / name
                with replacing(path, keep=previous(path) if path == job.run.checkpoint else None) as part:
                    part.write_bytes(content)
            if parcel.environment:  # before the start that it belongs to, whose threads a resumed run needs
                job.run.set_environment({**job.run.environment(), **parcel.environment})
            for event in parcel.events:
                job.log.append(event)
            job.run.beat()
        return None


def _import_ray() -> Any:
    """The package, or `InvalidValue` when its installation is broken."""
    try:
        import ray
        from ray import init  # noqa: F401  # what is left of a removed package can be imported, and is empty
    except Exception as error:  # whatever a package runs into that lacks files, or what it builds upon
        problem = f"cannot be imported: {type(error).__name__}: {one_line(error)}"
        hint = "pip install --force-reinstall 'mnist-tui[ray]'"
        raise InvalidValue("executor", "ray", problem, hint=hint) from error
    return ray


def _check_answers(address: str) -> None:
    """Raise `InvalidValue` when nobody listens at a cluster's address; ``auto`` is the cluster of this machine."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise InvalidValue("ray_address", address, "must be HOST:PORT or auto", hint="ray start --head shows it")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_PATIENCE).close()
    except OSError as error:
        hint = "start one with: ray start --head"
        raise InvalidValue("ray_address", address, f"cannot be joined: {one_line(error)}", hint=hint) from error


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Put the handler of SIGTERM back, which Ray replaces with its own."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)
