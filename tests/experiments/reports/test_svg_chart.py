"""Charts as SVG: whole documents in which every point is where its numbers say."""

import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.reports.svg_chart import ChartSeries, line_chart, percent_tick, plain_tick

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*series: ChartSeries, **options: object) -> ElementTree.Element:
    return ElementTree.fromstring(line_chart(series, **options))


def texts(root: ElementTree.Element) -> list[str]:
    return [element.text for element in root.iter(f"{SVG}text")]


def markers(root: ElementTree.Element) -> list[tuple[float, float]]:
    """The circles of the first series, the one in the legend left out."""
    found = [(float(circle.get("cx")), float(circle.get("cy"))) for circle in root.iter(f"{SVG}circle")]
    return found[:-1]


def lines(root: ElementTree.Element, colour: str = "#2f7fc1") -> list[str]:
    """The paths of the first series, the one in the legend left out."""
    paths = [path for path in root.iter(f"{SVG}path") if path.get("stroke") == colour]
    return [path.get("d") for path in paths][:-1]


def test_points_lie_on_straight_scales():
    found = markers(drawn(ChartSeries("a", [0, 1, 2, 4], [10.0, 20.0, 30.0, 50.0])))
    assert len(found) == 4
    (x0, y0), *rest = found
    for number, (x, y) in zip((1, 2, 4), rest, strict=True):
        assert (x - x0, y - y0) == pytest.approx((number * (rest[0][0] - x0), number * (rest[0][1] - y0)), abs=0.5)
    assert rest[0][0] > x0
    assert rest[0][1] < y0  # up is less


def test_what_is_no_number_is_a_gap():
    values = [1.0, None, 2.0, 3.0, math.nan, 4.0, math.inf]
    root = drawn(ChartSeries("a", list(range(7)), values))
    assert len(markers(root)) == 4
    assert [path.count("L") for path in lines(root)] == [0, 1, 0]
    assert "nan" not in line_chart([ChartSeries("a", list(range(7)), values)])


def test_a_band_goes_up_one_side_and_down_the_other():
    root = drawn(ChartSeries("a", [0, 1], [1.0, 2.0], [0.5, 1.5], [1.5, 2.5]))
    bands = [path.get("d") for path in root.iter(f"{SVG}path") if path.get("fill-opacity")]
    assert [band.count("L") for band in bands] == [3]
    assert bands[0].endswith("Z")


def test_points_without_a_line_have_error_bars():
    root = drawn(ChartSeries("a", [0, 1], [1.0, 2.0], [0.5, None], [1.5, None], line=False))
    bars = [path.get("d") for path in root.iter(f"{SVG}path") if path.get("stroke") == "#2f7fc1"]
    assert [bar.count("L") for bar in bars] == [5]


def test_what_lies_outside_a_given_range_is_left_out_and_spans_end_at_its_edge():
    root = drawn(
        ChartSeries("a", [0, 1, 2], [0.2, 0.99, 0.98], [0.0, 0.98, 0.97], [0.3, 1.0, 0.99]), y_range=(0.95, 1.0)
    )
    assert len(markers(root)) == 2
    heights = [float(y) for path in root.iter(f"{SVG}path") for y in re.findall(r"[ML][\d.]+ ([\d.]+)", path.get("d"))]
    assert min(heights) >= 0
    assert max(heights) <= 400


def test_words_are_escaped_and_the_target_and_every_label_are_written():
    root = drawn(
        ChartSeries('<b> & "c"', [0, 1], [0.99, 0.995]),
        title="A & B",
        x_label="epoch",
        y_label="accuracy",
        y_format=percent_tick,
        target=(0.994, "target 99.4%"),
    )
    found = texts(root)
    assert {'<b> & "c"', "A & B", "epoch", "accuracy", "target 99.4%"} <= set(found)
    assert root.get("aria-label") == "A & B"
    assert sum(text.endswith("%") for text in found) >= 4


def test_a_target_widens_the_axis_so_that_it_can_be_seen():
    root = drawn(ChartSeries("a", [0, 1], [0.90, 0.91]), target=(0.994, "target"))
    assert "target" in texts(root)


def test_series_are_told_apart_by_marker_and_dash_too():
    root = drawn(*(ChartSeries(f"s{n}", [0, 1], [n, n + 0.5]) for n in range(4)))
    dashes = {path.get("stroke-dasharray") for path in root.iter(f"{SVG}path") if path.get("stroke-width") == "1.8"}
    assert len(dashes) == 4
    assert len(list(root.iter(f"{SVG}circle"))) == 3  # of the first series alone
    assert len(list(root.iter(f"{SVG}rect"))) == 3


def test_whole_numbers_have_whole_ticks():
    found = texts(drawn(ChartSeries("a", [1, 2, 3], [0.1, 0.2, 0.3])))
    assert {"1", "2", "3"} <= set(found)
    assert not {"1.5", "2.5"} & set(found)


def test_categories_are_written_where_they_are():
    root = drawn(ChartSeries("a", [0, 1], [0.1, 0.2], line=False), x_ticks=[(0, "small"), (1, "large")])
    places = {element.text: float(element.get("x")) for element in root.iter(f"{SVG}text")}
    (first, _), (second, _) = markers(root)
    assert (places["small"], places["large"]) == pytest.approx((first, second), abs=0.2)


@pytest.mark.parametrize("series", [[], [ChartSeries("a", [], [])], [ChartSeries("a", [1, 2], [None, math.nan])]])
def test_without_data_the_chart_says_so(series):
    assert "no data" in texts(drawn(*series))


@given(
    st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e12, 1e12) | st.none() | st.just(math.nan)), max_size=20),
    st.booleans(),
)
def test_whatever_the_numbers_nothing_is_drawn_outside_the_picture(points, line):
    xs, ys = [x for x, _ in points], [y for _, y in points]
    root = drawn(ChartSeries("a", xs, ys, line=line), width=500, height=300)
    assert len(list(root.iter(f"{SVG}circle"))) == sum(y is not None and not math.isnan(y) for y in ys) + 1
    for x, y in markers(root):
        assert 0 <= x <= 500
        assert 0 <= y <= 300
    assert len(texts(root)) < 40


@pytest.mark.parametrize(
    ("value", "percent", "plain"), [(0.9925, "99.25%", "0.9925"), (1, "100%", "1"), (19458.0, "1945800%", "19,458")]
)
def test_ticks_have_no_needless_zeros(value, percent, plain):
    assert (percent_tick(value), plain_tick(value)) == (percent, plain)
