"""What a statement of a file binds, uses and changes, by name. Nothing is run."""

from __future__ import annotations
import __future__ as future

import ast
import dis
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import CodeType

from core.models.own.changes import Changes, Imports, imports_of, last_name, root_of
from core.models.own.source import compiled

_LOADS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_DYNAMIC = frozenset({"globals", "eval", "exec", "vars", "locals"})

_NOT_RUN = frozenset(
    {"backward", "zero_grad", "step", "fit", "DataLoader", "random_split"}  # training
    | {"clip_grad_norm_", "clip_grad_value_"}
    | {"parse_args", "parse_known_args", "parse_intermixed_args", "input", "getpass"}  # asking
    | {"show", "savefig", "imshow", "urlretrieve", "urlopen", "system", "Popen", "check_call"}  # plots, downloads
    | {"exit", "quit", "_exit", "abort", "fork", "save"}
)
"""Calls by which a statement does more than make what a network is made of."""
_REPORTS = ("print", "no_grad", "eval")


Tests = tuple[tuple[ast.expr, bool], ...]


@dataclass(slots=True)
class Statement:
    """One statement of a file's top level, or of a branch of an ``if`` there.

    `now` are the names that it uses as it is run, `uses` also those of the functions and classes it makes. `changes`
    are names whose objects it changes in place, `given` those that it gives to what it calls for its effect alone,
    `calls` those it calls, `stars` whether it is ``from x import *``. `parts` tells of names that it binds of
    whose objects theirs are parts: ``conv = net[0]``.
    """

    node: ast.stmt
    binds: frozenset[str] = frozenset()
    now: frozenset[str] = frozenset()
    uses: frozenset[str] = frozenset()
    changes: frozenset[str] = frozenset()
    given: frozenset[str] = frozenset()
    parts: Mapping[str, set[str]] = field(default_factory=dict)
    calls: frozenset[str] = frozenset()
    sets: frozenset[str] = frozenset()
    """Of a function: the globals that it binds or changes when it is called."""
    acts: bool = False
    """Whether it, or the body of a function that it makes, does what is not run: training, plots, questions."""
    alters: bool = False
    """Of a function: whether it changes in place what it is given."""
    reports: bool = False
    """Whether it looks at what there is, rather than change what it is given."""
    stars: bool = False
    makes: bool = False
    """A class, a function or an import, which is always harmless to run."""
    tests: Tests = ()
    """The conditions of the ``if`` statements that it is in, and how each has to come out."""

    @property
    def dynamic(self) -> bool:
        """Whether it may look up names that cannot be read here."""
        return bool(self.uses & _DYNAMIC)

    @property
    def bare_call(self) -> bool:
        return isinstance(self.node, ast.Expr)


def statements(tree: ast.Module, filename: str) -> list[Statement]:
    """The statements of a file, those in branches of ``if`` one by one."""
    return list(_flat(tree.body, _File(filename, future_flags(tree), imports_of(tree)), ()))


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    flags: int
    imports: Imports


def future_flags(tree: ast.Module) -> int:
    """The compiler's flags for all that the file imports from ``__future__``, wherever it does."""
    flags = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "__future__" and not node.level:
            for alias in node.names:
                flags |= getattr(getattr(future, alias.name, None), "compiler_flag", 0)
    return flags


def _flat(body: list[ast.stmt], file: _File, tests: Tests) -> Iterator[Statement]:
    for node in body:
        if isinstance(node, ast.If):
            yield from _flat(node.body, file, (*tests, (node.test, True)))
            yield from _flat(node.orelse, file, (*tests, (node.test, False)))
        else:
            for part in _one_by_one(node):
                yield _statement(part, file, tests)


def _one_by_one(node: ast.stmt) -> Iterator[ast.stmt]:
    """An import of several names as one for each of them: of those that are not needed one may be missing."""
    match node:
        case ast.Import(names=names):
            yield from (ast.copy_location(ast.Import([name]), node) for name in names)
        case ast.ImportFrom(module=module, names=names, level=level):
            yield from (ast.copy_location(ast.ImportFrom(module, [name], level), node) for name in names)
        case _:
            yield node


