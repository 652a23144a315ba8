"""What another user could have put in the place of a file is not trusted, wherever on the way they could do it."""

import logging
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from core.storage import trust
from core.storage.trust import is_trusted, make_private_folder, others_access, private_temporary_folder

WAYS = {
    "the file": ("inner/file", 0o666, "inner/file can be changed by other users"),
    "its folder": ("inner", 0o777, "inner can be changed by other users"),
    "a folder above": ("", 0o777, " can be changed by other users"),
    "where a link leads": ("inner/aim", 0o777, "inner/aim can be changed by other users"),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of this user, by way of a folder and a link."""
    (tmp_path / "inner" / "aim").mkdir(parents=True)
    (tmp_path / "inner" / "aim" / "file").touch()
    (tmp_path / "inner" / "link").symlink_to("../inner/aim")
    (tmp_path / "inner" / "file").touch()
    return tmp_path / "inner" / "file"


def test_a_file_of_ones_own_is_trusted_and_so_is_one_that_is_not_there(file, tmp_path):
    assert others_access(file) == ""
    assert others_access(file.parent / "link" / "file") == ""
    assert others_access(tmp_path / "none" / "none") == ""
    assert others_access(Path(sys.executable).resolve()) == ""


@pytest.mark.parametrize("way", WAYS)
def test_what_others_can_write_is_not(file, tmp_path, way):
    changed, mode, words = WAYS[way]
    (tmp_path / changed).chmod(mode)
    path = file.parent / "link" / "file" if way == "where a link leads" else file
    assert others_access(path).endswith(words)


def test_a_folder_that_all_may_write_as_tmp_is_trusted_for_what_is_mine_in_it_but_not_itself(file):
    file.parent.chmod(0o1777)
    assert others_access(file) == ""
    assert others_access(file.parent).endswith("inner can be changed by other users")


@pytest.mark.parametrize("name", ["file", "", "link"])
def test_what_belongs_to_another_user_is_not(file, monkeypatch, name):
    path = file.parent / name
    if os.geteuid() == 0:
        os.chown(path, 12_345, -1, follow_symlinks=False)
    else:
        owner, real = os.geteuid(), Path.lstat

        def lent(self: Path) -> os.stat_result:
            found = real(self)
            return (
                os.stat_result([*found[:4], 12_345, *found[5:10]]) if self == path and found.st_uid == owner else found
            )

        monkeypatch.setattr(Path, "lstat", lent)
    assert others_access(path / "file" if name == "link" else file) == f"{path} belongs to another user"


def test_the_group_may_write_where_it_is_the_users_own(file, monkeypatch):
    file.chmod(0o664)
    monkeypatch.setattr(trust, "_is_own_group", lambda _: True)
    assert others_access(file) == ""
    monkeypatch.setattr(trust, "_is_own_group", lambda _: False)
    assert others_access(file)


def test_links_that_lead_round_are_given_up(tmp_path):
    (tmp_path / "round").symlink_to(tmp_path / "round")
    assert others_access(tmp_path / "round").endswith("is a broken link")


def test_it_is_logged_once_on_one_line(tmp_path, caplog):
    folder = tmp_path / "a\x1b]52;c;aGk=\x07\u202eb"
    folder.mkdir()
    folder.chmod(0o777)
    caplog.set_level(logging.WARNING, "core")
    for _ in range(2):
        assert not is_trusted(folder / "file", "it is made anew")
    (record,) = caplog.records
    assert record.message.isprintable()
    assert record.message.endswith("can be changed by other users, so it is made anew")


def test_folders_are_made_for_this_user_alone_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        make_private_folder(tmp_path / "one" / "two")
    finally:
        os.umask(before)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("one", "one/two")] == [0o700] * 2


def test_a_temporary_folder_is_private_and_gone_with_its_process(tmp_path):
    code = "from core.storage.trust import private_temporary_folder as f; print(f()); assert f() == f()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(done.stdout.strip()).parent == tmp_path
    assert not list(tmp_path.iterdir())


def test_there_is_none_where_others_could_exchange_it(tmp_path, monkeypatch):
    tmp_path.chmod(0o777)
    monkeypatch.setattr(trust.tempfile, "tempdir", str(tmp_path))
    private_temporary_folder.cache_clear()
    with pytest.raises(PermissionError, match="can be changed by other users"):
        private_temporary_folder()
