"""Draw: an image drawn by hand, brought to MNIST's form and classified at each stroke."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from core.errors import LabError, RunError, ShouldStop, one_line
from core.models.spec import is_user_module
from core.task import DIGITS
from experiments.execution.apart import try_code
from experiments.inference.network import LoadedNetwork, load_network
from experiments.inference.predict import is_handwriting, save_drawing
from experiments.runs.folder import Run
from experiments.runs.own_code import own_arch
from tui.live.forms.advice import as_sentence
from tui.live.inspecting import STORED, consent_words, newest_source, stored_weights
from tui.live.task import BackgroundTask, Report, in_a_sentence
from tui.screens.base import WorkScreen
from tui.text.wording import arch_in_short
from tui.widgets.keys import bind
from tui.widgets.lines.line import Line
from tui.widgets.pictures.canvas import Canvas, Seen
from tui.widgets.pictures.probabilities import Probabilities

if TYPE_CHECKING:
    from torch import Tensor

SCALE = 4
"""Pixels across and down that a drawing has for each of the canvas."""
LOOK = 0.1


class DrawScreen(WorkScreen):
    """Opened above the screen that a run was chosen on. What is drawn before the network is there waits for it."""

    MODE = "draw"
    AUTO_FOCUS = "#canvas"
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("save", "save", "Save", tooltip="Keep the drawing as a PNG file in the home"),
        bind("run_code", "consent", "Run its code", tooltip="Import the run's own module and run it"),
        bind("back", "back", "Back"),
    ]

    def __init__(self, run: Run, *, consented: bool = False) -> None:
        super().__init__()
        self._run = run
        self._arch = str(run.config().get("arch", ""))
        self._consented = consented
        self._tried = False  # in a process of its own, once: a run keeps its code
        self._loading: BackgroundTask[LoadedNetwork] | None = None
        self._network: LoadedNetwork | None = None
        self._read: object = None
        self._question = ""

    def compose_body(self) -> ComposeResult:
        with Vertical(id="draw", classes="body"):
            yield Line(id="draw-title")
            yield Static(id="draw-notice", markup=False)
            with Horizontal(id="draw-board"):
                canvas = Canvas(id="canvas")
                canvas.border_title = "Draw here"
                yield canvas
                with Horizontal(id="draw-side"):
                    yield Seen(id="seen")
                    yield Probabilities(id="probabilities")

    def on_mount(self) -> None:
        self.set_interval(LOOK, self._look)
        self.set_interval(STORED, self._read_again)
        self._load()
        self._look()

    def on_unmount(self) -> None:
        if self._loading is not None:
            self._loading.cancel()

    @property
    def _asks_consent(self) -> bool:
        return is_user_module(self._arch) and not self._consented

    def _load(self) -> None:
        if self._asks_consent:
            return
        source = newest_source(self._run)
        self._read = source, stored_weights(self._run, source)

        def load(should_stop: ShouldStop, _report: Report) -> LoadedNetwork:
            arch = own_arch(self._run)
            if not self._tried:
                try_code(self._run, arch, should_stop)
                self._tried = True
            return load_network(self._run, source, arch=arch)

        self._loading = BackgroundTask("load network", load)

    def _read_again(self) -> None:
        """Take other weights once the run has stored them: those of the next epoch, and at its end the final ones."""
        if not self.is_current or self._loading is None or not self._loading.done.is_set():
            return
        source = newest_source(self._run)
        if self._run.folder.is_dir() and (source, stored_weights(self._run, source)) != self._read:
            self._load()

    def _look(self) -> None:
        loaded = self._loading.result if self._loading is not None and self._loading.done.is_set() else None
        if loaded is not None and loaded is not self._network:
            if self._network is None and loaded.code.note:
                self.notify(as_sentence(loaded.code.note), title="Its code", timeout=15, markup=False)
            self._network = loaded
            self._drawn()
        title = Content.assemble(("Draw  ", "$text-muted"), (self._run.meta().name or self._run.id, "bold"), "  ")
        self.query_one("#draw-title", Line).show(title.append(self._state()))
        notice, words = self.query_one("#draw-notice", Static), self._trouble()
        self.set_class(bool(words), "-trouble")
        if str(notice.content) != words:
            notice.update(words)
        self.refresh_keys(self._asks_consent, self._network is None)

    def _state(self) -> str:
        if self._network is None:
            return "" if self._trouble() else "reading the network..."
        epoch = f", epoch {self._network.epoch}" if self._network.epoch else ""
        return f"{arch_in_short(self._network.config.arch)}  {self._network.source} weights{epoch}"

    def _trouble(self) -> str:
        if self._asks_consent:
            self._question = self._question or consent_words(self._run)
            return self._question
        return self._loading.problem() if self._loading is not None else ""

    # --- What is drawn

    def drawing(self) -> Tensor:
        """(112, 112) uint8, light on black."""
        import torch

        values = torch.from_numpy(self.query_one(Canvas).values)
        pixels = (values * 255).round().to(torch.uint8)
        return pixels.repeat_interleave(SCALE, 0).repeat_interleave(SCALE, 1)

    @on(Canvas.Drawn)
    def _drawn(self) -> None:
        self.refresh_keys(self._asks_consent, self._network is None, self.query_one(Canvas).empty)
        if self.query_one(Canvas).empty:
            self._show(None, None)
        else:
            self._classify()

    @work(exclusive=True, group="classify")
    async def _classify(self) -> None:
        """On a thread, the latest drawing at last: a module of somebody's own may take its time."""
        try:
            network = self._network
            seen, probabilities = await asyncio.to_thread(_classified, network, self.drawing())
        except RunError as error:
            self.notify(error.message, title="The network failed", severity="error", markup=False)
        except LabError:
            self._show(None, None)
        except Exception as error:  # noqa: BLE001  # the code of a user's module raises whatever it likes
            self.notify(one_line(error), title="The network failed", severity="error", markup=False)
        else:
            self._show(seen, probabilities, DIGITS if network is None else network.classes)

    def _show(self, seen: Tensor | None, probabilities: list[float] | None, names: Sequence[str] = DIGITS) -> None:
        self.query_one(Seen).show(None if seen is None else seen.numpy())
        self.query_one(Probabilities).show(probabilities, names)

    # --- Keys

    def action_save(self) -> None:
        try:
            path = save_drawing(self.lab.locations.home, self.drawing())
        except LabError as error:
            self.notify(in_a_sentence(error), title="Not saved", severity="error", markup=False)
        else:
            self.notify(str(path), title="Saved", markup=False)

    def action_consent(self) -> None:
        self._consented = True
        self._load()

    def action_back(self) -> None:
        self.app.pop_screen()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        match action:
            case "save":
                return self.ready and not self.query_one(Canvas).empty
            case "consent":
                return self._asks_consent
            case _:
                return super().check_action(action, parameters)

    def help_lines(self) -> tuple[str, ...]:
        return (
            "Draw with the mouse, or with the pen: arrows move it (with shift by four pixels), {turn} puts it down.",
            "The network sees the drawing as MNIST was made: scaled into 20 x 20 pixels and centred by its mass.",
            "Saved drawings are in the folder drawings of the home; mnist-tui predict RUN FILE classifies them too.",
        )


def _classified(network: LoadedNetwork | None, drawing: Tensor) -> tuple[Tensor, list[float] | None]:
    """The drawing as the network is given it, and the probabilities where there is a network.

    One of handwriting is given it in MNIST's form, any other the whole drawing in the size of its images."""
    from core.data.picture import normalise, scaled

    seen = normalise(drawing)  # which refuses an empty one
    if network is not None and not is_handwriting(network.config.dataset):
        seen = drawing
    if network is not None:
        seen = scaled(seen, network.task.size)
    return seen, None if network is None else network.probabilities(seen[None])[0].tolist()
