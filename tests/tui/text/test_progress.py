"""A run's events as lines: the progress of tqdm, the scores of the exercise, and one line at the end."""

import io
import re

import pytest

from tui.text.progress import TextReport, epoch_line, last_line, meter


def test_the_meter_looks_as_tqdm_drew_it_in_the_exercise(script):
    view = script.view(script.started(), script.progress(3, 235, loss=0.0123, images_per_second=27.57 * 60_000 / 235))
    assert meter(view) == "epoch 3/20 loss=0.0123: 100%|██████████| 235/235 [00:08<00:00, 27.57it/s]"


def test_the_meter_counts_steps_and_what_is_left(script):
    view = script.view(script.started(), script.progress(1, 47, loss=1.5, images_per_second=12_032))
    assert meter(view) == "epoch 1/20 loss=1.5000:  20%|██        | 47/235 [00:01<00:04, 47.00it/s]"


def test_a_loss_that_is_not_finite_is_written_as_nan(script):
    assert "loss=nan:" in meter(script.view(script.started(), script.progress(1, loss=None)))


def test_before_the_first_step_there_is_no_meter(script):
    assert meter(script.view()) == meter(script.view(script.started())) == ""


def test_a_rate_of_zero_draws_a_meter_all_the_same(script):
    assert "100/235" in meter(script.view(script.started(), script.progress(1, images_per_second=0.0)))


@pytest.mark.parametrize("width", [20, 40, 79])
def test_the_meter_fits_the_width_that_it_is_given(script, width):
    assert len(meter(script.view(script.started(), script.progress(1)), width)) <= width


def test_a_score_is_in_the_words_of_the_exercise(script):
    event = script.epoch(1, 0.9948, test_loss=0.0210)
    line = epoch_line(script.view(script.started(), event), event)
    assert line == "Test set: Average loss: 0.0210, Accuracy: 9948/10000 (99.48%)"


def test_a_loss_without_bounds_is_short(script):
    event = script.epoch(1, 0.098, test_loss=8.02408e32)
    line = epoch_line(script.view(script.started(), event), event)
    assert line == "Test set: Average loss: 8.0e+32, Accuracy: 980/10000 (9.80%)"
    assert "loss=3.0e+10:" in meter(script.view(script.started(), script.progress(1, loss=3.0e10)))


def test_a_score_on_held_out_images_says_so(script):
    event = script.epoch(1, 0.994, on_test=False)
    line = epoch_line(script.view(script.started(val_images=5000), event), event)
    assert line == "Validation set: Average loss: 0.0210, Accuracy: 4970/5000 (99.40%)"


def test_the_last_line_has_id_seed_scores_target_time_and_folder(script):
    end = script.finished(3, 0.9939, best_test_accuracy=0.9941, best_epoch=2, first_epoch_at_target=2, seconds=65.0)
    epochs = [script.epoch(1, 0.99), script.epoch(2, 0.9941), script.epoch(3, 0.9939)]
    view = script.view(script.started(config={"seed": 7}), *epochs, end)
    line = last_line(view, "20260102-030405-abcd", "/home/x")
    assert line == (
        "run 20260102-030405-abcd (seed 7) finished: final 99.39%, best 99.41% (epoch 2, optimistic), "
        "99.4% first reached: epoch 2, 1m 05s, /home/x"
    )


def test_a_target_that_is_not_reached_is_said_to_be_so(script):
    view = script.view(script.started(config={"target": 99.5}), script.epoch(1), script.finished(1))
    assert "99.5% first reached: never" in last_line(view, "id", "folder")


@pytest.mark.parametrize(("accuracy", "is_said"), [(0.0892, True), (0.1135, True), (0.1136, False), (0.99, False)])
def test_a_run_that_finished_without_having_learnt_anything_is_said_to_have_guessed(script, accuracy, is_said):
    view = script.view(script.started(), script.epoch(1, accuracy), script.finished(1, accuracy))
    assert ("% (no better than guessing), best " in last_line(view, "id", "folder")) is is_said


