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

from core.dataset_names import name_of
from core.events import RunFailed
from experiments.runs.row import Status
from tui.drawing.series import SMOOTHING
from tui.live.follow import Follower
from tui.live.forms.advice import as_sentence, for_interface
from tui.live.messages import ForkRequested, ResumeRequested, StopRequested, TurnRequested
from tui.screens.base import WorkScreen
from tui.screens.notes import edit_note
from tui.screens.opening import open_draw, open_inspect
from tui.text.copying import Copy, copies_of_run
from tui.text.keys import with_keys
from tui.text.wording import arch_in_short, what_failed
from tui.widgets.charts.curves import CHARTS, ZOOMS, Curves, Look
from tui.widgets.keys import bind
from tui.widgets.lines.facts import Facts, facts_of
from tui.widgets.lines.line import Line
from tui.widgets.lines.paragraph import Paragraph
from tui.widgets.lines.progress_panel import ProgressPanel
from tui.widgets.tables.epoch_table import EpochTable
from tui.widgets.tables.log_pane import LogPane

STATUS_SIGNS = {
    Status.RUNNING: ("● running", "$text-success"),
    Status.FINISHED: ("✓ finished", "$text-primary"),
    Status.STOPPED: ("■ stopped", "$text-warning"),
    Status.FAILED: ("✗ failed", "$text-error"),
    Status.CRASHED: ("✗ crashed", "$text-error"),
}
DELETED = ("✗ deleted", "$text-error")
EMPTY = """No run is open.

Start one in the Lab ({lab}), or open one from Runs ({runs})."""


class TrainingScreen(WorkScreen):
    MODE = "training"
    AUTO_FOCUS = "#epochs"
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("stop", "stop", "Stop", tooltip="Stop after a checkpoint"),
        bind("continue", "resume", "Continue", tooltip="Go on from the last checkpoint"),
        bind("next", "turn(1)", "Next seed", tooltip="Show the next of the seeds that are trained now"),
        bind("previous", "turn(-1)"),
        bind("fork", "fork", "Fork", tooltip="Take the config to the Lab, to change and start again"),
        bind(
            "inspect", "inspect", "Inspect", tooltip="What the network confuses, its layers, filters and feature maps"
        ),
        bind("note", "note", "Note", tooltip="Write a note on the run"),
        bind("draw", "draw", "Draw", tooltip="Draw a digit for the network"),
        bind("metric", "maximize_chart", "Full", tooltip="Each chart in turn on the full screen"),
        bind(
            "log_scale", "log_scale", "Log", tooltip="Linear or log scale; log shows the error instead of the accuracy"
        ),
        bind("smooth", "smooth", "Smooth", tooltip="Smooth the curves: off, 0.6, 0.9, 0.97"),
        bind("zoom", "zoom", "Zoom", tooltip="All epochs, the last 10, 5 or 2"),
        bind("by", "by_step", "Steps", tooltip="Loss by step or by epoch"),
        bind("events", "log_pane", "Events", tooltip="Show or hide what the run has said"),
        bind("copy", "copy", "Copy", tooltip="Copy the run's id, its spec, or the command that trains the same"),
        bind("back", "restore"),
    ]

    def compose_body(self) -> ComposeResult:
        yield Static(with_keys(EMPTY), id="no-run", markup=False)
        with Vertical(id="run"):
            yield Line(id="run-title")
            yield ProgressPanel()
            yield Paragraph(id="notice")
            yield Curves(
                Look(log=self.lab.state.log_scale, smoothing=self.lab.state.smoothing % len(SMOOTHING)),
                ascii_only=self.lab.ascii_only,
                id="curves",
            )
            with Horizontal(id="below"):
                yield EpochTable(id="epochs")
                with Vertical(id="side"):
                    yield Facts(id="facts")
                    yield LogPane(id="log")

    _has_drawn = False
    """Whether a run was shown; its curves are not those of one that is being prepared."""

    def on_screen_resume(self) -> None:
        self.repaint()

    def on_resize(self, _event: events.Resize) -> None:
        self.call_after_refresh(self.repaint)

    @property
    def _follower(self) -> Follower | None:
        return self.lab.run_watch.shown

    @property
    def _others_live(self) -> bool:
        """Whether a run is trained here that is not the one that is shown."""
        job, shown = self.lab.session.job, self._follower.run.id if self._follower is not None else ""
        return job is not None and self.lab.session.live and any(run_id != shown for run_id in job.live_ids)

    def repaint(self) -> None:
        """Update every widget to what has been read of the run."""
        if not self.ready:
            return
        follower = self._follower
        self._say_warnings()
        waiting = self.lab.session.stage
        self.set_class(follower is None and not waiting, "-empty")
        self.set_class(follower is None and bool(waiting) and self._has_drawn, "-preparing")
        shown = (follower.run.id, follower.status, follower.deleted) if follower is not None else None
        self.refresh_keys(shown, self.lab.session.live, self._others_live, self.has_class("-wide"))
        if follower is None:
            self.query_one("#no-run", Static).update(self._empty_reason())
            self.query_one("#run-title", Line).show(Content.styled("Preparing the run" if waiting else "", "bold"))
            self.query_one(ProgressPanel).show_stage(f"{waiting}..." if waiting else "")
            return
        self._has_drawn = True
        job = self.lab.session.job if self.lab.session.live else None
        place = job.place_of(follower.run.id) if job is not None else ""
        self.query_one("#run-title", Line).show(title_of(follower, place))
        self.query_one(ProgressPanel).show(follower.view, follower.standing, self._before_the_first_step(follower))
        self._show_notice(follower)
        self.query_one(Curves).show(follower)
        self.query_one(EpochTable).show_view(follower.view)
        self.query_one(Facts).show(facts_of(follower.view, follower.config, self._device_use(follower)))
        self.query_one(LogPane).show_lines(tuple(follower.log))

    def _before_the_first_step(self, follower: Follower) -> str:
        """What there is in the place of a progress line, before a run has one."""
        if follower.status is Status.RUNNING or self.lab.session.works_on(follower.run.id):
            return f"{self.lab.session.stage or 'waiting for the first step'}..."
        return "" if follower.view.epochs else f"{follower.standing} before its first step"

    def _say_warnings(self) -> None:
        job = self.lab.session.job
        while job is not None and job.warnings:
            self.notify(job.warnings.popleft(), title="Not tracked", severity="warning", markup=False)

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
        if started is None or follower.status is not Status.RUNNING:
            return started.device if started else ""
        if not self.lab.session.works_on(follower.run.id):
            return "trained by another process"
        return self.lab.device_use(started.device)

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

    def action_log_scale(self) -> None:
        look = self.query_one(Curves).look
        self._change(log=not look.log)
        self.lab.remember(log_scale=not look.log)

    def action_smooth(self) -> None:
        smoothing = (self.query_one(Curves).look.smoothing + 1) % len(SMOOTHING)
        self._change(smoothing=smoothing)
        self.lab.remember(smoothing=smoothing)

    def action_zoom(self) -> None:
        self._change(zoom=(self.query_one(Curves).look.zoom + 1) % len(ZOOMS))

    def action_by_step(self) -> None:
        self._change(steps_first=not self.query_one(Curves).look.steps_first)

    def action_maximize_chart(self) -> None:
        """Each chart in turn fills the screen, then all are back."""
        turns = ("", *CHARTS)
        self._show_alone(turns[(turns.index(self.query_one(Curves).look.alone) + 1) % len(turns)])

    def action_restore(self) -> None:
        self._show_alone("")

    def _show_alone(self, name: str) -> None:
        self.set_class(bool(name), "-alone")
        self._change(alone=name)

    def _change(self, **changes: object) -> None:
        look = self.query_one(Curves).change(**changes)
        self.query_one(Curves).border_subtitle = look.words()
        self.call_after_refresh(self.repaint)

    def action_log_pane(self) -> None:
        self.toggle_class("-log")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        follower = self._follower
        match action:
            case "stop":
                if follower is None:
                    return self.lab.session.live
                return follower.status is Status.RUNNING or self.lab.session.works_on(follower.run.id)
            case "resume":
                resumable = (Status.STOPPED, Status.CRASHED, Status.FAILED)
                return (
                    follower is not None
                    and not follower.deleted
                    and follower.status in resumable
                    and not self.lab.session.live
                )
            case "turn":
                return self._others_live
            case "fork" | "inspect" | "draw" | "note":
                return follower is not None and not follower.deleted
            case "maximize_chart" | "log_scale" | "smooth" | "zoom" | "log_pane":
                return follower is not None
            case "by_step":
                return follower is not None and not self.has_class("-wide")
            case _:
                return super().check_action(action, parameters)

    def help_lines(self) -> tuple[str, ...]:
        return (
            "The line at the top is tqdm's for the epoch under way; below it is the whole run with the time left.",
            "In log scale the accuracy chart shows the error, so that 99.4 % and 99.5 % are told apart.",
            "{stop} stops after a checkpoint, and {continue} goes on from there later, exactly.",
            "Of several seeds that are trained at once one is shown; {next} and {previous} turn to the others.",
        )


