"""What a verification says of the code of a user's own module, and that a bundle takes it along."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace

import pytest
from own_files import change_own, write_own

from core.errors import InvalidValue, RunError
from experiments.bundles.pack import pack
from experiments.bundles.unpack import unpacked
from experiments.execution.runner import Runner
from experiments.locations import Locations
from experiments.runs.own_code import own_arch
from experiments.runs.source import MAX_FILES
from experiments.verification.verify import verify


@pytest.fixture(autouse=True)
def nothing_was_named(tmp_path, monkeypatch):
    monkeypatch.setattr("experiments.runs.own_code.named_code_folder", lambda: tmp_path / "named")


@pytest.fixture
def arch(tmp_path):
    return write_own(tmp_path / "mine")


@pytest.fixture
def path(arch, tmp_path):
    return tmp_path / "mine" / "net.py"


@pytest.fixture
def run(locations, tiny, arch):
    runner = Runner(locations)
    return runner.store.run(list(runner.run(tiny.changed(arch=arch)))[-1].run_id)


def of_code(verification):
    """Each check of the code: whether it agrees, and what was found."""
    code = ("copy of the code", "files of the code now", "the code that was named")
    return {check.item: (check.agrees, check.found) for check in verification.checks if check.item in code}


def test_an_untouched_copy_and_file_agree(run, locations, arch):
    found = verify(run, locations, arch=arch)
    assert found.agrees
    assert found.code_note == ""
    assert of_code(found) == {"copy of the code": (True, "the same"), "files of the code now": (True, "the same")}


def test_a_file_that_has_changed_is_told_and_the_copy_is_scored(run, locations, arch, path):
    change_own(path)
    found = verify(run, locations, arch=arch)
    assert found.agrees
    assert "net.py has changed" in found.code_note
    assert of_code(found)["files of the code now"] == (None, "net.py has changed")


def test_a_copy_that_was_changed_differs_even_where_the_file_is_as_it_was(run, locations, arch):
    change_own(run.folder / "source" / "net.py")
    found = verify(run, locations, arch=arch)
    assert not found.agrees
    assert of_code(found)["copy of the code"][0] is False


def test_a_copy_that_was_changed_is_not_run(run, locations, arch, path):
    change_own(run.folder / "source" / "net.py")
    change_own(path)
    with pytest.raises(RunError, match="not the file that was kept"):
        verify(run, locations, arch=arch)


def test_other_code_that_is_named_is_scored_and_named(run, locations, tmp_path):
    other = write_own(tmp_path / "other")
    change_own(tmp_path / "other" / "net.py")
    found = verify(run, locations, arch=other)
    assert not found.agrees  # with these weights another network gives other scores
    assert "is not the code that the run was made with" in of_code(found)["the code that was named"][1]


def test_a_run_of_an_earlier_version_has_no_copy_to_check(run, locations, arch):
    (run.folder / "source.json").unlink()
    (run.folder / "source" / "net.py").unlink()
    (run.folder / "source").rmdir()
    found = verify(run, locations, arch=arch)
    assert found.agrees
    assert of_code(found) == {"copy of the code": (None, "there is none; earlier versions kept none")}


@pytest.fixture
def elsewhere(tmp_path, locations, monkeypatch) -> Locations:
    """Somebody else's machine, where nobody has named the code; it has the data of this one."""
    monkeypatch.setattr("experiments.runs.own_code.named_code_folder", lambda: tmp_path / "named-elsewhere")
    return replace(locations, home=tmp_path / "other")


@pytest.fixture
def contents(run) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(pack(run))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(path, contents):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


def relisted(contents, **files: bytes):
    """A bundle whose record of the code lists these files, with their true sums, beside those that it has."""
    from hashlib import sha256

    record = json.loads(contents["source.json"])
    for name, content in files.items():
        record["files"][name] = {"bytes": len(content), "sha256": sha256(content).hexdigest()}
    added = {f"source/{name}": content for name, content in files.items()}
    return contents | added | {"source.json": json.dumps(record).encode()}


