"""A file that comes in parts: what is there of it, and whether the rest still fits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ...system import sync_file
from .failures import FetchError, is_number


class PartFile:
    """The beginning of a file that is being fetched, and the validator of what it is the beginning of."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.file = path.with_name(f"{path.name}.part")
        self._stamp = path.with_name(f"{path.name}.part.stamp")

    def ask(self) -> dict[str, str]:
        """Return the headers that ask for the rest."""
        self._known = self._stamp.read_text(encoding="ascii") if self._stamp.exists() else ""
        self._have = self.file.stat().st_size if self.file.exists() and self._known else 0
        return {"Range": f"bytes={self._have}-", "If-Range": self._known} if self._have else {}

    def begin(self, status: int, found: Mapping[str, str]) -> tuple[int, int | None]:
        """Return how many bytes are there already, and how many the file has; note its validator."""
        etag, length = found.get("etag", ""), found.get("content-length", "")
        if status == 206:
            asked, _, whole = found.get("content-range", "").partition("/")
            if not self._have or not asked.startswith(f"bytes {self._have}-") or etag != self._known:
                self.forget()
                raise FetchError("answered with a part that does not fit what is there", lasting=False)
            return self._have, int(whole) if is_number(whole) else None
        # a weak validator does not promise equal bytes
        self._stamp.write_text(etag if etag.startswith('"') and etag.isascii() else "", encoding="ascii")
        return 0, int(length) if is_number(length) else None

    def forget(self) -> None:
        """Let the next try begin anew."""
        self._stamp.unlink(missing_ok=True)

    def finish(self) -> None:
        """Give the complete file its name."""
        sync_file(self.file)
        self.file.replace(self._path)
        self.forget()
