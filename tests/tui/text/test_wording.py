"""Words that several pages share."""

import pytest

from tui.text.wording import arch_in_short


@pytest.mark.parametrize(
    ("arch", "short"),
    [
        ("/a/long/way/net.py:Net", "net.py:Net"),
        ("/a/long/way/net.py:Net(file='a/b', n=3)", "net.py:Net(file='a/b', n=3)"),
        ("lesson.ipynb:small()", "lesson.ipynb:small()"),
        ("c8 gap fc10", "c8 gap fc10"),
    ],
)
def test_a_module_is_named_without_the_way_to_its_file(arch, short):
    assert arch_in_short(arch) == short
