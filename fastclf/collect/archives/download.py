"""An archive from the web: into fastdownload's archive folder, once, and only if its whole hash is right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ...errors import ArchiveError, MissingExtraError
from ...system import advise_install, hash_bytes, hash_file
from ..recipes import FileSource
from ..web import Fetcher, FetchError

MAX_ARCHIVE_BYTES = 20 * 2**30

Progress = Callable[[int, int | None], None]


def find_archive_folder() -> Path:
    """Return the folder in which fastdownload keeps archives."""
    try:
        from fastdownload import FastDownload
    except ImportError:
        raise MissingExtraError(
            "Archives need the package fastdownload, which is not installed. Run `{install}`.",
            install=advise_install("search"),
        ) from None
    folder = Path(FastDownload().arch_path())
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def download_archive(
    fetcher: Fetcher, source: FileSource, say: Callable[[str], None], progress: Progress | None = None
) -> Path:
    """Return the file of an archive, downloaded unless it is there; a broken download is continued.

    `say` is told the hash where the recipe names none; `progress` is called with (bytes so far, all or None).

    Raises
    ------
    ArchiveError
        If it cannot be fetched, or its hash is another one.
    MissingExtraError
        If fastdownload is not installed.
    """
    file = find_archive_folder() / name_archive(source.place)
    _fetch(fetcher, source.place, file, say, progress)
    found = hash_file(file)
    if not source.sha256:
        say(f'The recipe names no hash of this archive; add sha256 = "{found}" if you trust it.')
    elif found != source.sha256:
        file.unlink()
        raise ArchiveError(
            "{place} is not the archive that the recipe means: its sha256 is {found}, not "
            "{sha256}. It was deleted. If its makers changed it and you trust them, change sha256.",
            place=source.place,
            found=found,
            sha256=source.sha256,
        )
    return file


def _fetch(
    fetcher: Fetcher, place: str, file: Path, say: Callable[[str], None], progress: Progress | None
) -> None:
    from filelock import FileLock, Timeout

    try:
        # two recipes may want one archive at the same time
        with FileLock(file.with_name(f"{file.name}.lock"), timeout=0):
            if not file.exists():
                say(f"Downloading {place} ...")
                fetcher.save(place, file, max_bytes=MAX_ARCHIVE_BYTES, progress=progress)
    except FetchError as e:
        more = "" if e.lasting else " The same command goes on where it stopped."
        raise ArchiveError(
            "The archive {place} {reason}.{more}", place=place, reason=e.reason, more=more
        ) from None
    except Timeout:
        raise ArchiveError(
            "Another process is downloading {place}. Wait for its end, then try again.", place=place
        ) from None


def name_archive(url: str) -> str:
    """Return the name of an archive's file: that of the address, told from others of the same name."""
    name = unquote(urlsplit(url).path).rpartition("/")[2]
    plain = "".join(c for c in name if c.isalnum() or c in "._-").lstrip(".")[-80:]
    return f"{hash_bytes(url.encode())[:12]}-{plain or 'archive'}"
