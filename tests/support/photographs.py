"""Photographs of digits, as people take them, made of MNIST's images: one function for each kind of trouble.

Values are brightnesses from 0 to 255, float64, until a picture is done; ink is from 0 for paper to 1.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage

Values = NDArray[np.float64]
Random = np.random.Generator
SIDE = 240


def ink(digit: NDArray[np.uint8], side: int = SIDE) -> Values:
    """A digit with the rim that it has in MNIST, (side, side), its edges as sharp as those of a pen."""
    large = Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC)
    return np.clip((np.asarray(large, dtype=float) / 255 - 0.35) / 0.3, 0, 1)


def thin(digit: NDArray[np.uint8], side: int = SIDE, width: float = 5.0) -> Values:
    """The same strokes with a pen so many pixels wide."""
    inside = ink(digit, side) > 0.5
    depth = ndimage.distance_transform_edt(inside)
    ridge = inside & (depth >= ndimage.maximum_filter(depth, 5) - 0.5)  # about the middle of the strokes
    return np.clip(width / 2 + 0.5 - ndimage.distance_transform_edt(~ridge), 0, 1)


def thick(digit: NDArray[np.uint8], by: float, side: int = SIDE) -> Values:
    return np.clip(by + 0.5 - ndimage.distance_transform_edt(ink(digit, side) < 0.5), 0, 1)


def placed(
    strokes: Values, height: int, width: int, random: Random | None = None, top: int = -1, left: int = -1
) -> Values:
    """The strokes in a larger picture: in the middle, at a place, or anywhere."""
    if random is not None:
        top = int(random.integers(0, height - len(strokes) + 1))
        left = int(random.integers(0, width - strokes.shape[1] + 1))
    elif top < 0:
        top, left = (height - len(strokes)) // 2, (width - strokes.shape[1]) // 2
    values = np.zeros((height, width))
    values[top : top + len(strokes), left : left + strokes.shape[1]] = strokes
    return values


def written(strokes: Values, paper: Values | float = 235.0, pen: float = 45.0) -> Values:
    """Ink on paper: its brightness is to the paper's as `pen` is to white."""
    sheet = np.broadcast_to(np.asarray(paper, dtype=float), strokes.shape)
    return sheet * (1 - strokes * (1 - pen / 255))


def photograph(values: Values, random: Random, noise: float = 3.0, blur: float = 0.7) -> Image.Image:
    """What a camera makes of it."""
    blurred = ndimage.gaussian_filter(values, blur) if blur else values
    return Image.fromarray(np.clip(blurred + random.normal(0, noise, values.shape), 0, 255).astype(np.uint8))


def ramp(height: int, width: int, random: Random, low: float, high: float) -> Values:
    """Light that falls across the sheet, in any direction."""
    angle = random.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    along = rows * np.sin(angle) + columns * np.cos(angle)
    return low + (high - low) * (along - along.min()) / (along.max() - along.min())


def lines(height: int, width: int, spacing: float, thickness: float, angle: float, offset: float = 0.0) -> Values:
    """Ruled lines as ink, the angle in degrees from the horizontal."""
    rows, columns = np.mgrid[0:height, 0:width]
    turned = rows * np.cos(np.radians(angle)) - columns * np.sin(np.radians(angle)) + offset
    away = np.abs((turned + spacing / 2) % spacing - spacing / 2)
    return np.clip(thickness / 2 + 0.5 - away, 0, 1)


def clouds(height: int, width: int, random: Random, size: float) -> Values:
    """Smooth random values, of mean 0 and deviation 1."""
    small = random.normal(0, 1, (int(height / size) + 3, int(width / size) + 3))
    large = ndimage.zoom(small, (height / (len(small) - 2), width / (small.shape[1] - 2)), order=3)
    values = large[:height, :width]
    return (values - values.mean()) / values.std()


# --- Light and paper


