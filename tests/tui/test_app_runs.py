"""Runs: the list, and what one can do with a run in it."""

from __future__ import annotations

from app_pilot import SMALL, make_run, opened, screen_text, wait_for, wait_for_text

from experiments.run import Meta
from tui.catalog import arranged
from tui.widgets.table import Table


def _finished(home, script, name: str, accuracy: float, **config: object):
    events = (script.started(config=config), script.epoch(1, accuracy), script.finished(1, accuracy))
    return make_run(home, script, *events, meta=Meta(name), **config)


async def test_an_empty_home_says_how_to_make_a_run(tmp_path):
    async with opened(tmp_path) as pilot:
        await pilot.press("3")
        await wait_for_text(pilot, "There are no runs yet")


async def test_live_runs_come_first_and_follow_what_happens_elsewhere(tmp_path, script):
    live = make_run(tmp_path, script, script.started(), meta=Meta("alive"))
    _finished(tmp_path, script, "done", 0.99)
    async with opened(tmp_path) as pilot:
        await pilot.press("3")
        await wait_for_text(pilot, "2 runs, 1 live")
        text = screen_text(pilot)
        assert text.index("alive") < text.index("done")
        script.write(live, script.epoch(1, 0.9777))
        await wait_for_text(pilot, "97.77%")
        _finished(tmp_path, script, "started elsewhere", 0.5)
        await wait_for_text(pilot, "3 runs")


async def test_filter_sort_rename_and_tag(tmp_path, script):
    _finished(tmp_path, script, "alpha", 0.95, arch="conv5")
    _finished(tmp_path, script, "beta", 0.99)
    async with opened(tmp_path) as pilot:
        await pilot.press("3")
        await wait_for_text(pilot, "2 runs")
        await pilot.press("slash", *"conv5")
        await wait_for_text(pilot, "1 of 2 runs")
        assert "beta" not in screen_text(pilot)
        await pilot.press("enter", "n", "ctrl+u", *"gamma", "enter")
        await wait_for_text(pilot, "gamma")
        await pilot.press("t", *"good #first", "enter")
        await wait_for_text(pilot, "#good #first")
        await pilot.press("slash", *"x")
        await wait_for_text(pilot, "no run has all these words")
        await pilot.press("escape", "escape")
        await wait_for_text(pilot, "2 runs, 0 live, by newest")
        await pilot.press("s")
        await wait_for_text(pilot, "by best accuracy")
        text = screen_text(pilot)
        assert text.index("beta") < text.index("gamma")
    store = pilot.app.store
    assert {(run.meta().name, run.meta().tags) for run in store.runs()} == {("gamma", ("good", "first")), ("beta", ())}


async def test_delete_asks_and_enter_keeps(tmp_path, script):
    run = _finished(tmp_path, script, "alpha", 0.95)
    async with opened(tmp_path) as pilot:
        await pilot.press("3")
        await wait_for_text(pilot, "alpha")
        await pilot.press("d")
        await wait_for_text(pilot, "Delete this run?")
        await pilot.press("enter")
        assert run.folder.exists()
        await pilot.press("d")
        await wait_for_text(pilot, "Delete this run?")
        await pilot.press("down", "enter")
        await wait_for(pilot, lambda: not run.folder.exists())
        await wait_for_text(pilot, "There are no runs yet")


async def test_a_live_run_cannot_be_deleted(tmp_path, script):
    run = make_run(tmp_path, script, script.started(), meta=Meta("alive"))
    async with opened(tmp_path) as pilot:
        await pilot.press("3")
        await wait_for_text(pilot, "alive")
        assert "enter Open" in screen_text(pilot)
        await pilot.press("d")
        await wait_for_text(pilot, "stop it first")
        assert "Delete this run?" not in screen_text(pilot)
    assert run.folder.exists()


async def test_enter_opens_a_run(tmp_path, script):
    _finished(tmp_path, script, "alpha", 0.95)
    async with opened(tmp_path, SMALL) as pilot:
        await pilot.press("3")
        await wait_for_text(pilot, "alpha")
        await pilot.press("enter")
        await wait_for_text(pilot, "Accuracy: 9500/10000 (95.00%)")
        assert pilot.app.current_mode == "training"


async def test_a_long_list_asks_only_for_the_rows_it_shows(tmp_path):
    asked: list[int] = []

    async with opened(tmp_path) as pilot:
        await pilot.press("3")
        pilot.app.screen.remove_class("-empty")
        table = pilot.app.screen.query_one("#runs", Table)
        table.show(10_000, lambda row: asked.append(row) or (f"row {row}",))
        await pilot.pause()
        table.focus()
        await pilot.press("end")
        await pilot.pause()
        assert table.cursor_row == 9_999
    assert len(set(asked)) < 200


def test_filter_words_may_be_anywhere_and_unknown_values_sort_last(tmp_path, script):
    _finished(tmp_path, script, "alpha", 0.95, arch="conv5")
    make_run(tmp_path, script, script.started(), script.stopped(1), meta=Meta("beta", ("x",)))
    from experiments.store import Store

    items = Store(tmp_path).rows()
    assert [row.name for row, _ in arranged(items, "best", "")] == ["alpha", "beta"]
    assert [row.name for row, _ in arranged(items, "best", "STOPPED #x")] == ["beta"]
    assert arranged(items, "best", "conv5 stopped") == []
