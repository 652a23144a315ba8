"""A user's file at work: a module whose names are made when they are asked for, by the statements that they need."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from types import CodeType, ModuleType
from typing import Any

from core.models.own.names import Statement, future_flags, statements
from core.models.own.needed import Dependencies, is_main_guard
from core.models.own.source import Script, compiled

Before = Mapping[str, Callable[[], None]]


class Program:
    """The statements of one file and the namespace that they fill.

    `failures` are the errors of statements by the names that they should have bound or changed, `left_out` the
    statements that are not run by the names that are missing for it. What stands in `before` is called right before a
    name is made.
    """

    def __init__(self, script: Script, namespace: dict[str, Any], before: Before, *, whole: bool) -> None:
        self.script = script
        self.namespace = namespace
        self.whole = whole
        self.failures: dict[str, Exception] = {}
        self.left_out: dict[str, ast.stmt] = {}
        self.free: set[str] = set()
        """Names that are needed, and that this file does not bind itself: those of ``from x import *``."""
        self._flags = future_flags(script.tree)
        self.dependencies = Dependencies(statements(script.tree, str(script.path)))
        self._done: set[int] = set()
        self._truth: dict[int, bool] = {}
        self._before = before

    def run_all(self) -> None:
        """Run the file as an import does."""
        for node in self.script.tree.body:
            self._call_hooks(part.id for part in ast.walk(node) if isinstance(part, ast.Name))
            exec(self._compiled(node), self.namespace)

    def require(self, names: Iterable[str]) -> None:
        """Run what these names need and has not been run.

        An error of a statement that binds names is kept in `failures`, for these and those that it changes; of any
        other it is raised.
        """
        if self.whole:
            return
        needed = self.dependencies.needed(names)
        self.free |= needed.unbound
        parts = self.dependencies.statements
        self.left_out |= {name: parts[place].node for name, place in needed.left_out.items()}
        for place in sorted(needed.statements):
            if place not in self._done:
                self._done.add(place)
                self._run(parts[place], self.dependencies.changed[place])
                if parts[place].stars:
                    self._done.discard(place)  # for names that are needed later

    def _run(self, statement: Statement, changed: set[str]) -> None:
        try:
            if all(self._holds(test) is wanted for test, wanted in statement.tests):
                self._call_hooks(statement.binds)
                exec(self._compiled(statement.node), self.namespace)
        except Exception as error:
            if statement.stars:
                self.failures |= dict.fromkeys(self.free - self.namespace.keys(), error)
            elif statement.binds:
                self.failures |= dict.fromkeys(statement.binds | changed, error)
            else:
                raise
        if statement.stars:
            for name in self.free & self.namespace.keys():
                self.failures.pop(name, None)  # another one has it

    def _holds(self, test: ast.expr) -> bool:
        if is_main_guard(test):
            return True  # who needs what is made there names this very file
        if id(test) not in self._truth:
            code = compiled(ast.Expression(test), str(self.script.path), self._flags)
            self._truth[id(test)] = bool(eval(code, self.namespace))
        return self._truth[id(test)]

    def _compiled(self, node: ast.stmt) -> CodeType:
        return compiled(ast.Module([node], []), str(self.script.path), self._flags)

    def _call_hooks(self, names: Iterable[str]) -> None:
        for name in names:
            if hook := self._before.get(name):
                hook()


class OwnNamespace(ModuleType):
    """The module of a user's file. What it does not have yet is made when it is asked for."""

    def __getattr__(self, name: str) -> Any:
        program = PROGRAMS.get(self.__name__)
        if program is not None and not (name.startswith("__") and name.endswith("__")):
            program.require([name])
            if name in program.failures:
                raise program.failures[name]
            if name in program.namespace:
                return program.namespace[name]
        raise AttributeError(
            f"module {self.__name__.partition('.')[2]!r} has no attribute {name!r}", name=name, obj=self
        )


PROGRAMS: dict[str, Program] = {}
"""The files that have been loaded, by the names of their modules."""
