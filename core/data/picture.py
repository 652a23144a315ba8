"""Pictures of digits, from files or drawn by hand, normalised as MNIST's are.

The digit, light on black, is scaled to fit a box of 20 x 20 pixels, its aspect ratio kept and its edges anti-aliased,
and placed in 28 x 28 pixels with its centre of mass in the middle (http://yann.lecun.com/exdb/mnist/). In MNIST's own
test images that centre lies within half a pixel of pixel (14, 14), and the brightest pixel is 254 or 255.
"""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from core.errors import InvalidValue, LabError, one_line
from core.storage.files import open_regular, replacing

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE, BOX, MIDDLE = 28, 20, 14
MAX_PIXELS = 50_000_000
"""Larger images are refused by what their header says, before anything of them is unpacked."""
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "PPM", "TIFF", "WEBP")
"""Plain pixel formats; others of Pillow's start programs to be decoded."""

MIN_CONTRAST = 0.06
"""Between ink and background, as a share of the range from black to white; below it nothing is drawn."""
NOISE = 0.2
"""Pixels less than this share of the contrast above the background are paper, noise or dust, not ink."""


class NothingDrawn(LabError):
    """The picture is of one colour."""

    def __init__(self) -> None:
        super().__init__("nothing is drawn on it", hint="draw a digit, light on dark or dark on light")


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
    return _centred(_boxed(torch.where(digit > NOISE, digit, 0.0)))


def read_picture(path: Path) -> Tensor:
    """The digit in an image file, as (28, 28) uint8.

    An image of exactly 28 x 28 pixels with a black rim has MNIST's form already and is taken as it is.

    Raises:
        InvalidValue: naming the file, when it is missing, no image, too large or of one colour.
    """
    gray = _read_gray(path)
    rim = torch.cat((gray[0], gray[-1], gray[:, 0], gray[:, -1]))
    if gray.shape == (SIDE, SIDE) and gray.dtype == torch.uint8 and int(rim.median()) == 0 and int(gray.max()) > 0:
        return gray
    try:
        return normalise(gray)
    except NothingDrawn as error:
        raise InvalidValue("image", str(path), error.message, hint=error.advice) from error


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


def _boxed(digit: Tensor) -> Tensor:
    """The digit with its longer side made 20 pixels."""
    height, width = digit.shape
    scale = BOX / max(height, width)
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    resized = F.interpolate(digit[None, None], size=size, mode="bilinear", antialias=True)[0, 0]
    return resized / resized.max()


def _centred(digit: Tensor) -> Tensor:
    """(28, 28) uint8 with the centre of mass at pixel (14, 14), or as near as nothing is cut off."""
    mass = digit.sum()
    top, left = (
        min(max(MIDDLE - round(float((digit.sum(1 - dim) * torch.arange(length)).sum() / mass)), 0), SIDE - length)
        for dim, length in enumerate(digit.shape)
    )
    image = torch.zeros(SIDE, SIDE, dtype=torch.uint8)
    height, width = digit.shape
    image[top : top + height, left : left + width] = (digit * 255).round().to(torch.uint8)
    return image


def _read_gray(path: Path) -> Tensor:
    """The pixels of an image file, (H, W): uint8, or float32 from 0 to 1 where the file has more than 8 bits."""
    from PIL import Image

    hint = "give a PNG, JPEG, GIF, BMP, PPM, TIFF or WebP file of a digit"
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
        reason = error.strerror.lower() if error.strerror else "is not an image that can be read"
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
            raise ValueError("its pixels are no numbers that can be compared")
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
