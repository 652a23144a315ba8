"""Sixteen digits as augmentation makes them, each beside what it was, by the values in the Lab."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen

from core.config import TrainConfig
from core.errors import ShouldStop
from experiments.locations import Locations
from tui.drawing.picture import Shades, digit_values
from tui.live.task import BackgroundTask, Report
from tui.text.keys import with_keys
from tui.widgets.keys import bind
from tui.widgets.lines.paragraph import Paragraph
from tui.widgets.pictures.picture_grid import LabelledPicture, PictureGrid

if TYPE_CHECKING:
    from core.data.loader import Dataset
    from core.training.preview import Preview

SHOWN = 16
SMALL = 16
"""Pixels of a side up to which images are drawn as large as they are."""
POLL = 0.1
"""Seconds between two looks at whether the images are there."""


class AugmentedDigits(ModalScreen[None]):
    """What an epoch of a run of this config begins with; `again` goes on to the next epoch.

    Data are read, and images changed, on a thread.
    """

    DEFAULT_CSS = """
    AugmentedDigits #pictures { border: none; height: 1fr; }
    AugmentedDigits #pictures:focus { border: none; }
    AugmentedDigits #said { color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("again", "again", "Another draw", priority=True),
        bind("back", "dismiss", "Close"),
        bind("quit", "dismiss"),
    ]

    def __init__(self, locations: Locations, config: TrainConfig) -> None:
        super().__init__()
        self._locations, self._config = locations, config
        self._epoch = 0
        self._dataset: Dataset | None = None
        self._drawing: BackgroundTask[Preview] | None = None

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog digits") as box:
            box.border_title = Content(f"Augmentation: {self._config.augment}")
            box.border_subtitle = with_keys("{again}: another draw, {back} closes")
            yield Paragraph(id="said")
            yield PictureGrid(id="pictures")

    def on_mount(self) -> None:
        self.query_one(PictureGrid).focus()
        self.set_interval(POLL, self._look)
        self.action_again()

    def on_unmount(self) -> None:
        if self._drawing is not None:
            self._drawing.cancel()

    def action_again(self) -> None:
        """Draw the images of the next epoch, unless the last are still being drawn."""
        if self._drawing is not None:
            return
        self._epoch += 1
        epoch = self._epoch
        self._drawing = BackgroundTask("augment", lambda stop, report: self._work(epoch, stop, report))
        self._look()

    def _work(self, epoch: int, should_stop: ShouldStop, report: Report) -> Preview:
        from core.data.loader import Loader
        from core.training.preview import preview

        if self._dataset is None:
            report("reading the images", 0.0)

            def told(name: str, done: int, total: int | None) -> None:
                report(f"downloading {name}", done / total if total else 0.0)

            loader = Loader(self._locations.data, self._locations.cache, should_stop, told)
            self._dataset = loader.load(self._config.dataset)
        report("changing the images", 0.0)
        return preview(self._config, self._dataset, SHOWN, epoch)

    def _look(self) -> None:
        task = self._drawing
        if task is None:
            return
        if not task.done.is_set():
            if self._epoch == 1:
                self._say(f"{task.stage.capitalize()} …")
            return
        self._drawing = None
        if task.result is None:
            self._say(task.problem())
            return
        self._show(task.result)

    def _show(self, shown: Preview) -> None:
        paired = self._config.augment != "none"
        sides = (shown.originals.numpy(), shown.changed.numpy())[: 1 + paired]
        grid = self.query_one(PictureGrid)
        pictures = []
        for name, *images in zip(shown.classes, *sides, strict=True):
            values = [_halved(digit_values(image)) for image in images]
            gap = np.zeros((len(values[0]), 1), dtype=np.float32)
            pictures.append(LabelledPicture(name, np.hstack([values[0], gap, values[1]] if paired else values)))
        grid.show(pictures, signed=False)
        if paired:
            start = f"at the start of epoch {self._epoch} with seed {self._config.seed}"
            self._say(f"Left as it is, right as trained on, {start}.")
        else:
            self._say("No augmentation: images are trained on as they are. Name some in the Lab, such as affine,erase.")

    def _say(self, words: str) -> None:
        self.query_one("#said", Paragraph).show(words)


def _halved(values: Shades) -> Shades:
    """Each 2 x 2 values made their mean, so that more pictures are in view, where there are values enough."""
    if len(values) <= SMALL:
        return values
    side = len(values) // 2 * 2
    halved: Shades = values[:side, :side].reshape(side // 2, 2, side // 2, 2).mean((1, 3))
    return halved
