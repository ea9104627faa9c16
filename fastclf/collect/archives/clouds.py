"""A folder or an archive in a cloud, through fsspec."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...errors import ArchiveError, FastclfError, MissingExtraError, PhotosError, UsageError
from ...system import advise_install, scratch_folder
from .archive import read_archive
from .members import Member, ReadLimits, Wanted, is_left_out, show_name

# What fsspec opens beyond these is the disk, this machine's network, or a program's own memory.
CLOUDS = (
    "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "hf", "oci", "gdrive", "dropbox", "memory",
)  # fmt: skip
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_THREADS = 4
# Read ahead at most so many files, and so many bytes unless one file alone has more; a file whose size is not
# known counts as a large photo.
_AHEAD, _AHEAD_BYTES = 16, 64 * 2**20
_UNKNOWN_BYTES = 8 * 2**20
_CHUNK = 8 * 2**20
# So many failures one after the other are no longer the fault of single files.
_MAX_FAILURES = 10


def check_address(place: str) -> None:
    """Refuse what is no address of a cloud."""
    protocol, _, path = place.partition("://")
    if re.match("[^/]*:[^/]*@", path):
        raise UsageError(
            "The address of the photos holds a password, which others would read with the recipe. "
            "Log in with the provider's own tool and leave it out."
        )
    if "::" in place:
        raise UsageError("{place!r} chains addresses with '::'; name one address.", place=place)
    _check_protocol(protocol, place)
    if not path.strip("/"):
        text = "{place!r} names all that you have there. Name a bucket or a folder in it."
        raise UsageError(text, place=place)


def _check_protocol(protocol: str, place: str) -> None:
    if protocol.lower() in ("http", "https"):
        raise UsageError(
            "{place!r} is a web address, and a folder is read from disk or a cloud. "
            "Put an archive on the web into [archive], as url.",
            place=place,
        )
    if protocol not in CLOUDS:
        raise UsageError(
            "{place!r} begins with {protocol}://; cloud addresses begin with {clouds}. "
            "A folder on disk is named by its path alone.",
            place=place,
            protocol=protocol,
            clouds=", ".join(CLOUDS),
        )


def read_cloud(place: str, wanted: Wanted, limits: ReadLimits, encoding: str = "") -> Iterator[Member]:
    """Yield the wanted files of a cloud's folder, or of an archive there."""
    cloud = _Cloud(place, limits)
    if cloud.is_folder():
        yield from cloud.read(wanted)
    elif cloud.root.lower().endswith(_ARCHIVES):
        with scratch_folder("cloud") as folder:
            archive = Path(folder) / "archive"
            cloud.download(archive)
            yield from read_archive(archive, wanted, limits=limits, called=place, encoding=encoding)
    else:
        raise PhotosError(
            "{place} is a single file. Name a folder, or an archive ({archives}).",
            place=place,
            archives=", ".join(_ARCHIVES),
        )


class _Cloud:
    """What stands at one address of a cloud."""

    def __init__(self, place: str, limits: ReadLimits) -> None:
        self.place, self.limits = place, limits
        self._failures = 0
        try:
            import fsspec.core  # type: ignore[import-untyped, unused-ignore]
        except ImportError:
            raise MissingExtraError(
                "{place} needs fsspec, which is not installed. Run `{install}`.",
                install=advise_install("search"),
                place=place,
            ) from None
        try:
            with _explained(place):
                self.files, self.root = fsspec.core.url_to_fs(place)
                # what was listed earlier in this process may have changed
                self.files.invalidate_cache()
        except ImportError as e:
            raise MissingExtraError(
                "{place} needs a package that is not installed: {reason}.", place=place, reason=e
            ) from None

    def is_folder(self) -> bool:
        with _explained(self.place):
            return bool(self.files.info(self.root)["type"] == "directory")

    def download(self, path: Path) -> None:
        got, most = 0, self.limits.total_bytes
        with _explained(self.place), self.files.open(self.root, "rb") as source, path.open("wb") as target:
            while part := source.read(_CHUNK):
                got += len(part)
                if max(got, getattr(source, "size", 0) or 0) > most:
                    raise ArchiveError(
                        "{place} is larger than {most:,.0f} MB. Name the folder instead.",
                        place=self.place,
                        most=most / 2**20,
                    )
                target.write(part)

    def read(self, wanted: Wanted) -> Iterator[Member]:
        """Read a few files at once, and give them in their order."""
        waiting: deque[tuple[str, int, Future[bytes | None]]] = deque()
        pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="fastclf-cloud")
        try:
            for address, name, size in self._walk(wanted):
                job = pool.submit(self._read_file, address, size)
                waiting.append((name, _UNKNOWN_BYTES if size is None else size, job))
                while len(waiting) >= _AHEAD or sum(size for _, size, _ in waiting) > _AHEAD_BYTES:
                    yield self._take(*waiting.popleft())
            while waiting:
                yield self._take(*waiting.popleft())
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _walk(self, wanted: Wanted) -> Iterator[tuple[str, str, int | None]]:
        """Yield (address, name, bytes if known) of the wanted files."""
        waiting: list[tuple[str, str, dict[str, Any]]] = [(self.root, "", {"type": "directory"})]
        while waiting:
            address, name, entry = waiting.pop()
            if entry["type"] == "directory":
                with _explained(self.place):
                    listed = self.files.ls(address, detail=True)
                waiting += _sort(address, name, listed)
            elif wanted(show_name(name)):
                yield address, show_name(name), entry.get("size")

    def _read_file(self, address: str, size: int | None) -> bytes | None:
        """Return a file's bytes, or None if there are too many."""
        most = self.limits.member_bytes
        if size is not None and size > most:
            return None
        data = bytearray()
        with self.files.open(address, "rb") as file:
            while part := file.read(min(_CHUNK, most + 1 - len(data))):
                data += part
                if len(data) > most:
                    return None
        return bytes(data)

    def _take(self, name: str, size: int, job: Future[bytes | None]) -> Member:
        """Return a file that was read, and end it all where too many in a row could not be."""
        if (error := job.exception()) is not None:
            self._failures += 1
            if self._failures == _MAX_FAILURES:
                raise PhotosError(
                    "{place} does not answer any more ({reason}). Try again later.",
                    place=self.place,
                    reason=_describe(error),
                )
            return Member(name, None, f"cannot be read ({_describe(error)})")
        self._failures, data = 0, job.result()
        return Member(name, None, self.limits.too_large) if data is None else Member(name, data)


def _sort(folder: str, prefix: str, listed: list[dict[str, Any]]) -> list[tuple[str, str, dict[str, Any]]]:
    """Return (address, name, entry) of what is not hidden, the last one first."""
    found = []
    for entry in listed:
        last = entry["name"].rstrip("/").rpartition("/")[2]
        # some list the folder itself as an empty file
        itself = entry["name"].strip("/") == folder.strip("/")
        if not is_left_out(last) and not itself:
            found.append((entry["name"], f"{prefix}/{last}".lstrip("/"), entry))
    return sorted(found, key=lambda item: item[1], reverse=True)


@contextmanager
def _explained(place: str) -> Iterator[None]:
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
