"""How much an archive may give: what it says of itself proves nothing, so everything is counted."""

from __future__ import annotations

import lzma
import struct
import tarfile
import zipfile
import zlib

from ...errors import ArchiveError
from .members import MB, ReadLimits

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


class Budget:
    """Counts what one archive gives, and ends it where that is more than photos can be."""

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
                "{archive} has {size:,.1f} MB and unpacks to more than "
                "{most:,.0f} MB, which photos do not do. It was not read any further; if you "
                "trust it, unpack it yourself and name the folder.",
                archive=self.called,
                size=self.size / MB,
                most=self._allowed / MB,
            )

    def count_members(self, count: int) -> None:
        """Count files."""
        self.members += count
        if self.members > self.limits.members:
            raise ArchiveError(
                "{archive} holds more than {most:,} files. It was not read any further; "
                "unpack it yourself and name the folders that are needed.",
                archive=self.called,
                most=self.limits.members,
            )

    def damage(self, error: Exception | None = None) -> ArchiveError:
        """Return what to raise for an error that a reader met."""
        if isinstance(error, OSError) and error.errno is not None:
            return ArchiveError(
                "{archive} cannot be read ({reason}).", archive=self.called, reason=error.strerror
            )
        if isinstance(error, MemoryError) or "Memory usage" in str(error):
            return ArchiveError(
                "{archive} takes too much memory to unpack; pack it again.", archive=self.called
            )
        return ArchiveError(
            "{archive} is damaged or cut off; delete it and fetch it again.", archive=self.called
        )
