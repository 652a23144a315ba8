"""How the house is built: small rooms, short files, one name for one thing, and tests that mirror the packages."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("core", "experiments", "tui")
SUFFIXES = (".py", ".c", ".h", ".tcss")
FILES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*") if path.suffix in SUFFIXES)
MODULES = [path for path in FILES if path.suffix == ".py"]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_no_folder_has_more_than_twenty_modules():
    modules_of = defaultdict(set)
    for path in MODULES:
        modules_of[name(path.parent)].add(path.name)
    assert {folder: len(modules) for folder, modules in modules_of.items() if len(modules - {"__init__.py"}) > 20} == {}


def test_no_file_is_longer_than_can_be_read_at_one_sitting():
    lengths = {name(path): len(path.read_text().splitlines()) for path in FILES}
    assert {file: lines for file, lines in lengths.items() if lines > 350} == {}


def test_no_two_public_classes_have_one_name():
    files_of = defaultdict(list)
    for path in MODULES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                files_of[node.name].append(name(path))
    assert {name: files for name, files in files_of.items() if len(files) > 1} == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_folder_of_tests_mirrors_one_of_the_package(package):
    tests = ROOT / "tests"
    folders = {path.parent.relative_to(tests) for path in (tests / package).rglob("*.py")}
    assert {folder.as_posix() for folder in folders if not (ROOT / folder).is_dir()} == set()
