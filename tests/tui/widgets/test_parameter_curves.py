"""The parameters of a study against value."""

from __future__ import annotations

import numpy as np
from sweep_tools import Scripted, drive, three_epochs, tiny_plan
from textual.geometry import Size

from experiments.locations import Locations
from experiments.studies.view import study_view
from tui.drawing.strokes import Stroke
from tui.widgets.charts.layout import Drawing, lay_out
from tui.widgets.charts.parameter_curves import (
    BEST,
    OTHER,
    parallel_curves,
    parallel_labels,
    scored,
    slice_curves,
    slice_labels,
)


def test_every_finished_trial_has_its_place_and_the_best_quarter_is_told_apart(tmp_path, script):
    plan = tiny_plan({"lr": "0.1,0.2,0.3", "batch_size": "64,128"}, sampler="grid", trials=6)
    drive(Locations.resolve(tmp_path, tmp_path / "data"), plan, Scripted(script, three_epochs(script, 0.8)))
    view = study_view(tmp_path, "s")
    best, other = scored(view)
    assert (len(best), len(other)) == (2, 4)
    lr = view.plan.space.dimension("lr")
    others, tops = slice_curves(view, lr)
    assert (others.number, tops.number) == (OTHER, BEST)
    places = sorted([*others.xs, *tops.xs])
    assert places == [0, 0, 1, 1, 2, 2]
    for trial in best:
        assert lr.values.index(trial.params["lr"]) in tops.xs
    lines = parallel_curves(view)
    assert len(lines) == 6
    assert all(len(line.xs) == 3 and np.all((line.ys >= 0) & (line.ys <= 100)) for line in lines)
    full, short = parallel_labels(view)
    assert [text for _, text in full] == ["batch_size 64:128", "lr 0.1:0.3", "accuracy 80.00:80.00"]
    assert [text for _, text in short] == ["batch_size", "lr", "accuracy"]
    assert slice_labels(lr) == [[(0, "0.1"), (1, "0.2"), (2, "0.3")]]


def test_a_log_scale_is_labelled_with_its_own_values():
    rate = tiny_plan({"lr": "0.001:1:log"}).space.dimension("lr")
    for labels in slice_labels(rate):
        assert {"0.001", "1"} <= {text for _, text in labels}
        assert np.allclose([10**place for place, _ in labels], [float(text) for _, text in labels])
    assert slice_labels(tiny_plan({"lr": "0.1:0.3"}).space.dimension("lr")) == []


def test_names_for_which_there_is_no_room_are_cut_and_stay_names():
    names = ["batch_size", "label_smoothing", "weight_decay", "accuracy"]
    stroke = Stroke(0, np.arange(4.0), np.array([10.0, 20.0, 30.0, 40.0]), None)
    drawing = Drawing([stroke], [stroke.ys], named=[list(enumerate(names))])
    for width in (120, 40, 24):
        lines = lay_out(drawing, Size(width, 12)).lines
        below = "".join(segment.text for segment in lines[-1]).split()
        assert len(below) == 4
        assert all(name.startswith(shown.rstrip("…")) for name, shown in zip(names, below, strict=True))
    assert below != names
