"""The Textual app: four screens over one home, one training session, and one poll of event logs."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual import on
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen, Screen

from core.errors import StorageError
from core.models.spec import GRAMMAR
from experiments.locations import Locations
from experiments.runs.store import Store
from experiments.settings import DEFAULTS, Settings
from tui.app.catalog_reader import CatalogReader
from tui.app.getting_around import GettingAround, Places
from tui.app.leaving import Leaving
from tui.app.modes import MODES, import_other_screens
from tui.app.ordered_keys import OrderedKeysApp
from tui.app.run_control import RunControl
from tui.app.telling import Telling
from tui.live.catalog import Catalog
from tui.live.device_use import DeviceUse
from tui.live.job_words import live_in_words, outcome
from tui.live.jobs.watch import LineWatch
from tui.live.lab import Lab
from tui.live.machine import import_torch
from tui.live.messages import (
    ForkRequested,
    OpenRequested,
    ResumeRequested,
    StartRequested,
    StopAllRequested,
    StopRequested,
    TurnRequested,
)
from tui.live.session import Job, Session
from tui.live.state import State
from tui.live.studies import StudyWatch
from tui.live.task import in_a_sentence
from tui.live.watch import RunWatch
from tui.screens.base import LEAST_HEIGHT, LEAST_WIDTH, WorkScreen
from tui.screens.everywhere.line import LineScreen
from tui.screens.help import Help, screen_keys
from tui.screens.lab import LabScreen
from tui.text.copying import give_to_tmux
from tui.text.keys import use_keys, with_keys
from tui.widgets.keys import bind
from tui.widgets.lines.navbar import NavBar
from tui.widgets.textual_private import first_screen, is_leaving

POLL = 0.1
"""Seconds between two looks at event logs."""
SHARE = 100
"""Computing of the interface takes at most one part in so many of the wall time; else it looks less often."""
LONGEST = 1.5
"""Seconds between two looks at most."""
CATALOG_INTERVAL = 1.0


class LabApp(OrderedKeysApp[int]):
    """Screens post what they want; this alone starts, stops and opens runs."""

    TITLE = "mnist-tui"
    CSS_PATH = "styles.tcss"
    MODES: ClassVar[dict[str, Any]] = MODES
    DEFAULT_MODE = "lab"
    COMMANDS = App.COMMANDS | {Places}
    # Textual declares these two without ClassVar
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (LEAST_WIDTH, "-narrow"), (110, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (LEAST_HEIGHT, "-low"), (32, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("lab", "go('lab')"),
        bind("training", "go('training')"),
        bind("runs", "go('runs')"),
        bind("sweeps", "go('sweeps')"),
        bind("help", "help", "Help"),
        bind("commands", "command_palette", priority=True),
        bind("jump", "jump", "Jump", show=False, priority=True),
        bind("settings", "settings", "Settings", show=False),
        bind("quit", "quit", "Quit"),
        bind("quit_anywhere", "quit", "Quit", priority=True),
        bind("suspend", "suspend_process", priority=True),
    ]

    def __init__(self, locations: Locations, settings: Settings = DEFAULTS, **options: Any) -> None:
        self.settings = settings  # which the colours that Textual asks for follow
        super().__init__(**options)
        self.locations = locations
        self.ascii_only = settings.ascii
        self.first_words: tuple[str, ...] = ()
        use_keys(settings.keymap)
        self.store = Store(locations.home)
        self.catalog = Catalog(self.store)
        self._reader = CatalogReader(self, self.catalog)
        self.studies = StudyWatch(locations.home)
        self.session = Session(locations)
        self.session.address = settings.notify_url
        self.run_watch = RunWatch(self.session, self.store)
        self.line = LineWatch(locations, self.session)
        self.run_control = RunControl(self, self, self._show_training)
        self.around = GettingAround(self, self, self.action_go)
        self.leaving = Leaving(self, self.session, self.store)
        self.telling = Telling(self.session, self.run_watch, self.studies)
        self._state_file = locations.home / "state.json"
        self.state = State.load(self._state_file)
        self._saved = replace(self.state)
        self._save_failed = False
        self._announced: Job | None = None
        self._use = DeviceUse()
        self._paint_at = self._used = 0.0
        self._turns = self.session.turns
        theme = settings.theme or self.state.theme
        if not self.no_color and theme in self.available_themes:
            self.theme = theme

    # --- Life

    def on_mount(self) -> None:
        if not self.is_headless and sys.__stdout__ is not None and sys.__stderr__ is not None:
            # Textual swallows what is printed; the real streams lead to the log.
            sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
        self.theme_changed_signal.subscribe(self, lambda theme: self.remember(theme=theme.name))
        # After fg the terminal is empty, and Textual repaints only what has changed.
        self.app_resume_signal.subscribe(self, lambda _: self.refresh(layout=True))
        self.set_keymap(self.settings.keymap)
        self.call_after_refresh(self._painted_first)

    def _painted_first(self) -> None:
        for words in self.first_words:
            self.notify(words, title="Settings", severity="warning", timeout=10, markup=False)
        import_torch(then=partial(import_other_screens, lambda: self.session.stage))
        self.load_catalog()
        self.run_worker(self.run_control.show_live_runs(lambda: not self.was_used), exit_on_error=False)
        self.set_interval(POLL, self._tick)
        self.set_interval(CATALOG_INTERVAL, self._reader.refresh)
        self.set_interval(2.0, self.save_state)

    def remember(self, **values: object) -> None:
        """Keep values for the next start."""
        if self.no_color:
            values.pop("theme", None)
        self.state = replace(self.state, **values)  # type: ignore[arg-type]  # callers name fields of State

    def save_state(self) -> None:
        if self.state == self._saved:
            return
        try:
            self.state.save(self._state_file)
            self._saved = replace(self.state)
        except StorageError as error:
            if not self._save_failed:
                self._save_failed = True
                self.notify(in_a_sentence(error), title="Not remembered", severity="warning", markup=False)

    # --- What is going on

    def device_use(self, device: str) -> str:
        return self._use.recent_line(device)

    def device_loads(self) -> Sequence[float]:
        return tuple(self._use.loads)

    def _tick(self) -> None:
        """Read what has come into the logs and paint it; less often when painting is slow."""
        # Counted on this thread, with all that Textual did since the last look: training feels every bit of it twice,
        # since each of its own threads waits for the one that was interrupted.
        now, used, turns = time.monotonic(), time.thread_time(), self.session.turns
        if is_leaving(self) or (now < self._paint_at and turns == self._turns):
            return
        self._turns = turns  # a run that begins or ends is shown at once
        changed = self.run_watch.poll()
        self.line.look()
        self._announce_end()
        self.telling.look()
        screen = self.screen
        if isinstance(screen, WorkScreen) and screen.ready and screen.is_attached:
            self._show_live(screen)
        training = first_screen(self, "training")
        if training is not None and screen is training and (changed or self.session.live):
            cast("TrainingScreen", training).repaint()
        self._paint_at = now + min(SHARE * (used - self._used), LONGEST)
        self._used = used

    def _repaint_training(self) -> None:
        """Repaint Training at once, before it is due: another run is shown."""
        self._paint_at = 0.0
        training = first_screen(self, "training")
        if training is not None:
            cast("TrainingScreen", training).repaint()

    def _announce_end(self) -> None:
        """A toast when the session's job is over: the only change of state that may come while one looks elsewhere."""
        job, own = self.session.job, self.run_watch.own
        if job is None or not job.done.is_set() or job is self._announced:
            return
        self._announced = job
        if own is not None:
            own.finish()
        title, text, severity = outcome(job, own, self.log_path)
        self.notify(
            text, title=title, severity=severity, timeout=None if severity == "information" else 10, markup=False
        )
        self.telling.end(title, text, failed=severity == "error")
        lab, training = first_screen(self, "lab"), first_screen(self, "training")
        if isinstance(lab, LabScreen):
            lab.judge()
        if training is not None:
            cast("TrainingScreen", training).repaint()

    @property
    def log_path(self) -> str:
        return str(self.locations.home / "interface.log")

    def _show_live(self, screen: WorkScreen) -> None:
        words = live_in_words(self.session, self.run_watch.own, self.line.waiting)
        screen.query_one(NavBar).show_live(words, self._reader.live)

    def load_catalog(self) -> None:
        self._reader.load()

    # --- What screens ask for

    @on(StartRequested)
    async def _start(self, message: StartRequested) -> None:
        await self.run_control.start(message.specs, detached=message.detached)

    @on(OpenRequested)
    async def _open(self, message: OpenRequested) -> None:
        self.run_watch.show(message.run)
        await self._show_training()

    @on(TurnRequested)
    def _turn(self, message: TurnRequested) -> None:
        self.run_watch.turn(message.by)
        self._repaint_training()

    @on(ForkRequested)
    async def _fork(self, message: ForkRequested) -> None:
        if not message.run.config():
            self.notify("its config.json is damaged or gone", title="Cannot fork", severity="error")
            return
        title = message.run.meta().name or message.run.id
        await self._switch("lab")
        if isinstance(self.screen, LabScreen):
            self.screen.load_fork(message.run, title)

    @on(StopRequested)
    async def _stop(self, message: StopRequested) -> None:
        await self.run_control.stop(message.run)

    @on(StopAllRequested)
    async def _stop_all(self, message: StopAllRequested) -> None:
        await self.run_control.stop_all(message.runs)

    @on(ResumeRequested)
    async def _resume(self, message: ResumeRequested) -> None:
        await self.run_control.resume(message.run)

    async def _show_training(self) -> None:
        self._repaint_training()
        await self._lead_to("training")

    async def _lead_to(self, mode: str) -> None:
        """Switch to a working screen and close what was opened above it: that is about another run."""
        await self._switch(mode)
        while len(self.screen_stack) > 1:
            await self.pop_screen()

    async def _switch(self, mode: str) -> None:
        """Show a mode's screen, none of it before it has been put together; so the next key finds it, too."""
        with self.batch_update():
            await self.switch_mode(mode)

    def delay_update(self, delay: float = 0.0) -> None:
        """Hold back no picture by the clock while modes change: Textual's twentieth of a second is most of what a key
        to another screen takes."""

    # --- Keys

    async def action_go(self, mode: str) -> None:
        elsewhere = mode != self.current_mode
        if not elsewhere and not isinstance(self.screen, ModalScreen):
            await self._lead_to(mode)
        await self._switch(mode)
        if elsewhere and isinstance(self.screen, WorkScreen):
            self.screen.leave_field()

    async def action_line(self) -> None:
        await self.push_screen(LineScreen())

    async def action_help(self) -> None:
        screen = self.screen
        if isinstance(screen, WorkScreen):
            layers = tuple(GRAMMAR.items()) if isinstance(screen, LabScreen) else ()
            said = screen.help_lines(), screen_keys(screen), layers, screen.explained()
            await self.push_screen(Help(screen.MODE.capitalize(), *said))

    def copy_to_clipboard(self, text: str) -> None:
        super().copy_to_clipboard(text)
        give_to_tmux(text)

    async def action_jump(self) -> None:
        await self.around.jump()

    async def action_settings(self) -> None:
        await self.around.settings()

    async def action_quit(self) -> None:
        await self.leaving.ask()

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Every key of the moment as a command, so that nobody has to know one."""
        # Not Textual's own moves of the focus, nor the palette itself, nor anything twice.
        seen = {"command_palette"} | {binding.action for binding in Binding.make_bindings(Screen.BINDINGS)}
        for active in screen.active_bindings.values():
            binding, action, node = active.binding, active.binding.action, active.node
            if active.enabled and binding.description and isinstance(node, Screen | App) and action not in seen:
                seen.add(action)
                text = f"{with_keys(binding.tooltip or binding.description)} (key {self.get_key_display(binding)})"
                yield SystemCommand(binding.description, text, lambda a=action, n=node: self.run_action(a, n))
        yield SystemCommand("Theme", "Light, dark and others", self.action_change_theme)
        yield SystemCommand("Screenshot", "Save the screen as SVG in the home folder", self._save_screenshot)

    def _save_screenshot(self) -> None:
        try:
            path = self.save_screenshot(path=str(self.locations.home))
            self.notify(path, title="Screenshot", markup=False)
        except OSError as error:
            self.notify(str(error), title="Not saved", severity="error", markup=False)


if TYPE_CHECKING:
    from tui.screens.training import TrainingScreen

    _is_lab: type[Lab] = LabApp
