"""A view: what a run's events amount to, whatever order of starts, stops and resumes they came in."""

from dataclasses import asdict

from hypothesis import given
from hypothesis import strategies as st

from core.events import EpochFinished, RunFinished
from experiments.runs.eventlog import Entry
from experiments.runs.view import RunView, fold, reduce


def test_before_the_first_event_nothing_is_known():
    view = fold([])
    assert view == RunView()
    assert (view.best_test_accuracy, view.final_test_accuracy, view.best_epoch) == (None, None, 0)
    assert (view.early_signal, view.first_epoch_at_target, view.seconds) == (None, None, 0.0)


def test_the_best_epoch_is_the_first_of_the_highest_and_the_final_one_waits_for_the_end(script):
    events = [script.started(), *(script.epoch(i, a) for i, a in enumerate((0.98, 0.9945, 0.9945, 0.99), 1))]
    view = script.view(*events)
    assert (view.best_epoch, view.best_test_accuracy) == (2, 0.9945)
    assert view.final_test_accuracy is None
    assert script.view(*events, script.finished(4, 0.99)).final_test_accuracy == 0.99


def test_the_first_epoch_at_the_target_is_the_first_not_the_best(script):
    epochs = [script.epoch(i, a) for i, a in enumerate((0.9939, 0.9940, 0.9950), 1)]
    assert script.view(script.started(), *epochs).first_epoch_at_target == 2
    assert script.view(script.started(config={"target": 99.45}), *epochs).first_epoch_at_target == 3
    assert script.view(script.started(config={"target": 99.6}), *epochs).first_epoch_at_target is None


def test_the_early_signal_looks_at_three_epochs_only(script):
    low = [script.epoch(i, 0.9910) for i in (1, 2, 3)]
    assert script.view(script.started(), *low, script.epoch(4, 0.995)).early_signal is False
    assert script.view(script.started(), *low[:2], script.epoch(3, 0.9911)).early_signal is True


def test_with_a_validation_split_epochs_are_judged_by_the_held_out_images_and_no_test_score_is_made_up(script):
    epochs = [script.epoch(i, a, on_test=False) for i, a in enumerate((0.98, 0.995, 0.99), 1)]
    end = {"best_test_accuracy": None, "best_epoch": None, "selected_epoch": 2, "selected_test_accuracy": 0.993}
    view = script.view(script.started(val_images=5000), *epochs, script.finished(3, 0.99, **end))
    assert (view.best_epoch, view.first_epoch_at_target) == (2, 2)
    assert view.accuracies == {1: 0.98, 2: 0.995, 3: 0.99}
    assert view.best_test_accuracy is None
    assert view.final_test_accuracy == 0.99


def test_a_resumed_run_has_no_end_until_it_ends_again_and_keeps_its_epochs(script):
    before = [script.started(), script.epoch(1, 0.97), script.epoch(2, 0.98), script.progress(3), script.stopped(3)]
    assert script.view(*before).end == script.stopped(3)
    resumed = script.view(*before, script.started())
    assert resumed.end is None
    assert [e.epoch for e in resumed.epochs] == [1, 2]
    done = script.view(*before, script.started(), script.epoch(3, 0.99), script.finished(3))
    assert [e.epoch for e in done.epochs] == [1, 2, 3]
    assert done.end == script.finished(3)


def test_an_epoch_done_again_after_a_crash_replaces_what_came_from_it_on(script):
    lost = [script.epoch(1, 0.97), script.epoch(2, 0.999), script.epoch(3, 0.998)]
    view = script.view(script.started(), *lost, script.started(), script.epoch(2, 0.98))
    assert [(e.epoch, e.test_accuracy) for e in view.epochs] == [(1, 0.97), (2, 0.98)]
    assert view.best_test_accuracy == 0.98


def test_an_epoch_lost_from_the_log_does_not_shift_the_number_of_the_best(script):
    view = script.view(script.started(), script.epoch(2, 0.98), script.epoch(3, 0.9950), script.epoch(4, 0.99))
    assert (view.best_epoch, view.first_epoch_at_target) == (3, 3)


def test_time_runs_from_the_first_event_to_the_last_until_the_run_says_itself(script):
    events = [script.started(), script.epoch(1), script.epoch(2)]
    view = script.view(*events)
    assert view.seconds == 2.0
    assert view.started_at < view.updated_at
    assert script.view(*events, script.finished(seconds=1.25)).seconds == 1.25


