"""The commands that are killed, each with what must be so afterwards, and after it was then called again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

from command_faults import Check, Homes, Operation, Place, run_command, tree

from core.events import RunFinished
from experiments.bundles.pack import pack
from experiments.runs.folder import Run
from experiments.runs.row import Status
from experiments.verification.verify import verify


def _run(place: Place, name: str) -> Run | None:
    return next((run for run in place.store.runs() if run.meta().name == name), None)


def _untouched_or_gone(homes: Homes, place: Place, before: Place) -> None:
    run = _run(place, "done")
    assert run is None or place.tree(run) == before.tree(_run(before, "done"))


def _gone(homes: Homes, place: Place, before: Place) -> None:
    assert _run(place, "done") is None
    assert len(place.store.runs()) == 2


def _can_go_on(homes: Homes, place: Place, before: Place) -> None:
    run = _run(place, "half")
    assert run.status() in (Status.STOPPED, Status.CRASHED, Status.FINISHED)
    assert run.config()
    if run.status() is Status.FINISHED:
        _ended(homes, place, before)


def _ended(homes: Homes, place: Place, before: Place) -> None:
    run = _run(place, "half")
    assert isinstance(run.view().end, RunFinished)
    assert run.view().end.weights_sha256 == homes.weights
    assert verify(run, homes.locations(place.home)).agrees


def _old_or_longer(homes: Homes, place: Place, before: Place) -> None:
    run = _run(place, "done")
    assert run.status() in (Status.FINISHED, Status.CRASHED)
    run.disown()
    assert verify(run, homes.locations(place.home)).agrees


def _longer(homes: Homes, place: Place, before: Place) -> None:
    run = _run(place, "done")
    if run.view().epochs_done < 4 or not isinstance(run.view().end, RunFinished):  # it had begun to be extended
        code, _ = run_command(homes, place, ("resume", "done", "--quiet"), 0)
        assert code == 0
    assert run.view().end.weights_sha256 == homes.longer
    assert verify(run, homes.locations(place.home)).agrees


def _at_most_one_new(homes: Homes, place: Place, before: Place) -> None:
    new = {run.id for run in place.store.runs()} - {run.id for run in before.store.runs()}
    assert len(new) <= 1
    for name in new:
        assert place.store.run(name).config()


def _whole_libraries(homes: Homes, place: Place, before: Place) -> None:
    _at_most_one_new(homes, place, before)
    for path in place.cache.rglob("*.so"):
        content = path.read_bytes()
        assert hashlib.sha256(content[:-32]).digest() == content[-32:], f"{path.name} is not whole"


def _one_library(homes: Homes, place: Place, before: Place) -> None:
    assert len(list(place.cache.rglob("*.so"))) == 1


def _file(name: str) -> tuple[Check, Check]:
    """A file that is there whole or as it was before, and then whole."""

    def killed(homes: Homes, place: Place, before: Place) -> None:
        path = place.out / name
        if path.exists() and path.read_bytes() != b"old":
            assert tree(place.out).get(name) == _expected(homes, name)

    def again(homes: Homes, place: Place, before: Place) -> None:
        assert tree(place.out).get(name) == _expected(homes, name)

    return killed, again


_known: dict[str, str] = {}


def _expected(homes: Homes, name: str) -> str:
    if name not in _known:
        place = homes.new()
        operation = next(one for one in OPERATIONS.values() if name in one.arguments)
        assert run_command(homes, place, operation.arguments, 0)[0] == 0
        _known[name] = tree(place.out)[name]
    return _known[name]


def _events_folder(homes: Homes, place: Place, before: Place) -> None:
    folder = place.out / "events"
    if folder.exists():  # the name of the file in it has time, host and process
        (events,) = (path for path in folder.rglob("*") if path.is_file())
        assert events.stat().st_size > 1_000


def _same_list(homes: Homes, place: Place, before: Place) -> None:
    rows, expected = place.store.rows(), before.store.rows()
    assert [(row.run_id, row.best_test_accuracy, status) for row, status in rows] == [
        (row.run_id, row.best_test_accuracy, status) for row, status in expected
    ]


def _old_file(name: str) -> Callable[[Place], None]:
    return lambda place: (place.out / name).write_bytes(b"old") and None


def _without_index(place: Place) -> None:
    for path in place.home.glob("index.sqlite*"):
        path.unlink()


def _damaged_index(place: Place) -> None:
    (place.home / "index.sqlite").write_bytes(b"SQLite format 3\0" + bytes(5000))


def _packed(place: Place) -> None:
    """The run `done` in a bundle, and no more in the home."""
    run = _run(place, "done")
    (place.out / "done.zip").write_bytes(pack(run))
    place.store.remove(run)


def _whole_or_absent(homes: Homes, place: Place, before: Place) -> None:
    run = _run(place, "done")
    assert run is None or verify(run, homes.locations(place.home)).agrees


def _there(homes: Homes, place: Place, before: Place) -> None:
    _whole_or_absent(homes, place, before)
    assert len(place.store.runs()) == 3


FEW = ("--limit-train", "64", "--limit-test", "50", "--epochs", "1", "--engine", "eager")
NEW = ("run", "--arch", "fc10", "--dataset", "mnist-5k", *FEW)
COMPILED = ("run", "--arch", "c4 gap fc10", "--dataset", "mnist-5k", *FEW[:-1], "native")
OPERATIONS: Mapping[str, Operation] = {
    "resume": Operation(("resume", "half", "--quiet"), _can_go_on, _ended, codes=(0, 2)),
    "extend": Operation(("resume", "done", "--epochs", "4", "--quiet"), _old_or_longer, _longer, codes=(0, 2)),
    "run": Operation((*NEW, "--quiet", "--name", "new"), _at_most_one_new, lambda *_: None),
    "compile": Operation((*COMPILED, "--quiet", "--name", "new"), _whole_libraries, _one_library, compiles=True),
    "rm": Operation(("rm", "done", "--yes"), _untouched_or_gone, _gone, codes=(0, 5)),
    "bundle": Operation(
        ("bundle", "done", "-o", "run.zip", "--force"), *_file("run.zip"), prepare=_old_file("run.zip")
    ),
    "import": Operation(("import", "done.zip"), _whole_or_absent, _there, prepare=_packed),
    "verify a run": Operation(("verify", "done"), lambda *_: None, lambda *_: None),
    "export weights": Operation(
        ("export", "done", "-f", "safetensors", "-o", "a.safetensors", "--force"), *_file("a.safetensors")
    ),
    "export csv": Operation(
        ("export", "done", "-f", "csv", "-o", "a.csv", "--force"), *_file("a.csv"), prepare=_old_file("a.csv")
    ),
    "export tensorboard": Operation(
        ("export", "done", "-f", "tensorboard", "-o", "events"), _events_folder, _events_folder, codes=(0, 2)
    ),
    "report": Operation(("report", "done", "other", "-o", "a.html", "--force"), lambda *_: None, lambda *_: None),
    "a list without an index": Operation(("runs",), _same_list, _same_list, prepare=_without_index),
    "a list with a damaged index": Operation(("runs",), _same_list, _same_list, prepare=_damaged_index),
}
"""Every command that changes something, by what is done."""
