"""Known data sets in whatever folder people have them, told apart by what is in the files."""

import gzip
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from own_data import contents, idx_bytes, write_idx

from core.data.loader import Loader
from core.data.places import find_place, holds, is_open_to_downloads
from core.data.sources import ALIASES, SOURCES
from core.data.sources import NAMES as ALL
from core.data.stored import ZipMember
from core.dataset_names import TASKS
from core.errors import DataError

NAMES = SOURCES["mnist"].names
DOTTED = [name.replace("-idx", ".idx") for name in NAMES]


@pytest.fixture(scope="session")
def raw(mnist_root: Path) -> Path:
    return mnist_root / "MNIST" / "raw"


@pytest.fixture(scope="module")
def stock(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MNIST's files, packed anew and not at all."""
    folder = tmp_path_factory.mktemp("stock")
    for name in NAMES:
        content = gzip.decompress((raw / f"{name}.gz").read_bytes())
        (folder / name).write_bytes(content)
        (folder / f"{name}.gz").write_bytes(gzip.compress(content, 1))
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared, so that the same files are decoded once."""
    return tmp_path_factory.mktemp("cache")


def lay(stock: Path, folder: Path, names: list[str], *, packed: bool) -> Path:
    """MNIST's files in a folder under other names, packed anew or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    end = ".gz" if packed else ""
    for name, other in zip(NAMES, names, strict=True):
        (folder / f"{other}{end}").hardlink_to(stock / f"{name}{end}")
    return folder


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("names", [NAMES, DOTTED], ids=["with a hyphen", "with a dot"])
@pytest.mark.parametrize("place", ["MNIST/raw", "MNIST", "raw", ".", "mnist"])
def test_mnist_is_found_packed_anew_or_plain_wherever_people_have_it(tmp_path, stock, cache, place, names, packed):
    root = tmp_path / "root"
    lay(stock, root / place, list(names), packed=packed)
    files = sorted(root.rglob("*"))
    place_of = find_place(root, "mnist")
    assert place_of.folder == root / place
    assert place_of.missing == ()
    data = Loader(root, cache).load("mnist")
    assert (data.name, data.note, data.train_images.shape) == ("mnist", "", (60_000, 28, 28))
    assert data.train_labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert sorted(root.rglob("*")) == files


def test_the_root_may_be_named_at_any_depth_of_torchvisions_folders(raw, cache):
    for root in (raw.parents[1], raw.parent, raw):
        data = Loader(root, cache).load("mnist")
        assert data.test_labels[:5].tolist() == [7, 2, 1, 0, 4]


def test_kaggles_files_each_in_a_folder_of_its_own_name_are_found(stock, cache, tmp_path):
    for name in NAMES:
        (tmp_path / name).mkdir()
        (tmp_path / name / name).hardlink_to(stock / name)
    assert find_place(tmp_path, "mnist").missing == ()
    assert Loader(tmp_path, cache).load("mnist").note == ""


@pytest.mark.parametrize("altered", NAMES[2:])
def test_one_altered_byte_is_found_in_a_file_that_was_packed_anew(stock, cache, tmp_path, altered, presentable):
    lay(stock, tmp_path, list(NAMES), packed=True)
    content = bytearray((stock / altered).read_bytes())
    content[-1000] ^= 1
    (tmp_path / f"{altered}.gz").unlink()
    (tmp_path / f"{altered}.gz").write_bytes(gzip.compress(content, 1))
    with pytest.raises(DataError) as caught:
        Loader(tmp_path, cache).load("mnist")
    presentable(caught.value.message, str(tmp_path / f"{altered}.gz"), "corrupt")


def fake(folder: Path, *, balanced: bool = True, packed: bool = False) -> Path:
    """Well-formed files of nobody's set; labels of ten equal classes, or with one too many of the first."""
    folder.mkdir(parents=True)
    for facts in SOURCES["kmnist"].files:
        array = np.zeros(facts.shape, dtype=np.uint8)
        if len(facts.shape) == 1:
            array[:] = np.arange(len(array)) % 10
            array[1] = 1 if balanced else 0
        else:
            array[:1000, 3, 3] = np.arange(1000) % 251
        write_idx(folder / (f"{facts.name}.gz" if packed else facts.name), array)
    return folder


def test_a_set_without_published_sums_of_its_content_is_held_to_its_structure_and_that_is_said(tmp_path, presentable):
    fake(tmp_path / "root" / "KMNIST" / "raw", packed=True)
    loader = Loader(tmp_path / "root", tmp_path / "cache")
    first, again = loader.load("kmnist"), loader.load("kmnist")
    presentable(first.note, "kmnist", "could not be verified against a published sum")
    assert again.note == first.note
    assert [verified for _, verified in loader.verify("kmnist")] == [False] * 4
    assert first.classes[:3] == ("o", "ki", "su")


def test_classes_of_another_size_than_published_are_corrupt(tmp_path, presentable):
    fake(tmp_path / "root" / "KMNIST" / "raw", balanced=False)
    with pytest.raises(DataError) as caught:
        Loader(tmp_path / "root", tmp_path / "cache").load("kmnist")
    presentable(caught.value.message, "train-labels-idx1-ubyte", "corrupt", "6,001 labels of the class o, not 6,000")


def test_nobody_takes_one_set_for_another(raw, tmp_path, presentable, no_mirror):
    """A folder of one set, named as the root, is none of the others; and one under the wrong name is told by name."""
    assert holds(find_place(raw, "mnist").files) == "mnist"
    place = find_place(raw, "fashion")
    assert len(place.missing) == 4
    assert place.others == (f"{raw} is of mnist",)
    with pytest.raises(DataError) as caught:
        Loader(raw, tmp_path / "cache").load("fashion")
    presentable(caught.value.message, str(raw), "has no files of fashion", "is of mnist")
    wrong = tmp_path / "FashionMNIST" / "raw"
    shutil.copytree(raw, wrong, copy_function=shutil.copyfile)
    with pytest.raises(DataError, match="is of mnist, not fashion"):
        Loader(tmp_path, tmp_path / "cache").load("fashion")


def test_files_of_nobody_are_no_mnist(tmp_path, presentable):
    fake(tmp_path / "root")
    with pytest.raises(DataError) as caught:
        Loader(tmp_path / "root", tmp_path / "cache").load("mnist")
    presentable(caught.value.message, "corrupt, or not a file of mnist")


@pytest.fixture
def no_mirror(monkeypatch):
    import torchvision.datasets

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for one in ("MNIST", "FashionMNIST", "KMNIST"):
        monkeypatch.setattr(
            getattr(torchvision.datasets, one), "mirrors", ["http://127.0.0.1:9/a/", "http://127.0.0.1:9/b/"]
        )


def test_a_run_makes_no_folder_in_one_of_other_things_but_a_download_does(tmp_path, no_mirror, presentable):
    root = tmp_path / "home"
    root.mkdir()
    (root / "letter.txt").write_text("dear")
    assert not is_open_to_downloads(root)
    loader = Loader(root, tmp_path / "cache")
    with pytest.raises(DataError) as caught:
        loader.load("mnist")
    presentable(caught.value.message, str(root), "has no files of mnist")
    assert "MNIST/raw" in caught.value.hint
    assert [path.name for path in root.iterdir()] == ["letter.txt"]
    with pytest.raises(DataError, match="cannot be downloaded"):
        loader.fetch("mnist", asked=True)
    (root / "KMNIST").mkdir()
    assert is_open_to_downloads(root)


def test_a_missing_file_is_put_beside_the_others(raw, tmp_path, monkeypatch):
    import torchvision.datasets

    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [f"{raw.as_uri()}/"])
    for name in NAMES[:3]:
        shutil.copyfile(raw / f"{name}.gz", tmp_path / f"{name}.gz")
    loader = Loader(tmp_path, tmp_path / "cache")
    loader.fetch("mnist")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{name}.gz" for name in NAMES)
    assert (tmp_path / f"{NAMES[3]}.gz").read_bytes() == (raw / f"{NAMES[3]}.gz").read_bytes()


