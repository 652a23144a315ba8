"""Which code a run's own module is built from: the copy that the run keeps, or the files that its user names.

Code is run only because its user has named it. The copy in a run's folder may have come from anywhere with that folder,
so it is run when its user names it, when the files that he names are the same, or when he named the same ones here at
another time and they have changed since.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from core.advice import Action, Advice, Hint, Tip
from core.errors import InvalidValue, RunError
from core.models.own.files import OwnFiles
from core.models.reference import parse_reference, split_reference
from core.models.spec import is_user_module
from core.storage.trust import make_private_folder, others_access
from experiments.locations import named_code_folder
from experiments.runs.folder import Run
from experiments.runs.source import FOLDER, KeptSource, read_source

if TYPE_CHECKING:
    from core.config import TrainConfig

NO_COPY = "the run has kept no copy of its code: {file} is used as it is now"


@dataclass(frozen=True, slots=True)
class NamedCode:
    """A run's config with its module as it was named just now.

    `files` are the code in place of what lies on the disk, None for that. `is_kept` says whether it is the code that
    the run was made with, None where nobody knows. `note` is what its user should know, empty where all is as it was.
    """

    config: TrainConfig
    files: OwnFiles | None = None
    is_kept: bool | None = None
    note: str = ""


def named_code(run: Run, config: TrainConfig, arch: str | None, *, exactly: bool = False) -> NamedCode:
    """The code of a user's own module, named once more; any other network needs no name.

    Args:
        arch: FILE.py:CLASS, as its user has named it now.
        exactly: whether only the code that the run was made with will do.

    Raises:
        InvalidValue: when the module is not named, or something is named where there is none, or what is named is not
            the run's own code and has to be.
        RunError: when the run's copy is damaged.
    """
    if not is_user_module(config.arch):
        if arch is not None:
            raise InvalidValue("arch", arch, f"the run's network is {config.arch}", hint=Tip(Action.LEAVE_OUT, "arch"))
        return NamedCode(config)
    kept = read_source(run.folder)
    if arch is None:
        raise InvalidValue("run", run.id, "trains a module of your own", hint=_how_to_name(config, kept))
    if not is_user_module(arch):
        raise InvalidValue("arch", arch, f"the run's network is {config.arch}", hint=_how_to_name(config, kept))
    from core.models.network import absolute_arch  # with the config, which a list of runs does not wait for

    named = config.changed(arch=absolute_arch(arch))
    path = _file_of(named.arch)
    if kept is None:
        return NamedCode(named, note=NO_COPY.format(file=path.name))
    now = _files_at(path, kept)
    if _calls(arch) != _calls(config.arch):
        reason = f"the run's network is {split_reference(config.arch)[1]}"
    elif kept.left_out and now.sums == kept.sums:
        return NamedCode(named, is_kept=True)
    elif (code := _own_code(config, kept, path, now)) is not None:
        return code
    else:
        reason = _difference(kept, path, now)
    if exactly or not path.is_file():
        raise InvalidValue("arch", arch, reason, hint=_how_to_go_on(config, kept))
    return NamedCode(named, is_kept=False, note=f"{reason}; what was named is used")


def _own_code(config: TrainConfig, kept: KeptSource, path: Path, now: OwnFiles) -> NamedCode | None:
    """The code that a run keeps where naming `path`, around which the files are `now`, allows to run it."""
    if kept.left_out:
        return None
    if _is_one(path, kept.path):
        there = _files_at(kept.original, kept) if kept.original.is_file() else kept.files()
        return NamedCode(config, kept.files(), is_kept=True, note=_changes(kept, there))
    if now.sums == kept.sums:
        return NamedCode(config, now, is_kept=True)
    if path in (kept.original, _file_of(config.arch)) and was_named(kept.digest):
        return NamedCode(config, kept.files(), is_kept=True, note=_changes(kept, now))
    return None


def own_arch(run: Run) -> str | None:
    """The name by which a run's own module is named for its user, who has said that it shall be run: that of the run's
    copy, whatever has become of the file. None for a spec.

    Raises:
        RunError: when the record of the copy is damaged.
    """
    arch = str(run.config().get("arch", ""))
    if not is_user_module(arch):
        return None
    kept = read_source(run.folder)
    return arch if kept is None or kept.left_out else _copy_of(arch, kept)


def lasting_arch(run: Run) -> str | None:
    """The name for a process that outlives this one, and maybe the run's folder: as `own_arch`, but the file's own
    where that is enough.

    Raises:
        RunError: when the record of the copy is damaged.
    """
    arch, kept = own_arch(run), read_source(run.folder)
    if arch is None or kept is None or not was_named(kept.digest):
        return arch
    return str(run.config().get("arch"))


def code_in_words(run: Run) -> str:
    """What is run of a user's own module once he says so, and what he should know before.

    Raises:
        RunError: when the record of the copy is damaged.
    """
    kept = read_source(run.folder)
    if kept is None or kept.left_out:
        return "the file as it is now, as the run keeps no copy of it"
    words = f"the copy of {_listed(_names(kept))} that the run keeps in {kept.folder / FOLDER}"
    if not is_known(run):
        return f"{words}; it was not made from files of this machine"
    changed = changes_since(kept)
    return f"{words}; {changed} since" if changed else words


def kept_code(run: Run) -> OwnFiles | None:
    """A run's copy of its code, for a run of the same; None where there is none. Reading it runs nothing.

    Raises:
        RunError: when it is damaged.
    """
    kept = read_source(run.folder)
    return None if kept is None or kept.left_out else kept.files()


def is_known(run: Run) -> bool:
    """Whether its user has named a run's code before, on this machine, or has it where the config says. The code of a
    run that keeps no copy is what lies there.

    Raises:
        RunError: when the record of the copy is damaged.
    """
    kept = read_source(run.folder)
    return kept is None or _is_known(kept, str(run.config().get("arch", "")))


def changes_since(kept: KeptSource) -> str:
    """What has become of the files that a copy was made from, in words; empty where they are as they were."""
    if not Path(kept.root).is_dir():
        return f"{kept.root} is not here"
    return _changed(kept, _files_at(kept.original, kept))


def remember_named(files: OwnFiles) -> None:
    """Note that its user has named this very code on this machine. Without that note, as when the cache has been
    deleted, less is known to be his own."""
    with suppress(OSError):
        folder = named_code_folder()
        make_private_folder(folder)
        (folder / files.digest).touch()


def was_named(digest: str) -> bool:
    """Whether `remember_named` has noted this code, where nobody else could have."""
    note = named_code_folder() / digest
    try:
        return note.is_file() and not others_access(note)
    except OSError:  # the cache is not this user's to read
        return False


def remember_file(arch: str) -> None:
    """Note that its user has named the file of a module on this machine, to be run as it is then."""
    with suppress(OSError):
        note = _note_of(arch)
        make_private_folder(note.parent)
        note.touch()


def was_file_named(arch: str) -> bool:
    """Whether `remember_file` has noted the file of a module, where nobody else could have, and only its user can
    have changed it since."""
    try:
        note = _note_of(arch)
        return note.is_file() and not others_access(note) and not others_access(_absolute_file(arch))
    except OSError:
        return False


def has_named_files(run: Run) -> bool:
    """Whether the files that a run's config names are there as the run was made with, by its user on this machine."""
    try:
        kept = read_source(run.folder)
    except RunError:
        return False
    arch = str(run.config().get("arch", ""))
    return kept is not None and was_named(kept.digest) and _files_at(_file_of(arch), kept).sums == kept.sums


