"""The range in which the values of a study's trials are drawn."""

from __future__ import annotations

import numpy as np
import pytest

from tui.widgets.charts.overlay import Curve, together


@pytest.mark.parametrize(
    ("values", "below"),
    [([98.0, 98.9, 98.7, 98.6], 0), ([98.0, 98.9, 9.96, 98.7, 98.6], 1), ([97.0, 60.0, 20.0, 10.0], 0), ([], 0)],
)
def test_a_trial_that_diverged_does_not_press_the_others_into_a_line_and_is_told(values, below):
    ys = np.array(values)
    bounds, words = together([Curve(0, np.arange(len(ys)), ys, joined=False)])
    assert words.split() == ([str(below), "below"] if below else [])
    assert together([Curve(0, np.arange(len(ys)), ys, joined=False)], 9.96) == (None, ""), "it is to be seen"
    if below:
        assert bounds is not None
        assert 97 < bounds[0] < 98 < 98.9 < bounds[1] <= 100
    else:
        assert bounds is None
