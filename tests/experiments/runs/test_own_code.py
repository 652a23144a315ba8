"""Which code of a user's own is run for a run: its copy only where its user has named it, or the same."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
from own_files import change_own, write_own

from core.config import TrainConfig
from core.errors import InvalidValue, RunError
from core.models.own.files import OwnFiles
from experiments.runs.folder import Meta
from experiments.runs.own_code import (
    code_in_words,
    is_known,
    lasting_arch,
    named_code,
    own_arch,
    remember_named,
    was_named,
)


@pytest.fixture(autouse=True)
def nothing_was_named(tmp_path, monkeypatch):
    monkeypatch.setattr("experiments.runs.own_code.named_code_folder", lambda: tmp_path / "named")


@pytest.fixture
def arch(tmp_path):
    return write_own(tmp_path / "mine")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "mine" / "net.py"


@pytest.fixture
def config(arch):
    return TrainConfig(arch=arch)


@pytest.fixture
def files(arch, path):
    (path.parent / "layers.py").write_text("block = 1\n")
    return OwnFiles.read(path.parent, "net.py", ["layers.py"])


@pytest.fixture
def foreign(store, config, files):
    """A run with a copy that nobody here has named."""
    return store.create(config, Meta(), {}, files)


@pytest.fixture
def own(foreign, files):
    """A run with a copy of what its user named."""
    remember_named(files)
    return foreign


def test_an_unchanged_file_is_the_copy(foreign, config, arch, files):
    code = named_code(foreign, config, arch, exactly=True)
    assert (code.files, code.is_kept, code.note) == (files, True, "")
    assert is_known(foreign)


@pytest.mark.parametrize("exactly", [True, False])
def test_a_changed_file_of_ones_own_gives_way_to_the_copy_which_says_so(own, config, arch, path, files, exactly):
    change_own(path)
    code = named_code(own, config, arch, exactly=exactly)
    assert code.files == files
    assert code.is_kept
    assert code.note == "net.py has changed since the run was made: its own copy is used"
    assert code.config == config


def test_a_sibling_that_has_changed_or_gone_is_named(own, config, arch, path, files):
    (path.parent / "layers.py").unlink()
    assert named_code(own, config, arch).note.startswith("layers.py is gone since")
    change_own(path)
    assert named_code(own, config, arch).note.startswith("net.py has changed and layers.py is gone since")
    path.unlink()
    code = named_code(own, config, arch)
    assert code.note.startswith("layers.py and net.py are gone since")
    assert code.files == files


def test_the_copy_runs_in_the_place_of_the_files_while_there_is_such_a_folder(own, config, arch, path):
    change_own(path)
    assert named_code(own, config, arch).files.root == path.parent
    shutil.rmtree(path.parent)
    assert named_code(own, config, arch).files.root == own.folder / "source"


def test_a_copy_that_came_from_elsewhere_is_not_run_for_a_file_that_is_another(foreign, config, arch, path):
    change_own(path)
    assert not is_known(foreign)
    code = named_code(foreign, config, arch)
    assert (code.files, code.is_kept) == (None, False)  # the user's own file is, as it was named
    assert "net.py has changed since the run was made; what was named is used" in code.note
    with pytest.raises(InvalidValue, match="has changed since") as caught:
        named_code(foreign, config, arch, exactly=True)
    assert f"{foreign.folder / 'source' / 'net.py'}:Net" in caught.value.hint


def test_a_copy_that_came_from_elsewhere_is_run_when_it_is_named(foreign, config, path, files):
    change_own(path)
    code = named_code(foreign, config, f"{foreign.folder / 'source' / 'net.py'}:Net", exactly=True)
    assert code.files == files
    assert code.is_kept
    assert code.config.arch == config.arch


def test_the_same_files_elsewhere_are_the_copy_under_another_name_too(foreign, config, path, tmp_path, files):
    shutil.copytree(path.parent, tmp_path / "moved")
    (tmp_path / "moved" / "net.py").rename(tmp_path / "moved" / "renamed.py")
    change_own(path)
    code = named_code(foreign, config, f"{tmp_path / 'moved' / 'renamed.py'}:Net", exactly=True)
    assert code.files == replace(files, root=tmp_path / "moved")


def test_another_file_is_not_the_run_s_even_where_its_own_is_known(own, config, tmp_path):
    other = write_own(tmp_path / "other", "fixed.py")
    change_own(tmp_path / "other" / "fixed.py")
    code = named_code(own, config, other)
    assert (code.files, code.is_kept, code.config.arch) == (None, False, other)
    assert "is not the code that the run was made with" in code.note
    with pytest.raises(InvalidValue, match="is not the code that the run was made with"):
        named_code(own, config, other, exactly=True)


def test_a_file_without_the_sibling_that_it_imports_is_not_the_same(foreign, config, arch, path):
    (path.parent / "layers.py").unlink()
    with pytest.raises(InvalidValue, match=r"layers\.py is gone"):
        named_code(foreign, config, arch, exactly=True)


def test_arguments_are_part_of_the_name(store, arch, files):
    config = TrainConfig(arch=f"{arch}(width=6)")
    run = store.create(config, Meta(), {}, files)
    assert named_code(run, config, f"{arch}( width = 6 )", exactly=True).is_kept
    with pytest.raises(InvalidValue, match=r"the run's network is Net\(width=6\)"):
        named_code(run, config, f"{arch}(width=7)", exactly=True)
    assert not named_code(run, config, f"{arch}(width=7)").is_kept


@pytest.mark.parametrize("wrong", ["conv5", "c8 gap fc10"])
def test_a_spec_is_no_name_of_it(own, config, wrong):
    with pytest.raises(InvalidValue, match="the run's network is"):
        named_code(own, config, wrong)


def test_how_to_name_it_says_which_files_would_be_run(own, config, arch, path):
    with pytest.raises(InvalidValue, match="a module of your own") as caught:
        named_code(own, config, None)
    assert f"arch {arch} (the run's own copy of net.py and layers.py)" in caught.value.hint
    change_own(path)
    assert own_arch(own) == f"{own.folder / 'source' / 'net.py'}:Net"
    assert lasting_arch(own) == arch
    assert "net.py has changed since" in code_in_words(own)


def test_how_to_name_a_copy_from_elsewhere_is_by_the_copy(foreign, config, path):
    change_own(path)
    with pytest.raises(InvalidValue, match="a module of your own") as caught:
        named_code(foreign, config, None)
    assert f"{foreign.folder / 'source' / 'net.py'}:Net" in caught.value.hint
    assert "not made from files of this machine" in code_in_words(foreign)
    assert lasting_arch(foreign) == own_arch(foreign)


def test_a_damaged_copy_is_not_run_but_the_same_files_are(own, config, arch, path, files):
    (own.folder / "source" / "layers.py").write_text("block = 2\n")
    assert named_code(own, config, arch, exactly=True).files == files
    change_own(path)
    with pytest.raises(RunError, match=r"layers\.py: damaged"):
        named_code(own, config, arch)


def test_files_that_lie_beside_the_copy_are_not_run(own, config, path):
    (own.folder / "source" / "torch.py").write_text("raise SystemExit")
    change_own(path)
    assert named_code(own, config, own_arch(own)).files.contents.keys() == {"net.py", "layers.py"}


def test_a_run_without_a_copy_is_run_by_its_file_and_says_so(store, config, arch, path):
    run = store.create(config, Meta(), {})
    change_own(path)
    code = named_code(run, config, arch, exactly=True)
    assert (code.files, code.is_kept) == (None, None)
    assert "kept no copy" in code.note
    assert "keeps no copy" in code_in_words(run)
    assert is_known(run)
    assert own_arch(run) == lasting_arch(run) == arch


def test_files_too_large_to_be_kept_are_known_by_their_sums(store, config, arch, path, files, monkeypatch):
    monkeypatch.setattr("experiments.runs.source.MAX_BYTES", 10)
    run = store.create(config, Meta(), {}, files)
    remember_named(files)
    code = named_code(run, config, arch, exactly=True)
    assert (code.files, code.is_kept) == (None, True)
    change_own(path)
    with pytest.raises(InvalidValue, match="has changed since the run was made") as caught:
        named_code(run, config, arch, exactly=True)
    assert "it keeps no copy" in caught.value.hint


def test_a_cache_that_cannot_be_written_makes_nothing_known(tmp_path, arch, files, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr("experiments.runs.own_code.named_code_folder", lambda: tmp_path / "file" / "named")
    remember_named(files)
    assert not was_named(files.digest)


def test_a_note_that_somebody_else_could_have_made_is_none(tmp_path, arch, files):
    remember_named(files)
    assert was_named(files.digest)
    (tmp_path / "named").chmod(0o777)
    assert not was_named(files.digest)


def test_a_spec_needs_no_name_and_may_have_none(store):
    config = TrainConfig()
    run = store.create(config, Meta(), {})
    assert named_code(run, config, None).config == config
    assert own_arch(run) is None
    with pytest.raises(InvalidValue, match="the run's network is conv9"):
        named_code(run, config, "net.py:Net")
