"""Whose objects statements change in place, by name. Nothing is run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

Imports = Mapping[str, str]
"""What imported names stand for: ``{"init": "torch.nn.init"}``."""

_IN_PLACE = frozenset({"setattr", "delattr", "shuffle", "heappush", "heapify", "load_state_dict"})
_ON_ARGUMENTS = re.compile(r"(?:.+\.)?nn\.(?:init|utils(?!\.rnn\.))\..+")
"""Functions that change a module or tensor that they are given, whatever their names end in."""
_THROUGH = frozenset(
    {"list", "tuple", "dict", "set", "iter", "next", "reversed", "sorted", "enumerate", "zip", "filter", "chain"}
    | {"getattr"}
)
"""Functions whose results have the objects that they are given."""
_OF_ITSELF = frozenset(
    {"modules", "children", "parameters", "buffers", "state_dict", "named_modules", "named_children"}
    | {"named_parameters", "named_buffers", "get_submodule", "get_parameter", "get_buffer", "items", "values", "get"}
    | {"detach", "numpy", "view", "reshape", "flatten", "t", "squeeze", "unsqueeze", "unbind"}
    | {"train", "eval", "to", "cpu", "cuda", "float"}
)
"""Methods that give an object's parts, or itself."""


def imports_of(tree: ast.Module) -> Imports:
    """What a file imports, wherever it does."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {
                one.asname or one.name.partition(".")[0]: one.name if one.asname else one.name.partition(".")[0]
                for one in node.names
            }
        elif isinstance(node, ast.ImportFrom):
            found |= {one.asname or one.name: f"{node.module or ''}.{one.name}" for one in node.names}
    return found


class Changes:
    """What some nodes, which are run together, change.

    `parts` tells, of names that they bind, of whose objects theirs are parts: of ``for p in net.parameters()`` that `p`
    is one of `net`. `changed` are the names whose objects they change: by setting an item or attribute, by a method
    called for its effect alone, by a function that works in place. `surely` are those of an attribute, such a
    function, or ``x += 1`` where x is a part of another. `added` are all names of ``x += 1``, `given` those that are
    given to functions called for their effect.
    """

    def __init__(self, nodes: Sequence[ast.AST], imports: Imports) -> None:
        self._imports = imports
        self._bound: dict[str, set[str]] = {}
        self._bare = {id(call): call for node in nodes for call in _bare_calls(node)}
        for node in nodes:
            self._bind_all(node)
        self.parts = {name: self._closed(parts) for name, parts in self._bound.items()}
        self.added = {
            node.target.id for node in nodes if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name)
        }
        added = self.added & self.parts.keys()
        self.surely = self._closed([*added, *(name for node in nodes for name in self._surely(node))])
        items = (name for node in nodes if _is_set(node, ast.Subscript) for name in self._roots(node))
        bare = (
            name
            for call in self._bare.values()
            if isinstance(call.func, ast.Attribute)
            for name in self._roots(call.func.value)
        )
        self.changed = self.surely | self._closed([*items, *bare])
        self.given = self._closed(
            name for call in self._bare.values() for argument in _arguments(call) for name in self._roots(argument)
        )

    def _closed(self, names: Iterable[str]) -> set[str]:
        """Names with those of whose objects theirs are parts."""
        found: set[str] = set()
        todo = list(names)
        while todo:
            if (name := todo.pop()) not in found:
                found.add(name)
                todo += self._bound.get(name, ())
        return found

    def _surely(self, node: ast.AST) -> Iterator[str]:
        if _is_set(node, ast.Attribute):
            yield from self._roots(node)
        if not isinstance(node, ast.Call):
            return
        last, name = last_name(node.func), _dotted(node.func, self._imports)
        for keyword in node.keywords:
            if keyword.arg == "out":
                yield from self._roots(keyword.value)
        is_bare = id(node) in self._bare
        if not (last in _IN_PLACE or last.endswith("_") or _ON_ARGUMENTS.fullmatch(name)):
            return
        if last.endswith("__") and not is_bare:
            return
        if isinstance(node.func, ast.Attribute) and not self._is_imported(node.func) and not last.endswith("__"):
            yield from self._roots(node.func.value) if is_bare else self._parts_of(node.func.value)
            return
        for argument in _arguments(node)[: 1 if ".init." in name else None]:
            yield from self._roots(argument)

    def _is_imported(self, node: ast.expr) -> bool:
        return any(name in self._imports for name in root_of(node))

    def _roots(self, node: ast.AST) -> Iterator[str]:
        yield from root_of(node)
        yield from self._parts_of(node)

    def _bind_all(self, node: ast.AST) -> None:
        match node:
            case ast.For(target=target, iter=source) | ast.AsyncFor(target=target, iter=source):
                self._bind(target, source, is_loop=True)
            case ast.comprehension(target=target, iter=source):
                self._bind(target, source, is_loop=True)
            case ast.Assign(targets=targets, value=source):
                for target in targets:
                    self._bind(target, source)
            case ast.AnnAssign(target=target, value=ast.expr() as source) | ast.NamedExpr(target=target, value=source):
                self._bind(target, source)

    def _bind(self, target: ast.expr, source: ast.expr, *, is_loop: bool = False) -> None:
        match target:
            case ast.Starred(value=inner):
                self._bind(inner, source, is_loop=is_loop)
            case ast.Tuple(elts=targets) | ast.List(elts=targets):
                for one, its in zip(targets, _one_by_one(source, len(targets), is_loop=is_loop), strict=True):
                    self._bind(one, its, is_loop=is_loop)
            case ast.Name(id=name):
                self._bound.setdefault(name, set()).update(self._parts_of(source, is_loop=is_loop))

    def _parts_of(self, node: ast.AST, *, is_loop: bool = False) -> Iterator[str]:
        """The names of whose objects an expression's value is one, or a part, or has parts; in a loop of any method."""
        values: Sequence[ast.AST] = ()
        match node:
            case ast.Name(id=name):
                yield name
            case ast.Attribute(value=value) | ast.Subscript(value=value) | ast.Starred(value=value):
                values = [value]
            case ast.NamedExpr(value=value) | ast.ListComp(elt=value) | ast.GeneratorExp(elt=value):
                values = [value]
            case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
                values = elements
            case ast.IfExp(body=first, orelse=second):
                values = [first, second]
            case ast.BinOp(left=left, right=right) if is_loop:  # lists behind each other
                values = [left, right]
            case ast.Call(func=function) if last_name(function) in _THROUGH and self._is_function(function):
                values = node.args
            case ast.Call(func=ast.Attribute(attr=name, value=value)) if is_loop or _gives_itself(name):
                values = [value]
        for one in values:
            yield from self._parts_of(one, is_loop=is_loop)

    def _is_function(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) or self._is_imported(node)


