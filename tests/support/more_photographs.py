"""More kinds of photographs, beside those of `photographs`: sheets among other things, other papers, other light."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import numpy as np
import photographs
from numpy.typing import NDArray
from photographs import Random, Values, clouds, ink, lines, photograph, placed, ramp, thick, thin, written
from PIL import Image, ImageDraw
from scipy import ndimage

PENS = ((200, 40, 40), (40, 90, 200), (30, 140, 60), (120, 40, 150), (230, 120, 20))
NOTES = ((250, 235, 120), (255, 170, 190), (170, 230, 160), (160, 210, 250))


def wood(height: int, width: int, random: Random, level: float) -> Values:
    rows = np.mgrid[0:height, 0:width][0]
    grain = np.sin(rows * random.uniform(0.1, 0.6) + 2 * clouds(height, width, random, 90))
    return level + 10 * clouds(height, width, random, 40) + 7 * grain


def turned(values: Values, angle: float) -> Values:
    return np.clip(ndimage.rotate(values, angle, reshape=False, order=1), 0, 1)


def seen_from_aside(parts: list[Values], random: Random, by: float) -> list[Values]:
    """Each in the same perspective: its corners are moved by up to so much of a side."""
    height, width = parts[0].shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=float)
    moved = corners + random.uniform(-by, by, (4, 2)) * [width, height]
    rows, wanted = [], []
    for (x, y), (u, v) in zip(moved, corners, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        wanted += [u, v]
    numbers = np.linalg.solve(np.array(rows), np.array(wanted)).tolist()
    how, between = Image.Transform.PERSPECTIVE, Image.Resampling.BILINEAR
    images = [
        Image.fromarray(part.astype(np.float32)).transform((width, height), how, numbers, between) for part in parts
    ]
    return [np.clip(np.asarray(image, dtype=float), 0, 1) for image in images]


def in_shade(height: int, width: int, random: Random, *, soft: float, dark: float, off: float) -> Values:
    """What is left of the light on both sides of a straight edge near the middle."""
    rows, columns = np.mgrid[0:height, 0:width]
    angle = random.uniform(0, 2 * np.pi)
    away = (rows - height / 2) * np.sin(angle) + (columns - width / 2) * np.cos(angle) - random.uniform(-off, off)
    return 1 - dark / (1 + np.exp(away / soft))


# --- Sheets


def sheet_at_an_angle(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    table = wood(480, 640, random, random.uniform(40, 150))
    sheet = placed(np.ones((int(random.uniform(280, 420)), int(random.uniform(280, 520)))), 480, 640)
    angle = random.uniform(-40, 40)
    sheet, strokes = turned(sheet, angle), turned(placed(ink(digit, int(random.uniform(120, 240))), 480, 640), angle)
    light = table * (1 - sheet) + random.uniform(190, 245) * sheet
    return photograph(written(strokes, light, random.uniform(30, 90)), random)


def sheet_from_aside(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    table = wood(600, 800, random, random.uniform(50, 140))
    strokes = placed(ink(digit, int(random.uniform(180, 320))), 600, 800)
    sheet, strokes = seen_from_aside([placed(np.ones((440, 560)), 600, 800), strokes], random, 0.12)
    light = table * (1 - sheet) + ramp(600, 800, random, 170, 235) * sheet
    return photograph(written(strokes, light, random.uniform(30, 80)), random)


def sheet_half_out(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    """The picture cuts it off."""
    table = wood(480, 640, random, random.uniform(50, 130))
    top, left = (int(random.integers(50, 260)) for _ in range(2))
    angle = random.uniform(-15, 15)
    sheet = turned(placed(np.ones((430, 560)), 880, 1040, top=top, left=left), angle)[200:-200, 200:-200]
    strokes = placed(ink(digit, 200), 880, 1040, top=top + 115, left=left + 180)
    strokes = turned(strokes, angle)[200:-200, 200:-200]
    return photograph(written(strokes, table * (1 - sheet) + 225 * sheet, 50), random)


def dark_card(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    """Written on in white, on a light table."""
    angle = random.uniform(-20, 20)
    card = turned(placed(np.ones((320, 400)), 480, 640), angle)
    strokes = turned(placed(ink(digit, 220), 480, 640), angle)
    light = (200 + 8 * clouds(480, 640, random, 60)) * (1 - card) + 50 * card
    return photograph(light * (1 - strokes) + 230 * strokes, random)


def note_on_a_wall(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    wall = random.uniform(120, 215) + 6 * clouds(600, 800, random, 8) + 8 * clouds(600, 800, random, 120)
    top, left, angle = int(random.integers(20, 320)), int(random.integers(20, 520)), random.uniform(-12, 12)
    sheet = turned(placed(np.ones((260, 260)), 600, 800, top=top, left=left), angle)
    strokes = turned(placed(ink(digit, 200), 600, 800, top=top + 30, left=left + 30), angle)[..., None]
    under = ndimage.gaussian_filter(np.roll(sheet, (6, 6), (0, 1)), 5)
    values = (wall * (1 - 0.35 * under))[..., None] * (1 - sheet[..., None])
    values = values + np.array(NOTES[int(random.integers(4))], dtype=float) * sheet[..., None]
    values = values * (1 - strokes) + np.array([40.0, 40, 60]) * strokes
    return Image.fromarray(np.clip(values + random.normal(0, 3, values.shape), 0, 255).astype(np.uint8))


# --- Light


def hard_shadow(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    """Its straight edge goes across the digit."""
    shade = in_shade(320, 400, random, soft=random.uniform(1, 4), dark=random.uniform(0.3, 0.6), off=60)
    return photograph(written(placed(ink(digit), 320, 400), 225 * shade), random)


def hard_round_shadow(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    rows, columns = np.mgrid[0:320, 0:400]
    at = random.uniform(0.2, 0.8, 2) * (320, 400)
    away = np.hypot(rows - at[0], (columns - at[1]) * random.uniform(0.6, 1.4)) - random.uniform(50, 150)
    shade = 1 - random.uniform(0.35, 0.6) / (1 + np.exp(away / random.uniform(0.8, 5)))
    return photograph(written(placed(ink(digit), 320, 400), 225 * shade), random)


def screen(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    """With waves of several periods and dark lines."""
    rows, columns = np.mgrid[0:420, 0:560]
    values = np.full((420, 560), 200.0)
    for _ in range(3):
        period, angle = random.uniform(0.2, 2.5), random.uniform(0, np.pi)
        along = period * (rows * np.sin(angle) + columns * np.cos(angle))
        values += random.uniform(5, 14) * np.sin(along + 2 * clouds(420, 560, random, 150))
    values[rows % 3 == 0] -= 12
    return photograph(written(placed(ink(digit), 420, 560, random), values, 70), random, 4)


def whiteboard(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    """With glare, and what was wiped off."""
    rows, columns = np.mgrid[0:480, 0:640]
    values = 205 + 8 * clouds(480, 640, random, 150) - 7 * np.clip(clouds(480, 640, random, 25), 0, None)
    for _ in range(2):
        at = random.uniform(0.1, 0.9, 2) * (480, 640)
        across, along = random.uniform(20, 50), random.uniform(40, 120)
        away = ((rows - at[0]) / across) ** 2 + ((columns - at[1]) / along) ** 2
        values += random.uniform(30, 50) * np.exp(-away)
    strokes = placed(thin(digit, 280, random.uniform(9, 14)), 480, 640, random)
    strokes *= np.clip(0.85 + 0.15 * clouds(480, 640, random, 6), 0.4, 1)
    return photograph(np.minimum(written(strokes, values, random.uniform(60, 110)), 255), random, 3, 1.0)


# --- Paper and pens


def coloured_paper(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    paper = random.uniform(90, 250, 3)
    strokes = placed(ink(digit), 320, 420)[..., None]
    values = paper * (1 - strokes) + paper * random.uniform(0.15, 0.45) * strokes
    values = values * ramp(320, 420, random, 0.75, 1)[..., None]
    return Image.fromarray(np.clip(values + random.normal(0, 3, values.shape), 0, 255).astype(np.uint8))


def coloured_pen(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    pen = np.array(PENS[int(random.integers(len(PENS)))], dtype=float)
    strokes = placed(thin(digit, width=random.uniform(5, 14)), 320, 420)[..., None]
    values = np.array([238.0, 236, 228]) * (1 - strokes) + pen * strokes
    values = values * ramp(320, 420, random, 0.7, 1)[..., None]
    return Image.fromarray(np.clip(values + random.normal(0, 3, values.shape), 0, 255).astype(np.uint8))


def graph_paper(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    """Fine lines, and each fifth one strong."""
    spacing, angle, offset = random.uniform(9, 14), random.uniform(-6, 6), random.uniform(0, 9)
    grid = np.zeros((480, 640))
    for wide, thickness, strength in ((1, 1.2, 0.35), (5, 2.2, 0.6)):
        for way in (angle, angle + 90):
            grid = np.maximum(grid, strength * lines(480, 640, wide * spacing, thickness, way, offset))
    paper = ramp(480, 640, random, 180, 235) - random.uniform(50, 90) * grid
    return photograph(written(placed(ink(digit, 260), 480, 640), paper, 60), random)


def pencil_in_shade(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    """On ruled paper."""
    rules = lines(420, 560, random.uniform(34, 48), 1.8, random.uniform(-4, 4), random.uniform(0, 30))
    shade = in_shade(420, 560, random, soft=random.uniform(4, 25), dark=random.uniform(0.25, 0.5), off=120)
    strokes = thin(digit, 260, random.uniform(7, 10)) * np.clip(0.8 + 0.25 * random.normal(0, 1, (260, 260)), 0, 1)
    paper = (228 - 45 * rules) * shade
    return photograph(written(placed(strokes, 420, 560), paper, random.uniform(120, 165)), random, 3, 0.8)


def thick_marker(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    return photograph(written(placed(thick(digit, random.uniform(8, 13)), 360, 360), 230, 45), random)


def stamp(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    """Its ink is patchy."""
    strokes = ink(digit) * np.clip(0.6 + 0.6 * clouds(240, 240, random, 7), 0, 1) * (random.random((240, 240)) > 0.12)
    return photograph(written(placed(strokes, 340, 340), 232, 80), random, 4, 0.9)


def smeared(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    strokes = placed(ink(digit), 340, 340)
    angle, steps = random.uniform(0, 2 * np.pi), range(4, int(random.uniform(25, 60)), 2)
    moved = [np.roll(strokes, (int(by * np.sin(angle)), int(by * np.cos(angle))), (0, 1)) for by in steps]
    return photograph(written(np.maximum(strokes, 0.3 * sum(moved) / len(steps)), 232, 50), random)


# --- Scans and pages


def inverted_scan(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    """A scan with a black frame, inverted."""
    return Image.fromarray(255 - np.asarray(photographs.scanner_frame(digit, random)))


def light_in_a_frame(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    """Light ink on a dark ground, in a frame that is darker still."""
    values = 255 - written(placed(ink(digit), 340, 340))
    top, left, bottom, right = random.integers(6, 30, 4)
    values[:top], values[-bottom:], values[:, :left], values[:, -right:] = 5, 5, 5, 5
    return photograph(values, random, 3, 0.5)


def small_on_a_page(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    strokes = placed(ink(digit, int(random.uniform(60, 140))), 2200, 1700, random)
    return photograph(written(strokes, ramp(2200, 1700, random, 215, 250), 60), random, 3, 0.8)


def telephone(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    """Noisy, blurred, and compressed much."""
    strokes = placed(ink(digit, 110), 360, 480, random)
    file = BytesIO()
    image = photograph(written(strokes, ramp(360, 480, random, 140, 225), 60), random, 8, 1.2)
    image.save(file, "JPEG", quality=int(random.integers(5, 15)))
    return Image.open(file)


def at_one_edge(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    strokes = ink(digit)
    rows, columns = np.flatnonzero(strokes.max(1) > 0.5), np.flatnonzero(strokes.max(0) > 0.5)
    strokes = strokes[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = (side + 60 for side in strokes.shape)
    top, left = ((0, 30), (60, 30), (30, 0), (30, 60))[int(random.integers(4))]
    values = placed(strokes, height, width, top=top, left=left)
    return photograph(written(values, ramp(height, width, random, 170, 235)), random)


def fax(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    """Black and white only, with specks."""
    image = photograph(written(placed(thin(digit, width=random.uniform(5, 10)), 300, 300)), random, 25, 0.8)
    return Image.fromarray(((np.asarray(image) > 140) * 255).astype(np.uint8))


def in_boxes(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    """In one of the boxes of a form."""
    image = Image.new("L", (700, 300), 238)
    for number in range(5):
        left = 60 + number * 116
        ImageDraw.Draw(image).rectangle((left, 90, left + 116, 206), outline=70, width=int(random.integers(2, 5)))
    strokes = placed(ink(digit, 130), 300, 700, top=84, left=53 + 116 * int(random.integers(5)))
    return photograph(written(strokes, np.asarray(image, dtype=float), 45), random)


def above_print(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    image = Image.fromarray(written(placed(ink(digit), 420, 420, top=20, left=90)).astype(np.uint8))
    ImageDraw.Draw(image).text((60, 340), "Date: 24 March   Name: J. Smith", fill=60)
    ImageDraw.Draw(image).text((60, 365), "page 12 of 30", fill=70)
    return photograph(np.asarray(image, dtype=float), random)


KINDS: dict[str, Callable[[NDArray[np.uint8], Random], Image.Image]] = photographs.KINDS | {
    kind.__name__.replace("_", " "): kind
    for kind in (
        sheet_at_an_angle, sheet_from_aside, sheet_half_out, dark_card, note_on_a_wall, hard_shadow, hard_round_shadow,
        screen, whiteboard, coloured_paper, coloured_pen, graph_paper, pencil_in_shade, thick_marker, stamp, smeared,
        inverted_scan, light_in_a_frame, small_on_a_page, telephone, at_one_edge, fax, in_boxes, above_print,
    )
}  # fmt: skip
