"""The app as screens and dialogs see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from experiments.locations import Locations
from experiments.runs.store import Store
from experiments.settings import Settings
from tui.live.catalog import Catalog
from tui.live.jobs.watch import LineWatch
from tui.live.session import Session
from tui.live.state import State
from tui.live.studies import StudyWatch
from tui.live.watch import RunWatch


class Lab(Protocol):
    """The app behind every screen. What is to be done with runs is asked of it with the messages of `messages`."""

    locations: Locations
    settings: Settings
    ascii_only: bool
    store: Store
    catalog: Catalog
    studies: StudyWatch
    session: Session
    state: State
    run_watch: RunWatch
    line: LineWatch

    @property
    def log_path(self) -> str:
        """The file with the details of a defect."""

    def device_use(self, device: str) -> str:
        """The load of a device, in words; read once a second at most."""

    def device_loads(self) -> Sequence[float]:
        """The load at each of these readings, in percent."""

    def remember(self, **values: object) -> None:
        """Keep values, named as the fields of `State`, for the next start."""

    def load_catalog(self) -> object:
        """Read every run again, on a thread."""