def test_a_failed_download_says_what_to_fetch_from_where_and_where_to_put_it(tmp_path, no_mirror):
    with pytest.raises(DataError) as caught:
        Loader(tmp_path / "root", tmp_path / "cache").load("kmnist")
    for part in (*(f"{name}.gz" for name in NAMES), "http://127.0.0.1:9/a/", "http://127.0.0.1:9/b/"):
        assert part in caught.value.hint
    assert str(tmp_path / "root" / "KMNIST" / "raw") in caught.value.hint
    assert caught.value.hint.isprintable()


def test_emnist_is_never_downloaded_without_being_asked_for_and_its_size_is_said(tmp_path, presentable):
    with pytest.raises(DataError) as caught:
        Loader(tmp_path / "root", tmp_path / "cache").load("emnist")
    presentable(caught.value.message, "emnist-balanced", "562 MB", str(tmp_path / "root" / "EMNIST" / "raw"))
    assert "download emnist-balanced" in caught.value.hint
    assert not (tmp_path / "root").exists()


def emnist_files(part: str) -> dict[str, bytes]:
    """Files of the published names and shapes: letter L of image I has a column L of light in its upper half."""
    source = SOURCES[f"emnist-{part}"]
    found = {}
    for facts in source.files:
        array = np.zeros(facts.shape, dtype=np.uint8)
        labels = np.arange(facts.shape[0]) % len(source.classes)
        if len(facts.shape) == 1:
            array[:] = labels + source.first_label
        else:  # lying on its side, as EMNIST's are
            array[np.arange(len(array)), labels % 28, :14] = 200
        found[f"gzip/{facts.name}.gz"] = gzip.compress(idx_bytes(array), 1)
    return found


@pytest.fixture(scope="module")
def letters() -> dict[str, bytes]:
    return emnist_files("letters")


