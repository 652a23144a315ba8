"""How many of 20 photographs of each kind a trained network reads right, and of 100 of scikit-learn's digits.

    python tests/benchmark/pictures.py RUN [KIND...]

The run is looked for in MNIST_TUI_HOME, MNIST in MNIST_TUI_DATA. The kinds are those of
tests/support/photographs.py and more_photographs.py, and by name those of thin_lines.py.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from more_photographs import KINDS
from photographs import two_digits
from PIL import Image
from thin_lines import LINES

from core.data.loader import Loader
from core.data.picture import read_digits
from core.errors import LabError
from experiments.inference.network import LoadedNetwork, load_network
from experiments.locations import Locations
from experiments.runs.store import Store

EACH = 20


def main() -> None:
    locations = Locations.resolve()
    network = load_network(Store(locations.home).find(sys.argv[1]))
    data = Loader(locations.data, locations.cache).load("mnist")
    labels = data.test_labels.tolist()
    # The same number of each class, those that the network itself knows.
    known = (network.probabilities(data.test_images[:1000]).argmax(1) == data.test_labels[:1000]).tolist()
    index = [[i for i in range(1000) if labels[i] == digit and known[i]][: EACH // 10] for digit in range(10)]
    chosen = [i for row in index for i in row]
    images = data.test_images.numpy()
    kinds = sys.argv[2:] or [*KINDS, "two digits", "scikit-learn"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.png"
        for kind in kinds:
            if kind == "scikit-learn":
                for name, picture, label in _scikit_learn():
                    picture.save(path)
                    _count(name, [label], network, path)
                continue
            random = np.random.default_rng(7)
            for i, other in zip(chosen, [*chosen[7:], *chosen[:7]], strict=True):
                if kind == "two digits":
                    two_digits(images[i], images[other], random).save(path)
                    _count(kind, [labels[i], labels[other]], network, path)
                else:
                    (KINDS | LINES)[kind](images[i], random).save(path)
                    _count(kind, [labels[i]], network, path)
    for kind, (right, of, seconds, wrong) in _counts.items():
        print(f"{kind:32} {right:3} of {of:3}  {1000 * seconds / of:6.0f} ms  {' '.join(wrong)}")


_counts: dict[str, tuple[int, int, float, list[str]]] = {}


def _count(kind: str, truth: list[int], network: LoadedNetwork, path: Path) -> None:
    began = time.process_time()
    try:
        digits = read_digits(path)
    except LabError:
        digits = []
    spent = time.process_time() - began
    if len(truth) == 1:
        digits = [max(digits, key=lambda digit: digit.score)] if digits else []
    found = [int(network.probabilities(digit.image[None]).argmax()) for digit in digits]
    right, of, seconds, wrong = _counts.get(kind, (0, 0, 0.0, []))
    if found != truth:
        wrong = [*wrong, f"{''.join(map(str, truth))}>{''.join(map(str, found)) or 'none'}"]
    _counts[kind] = (right + (found == truth), of + 1, seconds + spent, wrong)


def _scikit_learn() -> Iterator[tuple[str, Image.Image, int]]:
    """Its 8 x 8 digits, the first hundred, enlarged in several ways."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    for values, label in zip(digits.images[:100], digits.target[:100].tolist(), strict=True):
        small = np.clip(values * 16, 0, 255).astype(np.uint8)
        for name, pixels in (("light", small), ("dark", 255 - small)):
            image = Image.fromarray(pixels)
            rim = Image.new("L", (10, 10), int(pixels.max() if name == "dark" else 0))
            rim.paste(image, (1, 1))
            for how in (Image.Resampling.NEAREST, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC):
                yield f"scikit-learn {name} {how.name.lower()}", image.resize((28, 28), how), label
            yield f"scikit-learn {name} 280", image.resize((280, 280), Image.Resampling.BICUBIC), label
            yield f"scikit-learn {name} border", rim.resize((28, 28), Image.Resampling.BICUBIC), label
            yield f"scikit-learn {name} 8 x 8", image, label


if __name__ == "__main__":
    main()
