"""Imports of a user's file: of the files beside it, and of the package that it is in, as Python itself would find them.

Each load is a workspace of its own. Its modules are in `sys.modules` under names that nobody else has, ``own3.layers``,
so that neither a file called ``core`` nor the ``layers`` of another network is in anybody's way. Code of the workspace
has an ``__import__`` of its own, which knows these names, in forward as at the top of a file.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec
from importlib.util import find_spec, spec_from_file_location, spec_from_loader
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from core.models.own.files import OwnReader
from core.models.own.program import PROGRAMS, OwnNamespace, Program
from core.models.own.source import Script, absolute, parse_script, show_lines

_OURS = frozenset({"core", "experiments", "tui"})
_ALWAYS_THERE = frozenset(sys.builtin_module_names) | {
    *("abc", "codecs", "encodings", "io", "os", "site", "stat", "importlib", "__future__", "__main__"),
    *("torch", "torchvision", "numpy"),
}
"""What Python has imported before it looks beside a file, and what a network cannot do without."""
_PROJECT = ("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", ".git")
_numbers = count(1)
_workspaces: dict[str, Workspace] = {}


class Workspace:
    """What one load of a file imports from the folders around it, whose files it reads through `reader`.

    Raises:
        OSError, SyntaxError: when the file cannot be read.
    """

    def __init__(self, path: Path, reader: OwnReader, *, whole: bool) -> None:
        self.path = path
        self.reader = reader
        self.whole = whole
        self.prefix = f"own{next(_numbers)}"
        self.files = [path]
        self._before: Mapping[str, Callable[[], None]] = {}
        self._search_path = list(sys.path)
        self._script = parse_script(path, reader.read(path))
        self._builtins = vars(builtins) | {
            "__import__": self._import,
            "input": _nobody_answers,
            "exit": sys.exit,
            "quit": sys.exit,
        }
        packages = self._packages()
        names = [self.prefix, *(folder.name.replace(".", "_") for folder in packages)]
        stem = self.path.stem.replace(".", "_")
        self.name = ".".join([*names, stem])
        self._known = {".".join(names[: depth + 2]): folder for depth, folder in enumerate(packages)}
        outside = packages[0].parent if packages else self.path.parent
        self._folders = list(dict.fromkeys([self.path.parent, outside, self.path.resolve().parent]))
        _workspaces[self.prefix] = self
        if _finder not in sys.meta_path:
            sys.meta_path.insert(0, _finder)
        top = ModuleType(self.prefix)
        top.__path__ = []
        sys.modules[self.prefix] = top

    def load(self, before: Mapping[str, Callable[[], None]]) -> Program:
        """The named file as a module. What is to happen `before` a name is made there, does."""
        self._before = before
        importlib.import_module(self.name)
        return PROGRAMS[self.name]

    def before(self, path: Path) -> Mapping[str, Callable[[], None]]:
        """What is to happen before names of a file are made."""
        return self._before if path == self.path else {}

    def find(self, fullname: str, path: Sequence[str] | None) -> ModuleSpec | None:
        """The spec of a module of this workspace, whose parent's `path` is given."""
        if fullname == self.name:
            return spec_from_loader(fullname, _OwnLoader(self, self.path))
        if folder := self._known.get(fullname):
            return self._package(fullname, folder)
        if fullname.count(".") == 1:
            return self._find_top(fullname.partition(".")[2])
        specs = (self._in_folder(fullname, Path(folder)) for folder in path or ())
        return next((spec for spec in specs if spec is not None), None)

    def script(self, path: Path) -> Script:
        """Read one of the user's files."""
        if path == self.path:
            return self._script
        self.files.append(path)
        return parse_script(path, self.reader.read(path))

    def namespace(self, module: ModuleType) -> dict[str, Any]:
        """The namespace of a module, in which code imports as this workspace does."""
        module.__dict__["__builtins__"] = self._builtins
        return module.__dict__

    def _packages(self) -> list[Path]:
        """The folders that are packages around the file, outermost first: those with an ``__init__.py``, and as many
        as its relative imports go up."""
        relative = [node.level for node in ast.walk(self._script.tree) if isinstance(node, ast.ImportFrom)]
        folders: list[Path] = []
        folder = self.path.parent
        while folder.name and (self.reader.is_file(folder / "__init__.py") or len(folders) < max(relative, default=0)):
            folders.insert(0, folder)
            folder = folder.parent
            self.reader.reach(folder)
        return folders

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002
        locals: Mapping[str, Any] | None = None,  # noqa: A002
        fromlist: Sequence[str] = (),
        level: int = 0,
    ) -> Any:
        """As the built-in ``__import__``, for the code of this workspace."""
        importer = str((globals or {}).get("__name__", ""))
        if level == 0:
            top = name.partition(".")[0]
            if top == "importlib":
                builtins.__import__(name)
                return self._importlib(importer)
            if not self._has(top, importer):
                return builtins.__import__(name, globals, locals, fromlist)
            module = builtins.__import__(f"{self.prefix}.{name}", None, None, fromlist or ("__name__",))
            if not fromlist:
                return sys.modules[f"{self.prefix}.{top}"]
        else:
            module = builtins.__import__(name, globals, locals, fromlist, level)
        if "*" in (fromlist or ()):
            self._star(module, importer)
        return module

    def _star(self, module: ModuleType, importer: str) -> None:
        """Make what the importing file needs of ``from module import *``."""
        program, wanting = PROGRAMS.get(module.__name__), PROGRAMS.get(importer)
        if program is None or program.whole or wanting is None:
            return
        program.require(wanting.free)
        for name in wanting.free & program.namespace.keys():
            wanting.namespace[name] = program.namespace[name]
        wanting.failures |= {name: program.failures[name] for name in wanting.free & program.failures.keys()}

    def _importlib(self, importer: str) -> ModuleType:
        """`importlib`, whose `import_module` imports as this workspace does."""

        def import_module(name: str, package: str | None = None) -> ModuleType:
            if name.startswith("."):
                return importlib.import_module(name, package)
            module: ModuleType = self._import(name, {"__name__": importer}, None, ("__name__",))
            return module

        proxy = ModuleType("importlib")
        proxy.__dict__.update(vars(importlib) | {"import_module": import_module})
        return proxy

    def _has(self, top: str, importer: str) -> bool:
        """Whether a name is imported from the user's folders, and not from what is installed."""
        fullname = f"{self.prefix}.{top}"
        if top in _ALWAYS_THERE or importer == fullname:
            return False
        if fullname in sys.modules or fullname == self.name or fullname in self._known:
            return True
        return self._find_top(top) is not None

    def _find_top(self, top: str) -> ModuleSpec | None:
        fullname = f"{self.prefix}.{top}"
        near = [spec for folder in self._near() if (spec := self._in_folder(fullname, folder)) is not None]
        regular = next((spec for spec in near if spec.loader is not None), None)
        if regular is not None:
            return regular
        if top not in _OURS and _is_installed(top):
            return None
        far = (self._in_folder(fullname, folder) for folder in self._far(top))
        return next(iter(near), None) or next((spec for spec in far if spec is not None), None)

    def _near(self) -> Iterator[Path]:
        """The folders of ``python FILE.py`` and ``python -m package.file``, and those that files add to `sys.path`."""
        yield from self._folders
        for entry in sys.path:
            if entry not in self._search_path:
                for folder in (self.path.parent / entry, Path.cwd() / entry):
                    if self.reader.is_dir(absolute(folder)):
                        yield absolute(folder)

    def _far(self, top: str) -> Iterator[Path]:
        """The folders above, as far as they belong to one project, or as the file is within a folder of that name. Of
        given files any, as each was found once."""
        yield from self.reader.folders
        for below, folder in zip(["", *(parent.name for parent in self.path.parents)], self.path.parents, strict=False):
            project = any((folder / name).exists() for name in _PROJECT)
            if project or below == top or self.reader.folders:
                yield folder
            yield folder / "src"
            if project:
                return

    def _in_folder(self, fullname: str, folder: Path) -> ModuleSpec | None:
        name = fullname.rpartition(".")[2]
        if self.reader.is_file(folder / name / "__init__.py"):
            return self._package(fullname, folder / name)
        if self.reader.is_file(folder / f"{name}.py"):
            return spec_from_loader(fullname, _OwnLoader(self, folder / f"{name}.py"))
        for suffix in EXTENSION_SUFFIXES:
            path = folder / f"{name}{suffix}"
            if path.is_file():
                return spec_from_file_location(fullname, path, loader=ExtensionFileLoader(fullname, str(path)))
        if not self.reader.is_dir(folder / name):
            return None
        self.reader.reach(folder)
        return self._package(fullname, folder / name)

    def _package(self, fullname: str, folder: Path) -> ModuleSpec:
        init = folder / "__init__.py"
        loader = _OwnLoader(self, init) if self.reader.is_file(init) else None
        spec = ModuleSpec(fullname, loader, is_package=True)
        spec.submodule_search_locations = [str(folder)]
        return spec


class _OwnLoader(Loader):
    """Loads one of the user's files for a workspace."""

    def __init__(self, workspace: Workspace, path: Path) -> None:
        self._workspace = workspace
        self._path = path

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return OwnNamespace(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        script = self._workspace.script(self._path)
        show_lines(script)
        module.__file__ = str(self._path)
        before = self._workspace.before(self._path)
        program = Program(script, self._workspace.namespace(module), before, whole=self._workspace.whole)
        PROGRAMS[module.__name__] = program
        if program.whole:
            program.run_all()


class _OwnFinder(MetaPathFinder):
    """Finds the modules of workspaces, by their prefix, and nothing else."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        workspace = _workspaces.get(fullname.partition(".")[0])
        return None if workspace is None else workspace.find(fullname, path)


_finder = _OwnFinder()


def _is_installed(top: str) -> bool:
    """Whether Python finds a module of this name that is not just a folder."""
    if top in sys.modules:
        return True
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin is not None


def _nobody_answers(*_: object) -> NoReturn:
    raise EOFError("input() is called, and nobody can answer")
