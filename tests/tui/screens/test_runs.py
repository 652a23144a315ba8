"""Runs: the list, and what one can do with a run in it."""

from __future__ import annotations

from app_pilot import SMALL, make_run, opened, screen_text, wait_for, wait_for_text
from stage import staged

from experiments.results.filters.language import parse_filter
from experiments.runs.folder import Meta
from experiments.runs.owner import Owner
from experiments.runs.row import Status
from experiments.runs.store import Store
from tui.live.messages import OpenRequested
from tui.live.runs.group_line import GroupResults, entry_in_words
from tui.live.runs.listing import ListEntry, Listing
from tui.live.runs.marks import MOST
from tui.screens.compare import CompareScreen
from tui.screens.runs.columns import FREE
from tui.screens.runs.screen import RunsScreen
from tui.widgets.tables.table import Table


def arranged(items, sort: str, wanted: str):
    """The runs of a list whose folds are all open, without the folds."""
    entries = Listing().arrange(items, parse_filter(wanted), sort)
    return [(entry.row, entry.status) for entry in entries if entry.fold is None]


def _finished(home, script, name: str, accuracy: float, **config: object):
    events = (script.started(config=config), script.epoch(1, accuracy), script.finished(1, accuracy))
    return make_run(home, script, *events, meta=Meta(name), **config)


async def test_an_empty_home_says_how_to_make_a_run(tmp_path):
    async with opened(tmp_path) as pilot:
        await pilot.press("3")
        await wait_for_text(pilot, "There are no runs yet")
        await wait_for(pilot, lambda: screen_text(pilot).splitlines()[-1].strip() == "Q Line ^q Quit ? Help")


async def test_below_a_dialog_are_the_keys_of_the_dialog(tmp_path, script):
    _finished(tmp_path, script, "alpha", 0.95)
    async with opened(tmp_path, SMALL) as pilot:
        await pilot.press("3")
        await wait_for_text(pilot, "enter Open")
        await pilot.press("question_mark")
        await wait_for_text(pilot, "esc Close")
        assert "Inspect" not in screen_text(pilot).splitlines()[-1]
        await pilot.press("escape")
        await wait_for_text(pilot, "enter Open")


async def test_a_run_that_waits_its_turn_is_not_said_to_be_running(tmp_path, script):
    make_run(tmp_path, script, meta=Meta("try-1"))
    make_run(tmp_path, script, script.started(), meta=Meta("try-0"))
    continued = _finished(tmp_path, script, "again", 0.5)
    continued.hand_over(Owner.this_process())
    async with staged(RunsScreen(), tmp_path) as pilot:
        await wait_for_text(pilot, "3 runs, 3 live")
        lines = screen_text(pilot).splitlines()
        await pilot.press("slash", *"waiting")
        await wait_for_text(pilot, "2 of 3 runs")
    lines = [line[:70] for line in lines]
    rows = [line.split()[:2] for line in lines if " try-" in line or " again " in line]
    assert rows[0] == ["running", "try-0"]
    assert sorted(rows[1:]) == [["waiting", "again"], ["waiting", "try-1"]]


async def test_live_runs_come_first_and_follow_what_happens_elsewhere(tmp_path, script):
    live = make_run(tmp_path, script, script.started(), meta=Meta("alive"))
    _finished(tmp_path, script, "done", 0.99)
    async with staged(RunsScreen(), tmp_path) as pilot:
        await wait_for_text(pilot, "2 runs, 1 live")
        text = screen_text(pilot)
        assert text.index("alive") < text.index("done")
        script.write(live, script.epoch(1, 0.9777))
        await wait_for_text(pilot, "97.77%")
        _finished(tmp_path, script, "started elsewhere", 0.5)
        await wait_for_text(pilot, "3 runs")


