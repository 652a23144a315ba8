"""Two to 62 classes with names of any length: in the confusion matrix, in bars, on cards and in tables."""

from __future__ import annotations

import numpy as np
import pytest
from rich.cells import cell_len
from rich.style import Style
from textual.app import App

from tui.drawing.bars import probability_lines, short, short_names
from tui.drawing.digit import Digit, Opinion
from tui.drawing.picture import Ink, Palette, fitted
from tui.widgets.pictures.gallery import LINES, CardStyles, card_lines
from tui.widgets.pictures.heat_map import HeatMap
from tui.widgets.pictures.probabilities import Probabilities

PLAIN = Style()
NAMES = {2: ("cat", "dog"), 26: tuple("abcdefghijklmnopqrstuvwxyz"), 62: tuple(f"kind {k}" for k in range(62))}


class Alone(App[None]):
    def __init__(self, widget) -> None:
        super().__init__()
        self.widget = widget

    def compose(self):
        yield self.widget


def text_of(widget) -> list[str]:
    return [widget.render_line(y).text for y in range(widget.size.height)]


@pytest.mark.parametrize("classes", NAMES)
async def test_every_cell_of_a_matrix_can_be_reached_and_is_named(classes):
    counts = [[100 * row + column for column in range(classes)] for row in range(classes)]
    heat_map = HeatMap(id="map")
    async with Alone(heat_map).run_test(size=(60, 20)) as pilot:
        heat_map.show(counts, NAMES[classes])
        heat_map.focus()
        await pilot.press("end", *["down"] * classes)
        assert heat_map.cell == (classes - 1, classes - 1)
        lines = text_of(heat_map)
        assert any(short(NAMES[classes][-1], 8) in line for line in lines[1:])
        assert any(f"{counts[-1][-1]}]" in line for line in lines)
        assert all(cell_len(line) == heat_map.size.width for line in lines)
        await pilot.press("home", *["up"] * classes)
        assert heat_map.cell == (0, 0)
        assert f" {short(NAMES[classes][0], 8)}" in text_of(heat_map)[1 + (heat_map._cell_size[1] - 1) // 2]


@pytest.mark.parametrize("width", [43, 53, 58, 63, 68, 73, 100])
@pytest.mark.parametrize("largest", [999, 1135, 10_000])
async def test_every_count_of_ten_classes_stands_under_its_class(width, largest):
    counts = [[largest - row - column for column in range(10)] for row in range(10)]
    heat_map = HeatMap(id="map")
    async with Alone(heat_map).run_test(size=(width, 12)):
        heat_map.show(counts, "0123456789")
        cell, _ = heat_map._cell_size
        for row, line in enumerate(text_of(heat_map)[1:11]):
            shown = [line[heat_map._label + column * cell :][:cell] for column in heat_map._columns]
            assert [text.strip(" []░▒▓█") for text in shown] == [
                str(counts[row][column]) for column in heat_map._columns
            ]


async def test_a_click_on_a_matrix_that_has_moved_means_what_is_shown_there():
    classes = 26
    heat_map = HeatMap(id="map")
    async with Alone(heat_map).run_test(size=(60, 20)) as pilot:
        heat_map.show([[1] * classes] * classes, NAMES[classes])
        heat_map.focus()
        await pilot.press("end", *["down"] * classes)
        first = heat_map._first
        assert min(first) > 0
        await pilot.click(heat_map, offset=(1 + heat_map._label + 1, 2))
        assert heat_map.cell == first


@pytest.mark.parametrize("classes", NAMES)
def test_bars_are_of_the_likeliest_ten_and_of_the_true_class(classes):
    probabilities = np.linspace(1, 2, classes)
    probabilities /= probabilities.sum()
    lines = probability_lines(
        probabilities.tolist(), 30, truth=0, plain=PLAIN, good=PLAIN, bad=PLAIN, names=NAMES[classes]
    )
    texts = ["".join(segment.text for segment in line) for line in lines]
    assert len(lines) == min(classes, 10)
    assert {cell_len(text) for text in texts} == {30}
    assert any(text.startswith(NAMES[classes][0]) for text in texts)
    assert any(text.startswith(NAMES[classes][-1]) for text in texts)


@pytest.mark.parametrize("size", [8, 9, 16, 27, 28, 29, 40, 64])
@pytest.mark.parametrize("classes", NAMES)
def test_a_card_is_as_large_for_images_of_any_size(size, classes):
    image = np.full((size, size), 200, dtype=np.uint8)
    opinion = Opinion(np.full(classes, 1 / classes, dtype=np.float32), 1)
    digit = Digit(3, image, 0, (opinion,), NAMES[classes])
    palette = Palette(Ink.ASCII, (0, 0, 0), (255, 255, 255), above=(1, 1, 1), below=(1, 1, 1), mark=(1, 1, 1))
    lines = card_lines(digit, 50, palette, CardStyles(PLAIN, PLAIN, PLAIN, PLAIN), current=True)
    texts = ["".join(segment.text for segment in line) for line in lines]
    assert len(texts) == LINES
    assert {cell_len(text) for text in texts} == {50}
    assert f"true {NAMES[classes][0]}" in texts[1]
    assert f"says {NAMES[classes][1]}" in texts[2]


@pytest.mark.parametrize("size", [8, 13, 28, 29, 40, 64])
def test_a_picture_of_another_size_has_the_same_mean(size):
    values = np.random.default_rng(size).random((size, size), dtype=np.float32)
    drawn = fitted(values, 28)
    assert drawn.shape == (28, 28)
    zoom = max(1, 28 // size)
    share = (zoom * size / 28) ** 2 if size < 28 else 1.0
    assert drawn.mean() == pytest.approx(values.mean() * share, rel=1e-4)
    if size == 28:
        assert drawn is values


async def test_the_verdict_names_the_class():
    widget = Probabilities(id="it")
    async with Alone(widget).run_test(size=(40, 16)):
        widget.show([0.1, 0.9], ("cat", "dog"))
        assert widget.verdict == "dog, 90.0% sure"
        assert any(line.strip().startswith("cat") for line in text_of(widget))
        widget.show([0.1] * 9 + [0.1001])
        assert widget.verdict.startswith("a 9, ")


@pytest.mark.parametrize(
    ("names", "columns", "expected"),
    [
        (("letter-a", "letter-b"), 3, ("…a", "…b")),
        (("letter-a", "letter-b"), 8, ("letter-a", "letter-b")),
        (("kind 1", "kind 23456"), 4, ("…1", "…23…")),
        (("letter", "letters"), 4, ("…r", "…rs")),
        (("cat", "camel"), 4, ("cat", "cam…")),
        (("zebra", "cat"), 3, ("ze…", "cat")),
        (("七七七八", "七七七九"), 3, ("…八", "…九")),
    ],
)
def test_names_that_must_be_cut_stay_apart_where_they_begin_alike(names, columns, expected):
    assert short_names(names, columns) == expected
