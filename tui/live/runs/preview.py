"""What the preview of a run shows, read on a thread once, and again when the run has changed."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from core.errors import RunError
from experiments.results.filters.fields import Listed
from experiments.results.origin import Origin, origin_of
from experiments.runs.store import Store
from experiments.runs.view import RunView

KEPT = 200
"""Runs that are kept in memory."""


@dataclass(frozen=True, slots=True)
class RunPreview:
    """A run of the list, what its log says, and what it was made from; `problem` says why that cannot be read."""

    item: Listed
    view: RunView
    origin: Origin | None
    problem: str = ""


class Previews:
    """`read` reads the folder of the run, and is for a thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: OrderedDict[str, RunPreview] = OrderedDict()

    def known(self, item: Listed) -> RunPreview | None:
        """The preview of a run as it was read last, maybe before it came further; None where it was not."""
        return self._known.get(item[0].run_id)

    def is_fresh(self, item: Listed) -> bool:
        """Whether the run is as it was when it was read."""
        known = self.known(item)
        return known is not None and known.item == item

    def read(self, item: Listed) -> RunPreview:
        run = self._store.run(item[0].run_id)
        view, origin, problem = RunView(), None, ""
        try:
            view = run.view()
            config = dict(view.config) or run.config()
            origin = origin_of(run, config) if config else None
        except RunError as error:
            problem = error.message
        preview = RunPreview(item, view, origin, problem)
        self._known[item[0].run_id] = preview
        self._known.move_to_end(item[0].run_id)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return preview
