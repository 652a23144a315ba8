"""Plots of learning rates: what their labels say."""

from __future__ import annotations

import pytest

from core.config import TrainConfig
from tui.drawing.rate_plots import schedule_plot

WIDTH, HEIGHT = 34, 4
"""The room that the Lab has for it in a small window."""


def drawn(**values) -> list[str]:
    config = TrainConfig.checked({"budget": False, **values})
    return ["".join(text for text, _ in line) for line in schedule_plot(config).lines(WIDTH, HEIGHT)]


@pytest.mark.parametrize(
    ("values", "highest", "lowest"),
    [
        ({"schedule": "cosine"}, "0.0377", "0"),
        ({"schedule": "cosine", "min_lr": 0.01}, "0.0377", "0.01"),
        ({"schedule": "cosine", "lr": 100.0, "min_lr": 99.9}, "100", "99.9"),
        ({"schedule": "cosine", "min_lr": 0.01, "warmup_epochs": 2.0}, "0.0377", "0"),
        ({"schedule": "onecycle"}, "0.0377", "1.51e-07"),
        ({"schedule": "onecycle", "anneal": "linear", "warmup_epochs": 2.0}, "0.0377", "1.51e-07"),
        ({"schedule": "step"}, "0.0377", "0.000377"),
        ({"schedule": "multistep", "milestones": "10"}, "0.0377", "0.00377"),
    ],
)
def test_the_rates_at_both_ends_are_those_of_a_run_of_any_number_of_steps(values, highest, lowest):
    lines = drawn(**values)
    assert [line.split("▏")[0].strip() for line in (lines[0], lines[-2])] == [highest, lowest]
    assert lines[-1].split() == ["0", "20", "epochs"]


@pytest.mark.parametrize("schedule", ["constant", "plateau"])
def test_a_rate_that_stays_has_one_label(schedule):
    assert [line.split("▏")[0].strip() for line in drawn(schedule=schedule)[:-1]] == ["", "0.0377", ""]


@pytest.mark.parametrize("epochs", [1, 20, 100, 1000])
def test_the_epochs_are_there_where_there_is_no_room_for_the_beginning(epochs):
    assert drawn(schedule="plateau", epochs=epochs)[-1].endswith(f"{epochs} epoch{'s'[: epochs > 1]}, drops unknown")
