"""The pictures of the documentation, docs/screen_svg.py."""

from __future__ import annotations

import importlib.util
import io
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

SOURCE = Path(__file__).parents[1] / "docs" / "screen_svg.py"


@pytest.fixture(scope="module")
def svg():
    spec = importlib.util.spec_from_file_location("screen_svg", SOURCE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclasses look for it
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_words_stand_in_their_cells_and_dots_and_blocks_are_shapes(svg):
    console = Console(
        record=True, width=30, height=3, file=io.StringIO(), color_system="truecolor", force_terminal=True
    )
    console.print("[red]a < b[/]   ⡀█ end")
    styles = svg.Styles()
    page = svg.still(svg.read(console.export_svg(), styles), styles)
    ElementTree.fromstring(page)
    texts = re.findall(r'<text class="\w+" y="15" x="(\d+)" textLength="(\d+)">([^<]*)', page)
    assert texts == [("0", "50", "a &lt; b"), ("110", "30", "end")]
    assert '"M82.5 17.5h0"' in page  # the lowest dot on the left of the eighth cell
    assert '"M90 0h10v20h-10z"' in page


def test_a_film_has_at_each_moment_the_lines_of_its_picture(svg):
    lines = [("a", "", "x"), ("a", "b", "x"), ("c", "b", "x"), ("a", "b", "x")]
    page = svg.film([svg.Picture(2, "#000000", those) for those in lines], [1, 2, 0.5, 1.5], svg.Styles())
    ElementTree.fromstring(page)
    spans = re.findall(r'<g class="(f(\d+)-(\d+))">(.*)</g>', page)
    for number, those in enumerate(lines):
        shown = "".join(content for _, first, after, content in spans if int(first) <= number < int(after))
        assert sorted(re.findall(r"\)\">(\w)<", shown)) == sorted(filter(None, those))
    assert "@keyframes f2-3{0%{visibility:hidden}60.000%{visibility:visible}70.000%,100%{visibility:hidden}}" in page
    assert "@keyframes f0-4" not in page
    hidden = re.findall(r"\.(f\d-\d)\{visibility:hidden\}", page)
    assert {name for name, _, after, _ in spans if after != "4"} == set(
        hidden
    )  # where nothing moves, the last is shown
