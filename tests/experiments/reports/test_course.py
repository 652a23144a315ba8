"""The report that a course asks for, of a run and of a group, with notes that anybody may have written."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from core.config import TrainConfig
from core.data.loader import Loader
from experiments.locations import Locations
from experiments.reports.misclassified import misclassified
from experiments.reports.note_sections import joined, sections_of
from experiments.reports.page import find_part
from experiments.reports.templated import page_of
from experiments.runs.folder import Meta
from experiments.runs.predictions import write_predictions

EVIL = "<script>alert(1)</script>\x1b]0;t\x07"
IMAGES = 120


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    locations = Locations.resolve()
    return Loader(locations.data, locations.cache).load("mnist-5k").test_labels[:IMAGES].numpy()


@pytest.fixture
def scored(store, script, labels):
    """Make a run on the first of the bundled digits that gets these images wrong, each called the next class."""

    def make(wrong: tuple[int, ...], name: str, *, group_id: str | None = None, note: str = "", seed: int = 0):
        config = {"arch": "c8p1 p2 c16 gap fc10", "dataset": "mnist-5k", "limit_test": IMAGES, "seed": seed}
        run = store.create(TrainConfig.checked(config), Meta(name, (), group_id, note=note), {})
        accuracy = 1 - len(wrong) / IMAGES
        started = script.started(config=config, dataset="mnist-5k", total_params=1_418, test_images=IMAGES)
        end = script.finished(2, accuracy, weights_sha256=f"{seed:064}")
        script.write(run, started, script.epoch(1, 0.5), script.epoch(2, accuracy), end)
        run.release()
        said = labels.copy()
        said[list(wrong)] = (said[list(wrong)] + 1) % 10
        tensors = {"labels": labels, "final": said}
        write_predictions(
            run.predictions, {key: torch.from_numpy(of.astype(np.uint8)) for key, of in tensors.items()}, "mnist-5k"
        )
        return run

    return make


def page(store, *references: str) -> str:
    parts = [find_part(store, reference) for reference in references]
    return page_of("course", parts, Locations.resolve(store.home)).decode()


def headings(text: str) -> list[str]:
    return re.findall(r"<h2>(.*?)</h2>", text)


def test_a_run_has_all_that_a_course_asks_for(store, scored, labels):
    scored((3, 7), "base", note="Target\n99 %\n\nResult: 98.33 %\n\n# Analysis\ntoo few channels")
    text = page(store, "base")
    wanted = ["Target", "Result", "Architecture", "Training log", "Curves", "Misclassified images", "Analysis"]
    assert headings(text) == wanted
    for words in (
        "1,418",
        "receptive field",
        "Conv2d-1",
        "99 %",
        "98.33 %",
        "too few channels",
        "2 of 120 test images",
    ):
        assert words in text
    assert text.count("data:image/png;base64,") == 2
    assert f"{labels[3]} as {(labels[3] + 1) % 10}" in text
    parts = dict(zip(headings(text), re.split(r"<h2>.*?</h2>", text)[1:], strict=True))
    assert "too few channels" in parts["Analysis"]
    assert "98.33 %" in parts["Result"]


def test_of_a_group_the_images_that_most_runs_get_wrong_come_first(store, scored):
    group = "g20260101-120000-0001"
    for seed, wrong in enumerate(((3, 7), (7, 9), (7,))):
        scored(wrong, f"base-{seed}", group_id=group, note="Result\nall alike" if seed < 2 else "", seed=seed)
    text = page(store, group)
    assert "3 of 120 test images are misclassified by at least one of 3 runs" in text
    assert re.findall(r"(\d) of 3<", text) == ["3", "1", "1"]
    assert text.count("all alike") == 1
    for words in ("standard deviation", "base-0", "base-2", "The line is the median"):
        assert words in text
    found = misclassified([store.run(member.id) for member in find_part(store, group).runs], Locations.resolve())
    assert [image.number for image in found.images] == [7, 3, 9]


def test_a_run_without_predictions_or_notes_says_so(store, new_run, script):
    new_run(script.started(), script.epoch(1), script.stopped(), name="half")
    text = page(store, "half")
    assert "There are no pictures: no predictions are kept" in text
    assert "No note has been written yet" in text


def test_what_a_note_says_is_text(store, scored):
    scored((), "base", note=f"{EVIL}\nTarget\n{EVIL}")
    text = page(store, "base")
    assert "<script>" not in text
    assert "\x1b" not in text
    assert text.count("&lt;script&gt;") == 2


@pytest.mark.parametrize(
    ("note", "sections"),
    [
        ("", {}),
        ("only words", {"": "only words"}),
        ("Target\na\nRESULTS:\nb\n## Analysis\nc", {"Target": "a", "Result": "b", "Analysis": "c"}),
        ("**Target:** a\nmore", {"Target": "a\nmore"}),
        ("first\nResult: b", {"": "first", "Result": "b"}),
        ("Targeted words are no heading", {"": "Targeted words are no heading"}),
        ("Target\na\nTarget\nb", {"Target": "a\n\nb"}),
    ],
)
def test_the_headings_of_a_note(note, sections):
    assert sections_of(note) == sections


def test_notes_that_are_alike_are_named_together():
    assert joined([("a", "x"), ("b", ""), ("c", "x")]) == [("a, c", {"": "x"})]
