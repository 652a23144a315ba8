"""Python's garbage collector, kept from what is imported: modules are no garbage, and torch's are very many objects."""

from __future__ import annotations

import gc

_USUAL = gc.get_threshold()
_MANY = 200_000
"""New objects between two collections while modules are imported."""


def hold_back_collector() -> None:
    """Let the collector hardly ever look, until `let_collector_go`: it takes a sixth of the time that torch's import
    does, as it goes through all that there is again and again."""
    gc.set_threshold(_MANY, *_USUAL[1:])


def let_collector_go() -> None:
    """Let the collector look as usual again, and never again at what there is now; to be called once all is imported,
    before there is a run. Does nothing where it was not held back, or has been let go."""
    if gc.get_threshold()[0] == _MANY:
        gc.freeze()  # without a collection, which would keep Python from all other threads for a fifth of a second
        gc.set_threshold(*_USUAL)
