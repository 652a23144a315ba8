"""Pictures become what MNIST's images are, whatever their size, colours and file format; everything else is refused."""

import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
import torch
from picture_files import read_picture
from PIL import Image, ImageDraw
from torch.nn import functional as F

from core.data.picture import MAX_PIXELS, NothingDrawn, normalise, write_picture
from core.errors import InvalidValue


def centre(image: torch.Tensor) -> tuple[float, float]:
    mass = image.double()
    places = torch.arange(28.0)
    return float((mass.sum(1) * places).sum() / mass.sum()), float((mass.sum(0) * places).sum() / mass.sum())


def box(image: torch.Tensor) -> tuple[int, int]:
    """Height and width of what is not black."""
    rows, columns = image.any(1).nonzero(), image.any(0).nonzero()
    return int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1


def seven(width: int, height: int, *, ink: int = 0, paper: int = 255, mode: str = "L") -> Image.Image:
    """A seven in thick strokes, somewhere in a picture."""
    image = Image.new(mode, (width, height), paper)
    left, top, side = width // 5, height // 4, min(width, height) // 3
    stroke = max(2, side // 8)
    points = [(left, top), (left + side, top), (left + side // 3, top + side + side // 2)]
    ImageDraw.Draw(image).line(points, fill=ink, width=stroke, joint="curve")
    return image


def saved(image: Image.Image, path: Path, **options: object) -> Path:
    image.save(path, **options)
    return path


def difference(one: torch.Tensor, other: torch.Tensor) -> float:
    """Mean over the pixels, of 255."""
    return float((one.double() - other.double()).abs().mean())


@pytest.mark.parametrize("values", [(float("nan"),), (float("inf"),), (float("-inf"),), (-3e38, 3e38)])
def test_pixels_that_are_no_numbers_are_refused_by_name(tmp_path, values):
    image = Image.new("F", (40, 30), 0.0)
    for place, value in enumerate(values):
        image.putpixel((10 + place, 10), value)
    image.save(tmp_path / "odd.tiff")
    with pytest.raises(InvalidValue, match=r"odd\.tiff.*not numbers that can be compared"):
        read_picture(tmp_path / "odd.tiff")


@pytest.mark.parametrize("size", [(28, 28), (300, 200), (90, 400), (20, 20), (640, 480)])
@pytest.mark.parametrize(("ink", "paper"), [(0, 255), (255, 0), (60, 200), (200, 60)])
def test_any_size_and_either_contrast_ends_in_a_box_of_20_centred_by_mass(size, ink, paper):
    pixels = torch.tensor(list(seven(*size, ink=ink, paper=paper).tobytes()), dtype=torch.uint8).view(size[1], size[0])
    image = normalise(pixels)
    assert image.shape == (28, 28)
    assert image.dtype == torch.uint8
    assert max(box(image)) == 20
    assert image.max() == 255
    assert centre(image) == pytest.approx((14, 14), abs=0.51)
    assert not image[0].any()
    assert not image[:, 0].any()


def test_floats_from_0_to_1_are_the_same_picture_as_bytes():
    pixels = torch.tensor(list(seven(100, 120).tobytes()), dtype=torch.uint8).view(120, 100)
    assert torch.equal(normalise(pixels), normalise(pixels / 255))


def test_the_aspect_ratio_is_kept():
    drawing = torch.zeros(50, 300, dtype=torch.uint8)
    drawing[20:30, 100:140] = 255  # 10 high, 40 wide
    assert box(normalise(drawing)) == (5, 20)


def test_nothing_is_cut_off_where_the_mass_lies_at_one_end():
    drawing = torch.zeros(200, 200, dtype=torch.uint8)
    drawing[20:180, 20:24] = 255
    drawing[20:30, 20:180] = 255
    drawing[20:60, 20:60] = 255
    assert box(normalise(drawing)) == (20, 20)


def test_dust_and_noise_below_the_ink_do_not_widen_the_box():
    torch.manual_seed(0)
    drawing = torch.randint(0, 20, (120, 120), dtype=torch.uint8)
    drawing[40:80, 50:60] = 240
    assert box(normalise(drawing)) == (20, 5)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_one_colour_is_nothing_drawn(value):
    with pytest.raises(NothingDrawn):
        normalise(torch.full((30, 40), value, dtype=torch.uint8))
    with pytest.raises(NothingDrawn):
        normalise(torch.full((30, 40), value / 255))


def test_mnist_itself_is_hardly_changed(mnist_root, cache_home):
    from core.data.loader import Loader

    images = Loader(mnist_root, cache_home).load("mnist").test_images[:200]
    again = torch.stack([normalise(image) for image in images])
    large = F.interpolate(images[:, None].float(), scale_factor=10, mode="bilinear")[:, 0].round().to(torch.uint8)
    from_large = torch.stack([normalise(255 - image) for image in large])
    assert difference(again, images) < 2.5
    assert difference(from_large, images) < 10


def test_a_picture_in_mnists_form_is_taken_as_it_is(tmp_path):
    image = torch.zeros(28, 28, dtype=torch.uint8)
    image[3:9, 2:27] = 130  # neither centred nor in a box of 20 nor white
    write_picture(tmp_path / "a.png", image)
    assert torch.equal(read_picture(tmp_path / "a.png"), image)


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "P", "LA", "RGBA", "I;16", "CMYK"])
def test_every_kind_of_pixel_gives_the_same_digit(tmp_path, mode):
    plain = seven(200, 160)
    wanted = read_picture(saved(plain, tmp_path / "plain.png"))
    if mode == "I;16":
        values = [257 * value for value in plain.tobytes()]
        image = Image.frombytes("I;16", plain.size, struct.pack(f"<{len(values)}H", *values))
    else:
        image = plain.convert(mode)
    path = saved(image, tmp_path / ("image.tiff" if mode == "CMYK" else "image.png"))
    assert difference(read_picture(path), wanted) < 1.5


@pytest.mark.parametrize(
    ("suffix", "tolerance"), [("jpg", 4), ("gif", 1), ("bmp", 1), ("ppm", 1), ("tiff", 1), ("webp", 4)]
)
def test_every_format_gives_the_same_digit(tmp_path, suffix, tolerance):
    wanted = read_picture(saved(seven(200, 160), tmp_path / "plain.png"))
    path = saved(seven(200, 160, mode="RGB", ink=(0, 0, 0), paper=(255, 255, 255)), tmp_path / f"image.{suffix}")
    assert difference(read_picture(path), wanted) < tolerance


@pytest.mark.parametrize("ink", [0, 255])
@pytest.mark.parametrize("hidden", [0, 255])
def test_transparent_paper_is_paper_whatever_colour_it_hides(tmp_path, ink, hidden):
    wanted = read_picture(saved(seven(200, 160), tmp_path / "plain.png"))
    alpha = seven(200, 160, ink=255, paper=0)
    colour = Image.composite(Image.new("L", alpha.size, ink), Image.new("L", alpha.size, hidden), alpha)
    path = saved(Image.merge("LA", (colour, alpha)), tmp_path / "image.png")
    assert difference(read_picture(path), wanted) < 1.5


def test_a_photo_is_turned_as_its_camera_was(tmp_path):
    upright = seven(200, 160)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees clockwise
    path = saved(upright.transpose(Image.Transpose.ROTATE_90), tmp_path / "image.png", exif=exif)
    wanted = read_picture(saved(upright, tmp_path / "plain.png"))
    assert difference(read_picture(path), wanted) < 0.5


def refused(path: Path) -> str:
    with pytest.raises(InvalidValue) as caught:
        read_picture(path)
    assert caught.value.message.startswith("image = ")
    assert path.name in caught.value.message
    assert caught.value.hint
    return caught.value.message


def test_what_is_no_picture_is_refused_by_name(tmp_path):
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("this is not an image\n" * 50)
    (tmp_path / "vector.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 28 28\n")
    os.mkfifo(tmp_path / "pipe.png")
    whole = saved(seven(200, 160), tmp_path / "whole.png").read_bytes()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    assert "empty" in refused(tmp_path / "empty.png")
    assert "not a readable image" in refused(tmp_path / "text.png")
    assert "not a readable image" in refused(tmp_path / "vector.eps")
    assert "not a regular file" in refused(tmp_path / "pipe.png")
    assert "no such file" in refused(tmp_path / "missing.png")
    assert "directory" in refused(tmp_path)
    assert refused(tmp_path / "half.png")


@pytest.mark.parametrize("size", [(28, 28), (300, 200)])
def test_a_picture_of_one_colour_is_refused_by_name(tmp_path, size):
    for colour in (0, 255):
        assert "nothing is drawn" in refused(saved(Image.new("L", size, colour), tmp_path / "plain.png"))


def png_of(width: int, height: int) -> bytes:
    """A black PNG of any size, made a row at a time."""
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(width + 1)) for _ in range(height)) + packer.flush()

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(20_000, 20_000), (10_000, 6_000)])
def test_an_image_that_would_fill_the_memory_is_refused_without_being_unpacked(tmp_path, size):
    """In a process that may not have the memory for it."""
    path = tmp_path / "huge.png"
    path.write_bytes(png_of(*size))
    code = (
        "import sys, resource; import torch; from pathlib import Path; from PIL import Image, PngImagePlugin;"
        "from core.data.picture import read_digits; from core.errors import InvalidValue\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: read_digits(Path(sys.argv[1]))\n"
        "except InvalidValue as error: print(error.message)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    answer = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    message, grown = answer.stdout.splitlines()
    assert "huge.png" in message
    assert f"at most {MAX_PIXELS:,} pixels" in message
    assert int(grown) < 20_000  # KiB; unpacked it would be 60,000 at least


def test_a_written_picture_is_read_back(tmp_path):
    image = torch.arange(28 * 28).remainder(256).to(torch.uint8).view(28, 28)
    write_picture(tmp_path / "a.png", image)
    with Image.open(tmp_path / "a.png") as found:
        assert found.mode == "L"
        assert found.tobytes() == image.numpy().tobytes()
