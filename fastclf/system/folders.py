"""Where fastclf keeps its own files about a folder of photos."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..errors import CatalogError, Message
from .files import hash_bytes, make_folder, write_atomic_with
from .home import find_user_data

DATABASE = "catalog.sqlite"
# File systems on which SQLite's locks or its shared memory cannot be relied on.
_NETWORK = {
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ncpfs", "lustre", "ceph", "glusterfs", "beegfs",
    "fuse.sshfs", "fuse.s3fs", "fuse.gcsfuse", "fuse.rclone", "fuse.glusterfs", "fuse.davfs", "davfs",
    "fuse.goofys", "fuse.blobfuse", "fuse.google-drive-ocamlfuse", "fuse.drive",
}  # fmt: skip


@dataclass(frozen=True)
class PrivatePlace:
    """Where the catalog, the features and the decoded copies of a photo folder are."""

    path: Path  # exists and can be written
    inside: bool  # whether it is ``.fastclf`` in the folder of photos
    note: str = ""  # a sentence for the user where it is not
    stray: Path | None = None  # a catalog that was kept elsewhere while the folder could not be written


def find_private_place(folder: Path) -> PrivatePlace:
    """Return where fastclf keeps its own files about a folder of photos, and create it.

    ``.fastclf`` inside it. Where that cannot be written or lies on a network file system: a folder, named by
    the hash of the photo folder's path, below ``FASTCLF_CATALOG`` or else below the user's data directory.

    Raises
    ------
    CatalogError
        If no place can be written.
    """
    inside = folder / ".fastclf"
    reason = _find_obstacle(folder, inside)
    if not reason:
        strays = (root / _name_outside(folder) / DATABASE for root in _list_roots())
        return PrivatePlace(inside, True, stray=next((s for s in strays if s.is_file()), None))
    outside = _make_outside(folder)
    _take_along(inside, outside)
    return PrivatePlace(outside, False, Message(reason, folder=folder, place=outside))


def has_catalog(folder: Path) -> bool:
    """Return whether there is a catalog of a photo folder, in it or elsewhere; nothing is written."""
    outside = (root / _name_outside(folder) for root in _list_roots())
    return any((place / DATABASE).is_file() for place in (folder / ".fastclf", *outside))


def lies_on_network(path: Path) -> bool:
    """Return whether a path lies on a network file system, where neither locks nor mapped files are safe."""
    return find_filesystem(path) in _NETWORK


def find_filesystem(path: Path, mounts: str | None = None) -> str:
    """Return the type of the file system that `path` lies on, or "" where the system does not say.

    `mounts` is the text of Linux' ``/proc/self/mountinfo``; it is read if it is not given.
    """
    if str(path).startswith("\\\\"):
        return "smb3"
    if mounts is None:
        try:
            mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
    real, best, kind = f"{path.resolve()}/", -1, ""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split()
        if len(fields) < 5 or not after:
            continue
        point = fields[4].replace("\\040", " ").rstrip("/") + "/"
        # of two mounts on one point the later one hides the other
        if real.startswith(point) and len(point) >= best:
            best, kind = len(point), after.split()[0]
    return kind


def _find_obstacle(folder: Path, inside: Path) -> str:
    """Return the template of a note why `inside` cannot hold the catalog, or ""."""
    if lies_on_network(folder):
        return (
            "{folder} lies on a network file system, where a database is not safe, so what fastclf notes "
            "about it is kept in {place} (FASTCLF_CATALOG names another place)."
        )
    if _is_strange(inside):
        return (
            "{folder} brings links or pipes in the place of fastclf's own files, which are not followed, so "
            "what fastclf notes about it is kept in {place} (FASTCLF_CATALOG names another place)."
        )
    try:
        make_folder(inside)
        tempfile.TemporaryFile(dir=inside).close()
    except OSError as e:
        if e.errno in (errno.ENOSPC, errno.EDQUOT) and inside.is_dir():
            return ""  # a full disk is told when something has to be written
        return (
            "{folder} cannot be written, so what fastclf notes about it is kept in {place} (FASTCLF_CATALOG "
            "names another place)."
        )
    return ""


def _is_strange(inside: Path) -> bool:
    """Return whether what should be fastclf's own folder leads somewhere else, or holds what is no file."""
    if inside.is_symlink():
        return True
    try:
        with os.scandir(inside) as found:
            return not all(e.is_dir(follow_symlinks=False) or e.is_file(follow_symlinks=False) for e in found)
    except OSError:
        return False


def _name_outside(folder: Path) -> str:
    return hash_bytes(str(folder.resolve()).encode(errors="surrogateescape"))[:16]


def _list_roots() -> list[Path]:
    named = os.environ.get("FASTCLF_CATALOG")
    if named:
        return [Path(named).expanduser()]
    return [find_user_data(), Path(tempfile.gettempdir()) / "fastclf"]


def _make_outside(folder: Path) -> Path:
    name, roots = _name_outside(folder), _list_roots()
    for root in roots:
        with contextlib.suppress(OSError):
            make_folder(root / name, 0o700)
            tempfile.TemporaryFile(dir=root / name).close()
            return root / name
    raise CatalogError(
        "Neither {folder} nor {root} can be written, so there is no place for the catalog. Name a "
        "folder that can be written in FASTCLF_CATALOG.",
        folder=folder,
        root=roots[0],
    )


def _take_along(inside: Path, outside: Path) -> None:
    """Start from the catalog that came with a folder which cannot be written."""
    source, target = inside / DATABASE, outside / DATABASE
    if target.exists() or _is_strange(inside) or not source.is_file():
        return
    with contextlib.suppress(OSError):
        for suffix in ("-wal", ""):  # the database last: it makes the copy count
            part = source.with_name(source.name + suffix)
            if part.is_file():
                with part.open("rb") as f:
                    write_atomic_with(outside / part.name, partial(shutil.copyfileobj, f))