@pytest.mark.parametrize(
    ("by", "on_test", "words"),
    [
        ("epochs", True, "finished: final"),
        ("", True, "finished: final"),
        ("stop_at_target", True, "finished early, at its target: final"),
        ("early_stop", True, "finished early, as its last 2 epochs had no better test accuracy: final"),
        ("early_stop", False, "finished early, as its last 2 epochs had no better held-out accuracy: final"),
    ],
)
def test_the_last_line_says_why_a_run_ended_before_all_of_its_epochs(script, by, on_test, words):
    epochs = [script.epoch(epoch, accuracy, on_test=on_test) for epoch, accuracy in ((1, 0.98), (2, 0.97), (3, 0.98))]
    chosen = {} if on_test else {"best_test_accuracy": None, "selected_epoch": 1, "selected_test_accuracy": 0.97}
    view = script.view(script.started(), *epochs, script.finished(3, 0.98, ended_by=by, **chosen))
    assert words in last_line(view, "r", "/runs/r")


def test_a_single_epoch_without_a_better_accuracy_is_one(script):
    end = script.finished(2, 0.97, ended_by="early_stop")
    view = script.view(script.started(), script.epoch(1, 0.98), script.epoch(2, 0.97), end)
    assert "as its last epoch had no better test accuracy" in last_line(view, "r", "/runs/r")


def test_with_a_validation_split_the_selected_epoch_takes_the_place_of_the_best(script):
    end = {"best_test_accuracy": None, "best_epoch": None, "selected_epoch": 2, "selected_test_accuracy": 0.9935}
    view = script.view(script.started(), script.epoch(1, on_test=False), script.finished(1, 0.992, **end))
    line = last_line(view, "id", "folder")
    assert "final 99.20%, selected 99.35% (epoch 2, chosen on held-out images)" in line
    assert "optimistic" not in line


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("stopped", "run id (seed 0) stopped (SIGINT) after 1 epoch: best 99.00%"),
        ("failed", "run id (seed 0) failed in epoch 2 after 1 epoch: best 99.00%"),
        (None, "run id (seed 0) without an end after 1 epoch: best 99.00%"),
    ],
)
def test_every_other_end_is_told_from_a_finish(script, end, words):
    events = [script.started(), script.epoch(1), *([getattr(script, end)()] if end else [])]
    assert last_line(script.view(*events), "id", "folder").startswith(words)


def test_a_run_that_has_not_begun_has_no_seed_to_show(script):
    assert last_line(script.view(), "id", "folder").startswith("run id without an end")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def show(stream, script, *events, quiet=False):
    report = TextReport(quiet=quiet, stream=stream)
    for entry in script.entries(*events):
        report.show(entry)
    return report


def test_on_a_terminal_the_meter_is_redrawn_in_place_and_left_on_a_line_of_its_own(script, capsys):
    stream = Terminal()
    steps = [script.progress(1, step) for step in (1, 100, 235)]
    show(stream, script, script.started(), *steps, script.epoch(1), script.progress(2, 1), script.stopped())
    drawn = stream.getvalue()
    assert drawn.count("\r") == 4
    assert drawn.count("\n") == 2
    assert re.findall(r"(\d+)/235 ", drawn.partition("\n")[0]) == ["1", "100", "235"]
    assert drawn.endswith("\n")
    assert capsys.readouterr().out == "Test set: Average loss: 0.0210, Accuracy: 9900/10000 (99.00%)\n"


def test_elsewhere_the_meter_is_written_once_an_epoch_without_control_characters(script, capsys):
    stream = io.StringIO()
    steps = [script.progress(epoch, step) for epoch in (1, 2) for step in (1, 100, 235)]
    show(stream, script, script.started(), *steps, script.epoch(2), script.finished(2))
    lines = stream.getvalue().splitlines()
    assert [line[:11] for line in lines] == ["epoch 1/20 ", "epoch 2/20 "]
    assert all(line.isprintable() for line in lines)


def test_quiet_says_nothing_but_what_went_wrong(script, capsys):
    stream = Terminal()
    report = show(stream, script, script.started(), script.progress(1), script.epoch(1), script.failed(), quiet=True)
    out, err = capsys.readouterr()
    assert (stream.getvalue(), out) == ("", "")
    assert err == "error: the loss is not finite\nhint: use a lower --lr than 0.03772\n"
    assert report.view.end == script.failed()