def _statement(node: ast.stmt, file: _File, tests: Tests) -> Statement:
    try:
        code = compiled(ast.Module([node], []), file.name, file.flags)
    except SyntaxError:  # such as a return, or an await in a notebook
        return Statement(node, tests=tests)
    stored, now = _names(code)
    nested = [inner for constant in code.co_consts if isinstance(constant, CodeType) for inner in _nested(constant)]
    loaded = now.union(*(_names(inner)[1] for inner in nested))
    is_class = isinstance(node, ast.ClassDef)
    if is_class:  # its body is run at once
        now = now.union(*(_names(constant)[1] for constant in code.co_consts if isinstance(constant, CodeType)))
    guards = {name.id for test, _ in tests for name in ast.walk(test) if isinstance(name, ast.Name)}
    is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    own: set[str] = set()
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        own = {argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg)}
        body = [inner for part in node.body for inner in ast.walk(part)]
        run = [inner for decorator in node.decorator_list for inner in ast.walk(decorator)]
    else:
        body = run = list(_immediate(node))
    found = Changes(body, file.imports)
    # What it binds itself is not changed but made, though what it adds to may be a part of something made before.
    changes = frozenset(found.changed - stored | (found.added & stored) - found.parts.keys())
    told = any(isinstance(part, ast.Call) and last_name(part.func) in _REPORTS for part in body)
    alters = bool(own & (found.surely if told else found.changed))
    return Statement(
        node,
        binds=frozenset(stored),
        now=frozenset(now | guards),
        uses=frozenset(loaded | guards),
        changes=(frozenset() if is_function else changes).union(_registries(getattr(node, "decorator_list", []))),
        given=frozenset() if is_function else frozenset(found.given),
        parts={} if is_function else {name: found.parts[name] for name in stored & found.parts.keys()},
        calls=frozenset(_called(run, getattr(node, "decorator_list", []))),
        sets=(changes & loaded).union(*map(_globals_set, nested)) if is_function else frozenset(),
        acts=not is_class and any(map(_acts, body)),
        alters=alters,
        reports=told and not alters,
        stars=isinstance(node, ast.ImportFrom) and node.names[0].name == "*",
        makes=is_class or is_function or isinstance(node, ast.Import | ast.ImportFrom),
        tests=tests,
    )


def _names(code: CodeType) -> tuple[set[str], set[str]]:
    """The names that a code object stores in its module's or class's namespace or as globals, and those it loads."""
    stored: set[str] = set()
    loaded: set[str] = set()
    for instruction in dis.get_instructions(code):
        if instruction.opname in _LOADS:
            loaded.add(instruction.argval)
        elif instruction.opname in ("STORE_NAME", "STORE_GLOBAL"):
            stored.add(instruction.argval)
    return stored, loaded


def _globals_set(code: CodeType) -> set[str]:
    return {instruction.argval for instruction in dis.get_instructions(code) if instruction.opname == "STORE_GLOBAL"}


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


def _immediate(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that are run with the statement, not those in bodies of functions."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _FUNCTIONS):
            yield from (inner for decorator in getattr(child, "decorator_list", []) for inner in ast.walk(decorator))
        else:
            yield from _immediate(child)


def _called(nodes: list[ast.AST], decorators: list[ast.expr]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id
    for decorator in decorators:
        if isinstance(decorator, ast.Name):
            yield decorator.id


def _registries(decorators: list[ast.expr]) -> Iterator[str]:
    """The names whose methods decorate something, such as ``@MODELS.register("net")``."""
    for decorator in decorators:
        function = decorator.func if isinstance(decorator, ast.Call) else decorator
        if isinstance(function, ast.Attribute):
            yield from root_of(function)


def _acts(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute) and node.attr == "grad":  # there is none without training
        return last_name(node.value) not in ("autograd", "func")
    if not isinstance(node, ast.Call):
        return False
    if last_name(node.func).startswith("parse_") and (node.args or node.keywords):
        return False  # it is given its arguments
    downloads = any(
        keyword.arg == "download" and getattr(keyword.value, "value", None) is True for keyword in node.keywords
    )
    return downloads or last_name(node.func) in _NOT_RUN
