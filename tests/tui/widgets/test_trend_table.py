"""What moves in a run beside its scores, row by row."""

from tui.widgets.tables.trend_table import rows_of

GAUGES = {"gradient_norms": {"Conv2d-1": 0.3, "Linear-7": 0.4}, "update_ratios": {"Conv2d-1": 0.001}}


def named(view, loads=()):
    return {row.name: (row.now, row.values) for row in rows_of(view, loads)}


def test_each_row_has_its_last_value_and_all_by_epoch(script):
    first = script.epoch(1, 0.98, lr=0.04, train_loss=0.10, train_accuracy=0.97, test_loss=0.08)
    second = script.epoch(2, 0.98, **GAUGES, lr=0.02, train_loss=0.05, test_loss=0.06)
    rows = named(script.view(script.started(), first, second), (40.0, 50.0))
    assert rows["Learning rate"] == ("0.02", (0.04, 0.02))
    assert rows["Loss gap"][0] == "+0.0100"
    assert rows["Accuracy gap"][0] == "+0.50"
    assert rows["Gradient norm"] == ("0.5", (None, 0.5))
    assert rows["grad Conv2d-1"] == ("0.3", (None, 0.3))
    assert rows["step Conv2d-1"] == ("0.001", (None, 0.001))
    assert rows["Load"] == ("50%", (40.0, 50.0))


def test_the_gap_is_that_of_held_out_images_where_there_are_some(script):
    rows = named(script.view(script.started(), script.epoch(1, 0.98, on_test=False, val_loss=0.03, train_loss=0.05)))
    assert rows["Loss gap"][0] == "-0.0200"


def test_a_log_of_an_earlier_version_has_no_rows_of_layers(script):
    assert list(named(script.view(script.started(), script.epoch(1)))) == ["Learning rate", "Loss gap", "Accuracy gap"]


def test_before_the_first_epoch_there_is_the_load_at_most(script):
    assert named(script.view(script.started())) == {}
    assert list(named(script.view(), (10.0,))) == ["Load"]
