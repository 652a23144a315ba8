"""The wheels that a machine with torch alone needs for `gpu.py`: run this where everything is installed.

    python tests/benchmark/carry.py [DIR] [--python 3.12]

Prints what they are, NAME==VERSION a line, in the versions that are installed here. With DIR, pip downloads them into
it, for Linux on x86-64. What torch and torchvision bring themselves is left out.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
TESTED_WITH = ("pytest", "pytest-timeout", "pytest-asyncio", "pytest-xdist", "hypothesis", "psutil")
THERE = ("torch", "torchvision")
PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_28_x86_64")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--python", default="3.12", help="that of the other machine")
    options = parser.parse_args()
    wanted = to_carry(options.python)
    print(*wanted, sep="\n")
    if options.folder is None:
        return 0
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    for platform in PLATFORMS:
        command += ["--platform", platform]
    command += ["--python-version", options.python, "--dest", str(options.folder), *wanted]
    return subprocess.run(command, check=False).returncode


def to_carry(python: str) -> list[str]:
    """All that the project and its tests need and torch does not bring, as NAME==VERSION."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    brought = closure(THERE, python)
    found = closure((*(Requirement(text).name for text in project["dependencies"]), *TESTED_WITH), python)
    return sorted(f"{name}=={version(name)}" for name in found - brought)


def closure(names: tuple[str, ...], python: str) -> set[str]:
    """These packages and all that they need on Linux, of those that are installed here."""
    found: set[tuple[str, str]] = set()
    left = [(name, "") for name in names]
    machine = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux"}
    while left:
        name, extra = left.pop()
        name = name.lower().replace("_", "-")
        if (name, extra) in found:
            continue
        try:
            needed = [Requirement(text) for text in requires(name) or ()]
        except PackageNotFoundError:
            continue
        found.add((name, extra))
        for one in needed:
            if one.marker is None or one.marker.evaluate(machine | {"extra": extra}):
                left += [(one.name, inner) for inner in ("", *one.extras)]
    return {name for name, _ in found}


if __name__ == "__main__":
    sys.exit(main())
