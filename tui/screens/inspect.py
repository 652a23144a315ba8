"""Inspect: what a run's network confuses, how its layers respond, and what it sees in one image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import ContentSwitcher, Static

from core.dataset_names import name_of
from core.task import DIGITS
from experiments.inference.network import StoredWeights
from experiments.runs.folder import Run
from tui.drawing.digit import Digit
from tui.drawing.picture import palette_of, spread
from tui.live.digits import Confusions
from tui.live.forms.advice import as_sentence
from tui.live.inspecting import Inspecting
from tui.screens.base import WorkScreen
from tui.screens.draw import DrawScreen
from tui.text.copying import Copy, copies_of_run
from tui.text.keys import key
from tui.text.output import counted, percent
from tui.text.wording import arch_in_short
from tui.widgets.keys import bind
from tui.widgets.lines.line import Line
from tui.widgets.lines.tab_line import TabLine
from tui.widgets.pictures.cell_panel import CellPanel
from tui.widgets.pictures.gallery import Gallery
from tui.widgets.pictures.heat_map import HeatMap
from tui.widgets.pictures.maps_view import MapsView
from tui.widgets.pictures.picture_grid import LabelledPicture, PictureGrid
from tui.widgets.tables.network_tables import ClassTable, LayerTable, dead_words

LOOK = 0.1
"""Seconds between two looks at the work under way."""
VIEWS = {
    "confusion": "Confusion",
    "digits": "Images",
    "classes": "Classes",
    "layers": "Layers",
    "filters": "Filters",
    "maps": "Feature maps",
}
FOCUS = {
    "confusion": "#confusion-map",
    "digits": "#gallery",
    "classes": "#class-table",
    "layers": "#layer-table",
    "filters": "#filter-grid",
    "maps": "#map-layers",
}


class InspectScreen(WorkScreen):
    """Opened above the screen that a run was chosen on."""

    MODE = "inspect"
    AUTO_FOCUS = "#confusion-map"
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("next_view", "turn(1)", "Next view", tooltip="Confusion, Images, Classes, Layers, Filters, Feature maps"),
        bind("previous_view", "turn(-1)"),
        bind("mistake", "worst", "Worst pair", tooltip="The images of the commonest mistake"),
        bind(
            "weights", "weights", "Weights", tooltip="Final weights, those of the best epoch, or of the last checkpoint"
        ),
        bind("draw", "draw", "Draw", tooltip="Draw a picture for this network"),
        bind("again", "again", "Reload", tooltip="Read the network again"),
        bind("run_code", "consent", "Run its code", tooltip="Import the run's own module and run it"),
        bind("previous", "step(-1)"),
        bind("next", "step(1)"),
        bind("copy", "copy", "Copy", tooltip="Copy the run's id, its spec, or the command that trains the same"),
        bind("back", "back", "Back"),
    ]

    def __init__(self, run: Run, source: StoredWeights | None = None) -> None:
        super().__init__()
        self._run, self._source = run, source
        self._work: Inspecting | None = None
        self._shown: Confusions | None = None
        self._indices: list[int] = []

    def compose_body(self) -> ComposeResult:
        with Vertical(id="inspect", classes="body"):
            yield Line(id="inspect-title")
            yield TabLine(VIEWS, id="inspect-tabs")
            yield Line(id="inspect-progress")
            yield Static(id="inspect-notice", classes="empty", markup=False)
            with ContentSwitcher(initial="confusion", id="inspect-views"):
                with Horizontal(id="confusion"):
                    yield HeatMap(id="confusion-map")
                    yield CellPanel(id="cell")
                with Vertical(id="digits"):
                    yield Line(id="gallery-title")
                    yield Gallery(id="gallery")
                with Vertical(id="classes"):
                    yield ClassTable(id="class-table")
                with Vertical(id="layers"):
                    yield LayerTable(id="layer-table")
                    yield Static(id="dead", markup=False)
                yield PictureGrid(id="filters")
                yield MapsView(id="maps")

    def copies(self) -> Sequence[Copy]:
        return copies_of_run(self._run)

    # --- Life

    def on_mount(self) -> None:
        self._work = Inspecting(self._run, self.lab.locations, source=self._source)
        self.set_interval(LOOK, self._look)
        self._look()

    def on_unmount(self) -> None:
        if self._work is not None:
            self._work.cancel()

    def on_screen_suspend(self) -> None:
        if self._work is not None and self._shown is None:
            self._work.cancel()

    def on_screen_resume(self) -> None:
        if self._work is not None and self._work.given_up:
            self._work.again()

    @property
    def view(self) -> str:
        return self.query_one(TabLine).current

    def _look(self) -> None:
        """Show the progress of the work under way, or its result."""
        work = self._work
        if work is None or not self.is_current:
            return
        if work.look():
            if work.scored is not None and (self._shown is None or self._shown.scored is not work.scored):
                self._take(Confusions(work.scored))
            self._show_layers(work)
        self._show_state(work)

    def _show_state(self, work: Inspecting) -> None:
        self.query_one("#inspect-title", Line).show(self._title(work))
        progress = work.progress(self.size.width - 2)
        self.query_one("#inspect-progress", Line).show(progress)
        self.set_class(bool(progress) and self._shown is None, "-busy")
        trouble = work.trouble()
        self.set_class(self._shown is None, "-nothing")
        self.set_class(bool(trouble) and self._shown is not None, "-trouble")
        notice = self.query_one("#inspect-notice", Static)
        if str(notice.content) != trouble:
            notice.update(trouble)
        self.refresh_keys(self.view, self._shown is None, work.asks_consent, bool(trouble), self._indices[:1])

    def _title(self, work: Inspecting) -> Content:
        meta, config = work.meta, work.config
        arch = arch_in_short(str(config.get("arch", "?")))
        parts = [arch, name_of(str(config.get("dataset", "?")))]
        if self._shown is not None:
            scored = self._shown.scored
            epoch = f"epoch {scored.network.epoch}" if scored.network.epoch else "epoch unknown"
            total = len(scored.labels)
            score = f"{percent(scored.correct / total)} ({scored.correct:,} of {total:,})"
            parts = [score, f"{scored.network.source} weights, {epoch}", scored.dataset, arch]
        name = (meta.name or self._run.id, "bold")
        return Content.assemble(("Inspect  ", "$text-muted"), name, "  ", "  ".join(parts))

    def _take(self, shown: Confusions) -> None:
        """Show another scoring, the cell and the view as they were."""
        first = self._shown is None
        self._shown = shown
        if first and (code_note := shown.scored.network.code.note):
            self.notify(as_sentence(code_note), title="Its code", timeout=15, markup=False)
        heat_map = self.query_one(HeatMap)
        heat_map.show(shown.counts, shown.names)
        wrong = len(shown.scored.labels) - shown.scored.correct
        heat_map.border_subtitle = counted(wrong, "mistake")
        if first:
            heat_map.cell = shown.worst or (0, 0)
        self.query_one(ClassTable).show_scores(shown.classes, shown.counts, shown.names)
        self._show_cell()
        maps = self.query_one(MapsView)
        maps.use(shown)
        if maps.index is None and (indices := self._indices or shown.cell(*heat_map.cell)):
            maps.show_digit(indices[0])
        self._show_filters(shown)

    def _show_filters(self, shown: Confusions) -> None:
        from core.inspection.activations import first_filters

        grid = self.query_one(PictureGrid)
        found = first_filters(shown.scored.network.module, shown.scored.network.task.size)
        if found is None:
            grid.border_title = "The first layer has no filters that look at pixels"
            grid.show((), signed=True)
            return
        name, filters = found
        grid.border_title = f"{name}: {len(filters)} filters of {filters.shape[1]} x {filters.shape[2]}"
        below, above = palette_of(self.app).ends
        grid.border_subtitle = f"{below} below 0, {above} above"
        values = spread(filters.numpy(), signed=True)
        grid.show([LabelledPicture(str(number), picture) for number, picture in enumerate(values)], signed=True)

    def _show_layers(self, work: Inspecting) -> None:
        if work.layers is not None:
            self.query_one(LayerTable).show_layers(work.layers)
            self.query_one("#dead", Static).update(dead_words(work.layers, work.layer_images))

    @on(HeatMap.Moved)
    def _show_cell(self) -> None:
        if self._shown is None:
            return
        true, predicted = self.query_one(HeatMap).cell
        self._indices = self._shown.cell(true, predicted)
        digit = self._shown.digit(self._indices[0]) if self._indices else None
        self.query_one(CellPanel).show(self._cell_words(true, predicted), digit)
        gallery = self.query_one(Gallery)
        gallery.set_reactive(Gallery.current, 0)
        gallery.show(len(self._indices), lambda place: self._digit(place))
        self._name_digits()
        self.refresh_keys(self.view, False, False, False, self._indices[:1])

    def _digit(self, place: int) -> Digit:
        assert self._shown is not None
        return self._shown.digit(self._indices[place])

    def _cell_words(self, true: int, predicted: int) -> list[str]:
        assert self._shown is not None
        counts, scores = self._shown.counts, self._shown.classes
        count, images = counts[true][predicted], sum(counts[true])
        name, other = self._shown.names[true], self._shown.names[predicted]
        kind = f"{name}s" if name.isdigit() else f"images of {name}"
        share = f"{100 * count / images:.2f}% of the {images:,} {kind}" if images else "there are no such images"
        words = [f"{self._called(true, predicted)}: {count:,}", share]
        words.append(f"recall of {name}: {percent(scores[true].recall)}")
        words.append(f"precision of {other}: {percent(scores[predicted].precision)}")
        if self._shown.worst is not None:
            most, names = counts[self._shown.worst[0]][self._shown.worst[1]], self._shown.names
            one, other = (names[cls] for cls in self._shown.worst)
            words.append(f"most confused ({key('mistake')}): {one} taken for {other}, {most:,}")
        return words

    def _called(self, true: int, predicted: int) -> str:
        """A cell of the matrix in words."""
        names = DIGITS if self._shown is None else self._shown.names
        return f"True {names[true]}, " + ("recognised" if true == predicted else f"taken for {names[predicted]}")

    @on(Gallery.Moved)
    def _name_digits(self) -> None:
        true, predicted = self.query_one(HeatMap).cell
        kind = self._called(true, predicted)
        count, place = len(self._indices), self.query_one(Gallery).current + 1
        words = f"{place:,} of {count:,}, surest first" if count else "no image; choose another cell in Confusion"
        self.query_one("#gallery-title", Line).show(Content.assemble((kind, "bold"), f"   {words}"))

    # --- Keys

    def show_view(self, name: str) -> None:
        self.query_one(TabLine).current = name
        self.query_one(ContentSwitcher).current = name
        self.set_focus(self.query_one(FOCUS[name] if name != "filters" else "#filters"))
        self.refresh_keys(name, self._shown is None, False, False, self._indices[:1])

    @on(TabLine.Chosen)
    def _tab_clicked(self, event: TabLine.Chosen) -> None:
        if self._shown is not None:
            self.show_view(event.name)

    def action_turn(self, by: int) -> None:
        self.show_view(self.query_one(TabLine).after(by))

    @on(HeatMap.Opened)
    def _open_cell(self) -> None:
        if self._shown is not None:
            self.show_view("digits")

    def action_worst(self) -> None:
        if self._shown is None or self._shown.worst is None:
            self.notify("the network makes no mistake on these images", title="Nothing is confused")
            return
        self.query_one(HeatMap).cell = self._shown.worst
        self._show_cell()
        self.show_view("digits")

    @on(Gallery.Chosen)
    def _map_digit(self, event: Gallery.Chosen) -> None:
        self.query_one(MapsView).show_digit(event.digit.index)
        self.show_view("maps")

    def action_step(self, by: int) -> None:
        """Show another digit of the cell, or, where the one shown is not of it, its neighbour among the test images."""
        maps = self.query_one(MapsView)
        if maps.index is None or self._shown is None:
            return
        if maps.index in self._indices:
            place = (self._indices.index(maps.index) + by) % len(self._indices)
            maps.show_digit(self._indices[place])
        else:
            maps.show_digit((maps.index + by) % len(self._shown.scored.labels))

    def action_weights(self) -> None:
        if self._work is not None and not self._work.next_source():
            self.notify("the run has no others", title="Weights")

    async def action_draw(self) -> None:
        consent = self._work is not None and self._work.consented
        await self.app.push_screen(DrawScreen(self._run, consented=consent))

    def action_again(self) -> None:
        if self._work is not None:
            self._work.again()

    def action_consent(self) -> None:
        if self._work is not None:
            self._work.consent()

    def action_back(self) -> None:
        """Go back to the view that digits or feature maps were opened from, else leave the screen."""
        before = {"digits": "confusion", "maps": "digits"}.get(self.view)
        if before is not None and self._shown is not None:
            self.show_view(before)
        else:
            self.app.pop_screen()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        match action:
            case "turn" | "worst" | "weights":
                return self._shown is not None
            case "step":
                return self.ready and self.view == "maps"
            case "consent":
                return self._work is not None and self._work.asks_consent
            case _:
                return super().check_action(action, parameters)

    def help_lines(self) -> tuple[str, ...]:
        return (
            "The heat map counts test images by what they are and what they are taken for. Enter shows a cell's,",
            "surest first, and {open} there what each layer makes of an image.",
            "Layers are looked at over the first test images; a channel of a ReLU is dead when none makes it respond.",
            "A live run is read again whenever it has stored weights.",
        )
