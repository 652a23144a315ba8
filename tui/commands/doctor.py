"""`doctor`: whether this machine has what training needs, and what to do where it has not."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from core.config import TrainConfig
from core.errors import LabError, one_line
from experiments.locations import Locations
from experiments.presets.loader import DEFAULT, load_preset
from experiments.runs.environment import cpu_name, package_versions
from experiments.runs.store import Store
from tui.command_line.exit_codes import ExitCode
from tui.text.advice import for_command_line
from tui.text.output import say, say_json

if TYPE_CHECKING:
    import torch

EXTRAS = {"offline": "mlxtend", "ray": "ray", "export": "onnx", "tensorboard": "tensorboard"}


@dataclass(frozen=True, slots=True)
class Finding:
    """`missing` limits what can be done, `broken` keeps training from working."""

    check: str
    state: Literal["good", "missing", "broken"]
    detail: str
    hint: str = ""


def doctor(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """Check the installation, devices, data and home. Exits 1 when something is broken."""
    findings = []
    for finding in _examine(context.obj):
        findings.append(finding)
        if not as_json:
            say(f"{finding.state:8} {finding.check:12} {finding.detail}")
            if finding.hint:
                say(f"{'':8} {'':12} hint: {finding.hint}")
    if as_json:
        say_json([asdict(finding) for finding in findings])
    if any(finding.state == "broken" for finding in findings):
        raise typer.Exit(ExitCode.FAILED)


def _examine(locations: Locations) -> Iterator[Finding]:
    yield Finding("python", "good", f"{sys.version.split()[0]} at {sys.executable}")
    yield from _torch()
    yield Finding("cpu", "good", f"{cpu_name()}, {os.cpu_count()} cores")
    try:
        Store(locations.home).check_writable()
        yield Finding("home", "good", str(locations.home))
    except LabError as error:
        yield Finding("home", "broken", error.message, for_command_line(error.advice))
    yield from _data(locations)
    for extra, package in EXTRAS.items():
        if find_spec(package):
            yield Finding(extra, "good", f"{package} {package_versions((package,))[package]}")
        else:
            yield Finding(extra, "missing", f"{package} is not installed", f"pip install {package}")
    yield _terminal()


def _torch() -> Iterator[Finding]:
    versions = package_versions(("torch", "torchvision"))
    pair = f"torch {versions['torch']}, torchvision {versions['torchvision']}"
    try:
        import torch
    except (ImportError, OSError) as error:
        yield Finding("torch", "broken", f"{pair}: {one_line(error)}", "pip install torch==2.14.1 torchvision==0.29.1")
        return
    yield Finding("torch", "good", f"{torch.__version__}, {torch.get_num_threads()} threads")
    from core.data.sources import published_class
    from core.device.device import available_devices, describe_device, pick_device

    try:
        published_class("mnist")
        yield Finding("torchvision", "good", str(versions["torchvision"]))
    except LabError as error:
        yield Finding("torchvision", "broken", f"{pair}: {error.message}", for_command_line(error.advice))
    devices = [describe_device(torch.device(name)) for name in available_devices()]
    yield Finding("devices", "good", ", ".join(devices))
    yield _engine(pick_device("auto"))
    yield _kernels()


def _engine(device: torch.device) -> Finding:
    """The engine that would train the default preset."""
    from core.engines.choose import available_engines, choose_engine

    config = TrainConfig.checked(load_preset(DEFAULT).values)
    choice = choose_engine(config, device, config.epochs * math.ceil(60_000 / config.batch_size))
    others = ", ".join(name for name in available_engines(device) if name != choice.name)
    auto = f"--engine auto takes {choice.name} for {DEFAULT} on {device}: {choice.reason}"
    detail = f"{auto}; {others} would work too" if others else auto
    if choice.note:
        return Finding("engine", "missing", detail)
    return Finding("engine", "good", detail)


def _kernels() -> Finding:
    """Those of the native engine."""
    import torch

    from core.engines.native.compiler import NoKernels
    from core.engines.native.library import kernels_origin

    try:
        return Finding("kernels", "good", kernels_origin(torch.float32))
    except NoKernels as problem:
        hint = "install a C compiler (gcc or clang) that works, or name it in CC"
        return Finding("kernels", "missing", f"native {problem.message}", hint)


def _data(locations: Locations) -> Iterator[Finding]:
    try:
        from core.data.bundled import find_bundled
        from core.data.loader import Loader
    except (ImportError, OSError):
        return  # no torch, which has been said
    try:
        bundled = Finding("mnist-5k", "good", str(find_bundled()))
    except LabError as error:
        bundled = Finding("mnist-5k", "missing", error.message, for_command_line(error.advice))
    try:
        place = Loader(locations.data, locations.cache).place("mnist")
    except LabError as error:
        yield Finding("mnist", "broken", error.message, for_command_line(error.advice))
        yield bundled
        return
    if missing := place.missing:
        instead = ", or else trains on mnist-5k" if bundled.state == "good" else ""
        hint = (
            f"a run downloads it{instead}; mnist-tui data download does so now, --data-dir names a folder that has it"
        )
        yield Finding("mnist", "missing", f"{len(missing)} of 4 files are not under {locations.data}", hint)
    else:
        yield Finding("mnist", "good", f"in {place.folder} (mnist-tui data verify checks every byte)")
    yield bundled


def _terminal() -> Finding:
    """The terminal that the command was started from, even where its output is piped."""
    try:
        terminal = os.open(os.ctermid(), os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return Finding("terminal", "missing", "this was started without one, which only the interface needs")
    columns, lines = os.get_terminal_size(terminal)
    os.close(terminal)
    return Finding("terminal", "good", f"{columns}x{lines}, {os.environ.get('TERM', 'no TERM')}, {sys.stdout.encoding}")
