"""Pictures of digits, from files or drawn by hand, normalised as MNIST's are.

A drawing is one digit. On a picture from a file the digits are looked for (`core.data.photo`): on photographs there is
more than ink and paper.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from core.data.photo.find import find_digits
from core.data.photo.form import BOX, SIDE, mnist_form
from core.data.photo.paper import Values
from core.errors import InvalidValue, LabError, one_line
from core.storage.files import open_regular, replacing

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 50_000_000
"""Larger images are refused by what their header says, before anything of them is unpacked."""
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "PPM", "TIFF", "WEBP")
"""Plain pixel formats; others of Pillow's start programs to be decoded."""

TOUCHING = 6
"""Pixels of the rim that are not black in an image of MNIST, at most."""

MIN_CONTRAST = 0.06
"""Between ink and background, as a share of the range from black to white; below it nothing is drawn."""
NOISE = 0.2
"""Pixels less than this share of the contrast above the background are paper, noise or dust, not ink."""


class NothingDrawn(LabError):
    """The picture is of one colour."""

    def __init__(self) -> None:
        super().__init__("nothing is drawn on it", hint="draw light on dark, or dark on light")


def normalise(gray: Tensor) -> Tensor:
    """Bring a grey picture of any size, light on dark or dark on light, to MNIST's form.

    Args:
        gray: (H, W), uint8 from 0 to 255 or floating point from 0 to 1. What most of its rim is, is its background.

    Returns:
        (28, 28) uint8, light on black.

    Raises:
        NothingDrawn: when hardly anything differs from the background.
    """
    white = 255 if gray.dtype == torch.uint8 else 1
    rim = torch.cat((gray[0], gray[-1], gray[:, 0], gray[:, -1]))
    if float(rim.median()) > white / 2:
        gray, rim = white - gray, white - rim
    background, brightest = float(rim.median()), float(gray.max())
    contrast = brightest - background
    if contrast < MIN_CONTRAST * white:
        raise NothingDrawn
    inked = gray > background + NOISE * contrast
    rows, columns = (inked.any(dim).nonzero().flatten() for dim in (1, 0))
    digit = gray[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].to(torch.float32)
    digit = ((digit - background) / contrast).clamp_(min=0)
    return _image(mnist_form(torch.where(digit > NOISE, digit, 0.0).numpy()))


@dataclass(frozen=True, slots=True)
class PicturedDigit:
    """A digit on a picture.

    `image` (28, 28) uint8 is what a network is given, `box` where it lies: left, top, width, height in the picture's
    pixels. `score`, up to 1, says how much it looks like a digit beside what else is there.
    """

    image: Tensor
    box: tuple[int, int, int, int]
    score: float


def read_digits(path: Path) -> list[PicturedDigit]:
    """The digits in an image file, from left to right: at least one.

    An image of 28 x 28 pixels that is in MNIST's form is taken as it is: its rim is black (as in some of MNIST's images
    up to six pixels of it are not), and what is drawn is at most 20 pixels high.

    Raises:
        InvalidValue: naming the file, when it is missing, no image, too large, or nothing like a digit is on it.
    """
    gray = _read_gray(path)
    if _in_form(gray):
        return [PicturedDigit(gray, (0, 0, SIDE, SIDE), 1.0)]
    values = gray.to(torch.float32) / 255 if gray.dtype == torch.uint8 else gray
    found = [PicturedDigit(_image(one.form), one.box, one.score) for one in find_digits(values.numpy())]
    if not found:
        raise InvalidValue("image", str(path), NothingDrawn().message, hint=NothingDrawn().advice)
    return found


