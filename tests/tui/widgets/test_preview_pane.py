"""The curve of a run beside the list: what it shows of the accuracies and of the target."""

from __future__ import annotations

import pytest

from core.config import TrainConfig
from experiments.runs.eventlog import Entry
from experiments.runs.view import fold
from tui.widgets.tables.preview_pane import curve_of


def drawn(script, *accuracies: float):
    """The lines of the curve of a run that is for 99.4 %."""
    scores = [script.epoch(number, accuracy) for number, accuracy in enumerate(accuracies, start=1)]
    events = [script.started(config=TrainConfig().model_dump()), *scores]
    view = fold(Entry("2026-11-23T00:00:00.000+00:00", "run", event) for event in events)
    return curve_of(view, ascii_only=False).lines(42, 8)


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
