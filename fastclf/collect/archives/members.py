"""The files of a source as they are handed on: names, bytes, refusals, and how much there may be."""

from __future__ import annotations

import lzma
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from ...errors import ArchiveError
from ...photos import MAX_FOLDER_BYTES, SUFFIXES
from ...system import is_stray

Wanted = Callable[[str], bool]

MAX_NAME = 1000
MB = 2**20
LINK = "is a link; only files are read"
DEVICE = "is a device or a pipe, not a photo"
FOLDER = "is a folder"
_OUTWARD = re.compile("/|[A-Za-z]:")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_UNSHOWN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# What surely is no photo is not unpacked for a look.
_OTHERS = (
    ".txt", ".md", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".toml", ".ini", ".html",
    ".pdf", ".doc", ".docx", ".xls", ".xlsx", ".py", ".ipynb", ".r", ".m", ".mat", ".npy", ".npz", ".h5",
    ".hdf5", ".pth", ".pt", ".pkl", ".onnx", ".pb", ".ckpt", ".safetensors", ".tfrecord", ".parquet", ".db",
    ".sqlite", ".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".mp4", ".mov", ".avi", ".mkv",
    ".mp3", ".wav", ".exe", ".dll", ".so", ".log",
)  # fmt: skip
# What readers raise where a file is damaged or cut off.
DAMAGE = (
    EOFError,
    OSError,
    ValueError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    tarfile.HeaderError,
)


@dataclass(frozen=True)
class ReadLimits:
    """How much of a source is read.

    Attributes
    ----------
    member_bytes
        Largest file.
    total_bytes
        All that is unpacked of one archive, what is skipped included where skipping means unpacking.
    ratio, slack_bytes
        An archive of n bytes unpacks to `ratio` x n + `slack_bytes` at most.
    members
        Files, links and folders in one archive.
    """

    member_bytes: int = MAX_FOLDER_BYTES
    total_bytes: int = 50 * 2**30
    ratio: int = 200
    slack_bytes: int = 64 * MB
    members: int = 2_000_000

    @property
    def too_large(self) -> str:
        """The reason for refusing a file."""
        return f"is larger than {self.member_bytes / MB:.0f} MB"


LIMITS = ReadLimits()


@dataclass(frozen=True)
class Member:
    """One file of a source: its bytes, or None and the reason for refusing it ("is larger than 200 MB").

    The name is the path inside the source, with ``/``; fit to be shown, not to be opened.
    """

    name: str
    data: bytes | None
    reason: str = ""


class Budget:
    """Counts what one archive gives, and ends it where that is more than photos can be.

    What an archive says of its own sizes proves nothing.
    """

    def __init__(self, called: str, size: int, limits: ReadLimits) -> None:
        self.called = called
        self.limits = limits
        self.size = size
        self._allowed = min(limits.total_bytes, limits.ratio * size + limits.slack_bytes)
        self._spent = 0
        self.members = 0

    def spend(self, count: int) -> None:
        """Count bytes."""
        self._spent += count
        if self._spent > self._allowed:
            raise ArchiveError(
                "{archive} has {size:,.1f} MB and unpacks to more than {most:,.0f} MB, which photos do not "
                "do. It was not read any further; if you trust it, unpack it yourself and name the folder.",
                archive=self.called,
                size=self.size / MB,
                most=self._allowed / MB,
            )

    def count_members(self, count: int) -> None:
        """Count files."""
        self.members += count
        if self.members > self.limits.members:
            raise ArchiveError(
                "{archive} holds more than {most:,} files. It was not read any further; unpack it yourself "
                "and name the folders that are needed.",
                archive=self.called,
                most=self.limits.members,
            )

    def damage(self, error: Exception | None = None) -> ArchiveError:
        """Return what to raise for an error that a reader met."""
        if isinstance(error, OSError) and error.errno is not None:
            text = "{archive} cannot be read ({reason})."
            return ArchiveError(text, archive=self.called, reason=error.strerror)
        if isinstance(error, MemoryError) or "Memory usage" in str(error):
            text = "{archive} takes too much memory to unpack; pack it again."
        else:
            text = "{archive} is damaged or cut off; delete it and fetch it again."
        return ArchiveError(text, archive=self.called)


def is_photo_name(name: str) -> bool:
    """Return whether a file is named like a photo."""
    return name.lower().endswith(SUFFIXES)


def may_be_photo(name: str) -> bool:
    """Return whether a file's bytes have to say whether it is a photo, or its name says it."""
    return is_photo_name(name) or not name.lower().endswith(_OTHERS)


def is_left_out(name: str) -> bool:
    """Return whether a file or folder is hidden, or was left behind by a system."""
    return name.startswith(".") or is_stray(name)


def tidy_name(text: str) -> tuple[str, str]:
    r"""Return a name fit to be shown, with ``/``, and why it is refused, or "".

    The name is "" where the file is passed over: it is hidden, or a system added it.

    Examples
    --------
    >>> tidy_name("./cat\\1.jpg"), tidy_name("cat/.DS_Store"), tidy_name("../1.jpg")[1]
    (('cat/1.jpg', ''), ('', ''), 'has a path that leads out of the archive')
    """
    slashed = text.replace("\\", "/")
    parts = [part for part in slashed.split("/") if part not in ("", ".")]
    if any(is_left_out(part) and part != ".." for part in parts):
        return "", ""
    name = show_name("/".join(parts))
    if ".." in parts or _OUTWARD.match(slashed) or _CONTROLS.search(text):
        return name, "has a path that leads out of the archive"
    return name, f"has a path of more than {MAX_NAME:,} characters" if len(name) > MAX_NAME else ""


def show_name(text: str) -> str:
    """Return a name in which U+FFFD stands for control characters and for bytes that are no UTF-8."""
    return _UNSHOWN.sub("\ufffd", text)


def refuse(name: str, reason: str) -> Member:
    """Return a refused file, its name cut where it is very long."""
    return Member(name if len(name) <= MAX_NAME else f"{name[:MAX_NAME]}…", None, reason)
