"""What the tests of every package share: real MNIST where there is some, and a data set that is learnt in a second."""

from __future__ import annotations

import os
import random
import signal
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

TEST_SEED = os.environ.setdefault("TEST_SEED", str(random.randrange(1_000_000)))
"""Draws the cases of tests marked `sampled`; the processes of pytest-xdist inherit it. Set it to repeat a run."""


def pytest_report_header() -> str:
    return f"sampled cases: TEST_SEED={TEST_SEED}"


def pytest_xdist_auto_num_workers() -> int:
    """Of `-n auto`: three for two cores, as a test waits for a third of its time for processes, screens and clocks."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, 3 * cores // 2)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long tests come first. Cases of `sampled` tests that are not drawn are marked as slow, or all of them when slow
    tests are asked for.
    """
    cases_of: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        if item.get_closest_marker("sampled"):
            cases_of[item.nodeid.partition("[")[0]].append(item)
    for name, cases in cases_of.items():
        drawn: list[pytest.Item] = []
        if "not slow" in config.option.markexpr:
            (count,) = cases[0].get_closest_marker("sampled").args
            quick = [case for case in cases if not case.get_closest_marker("slow")]
            drawn = random.Random(f"{TEST_SEED} {name}").sample(quick, min(count, len(quick)))
        for case in cases:
            if case not in drawn:
                case.add_marker("slow")
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="session", autouse=True)
def ignored_signals_are_heard() -> None:
    """Those that nohup or a shell in the background told this process, and so those it starts, to ignore."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.fixture(scope="session")
def mnist_root() -> Path:
    """A data root that holds the four gzipped files of MNIST; never written to."""
    root = os.environ.get("MNIST_TUI_DATA")
    if not root:
        pytest.skip("MNIST_TUI_DATA does not name a folder with MNIST")
    folder = Path(root).resolve()
    if not (folder / "MNIST" / "raw" / "train-images-idx3-ubyte.gz").is_file():
        pytest.skip(f"there is no gzipped MNIST in MNIST_TUI_DATA={root}")
    return folder


@pytest.fixture(scope="session")
def blobs():
    """320 training and 130 test images: a bright square, its place told by the class, on noise. Not to be changed."""
    import torch

    from core.data.loader import Dataset

    generator = torch.Generator().manual_seed(1)

    def draw(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        labels = torch.arange(count) % 10
        images = torch.randint(0, 90, (count, 28, 28), generator=generator, dtype=torch.uint8)
        for image, label in zip(images, labels.tolist(), strict=True):
            top, left = 1 + 9 * (label // 4), 1 + 7 * (label % 4)
            image[top : top + 6, left : left + 5] += 110
        return images, labels

    train_images, train_labels = draw(320)
    test_images, test_labels = draw(130)
    return Dataset("blobs", train_images, train_labels, test_images, test_labels, mean=0.2, std=0.15)


@pytest.fixture(scope="session")
def cache_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of the session's own, so that data sets are decoded and kernels compiled once, for all its processes."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "session-cache"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session", autouse=True)
def own_cache(cache_home: Path) -> Iterator[None]:
    """Whatever is cached outside the folders that a test names goes to the session's cache too, and nothing is set."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache_home))
        patch.setenv("XDG_CONFIG_HOME", str(cache_home / "no-settings"))
        yield


class Script:
    """Events with plausible values, each of which a test may set otherwise, and logs made of them."""

    RUN_ID = "20260102-030405-abcd"

    def started(self, **changes: object):
        from core.config import TrainConfig
        from core.events import RunStarted

        config = TrainConfig.checked(changes.pop("config", {})).model_dump()
        values = {"spec": "c8 gap fc10", "total_params": 170, "device": "cpu (1 thread)", "dataset": "mnist"}
        counts = {"train_images": 60_000, "val_images": 0, "test_images": 10_000, "steps_per_epoch": 235, "note": ""}
        return RunStarted(**{"config": config, **values, **counts, **changes})

    def progress(self, epoch: int, step: int = 100, **changes: object):
        from core.events import StepProgress

        values = {"steps_per_epoch": 235, "loss": 0.0123, "images_per_second": 7040.0}
        return StepProgress(**{"epoch": epoch, "step": step, **values, **changes})

    def epoch(self, epoch: int, accuracy: float = 0.99, *, on_test: bool = True, **changes: object):
        from core.events import EpochFinished

        score = {"loss": 0.021, "accuracy": accuracy}
        test = {**score, "correct": round(accuracy * 10_000), "total": 10_000}
        values = {f"test_{key}": value if on_test else None for key, value in test.items()}
        values |= {f"val_{key}": None if on_test else value for key, value in score.items()}
        train = {"train_loss": 0.05, "train_accuracy": 0.985, "lr": 0.03772, "seconds": 8.0}
        return EpochFinished(**{"epoch": epoch, **train, "images_per_second": 7100.0, **values, **changes})

    def finished(self, epochs: int = 3, accuracy: float = 0.99, **changes: object):
        from core.events import RunFinished

        scores = {"final_test_accuracy": accuracy, "best_test_accuracy": accuracy, "best_epoch": epochs}
        rest = {"selected_epoch": None, "selected_test_accuracy": None, "first_epoch_at_target": None}
        end = {"early_signal": False, "seconds": 25.0, "weights_sha256": "0" * 64}
        return RunFinished(**{"epochs": epochs, **scores, **rest, **end, **changes})

    def stopped(self, epoch: int = 2, reason: str = "SIGINT"):
        from core.events import RunStopped

        return RunStopped(epoch=epoch, reason=reason)

    def failed(self, epoch: int = 2, error: str = "the loss is not finite", *advice: object):
        from core.advice import Action, Advice, Tip
        from core.events import RunFailed

        parts = advice or (Tip(Action.LOWER, "lr", "0.03772"),)
        return RunFailed(epoch=epoch, error=error, advice=Advice(*parts))

    def entries(self, *events: object, run_id: str = RUN_ID):
        """Entries a second apart."""
        from experiments.runs.eventlog import Entry

        return [
            Entry(f"2026-01-02T03:{i // 60:02}:{i % 60:02}.000+00:00", run_id, event) for i, event in enumerate(events)
        ]

    def view(self, *events: object):
        from experiments.runs.view import fold

        return fold(self.entries(*events))

    def write(self, run, *events: object) -> None:
        """Append to a run's log as a training process would."""
        with run.open_log() as log:
            for event in events:
                log.append(event)


@pytest.fixture(scope="session")
def script() -> Script:
    return Script()


@pytest.fixture
def new_run(store, script):
    """Make a run of the test's own store whose log holds these events; one without an end is live."""
    from core.config import TrainConfig
    from core.events import EndEvent
    from experiments.runs.folder import Meta

    def make(*events: object, name: str = "", tags: tuple[str, ...] = (), group_id: str | None = None):
        run = store.create(TrainConfig(), Meta(name, tags, group_id), {})
        script.write(run, *events)
        if events and isinstance(events[-1], EndEvent):
            run.release()
        return run

    return make
