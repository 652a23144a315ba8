"""Commands that take a run take the id of a group too, and do to each of its runs what they do to one."""

import pytest

from core.config import TrainConfig
from core.events import EpochFinished
from experiments.execution.runner import Runner
from experiments.locations import Locations
from experiments.runs.folder import Meta
from experiments.runs.owner import Owner


@pytest.fixture
def finished_group(new_run, script):
    """Two finished runs of a group, the second seed first, and one that is in none."""
    for seed in (1, 0):
        config = {"seed": seed}
        new_run(script.started(config=config), script.epoch(1), script.finished(1), name=f"x-{seed}", group_id="g1")
    new_run(script.started(), script.finished(), name="alone")


@pytest.fixture
def half_group(train, store, home, tmp_path):
    """A group of three seeds: the first has finished, the second was left after an epoch, the third has not begun."""
    records = train("--jobs", "1", "--seeds", "0-0", "--json").records
    group_id, config = records[-1]["group_id"], TrainConfig.checked(records[0]["config"])
    runner = Runner(Locations(home, tmp_path / "data", tmp_path / "cache"))
    events = runner.run(config.changed(seed=1), Meta("", (), group_id))
    next(entry for entry in events if isinstance(entry.event, EpochFinished))
    events.close()
    runner.create(config.changed(seed=2), Meta("", (), group_id)).release()
    return group_id


def test_resuming_a_group_goes_on_with_each_run_that_has_not_finished(cli, train, store, half_group):
    answer = cli("resume", half_group, "--json")
    assert answer.code == 0
    ends = [record for record in answer.records if record["event"] == "run_finished"]
    assert [store.run(end["run_id"]).row().seed for end in ends] == [1, 2]
    assert (answer.records[-1]["event"], answer.records[-1]["n"]) == ("group_finished", 3)
    alone = [train("--seed", str(seed), "--json").records[-1]["weights_sha256"] for seed in (1, 2)]
    assert [end["weights_sha256"] for end in ends] == alone


def test_a_group_that_has_finished_is_gone_on_with_only_to_extend_it(cli, refused, train):
    group_id = train("--jobs", "1", "--seeds", "0-1", "--json").records[-1]["group_id"]
    refused(cli("resume", group_id), 2, f"run = {group_id}: every run of it is finished")
    answer = cli("resume", group_id, "--epochs", "3", "--json", "--quiet")
    assert [record.get("epochs") for record in answer.records] == [3, 3, None]


def test_a_member_that_cannot_go_on_keeps_the_others_from_being_begun(cli, refused, store, half_group):
    damaged = store.find_all(half_group)[1]
    (damaged.folder / "config.json").write_text("{")
    before = [run.log.stat().st_size if run.log.exists() else None for run in store.runs()]
    refused(cli("resume", half_group), 5, "config.json")
    assert [run.log.stat().st_size if run.log.exists() else None for run in store.runs()] == before


def test_a_member_that_fails_does_not_keep_the_others_from_going_on(cli, store, half_group):
    broken = store.find_all(half_group)[1]
    for path in broken.folder.glob("checkpoint*"):
        path.write_bytes(b"not a checkpoint")
    answer = cli("resume", half_group, "--quiet")
    assert answer.code == 5
    assert "error: " in answer.err
    assert [run.row().ended for run in store.find_all(half_group)] == ["finished", "failed", "finished"]


def test_members_that_are_stopped_while_they_wait_for_the_process_that_has_them_are_not_gone_on_with(
    cli, store, half_group
):
    left = store.find_all(half_group)[1:]
    for run in left:
        run.hand_over(Owner.this_process())  # as to a process that shall go on with them
        run.ask_to_stop()
    answer = cli("resume", half_group, "--quiet")
    assert answer.code == 143
    rows = [run.row() for run in store.find_all(half_group)]
    assert [(row.ended, row.epochs_done) for row in rows] == [("finished", 2), ("stopped", 1), ("stopped", 0)]
    assert not any(run.is_owned_here() for run in left)


def test_watching_a_group_shows_its_runs_by_seed_and_what_they_came_to(cli, store, finished_group):
    answer = cli("watch", "g1")
    assert answer.code == 0
    ends = [line.split()[1] for line in answer.out.splitlines() if line.startswith("run ")]
    assert ends == [store.find("x-0").id, store.find("x-1").id]
    assert "group x (g1): 2 of 2 runs finished" in answer.out


def test_watching_a_group_exits_1_when_one_of_its_runs_failed(cli, finished_group, new_run, script):
    new_run(script.started(), script.failed(), group_id="g1")
    assert cli("watch", "g1").code == 1


def test_a_group_is_deleted_with_all_its_runs_and_no_other(cli, store, finished_group):
    assert cli("rm", "g1", "x-0").code == 0
    assert [run.meta().name for run in store.runs()] == ["alone"]


def test_a_group_with_a_live_run_is_not_deleted(cli, refused, store, finished_group, new_run, script):
    live = new_run(script.started(), group_id="g1")
    refused(cli("rm", "g1"), 2, f"run = {live.id}", "is running")
    assert len(store.runs()) == 4


def test_a_group_of_which_no_run_is_live_cannot_be_stopped(cli, refused, finished_group):
    refused(cli("stop", "g1"), 2, "run = g1: none of its runs is running")


@pytest.mark.parametrize("command", ["show", "watch"])
def test_a_group_is_found_by_its_name_and_by_the_beginning_of_its_id_too(cli, refused, finished_group, command):
    whole = cli(command, "g1")
    assert "group x (g1): 2 of 2 runs finished" in whole.out
    assert cli(command, "x").out == cli(command, "g").out == whole.out
    refused(cli(command, "y"), 5, "no such run: 'y'")


def test_a_report_takes_a_group_by_its_name(cli, finished_group, tmp_path):
    pages = []
    for reference in ("g1", "x"):
        page = tmp_path / f"{reference}.html"
        assert cli("report", reference, "-o", str(page)).code == 0
        pages.append(page.read_text())
    assert pages[0] == pages[1]
