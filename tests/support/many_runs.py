"""Homes of any number of finished runs, written fast: copies of one that `Store` made, each with values of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from core.config import TrainConfig
from core.events import EpochFinished, RunFinished, RunStarted, TrainEvent
from experiments.runs.eventlog import Entry
from experiments.runs.folder import Meta
from experiments.runs.store import Store

SEED, ACCURACY, NAME, ID, TIME = 9_191_919, 0.98765432, "NAME-OF-THE-RUN", "ID-OF-THE-RUN", "TIME-OF-THE-EVENT"
"""What the copied run has in the places where each copy has its own."""
FIRST = datetime(2020, 1, 1, tzinfo=UTC)
GROUP, SWEEP = range(0, 20), range(20, 40)
"""Of a hundred runs in turn: the seeds of four groups, the trials of a sweep. The others are alone."""


def make_runs(home: Path, count: int) -> None:
    """Write finished runs of two epochs, named ``run 0`` and so on, one a minute."""
    with TemporaryDirectory() as folder:
        texts = _texts_of_a_run(Store(Path(folder)))
    for number in range(count):
        time = FIRST + timedelta(minutes=number)
        run_id = f"{time:%Y%m%d-%H%M%S}-{number % 65536:04x}"
        of_the_run = run_id, str(number), f"{0.9 + number % 9973 / 1e5:.5f}", f"{time:%Y-%m-%dT%H:%M:%S}.000+00:00"
        _write(home / "runs" / run_id, texts, number, of_the_run)


def _write(folder: Path, texts: dict[str, str], number: int, of_the_run: tuple[str, str, str, str]) -> None:
    run_id, seed, accuracy, time = of_the_run
    folder.mkdir(parents=True)
    group, sweep, of = "null", "", number % 100
    if of in GROUP:
        group = f'"g20200101-000000-{number // 5:08x}"'
    elif of in SWEEP:
        sweep = f'"study:sweep-{number // 100}"'
    for name, text in texts.items():
        if name == "meta.json":
            text = text.replace('"group_id": null', f'"group_id": {group}').replace('"tags": []', f'"tags": [{sweep}]')
            text = text.replace(NAME, f"run {number}")
        else:
            text = text.replace(str(SEED), seed).replace(str(ACCURACY), accuracy)
            text = text.replace(ID, run_id).replace(TIME, time)
        (folder / name).write_text(text)


def _texts_of_a_run(store: Store) -> dict[str, str]:
    config = TrainConfig(seed=SEED, epochs=2)
    run = store.create(config, Meta(name=NAME), {})
    score = {"test_loss": 0.05, "test_accuracy": ACCURACY, "test_correct": 9800, "test_total": 10_000}
    train = {"train_loss": 0.1, "train_accuracy": 0.97, "lr": 0.03, "seconds": 6.0, "images_per_second": 9000.0}
    sizes = {"train_images": 60_000, "val_images": 0, "test_images": 10_000, "steps_per_epoch": 235}
    facts = {"spec": "c8 gap fc10", "total_params": 170, "device": "cpu", "dataset": "mnist", "note": ""}
    rest = {"selected_epoch": None, "selected_test_accuracy": None, "first_epoch_at_target": None}
    best = {"final_test_accuracy": ACCURACY, "best_test_accuracy": ACCURACY, "best_epoch": 1}
    events: list[TrainEvent] = [RunStarted(config=config.model_dump(), **facts, **sizes)]
    events += [EpochFinished(epoch=n, **train, **score, val_loss=None, val_accuracy=None) for n in (1, 2)]
    events.append(RunFinished(epochs=2, **best, **rest, early_signal=False, seconds=12.0, weights_sha256="0" * 64))
    log = "".join(Entry(TIME, ID, event).to_json() + "\n" for event in events)
    files = {name: (run.folder / name).read_text() for name in ("config.json", "meta.json", "env.json")}
    return files | {run.log.name: log}
