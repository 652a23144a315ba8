"""The images that two networks take for different classes."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical

from core.errors import ShouldStop
from experiments.inference.scoring import Scored
from experiments.locations import Locations
from experiments.runs.folder import Run
from tui.live.comparing import Entrant, score_plain
from tui.live.digits import digit_of, disagreements
from tui.live.task import BackgroundTask, Report
from tui.text.keys import with_keys
from tui.widgets.lines.paragraph import Paragraph
from tui.widgets.pictures.gallery import Gallery

Found = tuple[Scored, Scored, list[int]]


class Disagreements(Vertical):
    """The first of the entrants beside another one. Both networks are scored once, when they are first looked at; of a
    group, its first run."""

    DEFAULT_CSS = """
    Disagreements > Paragraph { padding: 0 1; color: $text-muted; }
    """

    def __init__(self, locations: Locations, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._locations = locations
        self._scored: dict[str, Scored] = {}
        self._work: BackgroundTask[Found] | None = None
        self._shown: Found | None = None
        self._entrants: Sequence[Entrant] = ()
        self._other = 1

    def compose(self) -> ComposeResult:
        yield Paragraph(id="disagreements-title", min_height=1)
        yield Gallery(id="disagreements-gallery", opens=False)

    def on_unmount(self) -> None:
        self.cancel()

    def cancel(self) -> None:
        if self._work is not None:
            self._work.cancel()

    def turn_to(self, other: int) -> None:
        """Compare the entrant of that number with the first."""
        if other != self._other and other < len(self._entrants):
            self.cancel()
            self._other, self._work = other, None

    def turn(self, by: int) -> None:
        self.turn_to((self._other - 1 + by) % (len(self._entrants) - 1) + 1)

    def show(self, entrants: Sequence[Entrant]) -> None:
        """Begin, or show what has been found."""
        self._entrants = entrants
        title = self.query_one(Paragraph)
        if len(entrants) < 2:
            title.show(with_keys("Two runs are needed: mark another one in Runs with {mark}."))
            return
        first, other = entrants[0], entrants[self._other]
        if self._work is None:
            runs = first.first.run, other.first.run
            self._work = BackgroundTask("disagreements", lambda stop, report: self._differ(*runs, stop, report))
        task = self._work
        if not task.done.is_set():
            title.show(f"{_named(first, other)}: {task.stage}... {100 * task.share:.0f}%")
        elif task.result is None:
            title.show(task.problem())
            self.query_one(Gallery).show(0, lambda _: digit_of(0), opinions=2)
        else:
            self._show_found(task.result)
            indices, total = task.result[2], len(task.result[0].labels)
            place = f"; no. {self.query_one(Gallery).current + 1:,}" if indices else ""
            title.show(f"{_named(first, other)}: they differ on {len(indices):,} of {total:,} images{place}")

    def _show_found(self, found: Found) -> None:
        if found is self._shown:
            return
        self._shown = found
        first, second, indices = found
        gallery = self.query_one(Gallery)
        gallery.set_reactive(Gallery.current, 0)
        gallery.show(len(indices), lambda place: digit_of(indices[place], first, second, who=("A:", "B:")), opinions=2)

    @on(Gallery.Moved)
    def _moved(self) -> None:
        self.show(self._entrants)

    def _differ(self, one: Run, other: Run, stop: ShouldStop, report: Report) -> Found:
        for run in (one, other):
            if run.id not in self._scored:
                self._scored[run.id] = score_plain(run, self._locations, stop, report)
        first, second = self._scored[one.id], self._scored[other.id]
        return first, second, disagreements(first, second)


def _named(first: Entrant, other: Entrant) -> str:
    """``A conv9, B base-0 (the first of 5)``: whose networks are asked."""
    return f"A {_run_in_words(first)}, B {_run_in_words(other)}"


def _run_in_words(entrant: Entrant) -> str:
    if len(entrant.followers) == 1:
        return entrant.label
    run = entrant.first.run
    return f"{run.meta().name or run.id} (the first of {len(entrant.followers)})"
