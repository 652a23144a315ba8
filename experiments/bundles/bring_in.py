"""Takes the runs of a bundle into a home, where they are runs like any other."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from core.advice import Action, Advice, Tip
from core.errors import InvalidValue, RunError
from core.storage.files import open_regular, replacing
from experiments.bundles.contents import LARGE, LIMITS, LOG, STEPS, without_steps
from experiments.bundles.unpack import unpacked
from experiments.runs.folder import Run
from experiments.runs.provenance import MANIFEST, came_without_weights, left_out_of
from experiments.runs.store import Store


@dataclass(frozen=True, slots=True)
class BroughtIn:
    """The runs of a bundle: those that are new to the home, those that got the weights that they had come without, and
    those that it had already."""

    new: tuple[Run, ...]
    completed: tuple[Run, ...]
    known: tuple[Run, ...]


def bring_in(store: Store, path: Path) -> BroughtIn:
    """Add the runs of a bundle to a home, each as a whole. Those that are there already are left as they are, but for
    weights that they have come without; so the same bundle may be brought in again, after a kill too.

    Raises:
        RunError: when the bundle cannot be read, is not safe to open, or was altered since it was made.
        InvalidValue: when the home has another run of the same id.
        StorageError: when the home cannot be written.
    """
    with unpacked(path) as found:
        altered = [f"{run.id}: {check.item}" for run, checks in found for check in checks if check.agrees is False]
        if altered:
            hint = Advice(Tip(Action.VERIFY, str(path)), " says what; ask for a new one")
            raise RunError(f"{path}: altered since it was made: {altered[0]}", hint=hint)
        there = {run.id: store.run(run.id) for run, _ in found if store.run(run.id).folder.exists()}
        for run, _ in found:
            if run.id in there and _log_of(there[run.id]) != _log_of(run):
                hint = Advice("delete that run first, or ", Tip(Action.START_WITH, "home", "another folder"))
                raise InvalidValue("run", run.id, "is here already, with another log; nothing was added", hint=hint)
        new = [store.add(run.folder) for run, _ in found if run.id not in there]
        completed = [there[run.id] for run, _ in found if run.id in there and _complete(there[run.id], run)]
    known = (run for run in there.values() if run not in completed)
    return BroughtIn(tuple(new), tuple(completed), tuple(known))


def _complete(run: Run, other: Run) -> bool:
    """Give a run that came small the weights, and the whole log, of another copy of it; False where it lacks none, or
    that has none."""
    if not came_without_weights(run.folder) or came_without_weights(other.folder):
        return False
    left_out = left_out_of(run.folder)
    lacking = [name for name in left_out if name in LARGE and (other.folder / name).exists()]
    lacking += [LOG] if STEPS in left_out else []
    try:
        for name in (*lacking, MANIFEST):  # the list last: until then the same can be done again
            with replacing(run.folder / name) as part:
                shutil.copyfile(other.folder / name, part)
    except OSError as error:
        raise run.unwritable(error) from error
    return True


def _log_of(run: Run) -> bytes | None:
    """What a run's log holds, but for losses within epochs, as far as a bundle's can be long; None where it cannot be
    read."""
    try:
        with open_regular(run.log) as file:
            return without_steps(file.read(LIMITS[LOG] + 1))
    except OSError:
        return None
