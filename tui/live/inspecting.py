"""The work behind the Inspect screen: a run's network loaded, its test images classified, its layers looked at.

Everything slow is done on a thread; the screen calls `look` again and again and shows what has come.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from core.errors import LabError, RunError, ShouldStop
from core.models.spec import is_user_module
from experiments.execution.apart import try_code
from experiments.inference.network import StoredWeights
from experiments.inference.scoring import Scored, score_run
from experiments.locations import Locations
from experiments.runs.folder import Run
from experiments.runs.own_code import code_in_words, own_arch
from tui.drawing.bars import bar
from tui.live.forms.advice import as_sentence, for_interface
from tui.live.task import BackgroundTask, Report
from tui.text.keys import key

if TYPE_CHECKING:
    from torch import nn

    from core.inspection.activations import LayerStatistics

LAYER_IMAGES = 1000
"""Test images that the statistics of layers are taken over, their gradients costing thrice a classification."""
STORED = 1.0
"""Seconds between two looks at what the run has stored."""


class Inspecting:
    """One run as it is inspected. `scored` and `layers` stay until newer ones have come."""

    def __init__(
        self, run: Run, locations: Locations, *, consented: bool = False, source: StoredWeights | None = None
    ) -> None:
        self._run, self._locations = run, locations
        self.meta, self.config = run.meta(), run.config()
        self.consented = consented
        self._tried = False  # in a process of its own, once: a run keeps its code
        self.scored: Scored | None = None
        self.layers: list[LayerStatistics] | None = None
        self.layer_images = 0
        self._source = source
        self._chosen = source is not None
        self._scoring: BackgroundTask[Scored] | None = None
        self._watching: BackgroundTask[list[LayerStatistics]] | None = None
        self._failure: LabError | None = None
        self._defect = False
        self._deleted = False
        self._read: object = None
        self._looked = 0.0
        self._question = ""
        self.again()

    @property
    def asks_consent(self) -> bool:
        """Whether the network is a user's own module, whose code nobody has asked to be run yet."""
        return is_user_module(str(self.config.get("arch", ""))) and not self.consented

    @property
    def given_up(self) -> bool:
        return self._scoring is not None and self._scoring.cancelled

    def consent(self) -> None:
        """Run the code of the run's own module from now on."""
        self.consented = True
        self.again()

    def again(self) -> None:
        """Read the network and classify anew; what is shown stays until that is done."""
        self.cancel()
        if self.asks_consent:
            return
        if not self._chosen:
            self._source = newest_source(self._run)
        self._failure, self._defect, self._read = None, False, self._stored()
        source = self._source

        def score(should_stop: ShouldStop, report: Report) -> Scored:
            arch = own_arch(self._run)
            if not self._tried:
                try_code(self._run, arch, should_stop)
                self._tried = True
            return score_run(self._run, self._locations, source, arch=arch, should_stop=should_stop, report=report)

        self._scoring = BackgroundTask("inspect", score)

    def cancel(self) -> None:
        for task in (self._scoring, self._watching):
            if task is not None and not task.done.is_set():
                task.cancel()

    def next_source(self) -> bool:
        """Turn to other weights of the run; whether it has any."""
        have = [source for source in get_args(StoredWeights) if _file(self._run, source).is_file()]
        now = self.scored.network.source if self.scored is not None else self._source
        others = have[have.index(now) + 1 :] + have[: have.index(now)] if now in have else have
        if not others:
            return False
        self._source, self._chosen = others[0], True
        self.again()
        return True

    def look(self) -> bool:
        """Take in what the threads have done, and what the run has stored; whether there is anything new to show."""
        changed = self._take_scored() or self._take_layers()
        if time.monotonic() - self._looked >= STORED:
            self._looked = time.monotonic()
            self._deleted = not self._run.folder.is_dir()
            idle = self._scoring is None or self._scoring.done.is_set()
            if idle and not self._deleted and not self.asks_consent and self._read != self._stored():
                self.meta, self.config = self._run.meta(), self._run.config()
                self.again()
        return changed

    def _take_scored(self) -> bool:
        task = self._scoring
        if task is None or not task.done.is_set() or task.cancelled:
            return False
        self._scoring = None
        self._failure, self._defect = task.failure, bool(task.defect)
        if task.result is None:
            return True
        scored = self.scored = task.result
        self.layer_images = min(LAYER_IMAGES, len(scored.images))
        # A copy, so that whoever looks at one digit's feature maps meanwhile is not counted in.
        from core.models.own.copying import copy_module  # there is a network, so torch has been imported

        module = copy_module(scored.network.module)
        self._watching = BackgroundTask("inspect layers", lambda stop, _: _statistics(module, scored, stop))
        return True

    def _take_layers(self) -> bool:
        task = self._watching
        if task is None or not task.done.is_set():
            return False
        self._watching = None
        self._failure, self._defect = task.failure or self._failure, bool(task.defect) or self._defect
        self.layers = task.result if task.result is not None else self.layers
        return task.result is not None

    def _stored(self) -> object:
        """A value that changes whenever the run has stored the weights that are looked at."""
        if not self._chosen:
            self._source = newest_source(self._run)
        return stored_weights(self._run, self._source)

    def progress(self, width: int) -> str:
        """The work under way, with a bar; empty when there is none."""
        if self._scoring is not None and not self._scoring.cancelled:
            words = f"{self._scoring.stage[:1].upper()}{self._scoring.stage[1:]}..."
            return f"{words:<36}{bar(self._scoring.share, max(width - 42, 10))} {100 * self._scoring.share:3.0f}%"
        return "Looking at the layers..." if self._watching is not None else ""

    def trouble(self) -> str:
        """An error, or a question; empty when all is well."""
        if self.asks_consent:
            self._question = self._question or consent_words(self._run)
            return self._question
        if self._deleted:
            return "The run has been deleted." + (" What was read of it is still shown." if self.scored else "")
        if self._failure is not None:
            advice = as_sentence(for_interface(self._failure.advice))
            return f"{self._failure.message}.\n\n{advice}".rstrip()
        if self._defect:
            log = self._locations.home / "interface.log"
            return f"This is a defect of the program.\n\n{log} has the details."
        return ""


def consent_words(run: Run) -> str:
    """The question whether the code of a run's own module shall be run."""
    try:
        what = code_in_words(run)
    except RunError as error:
        what = error.message
    arch = run.config().get("arch")
    whose = f"This run's network is a module of your own:\n{arch}"
    return f"{whose}\n\nPress {key('run_code')} to import it and run its code: {what}."


def newest_source(run: Run) -> StoredWeights | None:
    """The final weights; while the run is live, or when it was stopped, those of its last checkpoint."""
    if run.checkpoint.is_file() and (run.is_alive() or not run.final_weights.is_file()):
        return "checkpoint"
    return None


def stored_weights(run: Run, source: StoredWeights | None) -> object:
    """A value that changes whenever the run has stored these weights anew; `source` None stands for the final ones, or
    the best in their place."""
    sources: tuple[StoredWeights, ...] = (source,) if source is not None else ("final", "best")
    return [(source, _when(_file(run, source))) for source in sources]


def _file(run: Run, source: StoredWeights) -> Path:
    return {"final": run.final_weights, "best": run.best_weights, "checkpoint": run.checkpoint}[source]


def _when(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _statistics(module: nn.Module, scored: Scored, should_stop: ShouldStop) -> list[LayerStatistics]:
    from core.inspection.activations import layer_statistics

    images, labels = scored.images[:LAYER_IMAGES], scored.labels[:LAYER_IMAGES]
    return layer_statistics(module, images, labels, scored.network.pixels, should_stop)
