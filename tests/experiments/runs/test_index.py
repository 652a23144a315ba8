"""The index is only a cache: with it, without it, and whatever happens to it, lists of runs are the same."""

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from rights import no_special_rights

from core.errors import StorageError
from experiments.runs.index import QUIET, VERSION
from experiments.runs.row import Status
from experiments.runs.store import Store


@pytest.fixture
def some_runs(new_run, script):
    """One run of each kind, the first by name."""
    return [
        new_run(script.started(), script.epoch(1, 0.98), script.finished(1, 0.98), name="done", tags=("a", "b")),
        new_run(script.started(), script.epoch(1, 0.9, on_test=False), script.stopped(), group_id="g1"),
        new_run(script.started(), script.failed()),
        new_run(script.started()),
        new_run(),
    ]


@pytest.fixture
def index(store):
    return store.home / "index.sqlite"


def from_files(store):
    """The rows as the folders have them, no index in between."""
    return [(run.row(), run.status()) for run in store.runs()]


def test_rows_are_those_of_the_folders_before_and_after_the_index_is_made(some_runs, store, index):
    wanted = from_files(store)
    assert store.rows() == wanted
    assert index.is_file()
    assert store.rows() == wanted
    assert {state for _, state in wanted} == {Status.FINISHED, Status.STOPPED, Status.FAILED, Status.RUNNING}


def test_rows_come_from_the_index_while_the_files_are_as_they_were(some_runs, store, index):
    store.rows()
    with closing(sqlite3.connect(index)) as database, database:
        database.execute("""UPDATE runs SET row = replace(row, '"done"', '"from the index"')""")
    assert store.rows()[store.runs().index(some_runs[0])][0].name == "from the index"


def test_what_is_appended_to_a_log_is_seen_at_once(new_run, store, script):
    run = new_run(script.started())
    assert store.rows()[0][0].epochs_done == 0
    script.write(run, script.epoch(1, 0.97))
    assert store.rows()[0][0].epochs_done == 1
    script.write(run, script.finished(1, 0.97))
    run.release()
    row, state = store.rows()[0]
    assert (row.final_test_accuracy, state) == (0.97, Status.FINISHED)


def test_another_name_of_the_same_length_is_seen_at_once(new_run, store):
    run = new_run(name="one")
    store.rows()
    meta = run.folder / "meta.json"
    new = meta.with_suffix(".new")
    new.write_text(meta.read_text().replace("one", "two"))
    shutil.copystat(meta, new)
    new.replace(meta)
    assert store.rows()[0][0].name == "two"


def test_a_live_run_is_remembered_only_once_its_log_is_quiet(new_run, store, script, index):
    run = new_run(script.started())
    store.rows()
    assert not index.exists()
    os.utime(run.log, (run.log.stat().st_atime, run.log.stat().st_mtime - QUIET - 1))
    wanted = store.rows()
    assert index.is_file()
    assert store.rows() == wanted


def test_removed_and_added_runs_are_seen_at_once(some_runs, store, new_run, script):
    store.rows()
    store.remove(some_runs[0])
    added = new_run(script.started())
    ids = [row.run_id for row, _ in store.rows()]
    assert added.id in ids
    assert some_runs[0].id not in ids
    assert len(ids) == 5


def test_a_run_that_somebody_goes_on_with_is_seen_to_be_live(some_runs, store):
    done = some_runs[0]
    os.utime(done.folder, (1, 1))  # as one that ended long ago
    assert store.rows()[store.runs().index(done)][1] is Status.FINISHED
    assert store.rows()[store.runs().index(done)][1] is Status.FINISHED
    done.take_over()
    assert store.rows()[store.runs().index(done)][1] is Status.RUNNING
    done.release()
    assert store.rows()[store.runs().index(done)][1] is Status.FINISHED


def test_a_first_reading_that_is_broken_off_has_not_been_for_nothing(some_runs, store, index, monkeypatch):
    oldest, run_of = store.runs()[-1].id, Store.run

    def run_or_end(self, run_id):
        return pytest.fail("enough") if run_id == oldest else run_of(self, run_id)

    monkeypatch.setattr("experiments.runs.index.AT_ONCE", 2)
    monkeypatch.setattr(Store, "run", run_or_end)
    with pytest.raises(pytest.fail.Exception):
        store.rows()
    with closing(sqlite3.connect(index)) as database:
        assert database.execute("SELECT count(*) FROM runs").fetchone() == (2,)


def damage_deleted(index):
    index.unlink()


def damage_random(index):
    index.write_bytes(random.Random(5).randbytes(5000))


def damage_empty(index):
    index.write_bytes(b"")


def damage_middle(index):
    content = bytearray(index.read_bytes())
    content[100:] = random.Random(5).randbytes(len(content) - 100)
    index.write_bytes(content)


