"""Which statements of a file a name of it needs. Nothing is run.

A statement that makes something (an import, a class, a function, a constant) is needed by whoever uses its names, and
so is one that changes such a thing in place. Training, plots, downloads, questions and what follows from them are not
run, whoever needs them: `Needed.left_out` names what is missing for it.
"""

from __future__ import annotations

import ast
import builtins
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from core.models.own.names import Statement

_BUILTINS = frozenset(dir(builtins)) | {"__name__", "__file__", "__doc__", "__package__"}


@dataclass(slots=True)
class Needed:
    """Statements by their place in the file, and the statement that a name is left out with."""

    statements: set[int] = field(default_factory=set)
    left_out: dict[str, int] = field(default_factory=dict)
    unbound: set[str] = field(default_factory=set)
    """Names that the file itself does not bind: those of ``from x import *``, or of nobody."""


class Dependencies:
    """Who needs whom among the statements of a file."""

    def __init__(self, statements: list[Statement]) -> None:
        self.statements = statements
        self._functions = {
            statement.node.name: statement
            for statement in statements
            if isinstance(statement.node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        self._makers: dict[str, list[int]] = defaultdict(list)
        self._changers: dict[str, list[int]] = defaultdict(list)
        self._told: set[str] = set()
        self._acts = [False] * len(statements)
        self._reports = [False] * len(statements)
        for place, statement in enumerate(statements):
            called = self._reached(statement.calls)
            sets = frozenset[str]().union(*(function.sets for function in called))
            for name in statement.binds | sets:
                self._makers[name].append(place)
            for name in self._bases_told(statement.node):
                self._changers[name].append(place)
            self._acts[place] = not statement.makes and (statement.acts or any(function.acts for function in called))
            self._reports[place] = statement.bare_call and (
                statement.reports or any(function.reports for function in called)
            )
        self.changed = [self._changed_by(place) for place in range(len(statements))]
        """Of each statement the names whose objects it changes in place."""
        for place, names in enumerate(self.changed):
            for name in names:
                self._changers[name].append(place)
        self._stars = [place for place, statement in enumerate(statements) if statement.stars]
        self._paths = [place for place, statement in enumerate(statements) if _changes_path(statement.node)]
        self._tainted = self._taint()

    @property
    def names(self) -> list[str]:
        """The names that the file binds, in the order of their first statements."""
        return sorted(self._makers, key=lambda name: self._makers[name][0])

    def makers(self, name: str) -> list[Statement]:
        """The statements that bind a name."""
        return [self.statements[place] for place in self._makers.get(name, [])]

    def acts(self, name: str) -> bool:
        """Whether a function does what is not run, such as training, or calls one that does."""
        return any(function.acts or function.reports for function in self._reached(frozenset({name})))

    def needed(self, names: Iterable[str]) -> Needed:
        """All that these names need, and what that needs."""
        found = Needed()
        todo, seen = list(names), set[str]()
        for place in self._paths:
            self._take(place, found, todo)
        while todo:
            name = todo.pop()
            if name in seen:
                continue
            seen.add(name)
            for place in self._who_makes(name, found):
                self._take(place, found, todo)
            for place in self._who_changes(name):
                self._take(place, found, todo)
        return found

    def _take(self, place: int, found: Needed, todo: list[str]) -> None:
        if place in found.statements:
            return
        statement = self.statements[place]
        found.statements.add(place)
        todo += statement.uses
        if isinstance(statement.node, ast.ClassDef):
            todo += statement.binds  # for what changes it
        if statement.dynamic:
            todo += self._definitions()

    def _definitions(self) -> Iterator[str]:
        """Names that may be looked up by their text: of classes, functions and plain constants."""
        for statement in self.statements:
            node = statement.node
            plain = isinstance(node, ast.Assign) and not any(isinstance(part, ast.Call) for part in ast.walk(node))
            if plain or isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield from statement.binds

    def _who_makes(self, name: str, found: Needed) -> list[int]:
        makers = self._makers.get(name, [])
        if not makers:
            if name in _BUILTINS:
                return []
            found.unbound.add(name)
            return self._stars
        harmless = [place for place in makers if not self._tainted[place]]
        outside = [place for place in harmless if not _in_main(self.statements[place])]
        if not harmless:
            found.left_out[name] = makers[0]
        return outside or harmless

    def _who_changes(self, name: str) -> Iterator[int]:
        makers = self.makers(name)
        imported = bool(makers) and all(isinstance(maker.node, ast.Import | ast.ImportFrom) for maker in makers)
        for place in self._changers.get(name, []):
            statement = self.statements[place]
            if self._tainted[place] or self._reports[place]:
                continue
            if not imported or self._patches(statement.node):
                yield place

    def _changed_by(self, place: int) -> set[str]:
        """The names whose objects a statement changes, with those of which they are parts at that place."""
        statement = self.statements[place]
        called = [] if statement.makes else self._reached(statement.calls)
        changes_given = called and (statement.bare_call or any(function.alters for function in called))
        todo = [(name, place) for name in statement.changes | (statement.given if changes_given else frozenset())]
        seen = set(todo)
        while todo:
            name, before = todo.pop()
            maker = max((at for at in self._makers.get(name, []) if at < before), default=None)
            parts = () if maker is None else self.statements[maker].parts.get(name, ())
            more = [(part, maker) for part in parts if maker is not None and (part, maker) not in seen]
            seen.update(more)
            todo += more
        return {name for name, _ in seen} - statement.binds

    def _patches(self, node: ast.stmt) -> bool:
        """Whether a statement gives something imported a function or class of the file: ``nn.Module.foo = foo``."""
        if not isinstance(node, ast.Assign):
            return False
        own = {name for name, makers in self._makers.items() if any(self.statements[place].makes for place in makers)}
        return any(
            isinstance(part, ast.Lambda) or (isinstance(part, ast.Name) and part.id in own)
            for part in ast.walk(node.value)
        )

    def _reached(self, calls: frozenset[str]) -> list[Statement]:
        """The file's own functions that are called, and those that they call."""
        found: dict[str, Statement] = {}
        todo = list(calls)
        while todo:
            name = todo.pop()
            if name in self._functions and name not in found:
                found[name] = self._functions[name]
                todo += found[name].uses
        return list(found.values())

    def _bases_told(self, node: ast.stmt) -> list[str]:
        """The bases of a class that are told of it, and may keep it: by ``__init_subclass__`` or a metaclass."""
        if not isinstance(node, ast.ClassDef):
            return []
        bases = [base.id for base in node.bases if isinstance(base, ast.Name) and base.id in self._told]
        told_itself = any(isinstance(part, ast.FunctionDef) and part.name == "__init_subclass__" for part in node.body)
        if bases or told_itself or node.keywords:
            self._told.add(node.name)
        return bases

    def _taint(self) -> list[bool]:
        """Which statements act, or use what only those make."""
        tainted = list(self._acts)
        while True:
            lost = {name for name, makers in self._makers.items() if all(tainted[place] for place in makers)}
            more = [
                place
                for place, statement in enumerate(self.statements)
                if not tainted[place] and not statement.makes and statement.now & lost - statement.binds
            ]
            if not more:
                return tainted
            for place in more:
                tainted[place] = True


def _in_main(statement: Statement) -> bool:
    return any(is_main_guard(test) for test, wanted in statement.tests if wanted)


def is_main_guard(test: ast.expr) -> bool:
    """Whether a condition is ``__name__ == "__main__"``."""
    return isinstance(test, ast.Compare) and ast.unparse(test) in (
        "__name__ == '__main__'",
        "'__main__' == __name__",
    )


def _changes_path(node: ast.stmt) -> bool:
    """Whether a statement is about where imports are looked for."""
    return isinstance(node, ast.Expr | ast.Assign | ast.AugAssign) and ast.unparse(node).startswith("sys.path")
