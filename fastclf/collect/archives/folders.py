"""A folder, a zip or tar file of one's own, or a cloud address, as a source of labelled photos."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...errors import ArchiveError, FastclfError, MissingExtraError, PhotosError, UsageProblem
from .members import LIMITS, Member, ReadLimits, Wanted, show_name
from .reading import read_archive

# What fsspec opens beyond these is the disk, this machine's network, or a program's own memory.
CLOUDS = (
    "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "hf", "oci", "gdrive", "dropbox", "memory",
)  # fmt: skip
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_THREADS = 4
# Read ahead at most so many files, and so many bytes unless one file alone has more.
_AHEAD, _AHEAD_BYTES = 16, 64 * 2**20
_UNKNOWN_BYTES = 8 * 2**20
_CHUNK = 8 * 2**20
# So many failures one after the other are no longer the fault of single files.
_MAX_FAILURES = 10


def read_source(place: str, base: Path, wanted: Wanted, *, limits: ReadLimits = LIMITS) -> Iterator[Member]:
    """Read the wanted files of a place, in the order of their names or of the archive.

    Hidden files and folders are passed over. Links are followed, but no folder is walked twice. Pipes,
    devices and files that are too large or cannot be read are refused with a reason.

    Parameters
    ----------
    place
        A folder, a zip or tar file, or a cloud address such as ``s3://bucket/photos``.
    base
        The folder that a relative path starts from.
    wanted
        Asked with the name of each file, relative to the place, with ``/``.
    limits
        How much is read.

    Raises
    ------
    UsageProblem
        If the place is none that is read here.
    PhotosError
        If there is nothing, or it cannot be read.
    ArchiveError
        As `read_archive`.
    MissingExtraError
        If a package for the cloud address is not installed.
    """
    if not place.strip():
        raise UsageProblem("The place of the photos is empty. Name a folder, an archive or a cloud address.")
    if "://" in place or "::" in place:
        _check_address(place)
        return _read_cloud(place, wanted, limits)
    path = _find_path(place, base)
    return _read_folder(path, wanted, limits) if path.is_dir() else read_archive(path, wanted, limits=limits)


def _find_path(place: str, base: Path) -> Path:
    try:
        path = base / Path(place).expanduser()
        path.stat()
    except PermissionError:
        raise PhotosError("{place} may not be read by this user.", place=place) from None
    except (OSError, RuntimeError, ValueError):
        raise PhotosError(
            "There is no folder or archive {place!r} (looked in {base}). Name one that exists.",
            place=place,
            base=base.absolute(),
        ) from None
    return path


# -- a folder


def _read_folder(folder: Path, wanted: Wanted, limits: ReadLimits) -> Iterator[Member]:
    waiting, seen = [(folder, "", True)], set[tuple[int, int]]()
    while waiting:
        path, name, is_folder = waiting.pop()
        if is_folder:
            try:
                waiting += _list_folder(path, name and f"{name}/", seen)
            except OSError as e:
                if not name:
                    raise PhotosError(
                        "The folder {folder} cannot be read ({reason}).", folder=folder, reason=e.strerror
                    ) from None
                yield Member(show_name(name), None, f"is a folder that cannot be read ({e.strerror})")
        elif wanted(show_name(name)):
            yield _read_file(path, show_name(name), limits)


def _list_folder(folder: Path, prefix: str, seen: set[tuple[int, int]]) -> list[tuple[Path, str, bool]]:
    """Return (path, name, whether it is a folder) of what is not hidden, the last one first.

    Nothing is returned for a folder that was seen already, through a link.
    """
    status = folder.stat()
    if (status.st_dev, status.st_ino) in seen:
        return []
    seen.add((status.st_dev, status.st_ino))
    with os.scandir(folder) as scanned:
        entries = sorted((e for e in scanned if not e.name.startswith(".")), key=lambda e: e.name)
    return [(folder / e.name, prefix + e.name, _is_folder(e)) for e in reversed(entries)]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads back to itself; reading it will say so
        return False


def _read_file(path: Path, name: str, limits: ReadLimits) -> Member:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return Member(name, None, "is a pipe or a device, not a photo")
        with path.open("rb") as file:
            data = file.read(limits.member_bytes + 1)
    except OSError as e:
        return Member(name, None, f"cannot be read ({e.strerror})")
    return Member(name, None, limits.too_large) if len(data) > limits.member_bytes else Member(name, data)


# -- a cloud


def _check_address(place: str) -> None:
    protocol = place.partition("://")[0]
    if re.match("[^/]*:[^/]*@", place.partition("://")[2]):
        raise UsageProblem(
            "The address of the photos holds a password, which others would read with the recipe. "
            "Log in with the provider's own tool and leave it out."
        )
    if "::" in place:
        raise UsageProblem("{place!r} chains addresses with '::'; name one address.", place=place)
    if protocol.lower() in ("http", "https"):
        raise UsageProblem(
            "{place!r} is a web address, and a folder is read from disk or a cloud. "
            "Put an archive on the web into [archive], as url.",
            place=place,
        )
    if protocol not in CLOUDS:
        raise UsageProblem(
            "{place!r} begins with {protocol}://; cloud addresses begin with {clouds}. "
            "A folder on disk is named by its path alone.",
            place=place,
            protocol=protocol,
            clouds=", ".join(CLOUDS),
        )
    if not place.partition("://")[2].strip("/"):
        raise UsageProblem(
            "{place!r} names all that you have there. Name a bucket or a folder in it.", place=place
        )


def _read_cloud(place: str, wanted: Wanted, limits: ReadLimits) -> Iterator[Member]:
    files, root = _open_cloud(place)
    with _told(place):
        info = files.info(root)
    if info["type"] == "directory":
        yield from _read_ahead(place, files, _walk_cloud(place, files, root, wanted), limits)
    elif root.lower().endswith(_ARCHIVES):
        with tempfile.TemporaryDirectory(prefix="fastclf-") as folder:
            archive = Path(folder) / "archive"
            _download(place, files, root, archive, limits.total_bytes)
            yield from read_archive(archive, wanted, limits=limits, called=place)
    else:
        raise PhotosError(
            "{place} is a single file. Name a folder, or an archive ({archives}).",
            place=place,
            archives=", ".join(_ARCHIVES),
        )


def _open_cloud(place: str) -> tuple[Any, str]:
    try:
        import fsspec.core  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        raise MissingExtraError(
            '{place} needs fsspec, which is not installed. Run: pip install "fastclf[search]"', place=place
        ) from None
    try:
        with _told(place):
            files, root = fsspec.core.url_to_fs(place)
            # what was listed earlier in this process may have changed
            files.invalidate_cache()
    except ImportError as e:
        raise MissingExtraError(
            "{place} needs a package that is not installed: {reason}.", place=place, reason=e
        ) from None
    return files, root


def _walk_cloud(place: str, files: Any, root: str, wanted: Wanted) -> Iterator[tuple[str, str, int | None]]:
    """Yield (address, name, bytes if known) of the wanted files."""
    waiting: list[tuple[str, str, dict[str, Any]]] = [(root, "", {"type": "directory"})]
    while waiting:
        address, name, entry = waiting.pop()
        if entry["type"] == "directory":
            with _told(place):
                listed = files.ls(address, detail=True)
            waiting += _sort_cloud(address, name, listed)
        elif wanted(show_name(name)):
            yield address, show_name(name), entry.get("size")


def _sort_cloud(
    folder: str, prefix: str, listed: list[dict[str, Any]]
) -> list[tuple[str, str, dict[str, Any]]]:
    """Return (address, name, entry) of what is not hidden, the last one first."""
    found = []
    for entry in listed:
        last = entry["name"].rstrip("/").rpartition("/")[2]
        # some list the folder itself as an empty file
        itself = entry["name"].strip("/") == folder.strip("/")
        if not last.startswith(".") and not itself:
            found.append((entry["name"], f"{prefix}/{last}".lstrip("/"), entry))
    return sorted(found, key=lambda item: item[1], reverse=True)


def _read_ahead(
    place: str, files: Any, found: Iterator[tuple[str, str, int | None]], limits: ReadLimits
) -> Iterator[Member]:
    """Read a few files at once, and give them in their order."""
    waiting: deque[tuple[str, int, Future[bytes | None]]] = deque()
    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="fastclf-cloud")
    failures = 0
    try:
        for address, name, size in found:
            job = pool.submit(_read_cloud_file, files, address, size, limits.member_bytes)
            waiting.append((name, _UNKNOWN_BYTES if size is None else size, job))
            while len(waiting) >= _AHEAD or sum(size for _, size, _ in waiting) > _AHEAD_BYTES:
                member, failures = _take(place, waiting.popleft(), failures, limits)
                yield member
        while waiting:
            member, failures = _take(place, waiting.popleft(), failures, limits)
            yield member
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _take(
    place: str, read: tuple[str, int, Future[bytes | None]], failures: int, limits: ReadLimits
) -> tuple[Member, int]:
    """Return a file that was read, and how many in a row could not be."""
    name, _, job = read
    if (error := job.exception()) is not None:
        if failures + 1 == _MAX_FAILURES:
            raise PhotosError(
                "{place} does not answer any more ({reason}). Try again later.",
                place=place,
                reason=_describe(error),
            )
        return Member(name, None, f"cannot be read ({_describe(error)})"), failures + 1
    data = job.result()
    return (Member(name, None, limits.too_large) if data is None else Member(name, data)), 0


def _read_cloud_file(files: Any, address: str, size: int | None, most: int) -> bytes | None:
    """Return a file's bytes, or None if there are more than `most`."""
    if size is not None and size > most:
        return None
    data = bytearray()
    with files.open(address, "rb") as file:
        while part := file.read(min(_CHUNK, most + 1 - len(data))):
            data += part
            if len(data) > most:
                return None
    return bytes(data)


def _download(place: str, files: Any, address: str, path: Path, most: int) -> None:
    got = 0
    with _told(place), files.open(address, "rb") as source, path.open("wb") as target:
        while part := source.read(_CHUNK):
            got += len(part)
            if max(got, getattr(source, "size", 0) or 0) > most:
                raise ArchiveError(
                    "{place} is larger than {most:,.0f} MB. Name the folder instead.",
                    place=place,
                    most=most / 2**20,
                )
            target.write(part)


@contextmanager
def _told(place: str) -> Iterator[None]:
    """Make one sentence of whatever a cloud's package raises; each has errors of its own."""
    try:
        yield
    except (FastclfError, ImportError):
        raise
    except FileNotFoundError:
        raise PhotosError(
            "There is nothing at {place}. Look at the name of the bucket and the path.", place=place
        ) from None
    except Exception as e:
        raise PhotosError(
            "{place} cannot be read ({reason}). Look at the network, the name, and whether you are "
            "logged in with the provider's own tool.",
            place=place,
            reason=_describe(e),
        ) from e


def _describe(error: BaseException) -> str:
    """Return an error's first line, without the parts of addresses that are signed."""
    text = re.sub(r"\?\S+", "?…", " ".join(str(error).split()))[:200].rstrip(". ")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
