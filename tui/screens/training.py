"""Training: one run as its event log tells it, live or long over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from experiments.results.diagnosis import RULES, WORDS
from experiments.runs.row import Status
from tui.live.follow import READING, Follower
from tui.live.forms.advice import for_interface
from tui.live.messages import ForkRequested, ResumeRequested, StopRequested, TurnRequested
from tui.screens.notes import edit_note
from tui.screens.opening import open_draw, open_inspect
from tui.screens.training_base import TrainingBase
from tui.text.copying import Copy, copies_of_run
from tui.text.keys import with_keys
from tui.widgets.charts.curves import Curves
from tui.widgets.keys import bind
from tui.widgets.lines.facts import MEANINGS as FACTS
from tui.widgets.lines.facts import Facts, facts_of
from tui.widgets.lines.line import Line
from tui.widgets.lines.paragraph import Paragraph
from tui.widgets.lines.progress_panel import ProgressPanel
from tui.widgets.lines.run_title import notice_of, title_of
from tui.widgets.tables.epoch_table import EpochTable
from tui.widgets.tables.log_pane import LogPane
from tui.widgets.tables.trend_table import MEANINGS as TRENDS
from tui.widgets.tables.trend_table import TrendTable

EMPTY = """No run is open.

Start one in the Lab ({lab}), or open one from Runs ({runs})."""


class TrainingScreen(TrainingBase):
    MODE = "training"
    AUTO_FOCUS = "#epochs"
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("stop", "stop", "Stop", tooltip="Stop after a checkpoint"),
        bind("continue", "resume", "Continue", tooltip="Go on from the last checkpoint"),
        bind("next", "turn(1)", "Next seed", tooltip="Show the next seed of the group, live or ended"),
        bind("previous", "turn(-1)"),
        bind(
            "together", "together", "Seeds", tooltip="All seeds of the group with their mean, or the one that is shown"
        ),
        bind("fork", "fork", "Fork", tooltip="Take the config to the Lab, to change and start again"),
        bind(
            "inspect", "inspect", "Inspect", tooltip="What the network confuses, its layers, filters and feature maps"
        ),
        bind("note", "note", "Note", tooltip="Write a note on the run"),
        bind("draw", "draw", "Draw", tooltip="Draw a picture for the network"),
        bind("line", "app.line", "Line", tooltip="What waits in line: another order, dropping"),
        bind("metric", "maximize_chart", "Full", tooltip="Each chart in turn on the full screen"),
        bind("log_scale", "log_scale", "Log", tooltip="The losses on a log or a linear scale"),
        bind("accuracies", "accuracies", "Accuracy", tooltip="Scored images; training too; around the target; error"),
        bind("smooth", "smooth", "Smooth", tooltip="Smooth the curves: off, 0.6, 0.9, 0.97"),
        bind("zoom", "zoom", "Zoom", tooltip="All epochs, the last 10, 5 or 2"),
        bind("by", "by_step", "Steps", tooltip="Loss by step or by epoch"),
        bind("events", "log_pane", "Events", tooltip="Show or hide the messages of the run"),
        bind("copy", "copy", "Copy", tooltip="Copy the run's id, its spec, or the command that trains the same"),
        bind("left", "point(-1)", "Epoch", show=False, tooltip="Read the charts at an epoch"),
        bind("right", "point(1)"),
        bind("trends", "trends", "Trends", tooltip="Rate, gap, gradients and steps of each layer, load"),
        bind("back", "restore"),
    ]

    def compose_body(self) -> ComposeResult:
        yield Static(with_keys(EMPTY), id="no-run", markup=False)
        with Vertical(id="run"):
            yield Line(id="run-title")
            yield ProgressPanel()
            yield Paragraph(id="notice")
            yield Curves(ascii_only=self.lab.ascii_only, id="curves")
            yield Line(id="readout")
            with Horizontal(id="below"):
                yield EpochTable(id="epochs")
                yield TrendTable(ascii_only=self.lab.ascii_only, id="trends")
                with Vertical(id="side"):
                    yield Facts(id="facts")
                    yield LogPane(id="log")

    _has_drawn = False
    """Whether a run was shown; its curves are not those of one that is being prepared."""

    def on_screen_resume(self) -> None:
        self.repaint()

    def on_resize(self, _event: events.Resize) -> None:
        self.call_after_refresh(self.repaint)

    def repaint(self) -> None:
        """Update every widget to what has been read of the run."""
        if not self.ready:
            return
        follower = self._follower
        self._say_warnings()
        waiting = self.lab.session.stage
        self.set_class(follower is None and not waiting, "-empty")
        self.set_class(follower is None and bool(waiting) and self._has_drawn, "-preparing")
        shown = (follower.run.id, follower.standing) if follower is not None else None
        watch = self.lab.run_watch
        seeds = watch.seeds.begun if follower is not None and follower in watch.seeds.begun else []
        self.refresh_keys(shown, self.lab.session.live, watch.has_others, len(seeds) > 1, self.has_class("-wide"))
        if follower is None:
            self.query_one("#no-run", Static).update(self._empty_reason())
            self.query_one("#run-title", Line).show(Content.styled("Preparing the run" if waiting else "", "bold"))
            self.query_one(ProgressPanel).show_stage(f"{waiting}..." if waiting else "")
            return
        self._has_drawn = True
        job = self.lab.session.job if self.lab.session.live else None
        place = (job.place_of(follower.run.id) if job is not None else "") or watch.seeds.place_of(follower.run.id)
        self.query_one("#run-title", Line).show(title_of(follower, place))
        self.query_one(ProgressPanel).show(follower.view, follower.standing, self._before_the_first_step(follower))
        self._show_notice(follower)
        self.query_one(Curves).show(follower, seeds)
        self._show_readout(follower)
        self.query_one(EpochTable).show_view(follower.view)
        self.query_one(TrendTable).show_view(follower.view, self._loads(follower))
        self.query_one(Facts).show(facts_of(follower.view, follower.config, self._device_use(follower)))
        self.query_one(LogPane).show_lines(tuple(follower.log))

    def _before_the_first_step(self, follower: Follower) -> str:
        """What there is in the place of a progress line, before a run has one."""
        if follower.standing == Status.RUNNING or self.lab.session.works_on(follower.run.id):
            return f"{self.lab.session.stage or 'waiting for the first step'}..."
        return (
            "" if follower.view.epochs or follower.standing == READING else f"{follower.standing} before its first step"
        )

    def _say_warnings(self) -> None:
        job = self.lab.session.job
        while job is not None and job.warnings:
            words = job.warnings.popleft()
            title = "Not told" if words.startswith("notify_url") else "Not tracked"
            self.notify(words, title=title, severity="warning", markup=False)

    def _empty_reason(self) -> str:
        job = self.lab.session.job
        if job is None or not job.done.is_set():
            return with_keys(EMPTY)
        if job.failure is not None:
            return f"The run could not start.\n\n{job.failure.message}\n{for_interface(job.failure.advice)}"
        return (
            f"The run could not start: a defect.\n\n{self.lab.log_path} has the details."
            if job.defect
            else with_keys(EMPTY)
        )

    def _device_use(self, follower: Follower) -> str:
        started = follower.view.started
        if started is None or follower.standing != Status.RUNNING:
            return started.device if started else ""
        if not self.lab.session.works_on(follower.run.id):
            return "trained by another process"
        return self.lab.device_use(started.device)

    def _loads(self, follower: Follower) -> Sequence[float]:
        return self.lab.device_loads() if self.lab.session.works_on(follower.run.id) else ()

    def _show_notice(self, follower: Follower) -> None:
        job = self.lab.session.job
        failed = job.failed(follower.run.id) if job is not None else None
        words, notice = notice_of(follower, failed), self.query_one("#notice", Paragraph)
        notice.show(words)
        notice.set_class(bool(words), "-shown")

    def action_stop(self) -> None:
        if self._follower is not None:
            self.post_message(StopRequested(self._follower.run))
        elif self.lab.session.live:
            self.lab.session.stop("stop")

    def action_resume(self) -> None:
        if self._follower is not None:
            self.post_message(ResumeRequested(self._follower.run))

    def copies(self) -> Sequence[Copy]:
        return copies_of_run(self._follower.run) if self._follower is not None else ()

    def action_turn(self, by: int) -> None:
        self.post_message(TurnRequested(by))

    def action_fork(self) -> None:
        if self._follower is not None:
            self.post_message(ForkRequested(self._follower.run))

    async def action_note(self) -> None:
        if self._follower is not None:
            await edit_note(self.app, [self._follower.run], self._follower.title, self.repaint)

    async def action_inspect(self) -> None:
        if self._follower is not None:
            await open_inspect(self.app, self._follower.run)

    async def action_draw(self) -> None:
        if self._follower is not None:
            await open_draw(self.app, self._follower.run)

    def action_trends(self) -> None:
        self.toggle_class("-trends")
        self.set_focus(self.query_one("#trends" if self.has_class("-trends") else "#epochs"))
        self.call_after_refresh(self.repaint)  # a table that was hidden had no width

    def action_log_pane(self) -> None:
        self.toggle_class("-log")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        follower = self._follower
        match action:
            case "stop":
                if follower is None:
                    return self.lab.session.live
                return follower.standing == Status.RUNNING or self.lab.session.works_on(follower.run.id)
            case "resume":
                resumable = (Status.STOPPED, Status.CRASHED, Status.FAILED)
                return follower is not None and not follower.deleted and follower.status in resumable
            case "turn":
                return self.lab.run_watch.has_others
            case "together":
                return len(self.lab.run_watch.seeds.begun) > 1
            case "fork" | "inspect" | "draw" | "note":
                return follower is not None and not follower.deleted
            case (
                "maximize_chart"
                | "log_scale"
                | "accuracies"
                | "smooth"
                | "zoom"
                | "log_pane"
                | "trends"
                | "point"
                | "copy"
            ):
                return follower is not None
            case "by_step":
                return follower is not None and not self.has_class("-wide")
            case _:
                return super().check_action(action, parameters)

    def help_lines(self) -> tuple[str, ...]:
        return (
            "The line at the top is tqdm's for the epoch under way; below it is the whole run with the time left.",
            "{accuracies} turns the accuracy axis: scored images, training too, around the target, error.",
            "{left} and {right}, or the mouse, read all charts at an epoch; {open} inspects its weights, if kept.",
            "{stop} stops after a checkpoint, and {continue} goes on from there later, exactly.",
            "Of a group the charts have all seeds, their mean, and one standard deviation around it; {next} and",
            "{previous} turn to each seed, whose marks are in the charts, and {together} shows its curves alone.",
        )

    def explained(self) -> tuple[tuple[str, str], ...]:
        rules = tuple((f'"{WORDS[trend]}"', rule) for trend, rule in RULES.items())
        return (*FACTS, *rules, *TRENDS)