def noise(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    return photograph(written(ink(digit)), random, noise=20)


def jpeg(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    file = BytesIO()
    photograph(written(placed(ink(digit), 300, 400)), random).save(file, "JPEG", quality=8)
    return Image.open(file)


def blackboard(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    strokes = placed(ink(digit), 320, 400, random)
    chalk = np.clip(0.75 + 0.3 * random.normal(0, 1, strokes.shape), 0.2, 1)
    board = 50 + 8 * clouds(320, 400, random, 60)
    return photograph(board + strokes * chalk * (220 - board), random, 5, 1.0)


def dark_screen(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    colour = np.array(random.permutation([230, 180, 90]))
    strokes = placed(ink(digit, 160), 360, 640, random)
    return Image.fromarray((24 + strokes[..., None] * (colour - 24)).astype(np.uint8))


def shadow(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    """Over a corner, its edge soft."""
    rows, columns = np.mgrid[0:1:280j, 0:1:280j]
    rows, columns = (1 - rows if random.random() < 0.5 else rows), (1 - columns if random.random() < 0.5 else columns)
    edge = random.uniform(0.7, 1.1)
    shade = 1 - random.uniform(0.45, 0.7) / (1 + np.exp((rows + columns - edge) * random.uniform(15, 90)))
    return photograph(written(placed(ink(digit), 280, 280), 235 * shade), random)


def round_shadow(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    """Of a hand or a head, over part of the digit."""
    rows, columns = np.mgrid[0:320, 0:400]
    at = random.uniform(0.2, 0.8, 2) * (320, 400)
    away = np.hypot(rows - at[0], (columns - at[1]) * random.uniform(0.6, 1.4))
    shade = 1 - 0.5 / (1 + np.exp((away - random.uniform(60, 140)) / random.uniform(3, 12)))
    return photograph(written(placed(ink(digit), 320, 400), 225 * shade), random)


def falling_light(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    return photograph(written(placed(ink(digit), 280, 280), ramp(280, 280, random, 105, 235)), random)


def lamp(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    """A bright spot and dark corners."""
    rows, columns = np.mgrid[0:360, 0:480]
    at = random.uniform(0.3, 0.7, 2) * (360, 480)
    light = 60 + 190 * np.exp(-((rows - at[0]) ** 2 + (columns - at[1]) ** 2) / 2 / 170**2)
    return photograph(written(placed(ink(digit), 360, 480, random), light), random)


def crumpled(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    """Folds catch the light."""
    folds = np.zeros((360, 360))
    for _ in range(14):
        angle, at = random.uniform(0, np.pi), random.uniform(-180, 180)
        rows, columns = np.mgrid[-180:180, -180:180]
        side = rows * np.sin(angle) + columns * np.cos(angle) - at
        folds += random.uniform(-14, 14) * np.exp(-np.abs(side) / random.uniform(8, 40)) * np.sign(side)
    return photograph(written(placed(ink(digit), 360, 360), 205 + folds), random, 4)


def coarse_paper(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    texture = 6 * clouds(340, 340, random, 3) + 6 * clouds(340, 340, random, 25)
    return photograph(written(placed(ink(digit), 340, 340), 195 + texture, 80), random, 5)


def moire(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    """A photograph of a screen."""
    rows, columns = np.mgrid[0:300, 0:400]
    waves = 10 * np.sin(rows * 0.9 + columns * 0.15) + 8 * np.sin(columns * 0.31 - rows * 0.05)
    return photograph(written(placed(ink(digit), 300, 400), 190 + waves), random)


def gradient(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    """A coloured one behind the digit, as designers like it."""
    one, other = random.uniform(150, 255, 3), random.uniform(150, 255, 3)
    share = ramp(300, 300, random, 0, 1)[..., None]
    strokes = placed(ink(digit), 300, 300)[..., None]
    return Image.fromarray(((one * share + other * (1 - share)) * (1 - strokes) + 40 * strokes).astype(np.uint8))


def blurred(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    return photograph(written(placed(ink(digit), 300, 400)), random, 3, random.uniform(4, 8))


# --- Lines, frames and dirt


def ruled(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    rules = lines(300, 300, random.uniform(28, 60), random.uniform(1.5, 3), 0, random.uniform(0, 60))
    paper = 235 - random.uniform(60, 130) * rules
    return photograph(written(placed(ink(digit), 300, 300), paper), random)


def dark_ruled(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    """Lines as dark as the ink."""
    rules = lines(300, 420, random.uniform(35, 70), random.uniform(2, 4), 0, random.uniform(0, 70))
    return photograph(written(np.maximum(placed(ink(digit), 300, 420), rules)), random)


def tilted_ruled(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    rules = lines(360, 480, random.uniform(35, 60), random.uniform(1.5, 3), random.uniform(-12, 12))
    light = ramp(360, 480, random, 150, 235)
    return photograph(written(placed(ink(digit), 360, 480), light - 100 * rules), random)


def squared(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    spacing, angle = random.uniform(22, 45), random.uniform(-5, 5)
    grid = np.maximum(lines(320, 320, spacing, 2, angle), lines(320, 320, spacing, 2, angle + 90))
    return photograph(written(placed(ink(digit), 320, 320), 235 - 90 * grid), random)


def margin(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    """Ruled, with the red line of a margin, in colour."""
    rules = lines(400, 500, 40, 2, 1.5, 11)[..., None]
    edge = lines(400, 500, 5000, 3, 91.5, -70)[..., None]
    strokes = placed(ink(digit), 400, 500, top=100, left=170)[..., None]
    values = np.array([238.0, 236, 230]) * (1 - rules) + np.array([150.0, 180, 225]) * rules
    values = values * (1 - edge) + np.array([225.0, 90, 100]) * edge
    values = values * (1 - strokes) + np.array([30.0, 40, 120]) * strokes
    return Image.fromarray(np.clip(values + random.normal(0, 3, values.shape), 0, 255).astype(np.uint8))


def speck(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    values = written(placed(ink(digit), 1200, 1600, top=200, left=250))
    row, column = int(random.integers(800, 1150)), int(random.integers(900, 1550))
    values[row : row + 6, column : column + 6] = 40
    return photograph(values, random, 2, 0)


def crumbs(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    """Many specks and a hair."""
    strokes = placed(ink(digit), 400, 500, random)
    values = written(strokes)
    for _ in range(25):
        row, column, size = int(random.integers(0, 395)), int(random.integers(0, 495)), int(random.integers(1, 6))
        values[row : row + size, column : column + size] = random.uniform(30, 120)
    return photograph(values, random)


def scanner_frame(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    values = written(placed(ink(digit), 320, 320))
    top, left, bottom, right = random.integers(6, 24, 4)
    values[:top], values[-bottom:], values[:, :left], values[:, -right:] = 8, 8, 8, 8
    return photograph(values, random, 2, 0.5)


def thin_frame(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    """A box drawn around the digit, as forms have it."""
    image = Image.fromarray(written(placed(ink(digit, 200), 340, 340)).astype(np.uint8))
    ImageDraw.Draw(image).rectangle((45, 45, 295, 295), outline=50, width=int(random.integers(2, 6)))
    return photograph(np.asarray(image, dtype=float), random)


def table_edge(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    values = written(placed(ink(digit), 360, 300, top=20, left=30))
    rows, columns = np.mgrid[0:360, 0:300]
    below = rows - random.uniform(285, 320) - columns * random.uniform(-0.08, 0.08) > 0
    values[below] = 50
    return photograph(values, random)


def on_a_table(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    """A sheet that lies askew on a table of wood."""
    wood = 90 + 8 * clouds(480, 640, random, 40) + 6 * np.sin(np.mgrid[0:480, 0:640][0] * 0.5)
    angle = random.uniform(-15, 15)
    turned = [
        ndimage.rotate(part, angle, reshape=False, order=1)
        for part in (placed(np.ones((330, 400)), 480, 640), placed(ink(digit), 480, 640))
    ]
    return photograph(written(turned[1], wood * (1 - turned[0]) + 230 * turned[0]), random)


def sticky_note(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    """Yellow, on a white desk, with a shadow below it."""
    sheet = placed(np.ones((300, 300)), 480, 640, top=90, left=170)[..., None]
    under = ndimage.gaussian_filter(placed(np.ones((300, 300)), 480, 640, top=98, left=178), 6)[..., None]
    strokes = placed(ink(digit), 480, 640, top=120, left=200)[..., None]
    values = np.array([225.0, 225, 220]) * (1 - 0.5 * under)
    values = values * (1 - sheet) + np.array([245.0, 225, 110]) * sheet
    values = values * (1 - strokes) + np.array([35.0, 35, 40]) * strokes
    return Image.fromarray(np.clip(values + random.normal(0, 3, values.shape), 0, 255).astype(np.uint8))


# --- Pens and sizes


def thin_pen(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    return photograph(written(placed(thin(digit, width=random.uniform(3, 7)), 300, 300)), random)


def hair_line(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    """A ballpoint seen from afar."""
    return photograph(written(placed(thin(digit, 300, 3), 600, 800, random), 225, 90), random, 3, 0.8)


def pencil(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    strokes = thin(digit, width=8) * np.clip(0.75 + 0.3 * random.normal(0, 1, (SIDE, SIDE)), 0, 1)
    return photograph(written(placed(strokes, 300, 300), 232, random.uniform(195, 215)), random, 3, 0.8)


def faint_ink(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    return photograph(written(placed(ink(digit), 320, 320), ramp(320, 320, random, 190, 240), 215), random, 4)


def marker(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    return photograph(written(placed(thick(digit, random.uniform(4, 9)), 340, 340)), random)


def broken(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    """Strokes with gaps, where the pen failed."""
    strokes = placed(ink(digit), 300, 300)
    for _ in range(3):
        gap = lines(300, 300, 5000, random.uniform(5, 10), random.uniform(-90, 90), -random.uniform(-60, 60))
        centre = ndimage.shift(gap, (150, 150), order=0)
        strokes = strokes * (1 - centre)
    return photograph(written(strokes), random)


def dotted(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    dots = (rows % 12 - 6) ** 2 + (columns % 12 - 6) ** 2 < 24
    return photograph(written(placed(ink(digit) * dots, 300, 300)), random, 3, 1.0)


def outlined(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    """Ink whose inside is paler than its edge."""
    inside = ndimage.gaussian_filter(ink(digit), 3)
    return photograph(written(placed(ink(digit) * (1 - 0.45 * inside**2), 300, 300)), random)


def small_in_large(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    return photograph(written(placed(ink(digit, 84), 1500, 2000, random)), random, 3, 0.8)


def off_centre(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    return photograph(written(placed(ink(digit, 200), 600, 800, random), ramp(600, 800, random, 150, 235)), random)


def at_the_edge(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    """Cut so close that the strokes touch the edge on every side."""
    strokes = ink(digit)
    rows, columns = np.flatnonzero(strokes.max(1) > 0.5), np.flatnonzero(strokes.max(0) > 0.5)
    return photograph(written(strokes[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]), random)


def owner_scaled(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    """A photo that its owner scaled down to 28 x 28."""
    sheet = written(placed(ink(digit), 300, 300), ramp(300, 300, random, 140, 235), 60)
    return photograph(sheet, random).resize((28, 28), Image.Resampling.BILINEAR)


def owner_scaled_thin(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    sheet = written(placed(thin(digit, 280, 9), 320, 320), ramp(320, 320, random, 170, 225), 70)
    return photograph(sheet, random).resize((28, 28), Image.Resampling.LANCZOS)


def owner_inverted(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    """Scaled down to 28 x 28 and inverted, so that its rim is nearly black."""
    small = owner_scaled(digit, random)
    return Image.fromarray(255 - np.asarray(small))


def tilted(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    turned = ndimage.rotate(placed(ink(digit), 360, 360), random.uniform(-12, 12), reshape=False, order=1)
    return photograph(written(np.clip(turned, 0, 1), ramp(360, 360, random, 140, 230)), random)


def camera(digit: NDArray[np.uint8], random: Random) -> Image.Image:
    """Everything a little: falling light, faint ruling, thin pen, noise, blur, a table in one corner; large."""
    height, width = 900, 1200
    rules = lines(height, width, 70, 3, random.uniform(-6, 6))
    rows, columns = np.mgrid[0:height, 0:width]
    paper = ramp(height, width, random, 130, 230) - 40 * rules
    strokes = placed(thin(digit, 360, 14), height, width, top=250, left=380)
    values = written(strokes, paper, 70)
    values[rows + columns * 0.8 > 1650] = 60
    image = photograph(values, random, 5, 1.5)
    file = BytesIO()
    image.filter(ImageFilter.SHARPEN).save(file, "JPEG", quality=70)
    return Image.open(file)


KINDS: dict[str, Callable[[NDArray[np.uint8], Random], Image.Image]] = {
    kind.__name__.replace("_", " "): kind
    for kind in (
        noise, jpeg, blackboard, dark_screen, shadow, round_shadow, falling_light, lamp, crumpled, coarse_paper, moire,
        gradient, blurred, ruled, dark_ruled, tilted_ruled, squared, margin, speck, crumbs, scanner_frame, thin_frame,
        table_edge, on_a_table, sticky_note, thin_pen, hair_line, pencil, faint_ink, marker, broken, dotted, outlined,
        small_in_large, off_centre, at_the_edge, owner_scaled, owner_scaled_thin, owner_inverted, tilted, camera,
    )
}  # fmt: skip


def two_digits(one: NDArray[np.uint8], other: NDArray[np.uint8], random: Random) -> Image.Image:
    """Side by side on one sheet."""
    down = int(random.integers(0, 40))
    both = np.maximum(
        placed(ink(one), 320, 560, top=20, left=20),
        placed(
            ink(other, int(random.integers(200, 241))), 320, 560, top=20 + down, left=int(random.integers(230, 300))
        ),
    )
    return photograph(written(both, ramp(320, 560, random, 170, 235)), random)