@pytest.mark.parametrize("form", ["archive", "torchvision"])
def test_emnist_stands_upright_and_has_its_names_in_each_form(tmp_path, letters, form):
    folder = tmp_path / "root" / "EMNIST" / "raw"
    folder.mkdir(parents=True)
    if form == "archive":
        with zipfile.ZipFile(folder / "gzip.zip", "w") as archive:
            for name, content in {**letters, "../../outside": b"x", "gzip/emnist-digits-mapping.txt": b""}.items():
                archive.writestr(name, content)
    for name, content in letters.items() if form != "archive" else ():
        (folder / Path(name).stem).write_bytes(gzip.decompress(content))
    before = contents(tmp_path)
    data = Loader(tmp_path / "root", tmp_path / "cache").load("emnist-letters")
    assert {name: content for name, content in contents(tmp_path).items() if name.startswith("root")} == before
    assert data.classes == tuple("abcdefghijklmnopqrstuvwxyz")
    assert (len(data.train_labels), len(data.test_labels)) == (124_800, 20_800)
    assert data.train_labels[:3].tolist() == [0, 1, 2]
    assert int(data.train_labels.max()) == 25
    assert data.train_images[5, :14, 5].tolist() == [200] * 14
    assert int(data.train_images[5].sum()) == 14 * 200
    assert data.task.classes == 26
    assert 0 < data.mean < 1
    assert "could not be verified" in data.note
    assert not (tmp_path / "outside").exists()


def test_a_damaged_archive_is_named(tmp_path, letters, presentable):
    folder = tmp_path / "EMNIST" / "raw"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "gzip.zip", "w") as archive:
        for name, content in letters.items():
            archive.writestr(name, content)
    content = bytearray((folder / "gzip.zip").read_bytes())
    content[5000] ^= 1
    (folder / "gzip.zip").write_bytes(content)
    with pytest.raises(DataError) as caught:
        Loader(tmp_path, tmp_path / "cache").load("emnist-letters")
    presentable(caught.value.message, "gzip.zip:gzip/emnist-letters-train-images-idx3-ubyte.gz", "corrupt")
    (folder / "gzip.zip").write_bytes(content[:5000])
    assert len(find_place(tmp_path, "emnist-letters").missing) == 4


def test_every_known_set_is_named_once_and_has_as_many_classes_as_its_task():
    assert sorted(TASKS) == sorted(["auto", *ALIASES, *ALL])
    assert all(TASKS[alias] == TASKS[name] for alias, name in ALIASES.items())
    for name, source in SOURCES.items():
        assert TASKS[name].classes == len(source.classes) == len(set(source.classes))
    assert SOURCES["emnist-byclass"].classes[8:12] == ("8", "9", "A", "B")
    assert SOURCES["emnist-byclass"].classes[34:38] == ("Y", "Z", "a", "b")
    assert "".join(SOURCES["emnist-balanced"].classes[36:]) == "abdefghnqrt"


def test_the_sums_and_names_are_torchvisions_own():
    import torchvision.datasets as theirs

    for name in ("mnist", "fashion", "kmnist"):
        published = getattr(theirs, SOURCES[name].folder)
        assert {(f"{file.name}.gz", file.packed) for file in SOURCES[name].files} == set(published.resources)
    qmnist = [(url.rpartition("/")[2], md5) for part in ("train", "test") for url, md5 in theirs.QMNIST.resources[part]]
    assert [(f"{file.name}.gz", file.packed) for file in SOURCES["qmnist"].files] == qmnist
    for part, names in theirs.EMNIST.classes_split_dict.items():
        ours = SOURCES[f"emnist-{part}"]
        assert list(ours.classes) == [one for one in names if one != "N/A"]
    for name in ("fashion", "kmnist"):
        assert list(SOURCES[name].classes) == getattr(theirs, SOURCES[name].folder).classes


@pytest.fixture(scope="module")
def qmnist_root(tmp_path_factory):
    """Files of QMNIST's form: its labels are rows of eight numbers, of which the first is the class."""
    root = tmp_path_factory.mktemp("qmnist")
    counts = SOURCES["qmnist"].counts
    for facts in SOURCES["qmnist"].files:
        labels = np.repeat(np.arange(10), counts)
        if len(facts.shape) == 3:
            array = np.zeros(facts.shape, dtype=np.uint8)
            array[:, 0, 0] = np.arange(len(array)) % 250
        else:
            array = np.zeros(facts.shape, dtype=np.int32)
            array[:, 0], array[:, 1:] = labels, 70_000
        write_idx(root / facts.name, array)
    return root


def test_qmnist_has_sixty_thousand_test_images_or_the_fifty_thousand_that_mnist_has_not(qmnist_root, tmp_path):
    loader = Loader(qmnist_root, tmp_path / "cache")
    whole, rest = loader.load("qmnist"), loader.load("qmnist-50k")
    assert (len(whole.test_labels), len(rest.test_labels)) == (60_000, 50_000)
    assert (whole.test_images[10_000:] == rest.test_images).all()
    assert (whole.test_labels[10_000:] == rest.test_labels).all()
    assert whole.train_labels.bincount().tolist() == list(SOURCES["qmnist"].counts)


def test_members_of_an_archive_are_named_with_it():
    assert str(ZipMember(Path("/a/b.zip"), "c/d.gz")) == "/a/b.zip:c/d.gz"
