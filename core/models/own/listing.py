"""What of a file can be named: its classes, factories and instances, with their parameter counts."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Any

from torch import nn
from torch.nn.parameter import UninitializedParameter

from core.errors import one_line
from core.models.own.program import Program

MAX_LISTED = 8
_MAX_TRIED = 30


def what_is_there(program: Program, wanted: str, seed: Callable[[], None]) -> str:
    """The networks of a file in a sentence, close matches of what was `wanted` first.

    Makes those that can be made without arguments, to count them.
    """
    found = dict(_candidates(program, seed))
    file = program.script.path.name
    if not found:
        left_out = f"; {program.script.left_out[0]}" if program.script.left_out else ""
        return f"{file} has no nn.Module class{left_out}"
    names = list(found)
    close = _close(wanted, names)
    listed = sorted(names, key=lambda name: (name not in close, not found[name]))
    told = [f"{name} ({found[name]})" if found[name] else name for name in listed[:MAX_LISTED]]
    more = f" and {len(listed) - MAX_LISTED} more" if len(listed) > MAX_LISTED else ""
    guess = f"did you mean {close[0]}? " if close else ""
    return f"{guess}{file} has {', '.join(told)}{more}"


def _close(wanted: str, names: list[str]) -> list[str]:
    """The name that was meant, most likely; first as if another case made another letter, then as if not."""
    for same in (str, str.lower):
        plain = {same(name.partition("(")[0]): name for name in reversed(names)}
        if wanted and (found := get_close_matches(same(wanted), plain, n=1)):
            return [plain[found[0]]]
    return []


def call_in_words(name: str, function: Callable[..., Any]) -> str:
    """A call with its parameters: ``Net(width, norm='bn')``."""
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):
        return f"{name}(...)"
    plain = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
    return one_line(f"{name}{signature.replace(parameters=plain, return_annotation=inspect.Signature.empty)}", 60)


def can_be_called(function: Callable[..., Any]) -> bool:
    """Whether it takes no argument that it must be given."""
    try:
        inspect.signature(function).bind()
    except (ValueError, TypeError):
        return False
    return True


def parameters_in_words(module: nn.Module) -> str:
    if any(isinstance(parameter, UninitializedParameter) for parameter in module.parameters()):
        return "lazy layers"
    return f"{sum(parameter.numel() for parameter in module.parameters()):,} parameters"


def _candidates(program: Program, seed: Callable[[], None]) -> Iterator[tuple[str, str]]:
    """How each network is named, and its size where it can be made as it stands."""
    own: set[str] = set()
    for name in program.dependencies.names[: 10 * _MAX_TRIED]:
        kinds = {type(maker.node) for maker in program.dependencies.makers(name)}
        if ast.ClassDef in kinds:
            value = _value(program, name)
            if isinstance(value, type) and issubclass(value, nn.Module):
                own.add(name)
                yield _listed(name, value, seed)
        elif kinds & {ast.FunctionDef, ast.AsyncFunctionDef}:
            if _may_be_factory(program, name):
                value = _value(program, name)
                made = _made(value, seed) if callable(value) and can_be_called(value) else None
                if made is not None:
                    own.add(name)
                    yield f"{name}()", parameters_in_words(made)
        elif kinds & {ast.Assign, ast.AnnAssign} and _may_be_instance(program, name, own):
            value = _value(program, name)
            if isinstance(value, nn.Module):
                yield name, parameters_in_words(value)
            elif isinstance(value, type) and issubclass(value, nn.Module):
                yield _listed(name, value, seed)


def _listed(name: str, cls: type[nn.Module], seed: Callable[[], None]) -> tuple[str, str]:
    if not can_be_called(cls):
        return call_in_words(name, cls), ""
    made = _made(cls, seed)
    return name, "cannot be made" if made is None else parameters_in_words(made)


def _value(program: Program, name: str) -> Any:
    try:
        program.require([name])
    except Exception:  # noqa: BLE001  # what cannot be made is not listed
        return None
    return program.namespace.get(name)


def _made(function: Callable[..., Any], seed: Callable[[], None]) -> nn.Module | None:
    seed()
    try:
        made = function()
    except (Exception, SystemExit):  # noqa: BLE001  # what cannot be made is listed without a size
        return None
    return made if isinstance(made, nn.Module) else None


def _may_be_factory(program: Program, name: str) -> bool:
    """Whether a function returns something and does not train, plot or print."""
    nodes = [maker.node for maker in program.dependencies.makers(name)]
    returns = any(isinstance(part, ast.Return) and part.value is not None for node in nodes for part in ast.walk(node))
    return returns and not program.dependencies.acts(name)


def _may_be_instance(program: Program, name: str, own: set[str]) -> bool:
    """Whether a name is given what a network class or factory of the file, or a call of torch's, returns."""
    for maker in program.dependencies.makers(name):
        value = maker.node.value if isinstance(maker.node, ast.Assign | ast.AnnAssign) else None
        calls = [part for part in ast.walk(value) if isinstance(part, ast.Call)] if value is not None else []
        if maker.now & own and (calls or isinstance(value, ast.Name)):
            return True
        if any(ast.unparse(call.func).startswith(("nn.", "torch.nn.")) for call in calls):
            return True
    return False
