"""The colours of charts: the palette that the user has set, in images and on pages too."""

from __future__ import annotations

import pytest

from experiments.reports.looks import COLOURS, PALETTES, colours, target_colour
from experiments.reports.svg_chart import ChartSeries, line_chart
from experiments.settings import PALETTES as NAMES


@pytest.fixture
def palette(monkeypatch):
    def choose(name: str) -> None:
        monkeypatch.setenv("MNIST_TUI_PALETTE", name)
        colours.cache_clear()

    yield choose
    colours.cache_clear()


def test_there_is_a_palette_for_each_name_that_may_be_set():
    assert set(NAMES) == {"theme", *PALETTES}
    assert all(len(set(each)) == len(COLOURS) for each in PALETTES.values())


@pytest.mark.parametrize("name", NAMES)
def test_an_image_has_the_colours_that_are_set(palette, name):
    palette(name)
    series = [ChartSeries(f"run {n}", [1, 2], [0.9, 0.95]) for n in range(3)]
    image = line_chart(series, title="t", x_label="epoch", y_label="accuracy", target=(0.99, "target"))
    expected = PALETTES.get(name, COLOURS)
    assert all(colour in image for colour in expected[:3])
    assert target_colour() in image
    others = {colour for other in (*PALETTES.values(), COLOURS) if other is not expected for colour in other}
    assert not any(colour in image for colour in others)