async def test_every_screen_says_how_many_runs_are_live(tmp_path, script):
    live = make_run(tmp_path, script, script.started())
    _finished(tmp_path, script, "done", 0.99)
    async with opened(tmp_path, SMALL) as pilot:
        await wait_for_text(pilot, "3 Runs ●1 ")
        make_run(tmp_path, script, script.started())
        await pilot.press("4")
        await wait_for_text(pilot, "3 Runs ●2 ")
        script.write(live, script.finished(1, 0.9))
        live.release()
        await wait_for_text(pilot, "3 Runs ●1 ")


async def test_filter_sort_rename_and_tag(tmp_path, script):
    _finished(tmp_path, script, "alpha", 0.95, arch="conv5")
    _finished(tmp_path, script, "beta", 0.99)
    async with staged(RunsScreen(), tmp_path) as pilot:
        await wait_for_text(pilot, "2 runs")
        await pilot.press("slash", *"conv5")
        await wait_for_text(pilot, "1 of 2 runs")
        assert not any("beta" in line[:70] for line in screen_text(pilot).splitlines())
        await pilot.press("enter", "e", "ctrl+u", *"gamma", "enter")
        await wait_for_text(pilot, "gamma")
        await pilot.press("t", *"good, #first", "enter")
        await wait_for_text(pilot, "#good #first")
        await pilot.press("slash", *"x")
        await wait_for_text(pilot, "no run matches")
        await pilot.press("escape", "escape")
        await wait_for_text(pilot, "2 runs, 0 live, by newest")
        await pilot.press("o")
        await wait_for_text(pilot, "by best accuracy")
        text = left_of(pilot)
        assert text.index("beta") < text.index("gamma")
    store = pilot.app.store
    assert {(run.meta().name, run.meta().tags) for run in store.runs()} == {("gamma", ("good", "first")), ("beta", ())}


async def test_delete_asks_and_enter_keeps(tmp_path, script):
    run = _finished(tmp_path, script, "alpha", 0.95)
    async with staged(RunsScreen(), tmp_path) as pilot:
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
    async with staged(RunsScreen(), tmp_path) as pilot:
        await wait_for_text(pilot, "alive")
        assert "enter Open" in screen_text(pilot)
        await pilot.press("d")
        await wait_for_text(pilot, "stop it first")
        assert "Delete this run?" not in screen_text(pilot)
    assert run.folder.exists()


async def test_enter_opens_a_run(tmp_path, script):
    run = _finished(tmp_path, script, "alpha", 0.95)
    async with staged(RunsScreen(), tmp_path, SMALL) as pilot:
        await wait_for_text(pilot, "alpha")
        await pilot.press("enter")
        await wait_for(pilot, lambda: pilot.app.requests)
    (request,) = pilot.app.requests
    assert (type(request), request.run) == (OpenRequested, run)


async def test_a_long_list_asks_only_for_the_rows_it_shows(tmp_path):
    asked: list[int] = []

    async with staged(RunsScreen(), tmp_path) as pilot:
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
    items = Store(tmp_path).rows()
    assert [row.name for row, _ in arranged(items, "best", "")] == ["alpha", "beta"]
    assert [row.name for row, _ in arranged(items, "best", "STOPPED #x")] == ["beta"]
    assert arranged(items, "best", "conv5 stopped") == []


def _group(home, script, name: str, accuracies: dict[int, float], group_id: str) -> None:
    for seed, accuracy in accuracies.items():
        events = (script.started(config={"seed": seed}), script.epoch(1, accuracy), script.finished(1, accuracy))
        make_run(home, script, *events, meta=Meta(f"{name}-{seed}", (), group_id), seed=seed)


async def test_a_run_of_a_group_shows_what_the_group_came_to(tmp_path, script):
    _group(tmp_path, script, "try", {0: 0.99, 1: 0.992, 2: 0.994}, "g20260101-000000-aaaa")
    begun, fourth = script.started(config={"seed": 3}), Meta("try-3", (), "g20260101-000000-aaaa")
    make_run(tmp_path, script, begun, script.stopped(), meta=fourth, seed=3)
    async with staged(RunsScreen(), tmp_path, SMALL) as pilot:
        await wait_for_text(pilot, "group try of 4")
        await wait_for_text(pilot, "4: 3 finished, final 99.20% (sd 0.20), best 99.20% (sd 0.20)")


