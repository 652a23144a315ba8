"""The run beside the list: what its curve and its words say, and what is painted again."""

from __future__ import annotations

import pytest
from app_pilot import make_run
from textual.app import App

from core.config import TrainConfig
from experiments.runs.eventlog import Entry
from experiments.runs.row import RunRow, Status
from experiments.runs.store import Store
from experiments.runs.view import fold
from tui.live.runs.listing import ListEntry
from tui.live.runs.preview import Previews
from tui.live.runs.why import facts_of
from tui.widgets.tables.preview_pane import PreviewPane, curve_of


def drawn(script, *accuracies: float):
    """The lines of the curve of a run that is for 99.4 %."""
    scores = [script.epoch(number, accuracy) for number, accuracy in enumerate(accuracies, start=1)]
    events = [script.started(config=TrainConfig().model_dump()), *scores]
    view = fold(Entry("2026-11-23T00:00:00.000+00:00", "run", event) for event in events)
    return curve_of(view, ascii_only=False).lines(42, 8)


def labels(lines) -> str:
    """What stands beside and below the plot."""
    return " ".join(" ".join(text for line in lines for text, kind in line if kind == "label").split())


def dots(lines, kind: str) -> list[int]:
    """How high there is something of a kind, in dots from the top."""
    heights = ((0, 3), (1, 4), (2, 5), (6, 7))  # the bits of a braille character, from its top
    found = []
    for row, line in enumerate(lines):
        cells = [ord(character) - 0x2800 for text, is_of in line if is_of == kind for character in text]
        found += [
            4 * row + n for n, bits in enumerate(heights) for cell in cells if any(cell >> bit & 1 for bit in bits)
        ]
    return found


@pytest.mark.parametrize(("best", "above"), [(0.9939, False), (0.9941, True)])
def test_what_is_short_of_the_target_is_below_its_line_and_what_reaches_it_is_above(script, best, above):
    lines = drawn(script, 0.98, 0.99, best, 0.9935)
    (line,) = set(dots(lines, "rule"))
    assert (min(dots(lines, "test")) < line) is above
    assert any(text.strip() == "99.4" for row in lines for text, kind in row if kind == "label")


def test_the_line_of_a_target_that_is_far_is_left_out(script):
    lines = drawn(script, 0.90, 0.95, 0.96)
    assert not dots(lines, "rule")
    assert "".join(text for text, _ in lines[0]).split()[0] == "96.00"


def test_an_epoch_below_the_axis_is_not_drawn_at_its_edge(script):
    far, near = (drawn(script, first, 0.990, 0.9902, 0.9950) for first in (0.50, 0.9895))
    assert len(dots(far, "test")) < len(dots(near, "test"))


def test_one_epoch_has_its_value_alone_on_an_axis_of_one_epoch(script):
    assert labels(drawn(script, 0.874)) == "87.40 test % epoch 1"
    assert labels(drawn(script, 0.0)) == "0.00 test % epoch 1"


def test_the_labels_are_of_the_highest_and_the_lowest_value_that_is_shown(script):
    assert labels(drawn(script, 0.10, 0.103, 0.677, 0.863)) == "99.4 86.30 10.30 1 test % epoch 4"


def test_of_held_out_images_and_test_images_is_said_which_is_which(tmp_path, script):
    epochs = [script.epoch(number, 0.9 + number / 100, on_test=False) for number in (1, 2)]
    started = script.started(config=TrainConfig(val_split=500).model_dump())
    end = script.finished(2, 0.9, best_test_accuracy=None)
    run = make_run(tmp_path, script, started, *epochs, end, val_split=500)
    row, status = run.row(), Status.FINISHED
    preview = Previews(Store(tmp_path)).read((row, status))
    assert "held-out %" in labels(curve_of(preview.view, ascii_only=False).lines(42, 8))
    assert dict(facts_of(preview, [row]))["Result"].splitlines() == [
        "held-out images: 92.00% in epoch 2",
        "test images, at the end: 90.00%",
        "99.4% not reached on held-out images: 7.40 points short",
    ]


def test_why_a_run_went_no_further_is_said(tmp_path, script):
    run = make_run(tmp_path, script, script.started(), script.failed(1, "the loss is not finite in epoch 1"))
    preview = Previews(Store(tmp_path)).read((run.row(), Status.FAILED))
    assert dict(facts_of(preview, []))["Result"] == "no finished epoch\nfailed in epoch 1: the loss is not finite"
    stopped = make_run(tmp_path, script, script.started(), script.stopped(0, "SIGINT"))
    preview = Previews(Store(tmp_path)).read((stopped.row(), Status.STOPPED))
    assert dict(facts_of(preview, []))["Result"].splitlines()[1] == "stopped before the first epoch: SIGINT"


async def test_only_what_has_changed_is_painted_again(tmp_path, script):
    run = make_run(tmp_path, script, script.started(), script.epoch(1, 0.9), script.epoch(2, 0.95), script.finished(2))
    row, store = run.row(), Store(tmp_path)

    class Paned(App[None]):
        def compose(self):
            yield PreviewPane(id="preview")

    async with Paned().run_test(size=(60, 40)) as pilot:
        pane = pilot.app.query_one(PreviewPane)

        async def painted(row: RunRow, others: list[RunRow]) -> list[str | None]:
            """The parts of the pane that are painted for this state of the run."""
            preview = Previews(store).read((row, Status.FINISHED))
            pane.show(ListEntry(row, Status.FINISHED), preview, [row, *others])
            changed = [part.id for part in pane.children if part._repaint_required]
            await pilot.pause()
            return changed

        assert await painted(row, []) == ["preview-title", "preview-curve", "preview-facts"]
        assert await painted(row._replace(seconds=row.seconds + 1), []) == []
        assert await painted(row, [row._replace(run_id="other", best_test_accuracy=0.96)]) == ["preview-facts"]
        assert await painted(row, [row._replace(run_id="other", best_test_accuracy=0.97)]) == ["preview-facts"]
        assert await painted(row._replace(name="other name"), []) == ["preview-title", "preview-facts"]
