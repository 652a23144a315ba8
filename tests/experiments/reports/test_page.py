"""The report: one page that says what runs came to, loads nothing, and does nothing that a run's texts tell it to."""

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
import torch

from experiments.reports.confusion import picture
from experiments.reports.page import find_part, report
from experiments.results.compare import compare
from experiments.runs.folder import Run
from experiments.runs.predictions import write_predictions

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'"
GROUPS = {"worse": "g20260101-120000-0001", "better": "g20260101-120000-0002"}
VOID = {"meta"}
INERT = {"html", "head", "title", "style", "body", "h1", "h2", "h3", "p", "ul", "li", "b", "code", "div", "table"}
INERT |= {
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "details",
    "summary",
    "meta",
    "svg",
    "g",
    "path",
    "circle",
    "rect",
    "text",
}


class Page(HTMLParser):
    """What a browser would see: elements, attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.words += f" {data}"


def assert_harmless(page: Page) -> None:
    assert set(page.tags) <= INERT, set(page.tags) - INERT
    for name, value in page.attributes:
        assert not name.startswith("on")
        assert name not in ("src", "href", "action", "data", "background")
        assert "url(" not in (value or "")


def test_a_run_is_shown_in_full(finished, store):
    page = Page(report([find_part(store, finished.id)]))
    assert_harmless(page)
    view = finished.view()
    for text in (
        finished.id,
        "first",
        f"{100 * view.end.final_test_accuracy:.2f}%",
        "optimistic",
        "c4 p2 c8 gap fc10",
        "Conv2d-1",
        "mnist-5k",
        "batch_size",
        "versions.torch",
        "Accuracy",
        "Loss",
    ):
        assert text in page.words, text
    assert len(re.findall('<div class="chart">', report([find_part(store, finished.id)]))) == 2 * 3 + 1
    correct = round(view.end.final_test_accuracy * 200)
    assert f"{correct} of 200" in page.words
    assert "default-src 'none'" in str(page.attributes)


def test_texts_of_a_run_do_nothing(finished, store):
    (finished.folder / "meta.json").write_text(json.dumps({"name": EVIL, "tags": [EVIL]}))
    (finished.folder / "env.json").write_text(json.dumps({EVIL: EVIL, "versions": {EVIL: [EVIL]}}))

    def poison(record):
        for key, value in record.items():
            if isinstance(value, str) and key not in ("event", "time", "run_id", "dataset"):
                record[key] = EVIL
        if "config" in record:
            record["config"] |= {"arch": EVIL, EVIL: EVIL}
        return record

    lines = [json.dumps(poison(json.loads(line))) for line in finished.log.read_text().splitlines()]
    finished.log.write_text("\n".join(lines) + "\n")
    page = Page(report([find_part(store, finished.id)]))
    assert_harmless(page)
    assert page.words.count("alert(1)") > 5


@pytest.fixture
def group(new_run, script):
    def make(count: int, group_id: str = "g20260102-030405-abcd") -> list[Run]:
        runs = []
        for seed in range(count):
            started = script.started(config={"seed": seed})
            epochs = [script.epoch(epoch, 0.98 + 0.002 * epoch + 0.001 * seed) for epoch in (1, 2, 3)]
            end = script.finished(3, 0.986 + 0.001 * seed, weights_sha256=f"{seed:064}")
            runs.append(new_run(started, *epochs, end, group_id=group_id))
        return runs

    return make


def test_a_group_is_summed_up_and_each_run_listed(group, store):
    runs = group(3)
    text = report([find_part(store, "g20260102-030405-abcd")])
    page = Page(text)
    assert_harmless(page)
    for run in runs:
        assert f"Run {run.id}" in page.words
    assert "98.70%" in page.words  # the mean of 98.6, 98.7 and 98.8
    assert "0.100" in page.words  # standard deviation in points
    assert "Student's t" in page.words
    assert 'fill-opacity="0.16"' in text  # the band
    assert "no predictions" in page.words


def test_runs_and_groups_share_the_charts_under_their_own_names(group, store, finished):
    group(2)
    page = Page(report([find_part(store, "g20260102-030405-abcd"), find_part(store, "first")]))
    assert "g20260102-030405-abcd test" in page.words
    assert "first test" in page.words


def test_an_unfinished_run_has_a_page_too(new_run, script, store):
    run = new_run(script.started(), script.epoch(1), script.failed())
    page = Page(report([find_part(store, run.id)]))
    assert "failed" in page.words
    empty = new_run()
    assert "no data" in Page(report([find_part(store, empty.id)])).words


def test_the_matrix_is_a_picture_of_truth_by_row_and_prediction_by_column(finished, store):
    classes = {"labels": [3, 3, 3, 5], "final": [3, 3, 5, 5]}
    tensors = {name: torch.tensor(values, dtype=torch.uint8) for name, values in classes.items()}
    write_predictions(finished.predictions, tensors, "mnist-5k")
    text = report([find_part(store, finished.id)])
    picture = text[text.rindex("<svg") : text.rindex("</svg>")]
    cells = re.findall(r'<rect x="([0-9.]+)" y="([0-9.]+)"[^>]*><title>([^<]*)</title>', picture)
    assert [words for *_, words in cells] == ["3 taken for 3: 2", "3 taken for 5: 1", "5 taken for 5: 1"]
    (x3, y3), (x5, y3_again), (x5_again, y5) = [(float(x), float(y)) for x, y, _ in cells]
    assert (x5, y3) == (x5_again, y3_again)
    assert (x5 - x3, y5 - y3) == pytest.approx((2 * 44, 2 * 44))
    table = Page(text[text.index('<table class="classes">') :].partition("</table>")[0] + "</table>")
    words = " ".join(table.words.split())
    assert "3 3 2 100.00% 66.67%" in words
    assert "5 1 1 50.00% 100.00%" in words
    assert "0 0 0 - -" in words
    assert "3 of 4 right" in Page(text).words


def test_many_classes_and_long_names_have_a_picture_too():
    names = [f"class <{number}> of a long name" for number in range(47)]
    counts = [[1000 if true == cls else int(cls == true + 1) for cls in range(47)] for true in range(47)]
    root = ElementTree.fromstring(picture(counts, names))
    assert sum("taken for" in (title.text or "") for title in root.iter("{http://www.w3.org/2000/svg}title")) == 94
    width, height = float(root.get("width")), float(root.get("height"))
    for rect in root.iter("{http://www.w3.org/2000/svg}rect"):
        assert float(rect.get("x")) + float(rect.get("width")) <= width + 0.5
        assert float(rect.get("y")) + float(rect.get("height")) <= height + 0.5


def test_a_page_of_several_has_the_verdict_of_compare(new_run, script, store):
    for name, base in (("worse", 0.95), ("better", 0.99)):
        for seed in range(3):
            score = base + seed / 1000
            end = script.finished(1, score, weights_sha256=f"{base}{seed}")
            values = {"seed": seed, "lr": base}
            new_run(
                script.started(config=values), script.epoch(1, score), end, name=f"{name}-{seed}", group_id=GROUPS[name]
            )
    page = Page(report([find_part(store, name) for name in ("worse", "better")]))
    words = compare(store, list(GROUPS.values())).comparisons[0].in_words()
    assert words == "better is better by 4.00 points (95% interval 3.77 to 4.23, p < 0.001)"
    assert f"B{words[1:]}." in page.words
    assert "This covers the choice of seeds, on these test images." in page.words
    assert "Verdict" not in Page(report([find_part(store, "worse")])).words


def test_why_there_is_no_verdict_is_said(new_run, script, store):
    new_run(script.started(), script.epoch(1), script.finished(1), name="a")
    new_run(script.started(), script.epoch(1), name="b")
    assert "No verdict: Only finished" in Page(report([find_part(store, "a"), find_part(store, "b")])).words


def test_scores_are_explained_where_they_stand_in_the_table(new_run, script, store):
    new_run(script.started(), script.epoch(1), script.finished(1), name="a")
    chosen = script.finished(1, selected_epoch=1, selected_test_accuracy=0.99)
    new_run(script.started(), script.epoch(1), chosen, name="b")
    assert "selected" not in Page(report([find_part(store, "a")])).words
    assert (
        "selected : test accuracy of the epoch that was best on held-out" in Page(report([find_part(store, "b")])).words
    )


def test_a_group_is_called_by_its_name_and_says_how_many_reached_the_target(new_run, script, store):
    for seed, score in enumerate((0.995, 0.994, 0.99)):
        end = script.finished(1, score, weights_sha256=f"{seed:064}")
        started = script.started(config={"seed": seed})
        new_run(started, script.epoch(1, score), end, name=f"wide-{seed}", group_id="g20260102-030405-abcd")
    new_run(script.started(), script.epoch(1, 0.9), script.finished(1, 0.9), name="alone")
    page = Page(report([find_part(store, "wide"), find_part(store, "alone")]))
    assert "mnist-tui: wide (g20260102-030405-abcd), alone" in page.words
    assert "Group wide (g20260102-030405-abcd): 3 of 3 runs finished" in page.words
    assert "99.4% reached by 2 of 3 (95% interval 21% to 94%), half of them by epoch 1" in page.words
    assert "wide test" in page.words


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"dataset": "fashion"}, "not comparable: dataset must be the same: it is mnist for a and fashion for b."),
        (
            {"test_images": 100},
            "comparable: limit_test must be the same: it is 10,000 test images for a and 100 test images for b.",
        ),
        (
            {"config": {"val_split": 500}},
            "not comparable: val_split must be the same: it is 0 for a and above 0 for b.",
        ),
        ({}, ""),
    ],
)
@pytest.mark.parametrize("finished", [True, False])
def test_what_was_not_scored_alike_is_said_not_to_be_comparable(new_run, script, store, other, words, finished):
    ends = [script.epoch(1), script.finished(1)] if finished else [script.stopped(0)]
    new_run(script.started(), *ends, name="a")
    new_run(script.started(**other), *ends, name="b")
    said = Page(report([find_part(store, "a"), find_part(store, "b")])).words
    assert words in said
    assert bool(words) == ("not comparable" in said)
    assert "not comparable" not in Page(report([find_part(store, "b")])).words
