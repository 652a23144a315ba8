"""The page of a sweep: its front as a chart and a table, or its best trials, and its race."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from sweep_tools import Scripted, drive, tiny_plan

from experiments.locations import Locations
from experiments.reports.looks import COLOURS
from experiments.studies.objectives import front
from experiments.studies.view import study_view
from tui.text.study_page import study_page

WIDTHS = (4, 6, 8, 10)
SCORES = {4: 0.97, 6: 0.99, 8: 0.98, 10: 0.995}


class Rows(HTMLParser):
    """The texts of all table cells, row by row."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.is_in_cell = False
        self.feed(page.decode())

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self.is_in_cell = True

    def handle_endtag(self, tag):
        self.is_in_cell = self.is_in_cell and tag not in ("td", "th")

    def handle_data(self, data):
        if self.is_in_cell:
            self.rows[-1][-1] += data.strip()


@pytest.fixture
def view(tmp_path, script):
    """Four networks, of which the third is on no front, and one that failed with words of somebody else's."""

    def play(run, life):
        width = int(run.config()["arch"].split()[0][1:])
        yield script.epoch(1, SCORES.get(width, 0.9), on_test=False)
        if width == 12:
            yield script.failed(error="<b>no</b>")
            return
        yield script.finished(1, best_test_accuracy=None, best_epoch=None)

    archs = ",".join(f"c{width} p2 c8 gap fc10" for width in (*WIDTHS, 12))
    plan = tiny_plan({"lr": "0.1", "arch": archs, "epochs": "1"}, sampler="grid", trials=5, objective="val,params")
    drive(Locations.resolve(tmp_path, tmp_path / "data"), plan, Scripted(script, play))
    found = study_view(tmp_path, "s")
    trials = [  # scripted runs have the parameters of no network
        replace(trial, scores=(trial.value, 100 * int(trial.params["arch"].split()[0][1:]))) if trial.scores else trial
        for trial in found.trials
    ]
    finished = [trial for trial in trials if trial.scores]
    places = front([trial.scores for trial in finished], plan.objectives)
    return replace(found, trials=tuple(trials), front=tuple(finished[place].number for place in places))


def test_the_front_is_a_chart_in_the_looks_of_the_interface_and_a_table_of_its_points(view):
    page = study_page(view)
    text = page.decode()
    rows = Rows(page).rows
    head = rows.index(["trial", "val", "parameters", "values", "run"])
    points = rows[head + 1 : head + 4]
    widths = [view.trials[int(row[0])].params["arch"].split()[0] for row in points]
    assert widths == ["c4", "c6", "c10"]
    assert [row[1] for row in points] == ["97.00%", "99.00%", "99.50%"]
    assert [row[4] for row in points] == [view.trials[int(row[0])].run_id for row in points]
    for chart in re.findall(r"<svg.*?</svg>", text, re.S):
        circles = re.findall(rf'<circle [^>]*fill="{COLOURS[0]}"', chart)
        assert len(circles) == len(points) + 1, "and one in the legend"
        assert len(re.findall(rf'<path [^>]*Z" fill="{COLOURS[1]}"', chart)) == 1 + 1
        assert "parameters" in chart
    assert "&lt;b&gt;no&lt;/b&gt;" in text
    assert "<b>no" not in text


def test_of_one_objective_the_best_trials_and_the_best_so_far(view):
    plan = replace(view.plan, objective="val")
    trials = tuple(replace(trial, scores=trial.scores[:1]) for trial in view.trials)
    page = study_page(replace(view, plan=plan, trials=trials, front=()))
    rows = Rows(page).rows
    head = rows.index(["trial", "val", "values", "run"])
    assert [row[1] for row in rows[head + 1 : head + 5]] == ["99.50%", "99.00%", "98.00%", "97.00%"]
    assert "best so far" in page.decode()


def test_a_race_has_its_rounds_and_all_that_raced(view):
    racers = [
        {"trial": n, "group_id": f"g{n}", "scores": [0.9 + n / 100, 0.91 + n / 100, 0.9 + n / 100]} for n in (0, 1)
    ]
    for racer, after in zip(racers, (3, None), strict=True):
        racer |= {"mean": sum(racer["scores"]) / 3, "dropped_after": after, "failed": False}
    race = {"is_over": True, "left": [1], "racers": racers}
    page = study_page(replace(view, race=race)).decode()
    assert "trial 0 is out" in page
    assert "trial 1 won: its mean" in page
    assert "g0" in page
