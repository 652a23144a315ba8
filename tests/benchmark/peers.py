"""Time other libraries on the same networks: ``python tests/benchmark/peers.py --envs FOLDER``.

Each library is installed with pip into an environment of its own in that folder, once; none is a dependency. Each
trains in a process of its own, on the layer table that the project makes of a spec: forward, cross-entropy, backward,
SGD with momentum, batch norms in training mode, batches of 256 from memory. They take turns in rounds, so that other
load of the machine affects all alike. One whose number of parameters is another, or whose loss does not fall, is an
error. One that cannot be installed is named.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np

sys.path.insert(0, str(Path(__file__).with_name("peer_loops")))

from serving import EPOCHS

from core.config import TrainConfig
from core.data.loader import Loader
from core.models.network import summarize_config
from core.storage.trust import user_cache
from experiments.locations import Locations
from experiments.presets.loader import load_preset

LOOPS = Path(__file__).with_name("peer_loops")
ROOT = Path(__file__).parents[2]
BATCH = 256
TARGETS = (0.99, 0.994)
WARM_UP = 60
"""Steps before the first round, in which is compiled what is compiled when it is needed."""
PATIENCE = 1200
"""Seconds after which a peer that does not answer is given up."""
FALLEN = 0.5
"""The loss of the last round is at most so many times that of a network that knows nothing, which is log 10."""


@dataclass(frozen=True)
class Kind:
    """A peer: its script and arguments, and what is installed for it; nothing where it runs in this environment."""

    words: str
    script: tuple[str, ...]
    packages: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)


KINDS = {
    "native": Kind("mnist-tui, native engine", ("torch_peer.py", "native")),
    "tuned": Kind("PyTorch, tuned loop", ("torch_peer.py", "tuned")),
    "compiled": Kind("PyTorch, tuned loop, torch.compile", ("torch_peer.py", "compiled")),
    "keras-tensorflow": Kind(
        "Keras on TensorFlow, jit_compile",
        ("keras_peer.py",),
        ("keras", "tensorflow"),
        {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"},
    ),
    "keras-jax": Kind("Keras on JAX", ("keras_peer.py",), ("keras", "jax"), {"KERAS_BACKEND": "jax"}),
    "jax": Kind("JAX, steps in one lax.scan", ("jax_peer.py",), ("jax",)),
    "tinygrad": Kind("tinygrad, TinyJit", ("tinygrad_peer.py",), ("tinygrad", "numpy"), {"DEV": "CPU"}),
}


class Failed(Exception):
    """What went wrong with a peer, in one line."""


class Process:
    """A peer that waits for orders."""

    def __init__(self, name: str, python: Path, folder: Path, network: Path, parameters: int) -> None:
        kind = KINDS[name]
        self._errors = (folder / f"{name}.txt").open("w+")
        path = os.pathsep.join((str(LOOPS), str(ROOT))) if not kind.packages else str(LOOPS)
        self._process = subprocess.Popen(
            [python, LOOPS / kind.script[0], folder, network, *kind.script[1:]],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True,
            env={**os.environ, **kind.variables, "PYTHONPATH": path},
        )  # fmt: skip
        found = self._answer()["parameters"]
        if found != parameters:
            raise Failed(f"{found} parameters, not {parameters}")

    def ask(self, **order: object) -> dict[str, object]:
        with suppress(BrokenPipeError):  # what it died of is read below
            print(json.dumps(order), file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict[str, object]:
        limit = threading.Timer(PATIENCE, self._process.kill)
        limit.start()
        line = self._process.stdout.readline()
        limit.cancel()
        if line:
            return json.loads(line)
        if self._process.wait() == -signal.SIGKILL:
            raise Failed(f"gave no answer in {PATIENCE} s")
        self._errors.seek(0)
        said = [line.strip() for line in self._errors if line.strip()]
        raise Failed(said[-1] if said else f"exit status {self._process.returncode}")

    def close(self) -> None:
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()


def environment(name: str, folder: Path) -> Path:
    """The Python that runs a peer, with its packages installed.

    Raises:
        Failed: where they cannot be.
    """
    packages = KINDS[name].packages
    if not packages:
        return Path(sys.executable)
    python, whole = folder / name / "bin" / "python", folder / name / "installed"
    if not whole.exists():
        print(f"installing {', '.join(packages)} into {folder / name}", file=sys.stderr)
        for command in ([sys.executable, "-m", "venv", "--clear", folder / name],
                        [python, "-m", "pip", "install", "--quiet", *packages]):  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                raise Failed(f"cannot be installed: {(done.stderr.strip().splitlines() or ['no reason'])[-1]}")
        whole.touch()
    return python


def versions(name: str, python: Path) -> str:
    packages = [each for each in KINDS[name].packages if each != "numpy"] or ["torch"]
    code = "import sys, importlib.metadata as m; print(*(f'{p} {m.version(p)}' for p in sys.argv[1:]), sep=', ')"
    return subprocess.run([python, "-c", code, *packages], capture_output=True, text=True, check=True).stdout.strip()


def write_data(folder: Path) -> None:
    locations = Locations.resolve()
    found = Loader(locations.data, locations.cache).load("mnist")
    arrays = {part: getattr(found, part).numpy().astype(np.uint8)
              for part in ("train_images", "train_labels", "test_images", "test_labels")}  # fmt: skip
    np.savez(folder / "data.npz", mean=found.mean, std=found.std, **arrays)


def write_network(name: str, folder: Path) -> tuple[Path, int]:
    """The layer table of a named network, or of a preset's, and the number of its parameters."""
    spec = load_preset(name).config.arch if name.startswith("best-") else name
    config = TrainConfig.checked({"arch": spec, "batch_size": BATCH})
    summary = summarize_config(config)
    layers = [{"kind": layer.kind, "options": dict(layer.options)} for layer in summary.layers]
    path = folder / f"{name}.json"
    about = {"layers": layers, "spec": spec, "lr": config.lr, "momentum": config.momentum, "batch_size": BATCH}
    path.write_text(json.dumps(about))
    return path, summary.total_params


