"""Check that what is built can be installed and has all it needs. To be run in an environment with the extra `dev`.

The wheel goes into an environment of its own. Beside it are the distributions that its metadata declare without extras,
those that they need in turn, and no others: links to the files of the environment that this runs in. There every module
is imported and the program prints its help, so that a dependency that nobody declared or a missing file shows.
"""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGES = ("core", "experiments", "tui")
IMPORT_ALL = f"""
import importlib, pkgutil
for name in {PACKAGES}:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, name + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    print(package.__path__[0])
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        pip("wheel", "--no-deps", "--wheel-dir", root, ".")
        (wheel,) = root.glob("*.whl")
        check_files(wheel)
        run(sys.executable, "-m", "venv", "--without-pip", root / "env")
        python = root / "env" / "bin" / "python"
        pip("--python", python, "install", "--no-deps", "--no-index", wheel)
        (site,) = (root / "env").glob("lib/python*/site-packages")
        (declared,) = importlib.metadata.distributions(path=[str(site)])
        for distribution in required_by(declared.requires or []):
            link(distribution, site)
        run(python.with_name("mnist-tui"), "--help", cwd=root, stdout=subprocess.DEVNULL)
        found = run(python, "-P", "-c", IMPORT_ALL, cwd=root, stdout=subprocess.PIPE).stdout.split()
        assert [Path(path).parent for path in found] == [site] * len(PACKAGES), found


def check_files(wheel: Path) -> None:
    """Every file of the packages is in the wheel: presets, styles, templates and kernels, too."""
    files = {path.as_posix() for name in PACKAGES for path in Path(name).rglob("*") if path.is_file()}
    missing = {path for path in files if "__pycache__" not in path} - set(zipfile.ZipFile(wheel).namelist())
    assert not missing, f"not in the wheel: {sorted(missing)}"


def required_by(requirements: list[str]) -> list[importlib.metadata.Distribution]:
    """The distributions of this environment that these requirements name, directly or through others."""
    found: dict[tuple[str, str], importlib.metadata.Distribution] = {}
    waiting = [(Requirement(text), "") for text in requirements]
    while waiting:
        requirement, extra_of_parent = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra_of_parent}):
            continue
        for extra in ("", *requirement.extras):
            key = canonicalize_name(requirement.name), extra
            if key not in found:
                found[key] = importlib.metadata.distribution(requirement.name)
                waiting += [(Requirement(text), extra) for text in found[key].requires or []]
    return [distribution for (_, extra), distribution in found.items() if not extra]


def link(distribution: importlib.metadata.Distribution, site: Path) -> None:
    """Make its files, but for its commands, part of another environment."""
    base = Path(sysconfig.get_path("purelib"))
    for file in distribution.files or []:
        source, target = Path(str(file.locate())), site / file
        if source.is_relative_to(base) and ".." not in file.parts and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(source)


def pip(*words: object) -> None:
    run(sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *words)


def run(*words: object, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in words], check=True, text=True, **options)


if __name__ == "__main__":
    main()
