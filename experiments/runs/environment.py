"""The record of what a run was made with."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("mnist-tui", "torch", "torchvision", "numpy", "textual", "plotext", "typer", "pydantic", "safetensors")
PERSONAL = ("host", "command_line", "working_folder")
"""What `describe_environment` says beyond `describe_machine`: it may tell who somebody is."""


def describe_environment(device: str) -> dict[str, Any]:
    """The machine as `describe_machine` has it, its name, the command line and the working folder."""
    return {
        **describe_machine(device),
        "host": platform.node(),
        "command_line": sys.argv,
        "working_folder": str(Path.cwd()),
    }


def describe_machine(device: str) -> dict[str, Any]:
    """Versions, processor, device and git revision of the code: what a measurement depends on, and nothing personal."""
    return {
        "versions": {"python": platform.python_version(), **package_versions(PACKAGES)},
        "platform": platform.platform(),
        "cpu": cpu_name(),
        "cpu_count": os.cpu_count(),
        "device": device,
        "git_revision": own_revision(),
    }


def package_versions(packages: tuple[str, ...]) -> dict[str, str | None]:
    """Installed versions, None for what is not installed; nothing is imported."""
    found: dict[str, str | None] = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def cpu_name() -> str:
    """The processor's model as Linux names it, else what Python knows."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


@cache
def own_revision() -> str | None:
    """The commit of this code, as `git_revision` has it; looked for once a process, as that starts another one."""
    return git_revision(Path(__file__).parent)


def git_revision(folder: Path) -> str | None:
    """The commit that a folder is at, with ``+`` after it where files differ; None outside a repository."""
    command = ["git", "-C", str(folder), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() or None