def _one_by_one(source: ast.expr, count: int, *, is_loop: bool) -> Sequence[ast.expr]:
    """What each of several targets is bound to."""
    match source:
        case ast.Tuple(elts=elements) | ast.List(elts=elements) if not is_loop and len(elements) == count:
            return elements
        case ast.Call(func=ast.Name(id="zip"), args=arguments) if is_loop and len(arguments) == count:
            return arguments
        case ast.Call(func=ast.Name(id="enumerate"), args=[inner, *_]) if is_loop and count == 2:
            return [ast.Constant(0), inner]
    return [source] * count


def _bare_calls(node: ast.AST) -> Iterator[ast.Call]:
    """Calls for their effect alone, or for one that is thrown away, by ``_ = ...`` too."""
    match node:
        case ast.Expr(value=ast.ListComp(elt=ast.Call() as call) | ast.SetComp(elt=ast.Call() as call)):
            yield call
        case ast.Expr(value=ast.Call() as call) | ast.Assign(targets=[ast.Name(id="_")], value=ast.Call() as call):
            yield call


def _gives_itself(method: str) -> bool:
    return method in _OF_ITSELF or (method.endswith("_") and not method.endswith("__"))


def _is_set(node: ast.AST, kind: type[ast.Attribute] | type[ast.Subscript]) -> bool:
    return isinstance(node, kind) and isinstance(node.ctx, ast.Store | ast.Del)


def _arguments(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def root_of(node: ast.AST) -> Iterator[str]:
    """The name that attributes, items and calls begin with, where there is one: `net` of ``net[0].f()``."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call | ast.Starred):
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Name):
        yield node.id


def last_name(node: ast.expr) -> str:
    """The last part of a name, `zeros_` of ``nn.init.zeros_``; empty for what is computed."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _dotted(node: ast.expr, imports: Imports) -> str:
    """The full name of a function; empty for one that is computed."""
    behind = ""
    while isinstance(node, ast.Attribute):
        behind = f".{node.attr}{behind}"
        node = node.value
    return imports.get(node.id, node.id) + behind if isinstance(node, ast.Name) else ""