def test_in_a_group_s_result_a_repetition_is_not_counted_and_a_seed_that_came_out_otherwise_is(tmp_path, script):
    group = "g20260101-000000-aaaa"
    for seed, accuracy, weights in ((0, 0.98, "a"), (1, 0.99, "b"), (1, 0.99, "b"), (1, 1.0, "c")):
        ended = script.finished(1, accuracy, weights_sha256=64 * weights)
        events = (script.started(config={"seed": seed}), script.epoch(1, accuracy), ended)
        make_run(tmp_path, script, *events, meta=Meta(f"try-{seed}", (), group), seed=seed)
    store = Store(tmp_path)
    runs = store.rows()
    results = GroupResults(store)
    assert results.known(runs) == ""
    words = "3 finished, 1 repeated, final 99.00% (sd 1.00), best 99.00% (sd 1.00)"
    assert (results.read(runs), results.known(runs)) == (words, words)
    fifth = make_run(tmp_path, script, script.started(), meta=Meta("try-2", (), group), seed=2)
    for epoch in (1, 2):
        script.write(fifth, script.epoch(epoch))
        assert results.known(store.rows()) == words, "though one under way has come further"


def test_the_runs_of_a_group_stand_together_by_seed(tmp_path, script):
    _group(tmp_path, script, "b", {10: 0.5, 2: 0.5}, "g20260101-000000-aaaa")
    _finished(tmp_path, script, "b-3", 0.9)
    _group(tmp_path, script, "a", {1: 0.5, 0: 0.5}, "g20260102-000000-bbbb")
    _finished(tmp_path, script, "", 0.9)
    items = Store(tmp_path).rows()

    def names(sort: str) -> list[str]:
        return [row.name for row, _ in arranged(items, sort, "")]

    assert names("name") == ["a-0", "a-1", "b-2", "b-10", "b-3", ""]
    assert names("group")[:4] == ["a-0", "a-1", "b-2", "b-10"]


def test_a_group_of_one_finished_run_has_no_deviation(tmp_path, script):
    _group(tmp_path, script, "", {0: 0.99}, "g20260101-000000-aaaa")
    store = Store(tmp_path)
    runs = store.rows()
    words = entry_in_words(ListEntry(*runs[0]), 1, GroupResults(store).read(runs))
    assert words.startswith("group of 1: 1 finished, final 99.00%, best 99.00%  g2026")