def damage_truncated(index):
    os.truncate(index, index.stat().st_size // 2)


def damage_rows(index):
    with closing(sqlite3.connect(index)) as database, database:
        for rowid, row in enumerate(("", "null", "[1]", '{"tags": null}', '{"tags": [], "run_id": "x"}'), start=1):
            database.execute("UPDATE runs SET row = ? WHERE rowid = ?", (row, rowid))


def damage_types(index):
    with closing(sqlite3.connect(index)) as database, database:
        database.execute("UPDATE runs SET row = NULL")


def damage_text(index):
    with closing(sqlite3.connect(index)) as database, database:
        database.execute("UPDATE runs SET row = CAST(x'ff00fe' AS TEXT)")


def damage_older_version(index):
    with closing(sqlite3.connect(index)) as database, database:
        database.execute("DROP TABLE runs")
        database.execute("CREATE TABLE runs (id TEXT, what TEXT)")
        database.execute("INSERT INTO runs VALUES ('x', 'y')")
        database.execute(f"PRAGMA user_version = {VERSION - 1}")


def damage_columns(index):
    with closing(sqlite3.connect(index)) as database, database:
        database.execute("DROP TABLE runs")
        database.execute("CREATE TABLE runs (id TEXT)")


def damage_same_columns(index):
    with closing(sqlite3.connect(index)) as database, database:
        database.execute("DROP TABLE runs")
        database.execute("CREATE TABLE runs (id, stamp, row, more)")


def damage_view(index):
    with closing(sqlite3.connect(index)) as database, database:
        database.execute("ALTER TABLE runs RENAME TO rows")
        database.execute("CREATE VIEW runs AS SELECT id, stamp, row FROM rows")


def damage_trigger(index):
    with closing(sqlite3.connect(index)) as database, database:
        database.execute("CREATE TRIGGER t AFTER INSERT ON runs BEGIN DELETE FROM runs; END")


def damage_later_version(index):
    with closing(sqlite3.connect(index)) as database, database:
        database.execute(f"PRAGMA user_version = {VERSION + 1}")


def damage_folder(index):
    index.unlink()
    index.mkdir()


DAMAGES = {name.removeprefix("damage_"): damage for name, damage in globals().items() if name.startswith("damage_")}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_index_costs_no_row_and_no_error(some_runs, store, index, damage):
    wanted = from_files(store)
    assert store.rows() == wanted
    DAMAGES[damage](index)
    assert store.rows() == wanted
    assert store.rows() == wanted


@pytest.mark.parametrize("damage", sorted(DAMAGES.keys() - {"folder"}))
def test_a_damaged_index_is_a_working_cache_again_afterwards(some_runs, store, index, damage):
    store.rows()
    DAMAGES[damage](index)
    store.rows()
    with closing(sqlite3.connect(index)) as database:
        rows = database.execute("SELECT id FROM runs WHERE row LIKE '[_2%' ORDER BY id").fetchall()
        assert rows == sorted((run.id,) for run in some_runs if run.row().ended)
        assert database.execute("PRAGMA user_version").fetchone() == (VERSION,)


def test_an_index_that_another_process_holds_is_done_without(some_runs, store, index):
    wanted = store.rows()
    with closing(sqlite3.connect(index, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert store.rows() == wanted


@pytest.mark.parametrize("state", ["whole", "deleted", "older_version"])
def test_in_a_home_that_is_read_only_runs_are_listed_all_the_same(some_runs, store, index, state):
    wanted = store.rows()
    if state in DAMAGES:
        DAMAGES[state](index)
    with tempfile.TemporaryDirectory() as folder:  # where everyone may look
        home = Path(folder) / "home"
        shutil.copytree(store.home, home)
        for path in (Path(folder), home, *home.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        with no_special_rights():
            for place in (home, home / "not" / "there-yet"):
                with pytest.raises(StorageError):
                    Store(place).check_writable()
            assert Store(home).rows() == wanted
        assert {path.name for path in home.iterdir()} <= {"runs", "index.sqlite"}


LIST_AGAIN_AND_AGAIN = """
import sys
import tempfile
from pathlib import Path
from experiments.runs.store import Store
store = Store(Path(sys.argv[1]))
for turn in range(60):
    rows = store.rows()
    assert [row.run_id for row, _ in rows] == [run.id for run in store.runs()], turn
    assert all(row.seed == 0 for row, _ in rows)
    if turn % 20 == 0:
        (store.home / "index.sqlite").unlink(missing_ok=True)
"""


def test_many_processes_share_an_index_that_is_deleted_under_them(some_runs, store):
    command = [sys.executable, "-c", LIST_AGAIN_AND_AGAIN, str(store.home)]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    for process in processes:
        assert process.communicate()[1] == ""
        assert process.returncode == 0
    assert Store(store.home).rows() == from_files(store)


def test_an_index_that_another_user_could_have_written_is_neither_believed_nor_written(some_runs, store, index):
    wanted = store.rows()
    with closing(sqlite3.connect(index)) as database, database:
        database.execute("""UPDATE runs SET row = replace(row, '"done"', '"planted"')""")
    before = index.read_bytes()
    index.chmod(0o666)
    assert store.rows() == wanted
    assert index.read_bytes() == before
