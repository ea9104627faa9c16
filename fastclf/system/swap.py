"""A folder that appears whole or not at all: beside its place, or inside it where it cannot be renamed."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .files import copy_file, hide_name, make_folder, naming, sync_file, sync_folder
from .stray_files import is_stray
from .writable import is_probe

# Inside a folder that cannot be renamed: what is being made, what is being moved away, what was, and what is
# no longer needed.
_NEW, _MOVING, _OLD, _GONE = ".fastclf-new", ".fastclf-moving", ".fastclf-old", ".fastclf-gone"
# Seconds after which nobody is at work any more in a folder that was left half replaced, and by which only a
# clock is wrong that was set back since; chosen by hand.
_PATIENCE, _SET_BACK = 10.0, 3600.0


@contextmanager
def replaced_folder(target: Path, marker: str = "") -> Iterator[Path]:
    """Yield an empty folder that becomes `target` when the block ends well.

    It is a sibling of `target`, so that the last step is a rename. An old `target` is kept until the new one
    is complete, and comes back if the rename fails. A folder that cannot be renamed (a mount point, the
    working directory, one whose parent cannot be written) keeps its place: its content is exchanged.

    Parameters
    ----------
    target
        The folder.
    marker
        The file without which its content is not whole; where content is exchanged, it comes last.
    """
    target = target.resolve()
    make_folder(target.parent)
    _sweep(target)
    staging = _make_staging(target)
    try:
        with naming(target):
            yield staging
            _finish_files(staging)
            swap_folder(staging, target, marker=marker)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _make_staging(target: Path) -> Path:
    """Make an empty folder beside `target`, or in it where it has to keep its place."""
    beside, inside = hide_name(target, secrets.token_hex(4)), target / _NEW
    if target.is_dir() and (_is_stuck(target) or target.stat().st_dev != target.parent.stat().st_dev):
        shutil.rmtree(inside, ignore_errors=True)
        inside.mkdir()
        return inside
    try:
        beside.mkdir()
    except OSError:
        if not target.is_dir():
            raise
        shutil.rmtree(inside, ignore_errors=True)
        inside.mkdir()
        return inside
    return beside


def _is_stuck(target: Path) -> bool:
    """Return whether `target` has to stay where it is.

    Renamed, the working directory would be lost to who stands in it; and a bin is somebody's.
    """
    with contextlib.suppress(OSError):
        if Path.cwd().resolve().is_relative_to(target):
            return True
    return any(is_stray(path.name) and path.is_dir() for path in target.iterdir())


def _finish_files(staging: Path) -> None:
    """Sync all, and give files the mode that the umask gives: some libraries write private ones."""
    mode = staging.stat().st_mode & 0o666
    for path in sorted(p for p in staging.rglob("*") if p.is_file()):
        sync_file(path)
        found = path.stat()
        # the mode of a hard link is that of somebody's photo
        if found.st_nlink == 1 and found.st_mode & 0o666 != mode:
            with contextlib.suppress(OSError):  # a disk without modes
                path.chmod(mode)
    for folder in (staging, *(p for p in staging.rglob("*") if p.is_dir())):
        sync_folder(folder)


def is_left_over(name: str) -> bool:
    """Return whether a name in a folder is what a kill left inside it: of `replaced_folder`, or of a look
    whether it can be written.
    """
    return name in (_NEW, _MOVING, _OLD, _GONE) or is_probe(name)


def recover_folder(target: Path) -> None:
    """Bring back the old `target` if a kill came while `replaced_folder` put the new one in its place."""
    target = target.absolute()
    with contextlib.suppress(OSError):  # somebody else was faster, or it cannot be written
        if target.is_dir():
            if _is_left(target):
                _recover_inside(target)
        elif target.name and not target.exists():
            old = _old_name(target)
            if old.is_dir() and not target.exists():
                old.replace(target)


def wait_for_folder(target: Path, seconds: float = 1.0) -> None:
    """Wait while another process is putting a new `target` in the old one's place; writes nothing.

    After a kill in between it waits in vain: bringing the old `target` back is for those who write.
    """
    until = time.monotonic() + seconds
    while _is_between(target.absolute()) and time.monotonic() < until:
        time.sleep(0.01)


def _is_between(target: Path) -> bool:
    if target.exists():
        return (target / _MOVING).is_dir() or (target / _OLD).is_dir()
    return _old_name(target).is_dir()


def _old_name(target: Path) -> Path:
    return hide_name(target, "old")


def swap_folder(staging: Path, target: Path, attempts: int = 20, marker: str = "") -> None:
    """Put `staging` in the place of `target`, whose old content goes; a reader may bring that back."""
    target = target.absolute()
    if staging.parent == target:
        exchange_content(staging, target, marker)
        return
    old = _old_name(target)
    for attempt in range(attempts):
        recover_folder(target)
        shutil.rmtree(old, ignore_errors=True)
        if target.exists():
            try:
                target.replace(old)
            except OSError:  # a mount point
                exchange_content(staging, target, marker)
                return
        try:
            staging.replace(target)
            break
        except OSError:
            if attempt + 1 < attempts and target.exists():
                continue
            recover_folder(target)
            raise
    # before what comes back in its stead goes
    sync_folder(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def exchange_content(staging: Path, target: Path, marker: str = "") -> None:
    """Move all of `staging` into `target`, the `marker` last, and what is there away; both or neither.

    Until the new content is whole, the old one waits inside `target`: `recover_folder` brings it back.
    """
    _recover_inside(target)
    moving, old, gone = (target / name for name in (_MOVING, _OLD, _GONE))
    try:
        make_folder(moving)
        # without its marker the rest counts for nothing
        _move_all(target, moving, first=marker, leave={moving, staging})
        _rename(moving, old)
        _move_all(staging, target, last=marker)
        _rename(old, gone)
    except BaseException:
        _recover_inside(target)
        raise
    for done in (gone, staging):
        shutil.rmtree(done, ignore_errors=True)


def _recover_inside(target: Path) -> None:
    """Undo an exchange of content that was broken off, or end it."""
    moving, old, staging, gone = (target / name for name in (_MOVING, _OLD, _NEW, _GONE))
    shutil.rmtree(gone, ignore_errors=True)
    if old.is_dir():
        for path in target.iterdir():
            if path not in (old, staging) and not is_stray(path.name):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        # from here on nothing is removed, so that this may be broken off as well
        _rename(old, moving)
    if moving.is_dir():
        _move_all(moving, target)
        sync_folder(target)
        moving.rmdir()


def _rename(source: Path, target: Path) -> None:
    """Rename a folder between what came before in the folder around it and what follows, on the disk too."""
    sync_folder(source.parent)
    source.rename(target)
    sync_folder(target.parent)


def _is_left(target: Path) -> bool:
    """Return whether an exchange of content was broken off, so long ago that nobody goes on with it."""
    places = [place for place in (target / _MOVING, target / _OLD) if place.is_dir()]
    ages = [time.time() - place.stat().st_mtime for place in (target, *places)]
    return bool(places) and (min(ages) > _PATIENCE or min(ages) < -_SET_BACK)


def _move_all(
    source: Path, target: Path, *, first: str = "", last: str = "", leave: set[Path] | None = None
) -> None:
    paths = sorted(source.iterdir(), key=lambda p: (p.name == last, p.name != first, p.name))
    for path in paths:
        if path not in (leave or ()) and not is_stray(path.name):
            _move(path, target / path.name)


def _move(source: Path, target: Path) -> None:
    """Rename a file or folder, or copy and remove it where the disk cannot."""
    try:
        source.rename(target)
        return
    except OSError:
        if not source.is_dir():
            copy_file(source, target)
            sync_file(target)
            sync_folder(target.parent)
            source.unlink()
            return
    make_folder(target)
    for path in sorted(source.iterdir()):
        _move(path, target / path.name)
    sync_folder(target)
    source.rmdir()


def _sweep(target: Path, age: float = 86_400) -> None:
    """Remove what a killed `replaced_folder` left beside `target` a day ago or earlier."""
    start = hide_name(target, "x" * 8).name[:-8]
    with contextlib.suppress(OSError):
        for left in target.parent.iterdir():
            ours = left.name.startswith(start) and left.name != _old_name(target).name
            if ours and time.time() - left.lstat().st_mtime > age:
                shutil.rmtree(left, ignore_errors=True)