async def test_marked_runs_and_groups_are_compared_in_the_order_of_their_marks(tmp_path, script):
    _group(tmp_path, script, "try", {0: 0.99, 1: 0.992}, "g20260101-000000-aaaa")
    alpha = _finished(tmp_path, script, "alpha", 0.95)
    beta = _finished(tmp_path, script, "beta", 0.96)
    async with staged(RunsScreen(), tmp_path) as pilot:
        await wait_for_text(pilot, "4 runs")
        pilot.app.remember(runs_sort="name")
        pilot.app.screen.rearrange()  # alpha, beta, try-0, try-1
        await pilot.press("F", "home", "down", "+")
        assert "= Compare" not in screen_text(pilot), "with itself"
        await pilot.press("end", "*")
        await wait_for_text(pilot, "3 marked")
        lines = screen_text(pilot).splitlines()
        assert [line[:3].strip() for line in lines if " finished  " in line] == ["", "1", "2", "2"]
        await pilot.press("home", "+", "+", "+", "escape")
        await wait_for(pilot, lambda: "marked" not in screen_text(pilot))
        await pilot.press("down", "+", "end", "*", "equals_sign")
        await wait_for(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        assert pilot.app.screen._references == (beta.id, "g20260101-000000-aaaa")
        await pilot.press("escape", "escape", "home", "+", "down", "=")
        await wait_for(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        assert pilot.app.screen._references == (alpha.id, beta.id)


async def test_space_shows_all_of_a_row_that_is_cut(tmp_path, script):
    name = "a name that is much too long for its column, even of a wide window"
    _finished(tmp_path, script, name, 0.95, seed=123)
    async with opened(tmp_path, SMALL) as pilot:
        await pilot.press("3")
        await wait_for_text(pilot, "1 run")
        await pilot.press("space")
        await wait_for_text(pilot, "The whole row")
        shown = " ".join(line.split("│")[1] for line in screen_text(pilot).splitlines() if line.count("│") == 2)
        shown = " ".join(shown.split())
        assert "Run a name that is much too long for its column, even" in shown
        assert "Seed 123" in shown, "a column that has no room"
        await pilot.press("space")
        await wait_for(pilot, lambda: "The whole row" not in screen_text(pilot))


async def test_a_ninth_run_is_not_compared_and_a_deleted_one_is_no_longer_marked(tmp_path, script):
    for number in range(MOST + 1):
        _finished(tmp_path, script, f"run{number}", 0.9)
    async with staged(RunsScreen(), tmp_path) as pilot:
        await wait_for_text(pilot, "9 runs")
        await pilot.press(*["+", "down"] * MOST, "+", "equals_sign")
        await wait_for_text(pilot, "at most 8 can be compared")
        assert "9 marked" in screen_text(pilot)
        for run_id in pilot.app.screen._marks.references[:2]:
            pilot.app.store.remove(pilot.app.store.run(run_id))
        await wait_for_text(pilot, "7 marked")


async def test_the_path_of_a_module_gives_way_to_its_name(tmp_path, script):
    arch = "/a/very/long/way/to/where/nets/live/net.py:Net"
    make_run(tmp_path, script, script.started(config={"arch": arch}), script.epoch(1), script.finished(1), arch=arch)
    async with staged(RunsScreen(), tmp_path, SMALL) as pilot:
        await wait_for_text(pilot, "net.py:Net")
        lines = screen_text(pilot).splitlines()
    assert sum("net.py:Net" in line for line in lines) == 2, "in the list and in the line below it"
    assert not any("/a/very/long" in line for line in lines)


async def test_in_the_order_by_best_runs_with_held_out_images_stand_where_their_final_puts_them(tmp_path, script):
    _finished(tmp_path, script, "low", 0.95)
    events = (script.started(), script.epoch(1, 0.97, on_test=False), script.finished(1, 0.97))
    make_run(tmp_path, script, *events, meta=Meta("split"))
    _finished(tmp_path, script, "high", 0.99)
    make_run(tmp_path, script, script.started(), script.stopped(1), meta=Meta("nothing"))
    make_run(tmp_path, script, script.started(), meta=Meta("alive"))
    async with staged(RunsScreen(), tmp_path) as pilot:
        await wait_for_text(pilot, "5 runs")
        pilot.app.remember(runs_sort="best")
        pilot.app.screen.rearrange()
        await wait_for_text(pilot, "by best accuracy")
        text = left_of(pilot)
    places = [text.index(f" {name} ") for name in ("high", "split", "low", "alive", "nothing")]
    assert places[:3] == sorted(places[:3])
    assert max(places[:3]) < min(places[3:]), "those without any accuracy come last, live ones too"


async def test_a_module_of_ones_own_is_shown_without_the_path_of_its_file(tmp_path, script):
    folder = tmp_path / "a-folder-of-mine"
    folder.mkdir()
    (folder / "net.py").write_text("import torch\n\nclass Net(torch.nn.Module):\n    pass\n")
    run = _finished(tmp_path, script, "", 0.95, arch=f"{folder / 'net.py'}:Net")
    assert entry_in_words(ListEntry(run.row(), Status.FINISHED), 1, "") == f"{run.id}  net.py:Net"
    async with opened(tmp_path) as pilot:
        await pilot.press("3")
        await wait_for_text(pilot, "net.py:Net")
        await pilot.press("delete")
        await wait_for_text(pilot, "Delete this run?")
        text = screen_text(pilot)
    assert "net.py:Net on" in text
    assert "a-folder-of-mine" not in text


def left_of(pilot, width: int = 72) -> str:
    """The list without the preview beside it."""
    return "\n".join(line[:width] for line in screen_text(pilot).splitlines())


async def test_the_preview_says_which_is_best_and_why(tmp_path, script):
    _finished(tmp_path, script, "base", 0.99, lr=0.27092532949440995)
    best = _finished(tmp_path, script, "better", 0.9905, lr=0.1)
    best.change_meta(note="Analysis\nless is more", tags=("best",))
    async with staged(RunsScreen(), tmp_path) as pilot:
        await wait_for_text(pilot, "2 runs")
        await pilot.press("o")
        await wait_for_text(pilot, "Best▼")
        await wait_for_text(pilot, "1st of 2 on mnist, 0.05 points ahead")
        text = " ".join(" ".join(line[77:] for line in screen_text(pilot).splitlines()).split())
        for words in (
            "better conv9, 170 parameters #best",
            "best 99.05% in epoch 1, final 99.05% 99.4% not reached: 0.35 points short",
            "ahead of base, which has lr 0.2709. 10,000 test images do not tell the two apart.",
            "preset seed-conv9, with lr 0.1 (0.03772)",
            "Note Analysis less is more",
        ):
            assert words in text
        await pilot.press("P")
        await wait_for(pilot, lambda: "1st of 2" not in screen_text(pilot))
        assert not pilot.app.state.runs_preview


async def test_the_room_that_names_leave_in_a_wide_window_is_for_the_networks(tmp_path, script):
    spec = "c16p1 s34p1 p2 s42p1 s50p1 p2 s56p1 gap fc10"
    _finished(tmp_path, script, "short", 0.99, arch=spec)
    async with staged(RunsScreen(), tmp_path, (200, 60)) as pilot:
        await wait_for_text(pilot, "Changed")  # the preview is there and takes its part of the width
        (row,) = [line for line in left_of(pilot, 150).splitlines() if "finished  short" in line]
        assert spec in row


async def test_in_a_narrow_window_a_key_shows_the_preview(tmp_path, script):
    _finished(tmp_path, script, "only", 0.99)
    async with staged(RunsScreen(), tmp_path, SMALL) as pilot:
        await wait_for_text(pilot, "only")
        assert "the only one on mnist" not in screen_text(pilot)
        await pilot.press("P")
        await wait_for_text(pilot, "the only one on mnist")
        assert "only " in left_of(pilot, 40)


async def test_the_folder_of_a_run_is_read_once_for_its_preview(tmp_path, script, monkeypatch):
    _finished(tmp_path, script, "a", 0.98)
    _finished(tmp_path, script, "b", 0.99)
    async with staged(RunsScreen(), tmp_path) as pilot:
        await wait_for_text(pilot, "2 runs")
        await pilot.press("o", "home")
        await wait_for_text(pilot, "1st of 2")
        await pilot.press("down")
        await wait_for_text(pilot, "2nd of 2")
        read: list[str] = []
        monkeypatch.setattr("tui.live.runs.preview.origin_of", lambda run, _: read.append(run.id))
        for _ in range(3):
            await pilot.press("up")
            await wait_for_text(pilot, "1st of 2")
            await pilot.press("down")
            await wait_for_text(pilot, "2nd of 2")
            await pilot.pause(0.3)
    assert read == []


async def test_groups_and_sweeps_are_folded_and_a_key_unfolds_them(tmp_path, script):
    _group(tmp_path, script, "try", {0: 0.99, 1: 0.992}, "g20260101-000000-aaaa")
    for lr in (0.1, 0.2):
        events = (script.started(config={"lr": lr}), script.epoch(1, 0.9 + lr / 10), script.finished(1, 0.9 + lr / 10))
        make_run(tmp_path, script, *events, meta=Meta(f"first-{lr}", ("study:first",)), lr=lr)
    async with staged(RunsScreen(), tmp_path) as pilot:
        await wait_for_text(pilot, "4 runs")
        await pilot.press("o", "home")
        await wait_for_text(pilot, "4 runs, 0 live, by best accuracy")
        await wait_for_text(pilot, "▸ try")
        assert "mean: conv9" in left_of(pilot)
        assert "99.10%" in left_of(pilot)
        assert "try-1" not in left_of(pilot)
        await pilot.press("right")
        await wait_for(pilot, lambda: "▾ try" in left_of(pilot) and "try-0" in left_of(pilot))
        await pilot.press("down", "left")
        await wait_for(pilot, lambda: "▸ try" in left_of(pilot))
        await pilot.press("end")
        await wait_for_text(pilot, "sweep first of 2: best 92.00%, mean 91.50% of 2")
        await pilot.press("F")
        await wait_for(pilot, lambda: "first-0.1" in left_of(pilot) and "try-1" in left_of(pilot))
        assert pilot.app.state.runs_unfolded


async def test_what_is_marked_is_tagged_and_deleted_after_one_question(tmp_path, script):
    runs = [_finished(tmp_path, script, name, 0.9) for name in ("a", "b", "c")]
    alive = make_run(tmp_path, script, script.started(), meta=Meta("alive"))
    runs[0].change_meta(tags=("old", "kept"))
    async with staged(RunsScreen(), tmp_path) as pilot:
        await wait_for_text(pilot, "4 runs")
        await pilot.press("slash", *"!name:c", "enter", "A", "t")
        await wait_for_text(pilot, "Tag 3 runs")
        await pilot.press(*"new, -old", "enter")
        await wait_for(pilot, lambda: runs[0].meta().tags == ("kept", "new"))
        assert (runs[1].meta().tags, runs[2].meta().tags, alive.meta().tags) == (("new",), (), ("new",))
        await pilot.press("d")
        await wait_for_text(pilot, "Delete these 2 runs?")
        assert "1 more is being trained" in " ".join(screen_text(pilot).replace("│", " ").split())
        await pilot.press("down", "enter")
        await wait_for(pilot, lambda: not runs[0].folder.exists() and not runs[1].folder.exists())
        await wait_for_text(pilot, "2 runs are deleted")
    assert runs[2].folder.exists()
    assert alive.folder.exists()


async def test_several_live_runs_are_stopped_after_one_question(tmp_path, script):
    runs = [make_run(tmp_path, script, script.started(), meta=Meta(name)) for name in ("a", "b")]
    async with staged(RunsScreen(), tmp_path) as pilot:
        await wait_for_text(pilot, "2 runs, 2 live")
        await pilot.press("A", "x")
        await wait_for_text(pilot, "Stop these 2 runs")
        await pilot.press("enter")
        await wait_for(pilot, lambda: pilot.app.requests)
    (request,) = pilot.app.requests
    assert {run.id for run in request.runs} == {run.id for run in runs}


async def test_a_mistake_in_the_filter_is_one_line_and_the_list_stays(tmp_path, script):
    _finished(tmp_path, script, "alpha", 0.95)
    _finished(tmp_path, script, "beta", 0.99)
    async with staged(RunsScreen(), tmp_path) as pilot:
        await wait_for_text(pilot, "2 runs")
        await pilot.press("slash", *"acc>98")
        await wait_for_text(pilot, "1 of 2 runs")
        await pilot.press(*" status:dead")
        await wait_for_text(pilot, "status:dead: there is no status dead; there are live, ended")
        assert "1 of 2 runs" in screen_text(pilot)


async def test_columns_are_chosen_and_a_click_on_a_header_sorts(tmp_path, script):
    for name, batch in (("alpha", 64), ("beta", 128)):
        _finished(tmp_path, script, name, 0.95, batch_size=batch)
    async with staged(RunsScreen(), tmp_path) as pilot:
        await wait_for_text(pilot, "2 runs")
        await pilot.press("C")
        await wait_for_text(pilot, "batch size")
        assert "[ ] Batch" in " ".join(screen_text(pilot).split())
        await pilot.press(*["down"] * FREE.index("batch"), "space")
        await wait_for(pilot, lambda: "[x] Batch" in " ".join(screen_text(pilot).split()))
        await pilot.press("enter")
        await wait_for_text(pilot, "Batch")
        assert "batch" in pilot.app.state.runs_columns
        header = next(line for line in screen_text(pilot).splitlines() if "Batch" in line)
        for sign, first in (("Batch▲", "alpha"), ("Batch▼", "beta")):
            await pilot.click("#runs", offset=(header.index("Batch") + 1, 0))
            await wait_for_text(pilot, sign)
            text = left_of(pilot)
            assert min(("alpha", "beta"), key=text.index) == first


async def test_a_note_of_several_lines_is_written_and_one_that_is_not_saved_is_asked_about(tmp_path, script):
    run = _finished(tmp_path, script, "alpha", 0.95)
    async with staged(RunsScreen(), tmp_path) as pilot:
        await wait_for_text(pilot, "alpha")
        await pilot.press("N", *"one", "enter", *"two", "ctrl+s")
        await wait_for(pilot, lambda: run.meta().note == "one\ntwo")
        await pilot.press("N")
        await wait_for_text(pilot, "Note: alpha")
        await pilot.press("escape")
        await wait_for(pilot, lambda: "Note: alpha" not in screen_text(pilot))
        await pilot.press("N", "x", "escape")
        await wait_for_text(pilot, "Leave the note?")
        await pilot.press("enter", "ctrl+t", "ctrl+s")
        await wait_for(pilot, lambda: "Analysis" in run.meta().note)
    assert run.meta().note.splitlines()[:4] == ["one", "twox", "", "Target"]


async def test_a_note_that_cannot_be_written_stays_in_its_dialog(tmp_path, script):
    run = _finished(tmp_path, script, "alpha", 0.95)
    async with staged(RunsScreen(), tmp_path) as pilot:
        await wait_for_text(pilot, "alpha")
        await pilot.press("N", *"mine")
        run.folder.rename(tmp_path / "away")
        await pilot.press("ctrl+s")
        await wait_for_text(pilot, "Not saved")
        assert "mine" in screen_text(pilot)
        (tmp_path / "away").rename(run.folder)
        await pilot.press("ctrl+s")
        await wait_for(pilot, lambda: run.meta().note == "mine")


async def test_a_name_or_a_tag_that_the_command_line_refuses_is_refused_and_stays_to_be_mended(tmp_path, script):
    run = _finished(tmp_path, script, "alpha", 0.95)
    async with staged(RunsScreen(), tmp_path) as pilot:
        await wait_for_text(pilot, "alpha")
        for key in ("e", "t"):
            await pilot.press(key, "ctrl+u", *"latest", "enter")
            await wait_for_text(pilot, "stands for the newest run")
            await pilot.press(*"-a", "enter")
        await wait_for(pilot, lambda: run.meta().tags == ("latest-a",))
        assert run.meta().name == "latest-a"


async def test_a_note_that_somebody_else_has_changed_meanwhile_is_not_lost(tmp_path, script):
    run = _finished(tmp_path, script, "alpha", 0.95)
    async with staged(RunsScreen(), tmp_path) as pilot:
        await wait_for_text(pilot, "alpha")
        await pilot.press("N", *"mine")
        run.change_meta(note="theirs")
        await pilot.press("ctrl+s")
        await wait_for_text(pilot, "Somebody else has changed the note")
        await pilot.press("enter")
        await wait_for(pilot, lambda: run.meta().note == "theirs\n\nmine")


async def test_a_report_is_written_into_the_home_and_replaces_none(tmp_path, script):
    run = _finished(tmp_path, script, "alpha", 0.95)
    run.change_meta(note="why it is so")
    async with staged(RunsScreen(), tmp_path) as pilot:
        await wait_for_text(pilot, "alpha")
        for number in (1, 2):
            await pilot.press("R")
            await wait_for_text(pilot, "For a course")
            await pilot.press("enter")
            await wait_for(pilot, lambda n=number: len(list(tmp_path.glob("reports/*.html"))) == n)
    names = sorted(path.name for path in (tmp_path / "reports").iterdir())
    assert names == ["alpha-course-2.html", "alpha-course.html"]
    assert "why it is so" in (tmp_path / "reports" / names[0]).read_text()
