"""Small pictures in text: each character is two pixels across and four down."""

import numpy as np
import pytest

from tui.drawing.plain_text import small_picture


def test_each_dot_is_a_pixel():
    values = np.zeros((8, 6), dtype=np.float32)
    values[0, 0] = values[3, 1] = values[5, 4] = 1
    assert small_picture(values, braille=True) == ["⢁⠀⠀", "⠀⠀⠂"]


@pytest.mark.parametrize("size", [8, 9, 28, 33, 64])
@pytest.mark.parametrize("braille", [True, False])
def test_a_picture_has_half_the_characters_of_its_pixels_either_way(size, braille):
    for value in (0.0, 1.0):
        lines = small_picture(np.full((size, size), value, dtype=np.float32), braille=braille)
        assert len(lines) == -(-size // 4)
        assert {len(line) for line in lines} == {-(-size // 2)}
        inner = {character for line in lines[: size // 4] for character in line[: size // 2]}
        assert inner == {"⣿" if value else "⠀"} if braille else {"@" if value else " "}


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_grey_is_so_many_dots(share):
    lines = small_picture(np.full((32, 32), share, dtype=np.float32), braille=True)
    dots = sum((ord(character) - 0x2800).bit_count() for line in lines for character in line)
    assert dots == pytest.approx(share * 32 * 32)


def test_ascii_grows_darker_with_the_mean():
    ramp = np.repeat(np.linspace(0, 1, 20, dtype=np.float32)[None], 4, 0)
    (line,) = small_picture(ramp, braille=False)
    assert line == " .:-=+*#%@"