attempts = st.lists(
    st.tuples(
        st.integers(0, 4),  # epochs taken back by the resume
        st.lists(st.integers(9000, 10_000), max_size=5),  # correct answers of each epoch
        st.sampled_from(["none", "stopped", "failed"]),
    ),
    min_size=1,
    max_size=4,
)


@given(attempts, st.integers(9000, 10_000))
def test_over_any_number_of_attempts_the_last_result_of_each_epoch_counts(script, attempts, target):
    events, results, end = [], [], None
    for taken_back, scores, how in attempts:
        events.append(script.started(config={"target": target / 100}))
        results, end = results[: max(0, len(results) - taken_back)], None
        for correct in scores:
            results.append(correct)
            events += [script.progress(len(results)), script.epoch(len(results), correct / 10_000)]
        if how != "none":
            end = script.stopped(len(results)) if how == "stopped" else script.failed(len(results))
            events.append(end)
    view = script.view(*events)
    shown = [e.test_correct for e in view.epochs]
    assert view.end == end
    assert [e.epoch for e in view.epochs] == list(range(1, len(shown) + 1))
    assert shown[: len(results)] == results  # what a resume takes back stays until its epoch is done again
    assert view.best_test_accuracy == (max(shown) / 10_000 if shown else None)
    assert view.best_epoch == (shown.index(max(shown)) + 1 if shown else 0)
    assert view.first_epoch_at_target == next((i for i, n in enumerate(shown, 1) if n >= target), None)


@given(st.lists(st.sampled_from(["started", "progress", "epoch", "finished", "stopped", "failed"]), max_size=30))
def test_any_order_of_events_gives_a_view_whose_parts_can_all_be_read(script, kinds):
    makers = {
        "started": script.started,
        "progress": lambda: script.progress(1),
        "epoch": lambda: script.epoch(1 + len(kinds) % 3),
        "finished": script.finished,
        "stopped": script.stopped,
        "failed": script.failed,
    }
    entries = script.entries(*(makers[kind]() for kind in kinds))
    view = fold(entries)
    ends = [kind for kind in kinds if kind in ("started", "finished", "stopped", "failed")]
    assert (view.end is None) == (not ends or ends[-1] == "started")
    assert (view.final_test_accuracy is not None) == isinstance(view.end, RunFinished)
    assert view.seconds >= 0
    assert view.updated_at == (entries[-1].time if entries else "")
    assert reduce(view, entries[0]).started_at == view.started_at if entries else view == RunView()


def timed(*events):
    """Entries of events at so many seconds."""
    times = [f"2026-01-01T{at // 3600:02}:{at // 60 % 60:02}:{at % 60:02}.000+00:00" for at, _ in events]
    return [Entry(time, "r", event) for time, (_, event) in zip(times, events, strict=True)]


def test_the_time_between_a_stop_and_the_next_start_is_not_the_runs(script):
    begins, ends = script.started(), script.stopped(1)
    entries = timed((0, begins), (14, ends), (600, begins), (604, ends))
    assert fold(entries).seconds == 18
    assert fold(entries[:3]).seconds == 14


def test_the_time_before_an_end_without_a_start_is_not_the_runs(script):
    begins = script.started()
    for late in (script.failed(0), script.stopped(0)):
        stopped = timed((0, begins), (14, script.stopped(1)), (600, late), (900, late))
        assert [fold(stopped[:count]).seconds for count in (2, 3, 4)] == [14] * 3
        crashed = timed((0, begins), (10, script.epoch(1)), (12, script.progress(2)), (600, late), (900, late))
        assert [fold(crashed[:count]).seconds for count in (3, 4, 5)] == [12] * 3
        on = [*crashed, *timed((1000, begins), (1004, script.stopped(2)))]
        assert fold(on).seconds == 16
        assert fold(on).updated_at == on[-1].time
        assert fold(timed((5, late), (600, late))).seconds == 0


def test_a_log_of_many_epochs_is_folded_in_proportion_to_its_length(script):
    """Each epoch is looked at a few times, however many there are, and not once for each that follows."""
    looks = 0

    class Watched(EpochFinished):
        __slots__ = ()

        def __getattribute__(self, name: str) -> object:
            nonlocal looks
            looks += name == "epoch"
            return super().__getattribute__(name)

    count = 2_000
    epochs = [Watched(**asdict(script.epoch(number))) for number in range(1, count + 1)]
    entries = script.entries(script.started(), *epochs)
    looks = 0
    assert len(fold(entries).epochs) == count
    assert looks < 10 * count
    view = RunView()
    looks = 0
    for entry in entries:
        view = reduce(view, entry)
    assert len(view.epochs) == count
    assert looks < 10 * count
