"""How a network of one's own is named: ``FILE.py:Class``, ``:Class(width=12, norm="gn")``, ``:factory()`` or
``:instance``, and the same of a notebook. Plain Python, at each keystroke; no file is read.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.errors import InvalidValue, shown

HOW_TO_NAME = "write FILE.py:CLASS, the path as seen from this folder"

_END_OF_FILE = re.compile(r"\.(?:py|ipynb)(?=:|\s*$)")
_NAME = re.compile(r"\s*[^\W\d]\w*(?:\s*\.\s*[^\W\d]\w*)*\s*(?:\(.*\))?\s*", re.DOTALL)
_OPEN, _CLOSE = "([{", ")]}"


@dataclass(frozen=True, slots=True)
class Reference:
    """A network in a file: which name of the file's, and what it is called with.

    `file` is the path as written and `call` what follows its colon: ``Net(width=12)``. `name` may have dots. Without
    parentheses `arguments` is None.
    """

    file: str
    call: str
    name: str
    arguments: tuple[tuple[object, ...], dict[str, object]] | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.call}"

    @property
    def path(self) -> Path:
        return Path(self.file).expanduser()


def is_reference(arch: str) -> bool:
    """Whether an architecture is a file of one's own, with a name in it or without."""
    return _END_OF_FILE.search(arch) is not None


def split_reference(arch: str) -> tuple[str, str]:
    """The file, and what follows its colon, which is not looked at. A colon in the path, of a drive or a folder, and
    one in the arguments are not taken for it."""
    ends = [match.end() for match in _END_OF_FILE.finditer(arch)]
    fitting = [end for end in ends if _NAME.fullmatch(arch[end + 1 :])]
    end = (fitting or ends or [len(arch)])[0]
    return arch[:end], arch[end + 1 :]


def parse_reference(arch: str) -> Reference:
    """Read ``FILE.py:NAME`` or ``FILE.py:NAME(LITERALS)``; without a name, `name` is empty.

    Raises:
        InvalidValue: for arguments that are no literals, or what is no name.
    """
    file, call = split_reference(arch)
    text = call.strip()
    if not text:
        return Reference(file, "", "")
    try:
        node = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _no_name(arch, text) from None
    if not isinstance(node, ast.Call):
        return Reference(file, text, _dotted(arch, text, node))
    name = _dotted(arch, text, node.func)
    positional = tuple(_literal(arch, argument) for argument in node.args)
    keywords = {keyword.arg or "**": _literal(arch, keyword.value, keyword.arg) for keyword in node.keywords}
    if len(keywords) < len(node.keywords):
        raise _no_name(arch, text)
    return Reference(file, text, name, (positional, keywords))


def split_archs(text: str) -> Iterator[str]:
    """The architectures of a list, which commas separate; those within the arguments of a module do not."""
    start = depth = 0
    quote = ""
    for place, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote and text[place - 1] != "\\" else quote
        elif depth and letter in "'\"":
            quote = letter
        elif letter in _OPEN:
            depth += 1
        elif letter in _CLOSE:
            depth = max(depth - 1, 0)
        elif letter == "," and not depth:
            yield text[start:place]
            start = place + 1
    if depth:  # a bracket that nobody closes, as a path may have
        yield from text[start:].split(",")
    else:
        yield text[start:]


def _dotted(arch: str, text: str, node: ast.expr) -> str:
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        raise _no_name(arch, text)
    return ".".join([node.id, *reversed(names)])


def _literal(arch: str, node: ast.expr, keyword: str | None = "") -> object:
    try:
        if keyword is None or isinstance(node, ast.Starred):
            raise ValueError
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        reason = f"{shown(ast.unparse(node), 60)} is not a literal"
        hint = "arguments are numbers, texts, True, False, None, and lists, tuples, sets and dicts of them"
        raise InvalidValue("arch", arch, reason, hint=hint) from None


def _no_name(arch: str, text: str) -> InvalidValue:
    hint = 'after the colon comes a class, an instance, or a call with literals: Net(width=12, norm="gn")'
    return InvalidValue("arch", arch, f"{shown(text, 60)} is not the name of a network", hint=hint)