def title_of(follower: Follower, place: str = "") -> Content:
    """Status, name and what decides the run; `place` is its place among those that were started together."""
    config, started = follower.config, follower.view.started
    name = follower.meta.name or follower.run.id
    seed, lr, batch = config.get("seed", "-"), config.get("lr", "-"), config.get("batch_size", "-")
    arch = str(config.get("arch", "?"))
    facts = [
        arch_in_short(arch),
        f"{started.total_params:,} params" if started else "",
        started.dataset if started else name_of(str(config.get("dataset", "?"))),
    ]
    lr = f"{lr:.4g}" if isinstance(lr, float) else lr  # one that a sweep proposed has 17 digits
    facts += [f"seed {seed} ({place})" if place else f"seed {seed}", f"lr {lr}", f"batch {batch}"]
    facts.append(started.device if started else "")
    sign, style = DELETED if follower.deleted else STATUS_SIGNS[follower.status]
    rest = "  ".join(fact for fact in facts if fact)
    return Content.assemble((sign, f"bold {style}"), ("  " + name, "bold"), "  ", rest)


def notice_of(follower: Follower, failed: RunFailed | None = None) -> str:
    """The error of a run, for a strip of its own; empty when there is none. `failed` is an end that the log may not
    have, because there was no room for it.
    """
    return "\n".join(words for words in (_trouble(follower, failed), _damage(follower)) if words)


def _trouble(follower: Follower, failed: RunFailed | None) -> str:
    if follower.deleted:
        return "The run's folder has been deleted. What was read of it is still shown."
    crashed = follower.status is Status.CRASHED
    match follower.view.end or (failed if crashed else None):
        case RunFailed() as end:
            advice = as_sentence(for_interface(end.advice))
            return f"Failed in epoch {end.epoch}: {what_failed(end)}. {advice}"
        case None if crashed:
            return with_keys(
                "The process that trained this run is gone without a word. {continue} goes on from the last checkpoint."
            )
        case _:
            return ""


def _damage(follower: Follower) -> str:
    match follower.damaged:
        case 0:
            return ""
        case 1:
            return "1 line of this run's log is damaged and was passed over."
        case count:
            return f"{count:,} lines of this run's log are damaged and were passed over."