class Measured:
    """The peers on one network: what they took, and what went wrong with those that are in `wrong`."""

    def __init__(self, network: str, pythons: dict[str, Path], folder: Path) -> None:
        self._network, self._pythons, self._folder = network, pythons, folder
        self._path, self._parameters = write_network(network, folder)
        self._processes: dict[str, Process] = {}
        self._times: dict[str, list[float]] = {name: [] for name in pythons}
        self._computed: dict[str, list[float]] = {name: [] for name in pythons}
        self._losses: dict[str, float] = {}
        self._reached: dict[str, list[float | None]] = {}
        self.wrong: dict[str, str] = {}

    def run(self, rounds: int, steps: int, *, accuracy: bool) -> None:
        self._each("gets ready", lambda name: self._begin(name, steps))
        for turn in range(rounds):
            self._each(f"round {turn + 1}", lambda name: self._take(name, steps))
        self._each("is checked", self._check)
        for process in self._processes.values():
            process.close()
        if accuracy:
            self._each("trains to the accuracies", self._to_targets)

    def _each(self, what: str, work: Callable[[str], None]) -> None:
        for name in self._pythons:
            if name not in self.wrong:
                print(f"{self._network}: {name} {what}", file=sys.stderr)
                try:
                    work(name)
                except Failed as problem:
                    self.wrong[name] = str(problem)

    def _start(self, name: str) -> Process:
        return Process(name, self._pythons[name], self._folder, self._path, self._parameters)

    def _begin(self, name: str, steps: int) -> None:
        self._processes[name] = self._start(name)
        self._processes[name].ask(steps=WARM_UP)
        self._processes[name].ask(steps=steps)  # some compile for each number of steps

    def _take(self, name: str, steps: int) -> None:
        answer = self._processes[name].ask(steps=steps)
        self._times[name].append(1e3 * answer["seconds"] / steps)
        self._computed[name].append(1e3 * answer["computed"] / steps)
        self._losses[name] = answer["loss"]

    def _check(self, name: str) -> None:
        loss = self._losses[name]
        if not loss < FALLEN * np.log(10):  # one that is no number, too
            raise Failed(f"does not train: its loss is {loss:.2f} at the end")

    def _to_targets(self, name: str) -> None:
        process = self._start(name)
        try:
            self._reached[name] = process.ask(targets=TARGETS)["reached"]
        finally:
            process.close()

    def rows(self) -> Iterator[list[str]]:
        """Those of the table, the project's own first."""
        native = median(self._times["native"]) if self._times.get("native") else None
        for name, times in self._times.items():
            cells = [self._network, KINDS[name].words]
            if name in self.wrong:
                yield [*cells, self.wrong[name]]
                continue
            ms = median(times)
            cells += [f"{ms:.1f} ({min(times):.1f} to {max(times):.1f})", f"{1e3 * BATCH / ms:,.0f}"]
            cells += [f"{ms / native:.2f}" if native else ""]
            cells += [f"{min(self._computed[name]):.1f}", f"{self._losses[name]:.2f}"]
            reached = self._reached.get(name, ())
            yield cells + [f"{each:.0f} s" if each is not None else f"not in {EPOCHS} epochs" for each in reached]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--envs", type=Path, default=user_cache() / "peers")
    parser.add_argument("--networks", default="conv9,conv5,gap7k,best-20k")
    parser.add_argument("--peers", default=",".join(KINDS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=40, help="in each round; a multiple of 20")
    parser.add_argument("--accuracy", action="store_true", help="also the time to 99 and 99.4 %% on the test images")
    options = parser.parse_args()
    pythons, missing = {}, {}
    for name in options.peers.split(","):
        try:
            pythons[name] = environment(name, options.envs)
        except Failed as problem:
            missing[name] = problem
    head = ["network", "loop", "ms a step (lowest to highest round)", "images a second", "to native"]
    head += ["processor time, ms a step, least", "loss"]
    head += [f"to {100 * target:g} %" for target in TARGETS] if options.accuracy else []
    failed = False
    print(f"| {' | '.join(head)} |\n|{' --- |' * len(head)}", flush=True)
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        write_data(folder)
        for network in options.networks.split(","):
            measured = Measured(network, pythons, folder)
            measured.run(options.rounds, options.steps, accuracy=options.accuracy)
            failed |= bool(measured.wrong)
            for row in measured.rows():
                print(f"| {' | '.join([*row, *[''] * (len(head) - len(row))])} |", flush=True)
    print()
    for name, python in pythons.items():
        print(f"{KINDS[name].words}: {versions(name, python)}")
    for name, problem in missing.items():
        print(f"{KINDS[name].words}: {problem}")
    print(f"programs that computed or waited to, this one among them, in the last minute: {os.getloadavg()[0]:.1f}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
