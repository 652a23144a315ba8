"""Every key that any part of the interface binds is bound by its meaning."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest
from textual.binding import Binding
from textual.dom import DOMNode

import tui
from tui.text.keys import MEANINGS

MODULES = [module.name for module in pkgutil.walk_packages(tui.__path__, "tui.") if module.name != "tui.__main__"]
PARTS = {
    part
    for name in MODULES
    for _, part in inspect.getmembers(importlib.import_module(name), inspect.isclass)
    if issubclass(part, DOMNode) and part.__module__.startswith("tui.")
}
BINDINGS = [
    (part.__name__, binding)
    for part in sorted(PARTS, key=lambda part: part.__qualname__)
    for binding in part.__dict__.get("BINDINGS", ())
]


def test_all_parts_are_looked_at():
    assert {"LabApp", "RunsScreen", "Canvas", "Table", "Help"} <= {name for name, _ in BINDINGS}


@pytest.mark.parametrize(("part", "binding"), BINDINGS, ids=lambda value: getattr(value, "action", value))
def test_a_key_is_bound_by_its_meaning(part, binding):
    assert isinstance(binding, Binding), f"{part}: bind keys with tui.widgets.keys.bind"
    assert binding.id in MEANINGS, f"{part}: {binding.key}: bind keys with tui.widgets.keys.bind"
    assert binding.key == MEANINGS[binding.id].keys


def test_every_meaning_is_bound_somewhere():
    assert {binding.id for _, binding in BINDINGS} == set(MEANINGS)
