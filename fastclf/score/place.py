"""Where the photos lie, a folder of a disk or of a cloud: their names, and the bytes of each."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..collect import check_address
from ..errors import (
    Message,
    MissingExtraError,
    PhotosError,
    ScoreError,
    UnreadablePhotoError,
    UsageError,
    describe_error,
)
from ..photos import MAX_FOLDER_BYTES, SUFFIXES, stream_photo_names
from ..system import read_given_file
from .extra import need

# What a disk answers about a file that will be no better at the next try.
_LASTING = (
    errno.ENOENT, errno.EACCES, errno.EPERM, errno.EINVAL, errno.ELOOP, errno.ENAMETOOLONG, errno.EISDIR,
    errno.ENOTDIR,
)  # fmt: skip
# A cloud is asked so many times, after so many seconds more each time.
_TRIES, _PAUSE = 4, 0.5
_LARGE = "has more than {most:.0f} MB, the most that is read"


def is_cloud(place: str) -> bool:
    """Return whether a place is an address rather than a path."""
    return "://" in place


@dataclass(frozen=True)
class PhotoPlace:
    """A folder with photos; it may be pickled.

    Attributes
    ----------
    root
        An absolute path, or an address such as ``s3://bucket/photos``.
    """

    root: str

    @classmethod
    def open(cls, root: str) -> PhotoPlace:
        """Return the place of a path or an address.

        Raises
        ------
        UsageError
            If it is no address of a cloud.
        MissingExtraError
            If the package for that cloud is not installed.
        """
        if not is_cloud(root):
            return cls(str(Path(root).absolute()))
        _check_address(root)
        place = cls(root.rstrip("/"))
        _ = place._files
        return place

    @property
    def is_cloud(self) -> bool:
        """Whether it is in a cloud."""
        return is_cloud(self.root)

    @property
    def readers(self) -> int:
        """How many photos are read at once: a disk answers at once, a cloud after a while."""
        return 16 if self.is_cloud else 1

    @cached_property
    def _files(self) -> tuple[Any, str]:
        """What fsspec opens a cloud with, and the folder's name there."""
        core = need("fsspec.core")
        try:
            files, root = core.url_to_fs(self.root)
            return files, str(root)
        except ImportError as e:
            raise MissingExtraError(
                "{place} needs a package that is not installed: {reason}.",
                place=self.root,
                reason=describe_error(e),
            ) from None
        except Exception as e:  # noqa: BLE001 - each cloud's package has errors of its own
            raise self._explain(e) from None

    def check(self) -> None:
        """Refuse to go on where the folder cannot be reached from this machine.

        Raises
        ------
        ScoreError
            If so; otherwise each of its photos would be one that is missing.
        """
        if not self.is_cloud and not Path(self.root).is_dir():
            raise ScoreError(
                "There is no folder {folder} on this machine. Every machine that scores has to see the "
                "photos under the same path.",
                folder=self.root,
            )

    def walk(self) -> Iterator[str]:
        """Yield the name of every photo below the folder, in no order.

        Raises
        ------
        PhotosError
            If it cannot be listed.
        """
        return self._walk_cloud() if self.is_cloud else stream_photo_names(Path(self.root))

    def _walk_cloud(self) -> Iterator[str]:
        files, root = self._files
        start = len(root.rstrip("/")) + 1
        try:
            files.invalidate_cache()
            for folder, _, names in files.walk(root):
                inside = f"{folder}/"[start:]
                hidden = any(part.startswith(".") for part in inside.split("/"))
                for name in () if hidden else names:
                    if not name.startswith(".") and name.lower().endswith(SUFFIXES):
                        yield f"{inside}{name}"
        except Exception as e:  # noqa: BLE001
            raise self._explain(e) from None

    def read(self, name: str) -> bytes | UnreadablePhotoError:
        """Return a photo's bytes, or why it has none.

        Raises
        ------
        ScoreError
            If the disk or the cloud does not answer, which says nothing of the photo.
        """
        return self._read_cloud(name) if self.is_cloud else self._read_file(name)

    def _read_file(self, name: str) -> bytes | UnreadablePhotoError:
        try:
            return read_given_file(Path(self.root, name), MAX_FOLDER_BYTES)
        except OSError as e:
            reason = describe_error(OSError(e.strerror or str(e)))
            if e.errno not in _LASTING:
                raise ScoreError("{name} cannot be read ({reason}).", name=name, reason=reason) from e
            return UnreadablePhotoError(name, Message("cannot be read ({reason})", reason=reason))

    def _read_cloud(self, name: str) -> bytes | UnreadablePhotoError:
        tried = 0
        while True:
            try:
                return self._read_once(name)
            except (FileNotFoundError, PermissionError, IsADirectoryError) as e:
                return UnreadablePhotoError(
                    name, Message("cannot be read ({reason})", reason=type(e).__name__)
                )
            except Exception as e:
                tried += 1
                if tried == _TRIES:
                    raise self._explain(e, ScoreError) from e
                time.sleep(_PAUSE * 2**tried)

    def _read_once(self, name: str) -> bytes | UnreadablePhotoError:
        (files, root), most = self._files, MAX_FOLDER_BYTES
        with files.open(f"{root}/{name}", "rb") as file:
            data = bytes(file.read(most + 1))
        if len(data) > most:
            return UnreadablePhotoError(name, Message(_LARGE, most=most / 2**20))
        return data

    def _explain(self, error: Exception, kind: type[PhotosError | ScoreError] = PhotosError) -> Exception:
        return kind(
            "{place} cannot be read ({reason}). Look at the network, the name, and whether you are logged in "
            "with the provider's own tool.",
            place=self.root,
            # the parts of addresses that are signed are nobody's business
            reason=describe_error(error).partition("?")[0],
        )


def _check_address(place: str) -> None:
    if place.lower().startswith(("http://", "https://")):
        raise UsageError(
            "{place!r} is a web address; photos are scored in a folder, a cloud (s3://, gs://, hf://) or a "
            "list.",
            place=place,
        )
    check_address(place)  # one cloud, nothing else
