"""Keeps the list of all runs up to date while the app is open."""

from __future__ import annotations

import time
from typing import Any

from textual.app import App

from experiments.runs.row import Status
from tui.live.catalog import Catalog
from tui.screens.base import WorkScreen
from tui.widgets.textual_private import is_leaving

SHARE = 50
"""Reading takes at most one part in so many of the time, but for the screen that shows the list."""


class CatalogReader:
    """Reads on a thread, because a first reading of thousands takes seconds. `live` is the number of live runs."""

    def __init__(self, app: App[Any], catalog: Catalog) -> None:
        self._app, self._catalog = app, catalog
        self._reading = False
        self._due = 0.0
        self.live = 0

    def load(self) -> None:
        """Read every run."""
        self._app.run_worker(self._load, thread=True, exclusive=True, group="catalog")

    def refresh(self) -> None:
        """Read what may have changed, when it is time to."""
        is_shown = self._app.current_mode == "runs"
        if self._catalog.loaded and not self._reading and (is_shown or time.monotonic() >= self._due):
            self._reading = True
            self._app.run_worker(self._read, thread=True, group="catalog")

    def _load(self) -> None:
        self._catalog.load()
        self._arrange()

    def _read(self) -> None:
        started = time.thread_time()
        try:
            changed = self._catalog.refresh()
        finally:
            self._reading = False
            self._due = time.monotonic() + SHARE * (time.thread_time() - started)
        if changed:
            self._arrange()

    def _arrange(self) -> None:
        self.live = sum(status is Status.RUNNING for _, status in self._catalog.items)
        if not is_leaving(self._app):
            self._app.call_from_thread(self._show)

    def _show(self) -> None:
        if isinstance(self._app.screen, WorkScreen):
            self._app.screen.rearrange()