def read_whole(path: Path, size: int) -> Tensor:
    """All of an image file as one image (size, size) uint8, as it is: neither turned light on dark nor searched.

    One that is not square is set in the middle of what most of its rim is.

    Raises:
        InvalidValue: naming the file, when it is missing, no image, or too large.
    """
    gray = _read_gray(path)
    if gray.dtype != torch.uint8:
        gray = (gray * 255).round().to(torch.uint8)
    height, width = gray.shape
    side = max(height, width)
    rim = torch.cat((gray[0], gray[-1], gray[:, 0], gray[:, -1]))
    square = torch.full((side, side), int(rim.median()), dtype=torch.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = gray
    return scaled(square, size)


def scaled(image: Tensor, size: int) -> Tensor:
    """A square image (S, S) uint8 in (size, size) uint8; one of that size as it is."""
    from PIL import Image

    if image.shape == (size, size):
        return image
    side = len(image)
    picture = Image.frombytes("L", (side, side), image.contiguous().numpy().tobytes())
    how = Image.Resampling.BOX if side > size else Image.Resampling.BILINEAR
    return _pixels(picture.resize((size, size), how), torch.uint8)


def _in_form(gray: Tensor) -> bool:
    if gray.shape != (SIDE, SIDE) or gray.dtype != torch.uint8 or int(gray.max()) == int(gray.min()):
        return False
    rim = torch.cat((gray[0], gray[-1], gray[:, 0], gray[:, -1]))
    return int((rim > 0).sum()) <= TOUCHING and int(gray.any(1).sum()) <= BOX


def _image(form: Values) -> Tensor:
    return torch.from_numpy((form * 255).round()).to(torch.uint8)


def write_picture(path: Path, image: Tensor) -> None:
    """Write grey pixels (H, W) uint8 as a PNG file.

    Raises:
        OSError: when it cannot be written; what was at `path` is then as it was.
    """
    from PIL import Image

    height, width = image.shape
    picture = Image.frombytes("L", (width, height), image.contiguous().numpy().tobytes())
    with replacing(path) as part:
        picture.save(part, format="PNG")


def _read_gray(path: Path) -> Tensor:
    """The pixels of an image file, (H, W): uint8, or float32 from 0 to 1 where the file has more than 8 bits."""
    from PIL import Image

    hint = "give a PNG, JPEG, GIF, BMP, PPM, TIFF or WebP file"
    too_large = f"must have at most {MAX_PIXELS:,} pixels"
    try:
        with open_regular(path, follow_link=True) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow, about what it repairs in damaged files
            if not file.read(1):
                raise InvalidValue("image", str(path), "is an empty file", hint=hint)
            with Image.open(file, formats=FORMATS) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    reason = f"has {width:,} x {height:,} pixels, {too_large}"
                    raise InvalidValue("image", str(path), reason, hint="make it smaller")
                return _gray(image)
    except InvalidValue:
        raise
    except OSError as error:
        reason = error.strerror.lower() if error.strerror else "is not a readable image"
        raise InvalidValue("image", str(path), reason, hint=hint) from error
    except Image.DecompressionBombError as error:
        raise InvalidValue("image", str(path), too_large, hint="make it smaller") from error
    except Exception as error:  # decoders raise whatever a damaged file leads them to
        raise InvalidValue("image", str(path), f"is damaged: {one_line(error)}", hint=hint) from error


def _gray(image: Image) -> Tensor:
    from PIL import Image, ImageOps, ImageStat

    image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        wide = _pixels(image.convert("F"), torch.float32)
        low, high = wide.min(), wide.max()
        if not math.isfinite(float(high - low)):  # one that is NaN or infinite makes all others so
            raise ValueError("its pixels are not numbers that can be compared")
        scale = 65535.0 if image.mode.startswith("I;16") else float(high - low) or 1.0
        return (wide - low) / scale
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha, visible = image.getchannel("A"), image.convert("L")
        # Behind light ink black, behind dark ink white, whatever colour the transparent pixels hide.
        light = alpha.getbbox() is not None and ImageStat.Stat(visible, alpha).mean[0] > 127
        behind = Image.new("L", image.size, 0 if light else 255)
        return _pixels(Image.composite(visible, behind, alpha), torch.uint8)
    return _pixels(image.convert("L"), torch.uint8)


def _pixels(image: Image, dtype: torch.dtype) -> Tensor:
    width, height = image.size
    return torch.frombuffer(bytearray(image.tobytes()), dtype=dtype).view(height, width)