def test_a_bundle_takes_the_code_along_and_runs_it_for_who_names_it(contents, elsewhere, path, tmp_path):
    content = path.read_bytes()
    change_own(path)
    bundle = zipped(tmp_path / "run.zip", contents)
    with unpacked(bundle) as [(found, checks)]:
        assert all(check.agrees for check in checks)
        assert (found.folder / "source" / "net.py").read_bytes() == content
        verification = verify(found, elsewhere, arch=own_arch(found), before=checks)
    assert verification.agrees


def test_a_bundle_is_opened_without_its_code_being_run(contents, elsewhere, path, tmp_path):
    bundle = zipped(tmp_path / "run.zip", relisted(contents, **{"net.py": b"raise SystemExit('run')"}))
    with (
        pytest.raises(InvalidValue, match="a module of your own") as caught,
        unpacked(bundle) as [(found, checks)],
    ):
        verify(found, elsewhere, before=checks)
    assert "take the code out of the bundle" in caught.value.hint


def test_the_code_of_a_bundle_is_not_run_for_another_file(contents, elsewhere, arch, path, tmp_path):
    bundle = zipped(tmp_path / "run.zip", relisted(contents, **{"net.py": b"raise SystemExit('run')"}))
    with unpacked(bundle) as [(found, checks)]:
        verification = verify(found, elsewhere, arch=arch, before=checks)
    assert of_code(verification)["the code that was named"][0] is None


@pytest.mark.parametrize(
    "name",
    ["source/../evil.py", "source//etc/evil.py", "source/a\\b.py", "source/", "source/c:evil.py", "source/x\n.py"],
)
def test_a_bundle_with_another_place_in_it_is_refused(contents, tmp_path, name):
    bundle = zipped(tmp_path / "run.zip", relisted(contents, **{name.removeprefix("source/"): b"1"}))
    with pytest.raises(RunError, match="safe to open"), unpacked(bundle):
        pass
    assert not (tmp_path / "evil.py").exists()


def test_a_bundle_with_code_that_its_record_does_not_list_is_refused(contents, tmp_path):
    for changed in (
        contents | {"source/torch.py": b"1"},
        {name: content for name, content in contents.items() if name != "source.json"},
        contents | {"source.json": b"{}"},
        contents | {"source.json": b'{"root": "/", "main": "net.py", "files": {}, "left_out": "too large"}'},
    ):
        with pytest.raises(RunError, match="safe to open"), unpacked(zipped(tmp_path / "run.zip", changed)):
            pass


def test_a_bundle_with_too_much_code_is_refused(contents, tmp_path, monkeypatch):
    many = relisted(contents, **{f"a{number}.py": b"" for number in range(MAX_FILES)})
    with pytest.raises(RunError, match="safe to open"), unpacked(zipped(tmp_path / "many.zip", many)):
        pass
    monkeypatch.setattr("experiments.bundles.archive.MAX_BYTES", 300)
    large = relisted(contents, **{"a.py": b"#" * 301})
    with pytest.raises(RunError, match="safe to open"), unpacked(zipped(tmp_path / "large.zip", large)):
        pass


def test_a_link_in_the_code_is_refused(contents, tmp_path):
    bundle = tmp_path / "run.zip"
    with zipfile.ZipFile(bundle, "w") as archive:
        for name, content in contents.items():
            info = zipfile.ZipInfo(name)
            if name == "source/net.py":
                info.external_attr = 0o120777 << 16
            archive.writestr(info, content)
    with pytest.raises(RunError, match="not a plain file"), unpacked(bundle):
        pass


def test_code_that_was_changed_in_a_bundle_differs(contents, elsewhere, path, tmp_path):
    changed = contents | {"source/net.py": contents["source/net.py"].replace(b"ReLU", b"Tanh")}
    with unpacked(zipped(tmp_path / "run.zip", changed)) as [(found, checks)]:
        assert [check.item for check in checks if not check.agrees] == ["SHA-256 of source/net.py"]
        assert not verify(found, elsewhere, arch=f"{path}:Net", before=checks).agrees


def test_a_copy_that_was_changed_is_not_bundled(run):
    change_own(run.folder / "source" / "net.py")
    with pytest.raises(RunError, match="not the file that was kept"):
        pack(run)
