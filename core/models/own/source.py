"""A user's file as Python: a script, or the code cells of a notebook as one file. Nothing is run; no torch."""

from __future__ import annotations

import ast
import json
import linecache
import os
import re
import warnings
from bisect import bisect_right
from dataclasses import dataclass
from importlib.util import decode_source
from pathlib import Path
from types import CodeType

MAX_SCRIPT = 4 << 20
MAX_NOTEBOOK = 64 << 20
NOTEBOOK = ".ipynb"

_MAGIC = re.compile(r"(\s*)(?:[%!?]|\w[\w.]*\s*=\s*[%!]|[^#'\"]*\?\s*$)")
_RUNS_PYTHON = re.compile(r"%%(?:time|timeit|capture|prun|debug)\b")
_cells: dict[str, tuple[int, ...]] = {}


@dataclass(frozen=True, slots=True)
class Script:
    """What a file says. `text` has every line at its place in `tree`.

    Of a notebook, `cells` are the first lines of its code cells, and `left_out` says which of them are no Python.
    """

    path: Path
    text: str
    tree: ast.Module
    cells: tuple[int, ...] = ()
    left_out: tuple[str, ...] = ()


def parse_script(path: Path, data: bytes) -> Script:
    """Read a script or a notebook from what is in its file.

    Raises:
        SyntaxError: when it is not Python, or no notebook.
    """
    limit = MAX_NOTEBOOK if path.suffix == NOTEBOOK else MAX_SCRIPT
    try:
        if len(data) > limit:
            raise ValueError(f"is larger than {limit >> 20} MiB")
        return _notebook(path, data) if path.suffix == NOTEBOOK else _script(path, data)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise SyntaxError(f"{error.encoding} has no such character", (str(path), line, None, None)) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise SyntaxError(str(error), (str(path), None, None, None)) from error


def show_lines(script: Script) -> None:
    """Let errors, tracebacks and `inspect` show a file's lines as they were read."""
    name = str(script.path)
    linecache.cache[name] = (len(script.text), None, script.text.splitlines(keepends=True), name)
    _cells[name] = script.cells


def place(filename: str, line: int) -> str:
    """A line of a file as its author finds it: ``net.py:17``, or ``notebook.ipynb, cell 2, line 3``; code cells are
    counted from 1."""
    name = Path(filename).name
    if not _cells.get(filename):
        return f"{name}:{line}"
    cell = bisect_right(_cells[filename], line)
    return f"{name}, cell {cell}, line {line - _cells[filename][cell - 1] + 1}"


def absolute(path: Path) -> Path:
    """The path without the current folder's part in it; links stay."""
    return Path(os.path.abspath(path.expanduser()))  # noqa: PTH100  # Path.absolute leaves .. in place


def compiled(node: ast.Module | ast.Expression, filename: str, flags: int) -> CodeType:
    """The code of statements, or of an expression, with the compiler's flags of their file.

    Raises:
        SyntaxError: for what parses and means nothing, such as a ``return`` at the top.
    """
    mode = "eval" if isinstance(node, ast.Expression) else "exec"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code: CodeType = compile(node, filename, mode, flags, dont_inherit=True)
    return code


def _parse(text: str, filename: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the style of somebody's strings
        return ast.parse(text, filename)


def _script(path: Path, data: bytes) -> Script:
    try:
        text = decode_source(data)
    except SyntaxError as error:
        if "unknown" in error.msg:  # as it is named
            raise
        raise ValueError("is not in UTF-8, and does not say in what else: save it in UTF-8") from error
    if "\0" in text:
        raise ValueError("has null bytes")
    problems: list[SyntaxError] = []
    for attempt in (text, _without_magics(text)):  # what a notebook was saved as has lines for IPython in it
        try:
            return Script(path, attempt, _parse(attempt, str(path)))
        except SyntaxError as error:
            problems.append(error)
    raise max(problems, key=lambda problem: problem.lineno or 0)


def _notebook(path: Path, data: bytes) -> Script:
    starts: list[int] = []
    lines: list[str] = []
    body: list[ast.stmt] = []
    left_out: list[str] = []
    for number, cell in enumerate(_code_cells(data), start=1):
        starts.append(len(lines) + 1)
        parsed = _parsed_cell(cell, str(path))
        if isinstance(parsed, str):
            left_out.append(f"cell {number}: {parsed}")
            lines += [""] * (cell.count("\n") + 1)
            continue
        text, tree = parsed
        for statement in tree.body:
            ast.increment_lineno(statement, len(lines))
        body += tree.body
        lines += text.split("\n")
    return Script(path, "\n".join([*lines, ""]), ast.Module(body, []), tuple(starts), tuple(left_out))


def _code_cells(data: bytes) -> list[str]:
    try:
        notebook = json.loads(data)
        sheets = notebook.get("worksheets") or [notebook]  # of version 3
        cells = [cell for sheet in sheets for cell in sheet["cells"] if cell["cell_type"] == "code"]
        sources = [cell["source"] if "source" in cell else cell.get("input", "") for cell in cells]
        return ["".join(source).replace("\r\n", "\n").rstrip("\n") for source in sources]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError("is not a notebook") from error


def _parsed_cell(cell: str, filename: str) -> tuple[str, ast.Module] | str:
    """A cell's text and tree; or the reason why there is none."""
    first = next((line for line in cell.split("\n") if line.strip()), "")
    if first.startswith("%%") and not _RUNS_PYTHON.match(first):
        return first.split()[0]
    problem = ""
    for text in (cell, _without_magics(cell)):
        try:
            tree = _parse(text, filename)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = error.lineno if isinstance(error, SyntaxError) else None
            problem = f"line {line} is not Python" if line else "is not Python"
        else:
            return text, tree
    return problem


def _without_magics(cell: str) -> str:
    """The cell with ``pass`` in the place of each line that only IPython understands."""
    lines: list[str] = []
    goes_on = False
    for line in cell.split("\n"):
        match = _MAGIC.match(line)
        lines.append("" if goes_on else f"{match[1]}pass" if match else line)
        goes_on = (goes_on or match is not None) and line.endswith("\\")
    return "\n".join(lines)