def _absolute_file(arch: str) -> Path:
    return _file_of(arch).expanduser().absolute()


def _note_of(arch: str) -> Path:
    return named_code_folder() / f"file-{sha256(str(_absolute_file(arch)).encode()).hexdigest()}"


def _file_of(arch: str) -> Path:
    return Path(split_reference(arch)[0])


def _calls(arch: str) -> object:
    """What is named in the file, however it is written."""
    reference = parse_reference(arch)
    return reference.name, reference.arguments


def _files_at(path: Path, kept: KeptSource) -> OwnFiles:
    """The kept files as they are now around the one that was named, whatever that is called."""
    root = path.parents[kept.main.count("/")] if len(path.parents) > kept.main.count("/") else path.parent
    main = OwnFiles.read(path.parent, path.name, ()).contents.get(path.name)
    others = OwnFiles.read(root, kept.main, kept.sums).contents
    contents = {name: content for name, content in others.items() if name != kept.main}
    return OwnFiles(root, kept.main, contents if main is None else contents | {kept.main: main})


def _is_one(path: Path, other: Path) -> bool:
    try:
        return path.resolve() == other.resolve()
    except (OSError, RuntimeError):
        return False


def _is_known(kept: KeptSource, arch: str) -> bool:
    return was_named(kept.digest) or _files_at(_file_of(arch), kept).sums == kept.sums


def _copy_of(arch: str, kept: KeptSource) -> str:
    return f"{kept.path.absolute()}:{split_reference(arch)[1]}"


def _changes(kept: KeptSource, now: OwnFiles) -> str:
    """What has changed since the run was made; empty for nothing."""
    if words := _changed(kept, now):
        return f"{words} since the run was made: its own copy is used"
    return ""


def _changed(kept: KeptSource, now: OwnFiles) -> str:
    gone = [name for name in kept.sums if name not in now.contents]
    changed = [name for name in kept.sums if name in now.contents and now.sums[name] != kept.sums[name]]
    words = [f"{_listed(changed)} {'have' if len(changed) > 1 else 'has'} changed"] if changed else []
    words += [f"{_listed(gone)} {'are' if len(gone) > 1 else 'is'} gone"] if gone else []
    return " and ".join(words)


def _difference(kept: KeptSource, path: Path, now: OwnFiles) -> str:
    if kept.main not in now.contents:
        return "no such file"
    if path == kept.original:
        return f"{_changed(kept, now)} since the run was made"
    return f"is not the code that the run was made with: {_changed(kept, now)}"


def _names(kept: KeptSource) -> list[str]:
    return [kept.main, *(name for name in kept.sums if name != kept.main)]


def _listed(names: Sequence[str]) -> str:
    if len(names) > 3:
        return f"{', '.join(names[:2])} and {len(names) - 2} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _how_to_name(config: TrainConfig, kept: KeptSource | None) -> Hint:
    """How to name the code of a run: by where it lay if that is known to be the run's own, else by the run's copy."""
    again = "name the code again, so that you know what is run: "
    if kept is None or kept.left_out:
        return Advice(again, Tip(Action.OPTION, "arch", config.arch))
    files = f"the run's own copy of {_listed(_names(kept))}"
    if _is_known(kept, config.arch):
        return Advice(again, Tip(Action.OPTION, "arch", config.arch), f" ({files})")
    copy = Tip(Action.OPTION, "arch", _copy_of(config.arch, kept))
    return Advice(f"it was not made from files of this machine; {files} is run if you name it: ", copy)


def _how_to_go_on(config: TrainConfig, kept: KeptSource) -> Hint:
    if kept.left_out:
        return f"it keeps no copy ({kept.left_out}): name the files as they were, or start a new run"
    copy = Tip(Action.OPTION, "arch", _copy_of(config.arch, kept))
    return Advice("the run's own copy goes on exactly: ", copy, "; for the files as they are now start a new run")
