"""Looks at the file of a user's own module without running it: is it there, is it Python, can the name be in it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from core.errors import InvalidValue
from core.models.own.source import MAX_NOTEBOOK, NOTEBOOK, parse_script
from core.models.reference import parse_reference
from core.storage.files import open_regular


@dataclass(frozen=True, slots=True)
class _Names:
    """The names that a file binds at its top level. With `open_ended` there may be more: ``from x import *``."""

    classes: tuple[str, ...]
    others: frozenset[str]
    open_ended: bool


def module_problem(arch: str) -> str:
    """The reason why ``FILE.py:CLASS`` cannot be trained, as far as the text of the file tells; empty when there is
    none. Cheap enough for each keystroke: a file is read again only when it has changed.
    """
    try:
        reference = parse_reference(arch)
    except InvalidValue as error:
        return error.allowed
    path = reference.path
    if not path.is_file():
        return f"there is no file {path.name} in {path.absolute().parent}"
    try:
        state = path.stat()
        names = _names(path.absolute(), state.st_mtime_ns, state.st_size)
    except OSError as error:
        return f"{path.name} cannot be read: {error.strerror}"
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        return f"{path.name}{line} is not Python" if path.suffix != NOTEBOOK else f"{path.name} {error.msg}"
    has = f"it has {', '.join(names.classes)}" if names.classes else "it has no class"
    if not reference.name:
        return f"name a class after the colon; {has}"
    head = reference.name.partition(".")[0]
    if names.open_ended or head in names.classes or head in names.others:
        return ""
    return f"{path.name} has no class {head}; {has}"


@lru_cache(maxsize=8)
def _names(path: Path, _changed: int, _size: int) -> _Names:
    with open_regular(path, follow_link=True) as file:
        tree = parse_script(path, file.read(MAX_NOTEBOOK + 1)).tree
    classes: list[str] = []
    others: set[str] = set()
    open_ended = False
    for node in _top_level(tree):
        match node:
            case ast.ClassDef(name=name):
                classes.append(name)
            case ast.Name(id=name, ctx=ast.Store()) | ast.FunctionDef(name=name):
                others.add(name)
            case ast.alias(name="*"):
                open_ended = True
            case ast.alias(name=name, asname=other):
                others.add(other or name.partition(".")[0])
            case _:
                pass
    return _Names(tuple(dict.fromkeys(classes)), frozenset(others), open_ended)


def _top_level(node: ast.AST) -> Iterator[ast.AST]:
    """Every node that is not within a class or function."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _top_level(child)
