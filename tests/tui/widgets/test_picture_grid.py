"""Pictures side by side, of any shape and number."""

from __future__ import annotations

import numpy as np
import pytest
from textual.app import App, ComposeResult

from tui.widgets.pictures.picture_grid import LabelledPicture, PictureGrid


class Shown(App[None]):
    def compose(self) -> ComposeResult:
        yield PictureGrid(id="grid")


def text_of(grid: PictureGrid) -> list[str]:
    return [grid.render_line(y).text for y in range(grid.size.height)]


@pytest.mark.parametrize("shape", [(1, 26), (26, 1), (1, 5), (1, 1), (3, 60), (60, 3)])
async def test_pictures_that_are_low_or_narrow_are_shown(shape):
    async with Shown().run_test(size=(44, 30)) as pilot:
        grid = pilot.app.query_one(PictureGrid)
        grid.show([LabelledPicture(f"no. {n}", np.ones(shape)) for n in range(3)], signed=False)
        await pilot.pause()
        text = "\n".join(text_of(grid))
    assert all(f"no. {n}" in text for n in range(2))


async def test_of_thousands_of_pictures_those_in_view_are_drawn(monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "tui.widgets.pictures.picture_grid.picture", lambda values, *_, **__: drawn.append(values[0, 0]) or []
    )
    async with Shown().run_test(size=(80, 20)) as pilot:
        grid = pilot.app.query_one(PictureGrid)
        grid.show([LabelledPicture(f"no. {n}", np.full((20, 20), float(n))) for n in range(4096)], signed=False)
        await pilot.pause()
        assert "no. 0 " in text_of(grid)[0]
        assert 0 < len(drawn) < 20
        grid.scroll_end(animate=False)
        await pilot.pause()
        assert "no. 4095" in "\n".join(text_of(grid))
        assert {0.0, 4095.0} <= set(drawn)
        assert len(drawn) < 40
