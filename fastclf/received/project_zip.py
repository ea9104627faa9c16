"""The zip file of a project: read member by member, each photo compared with what the project says of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..collect import Member, ReadLimits, read_archive
from ..errors import ProjectError, UnreadablePhotoError
from ..photos import MAX_BYTES, decode_photo
from ..system import hash_bytes
from .project import MOST_PHOTOS, PROJECT_FILE, Project, ProjectPhoto, parse_project

_MB = 2**20
MOST_BYTES = 2**31
"""Bytes of the zip file."""

MOST_PIXELS = 16_000_000
"""Pixels of a photo: those that a page keeps have about 320 on the shorter side."""

_README = "README.txt"
_MOST_TEXT = 64 * _MB
# Photos are packed already: what unpacks to many times its bytes holds none.
_LIMITS = ReadLimits(
    member_bytes=_MOST_TEXT,
    total_bytes=MOST_BYTES + _MOST_TEXT,
    ratio=4,
    slack_bytes=_MOST_TEXT,
    members=MOST_PHOTOS + 1100,  # folders may have members of their own
)


@dataclass(frozen=True)
class OpenedPhoto:
    """A photo of a project with its bytes, which have been decoded once."""

    photo: ProjectPhoto
    data: bytes


def read_project(path: str | Path) -> Project:
    """Return what the `project.json` of a project's zip file says; no photo is looked at.

    Raises
    ------
    ProjectError
        If it is no project, or something in it is not as it has to be.
    ArchiveError
        If the zip file is damaged, or unpacks to more than photos do.

    Examples
    --------
    >>> read_project("project.zip").vocab
    ('blue', 'green', 'red')
    """
    called = str(path)
    found = [_unpack(member, called) for member in _read(Path(path), PROJECT_FILE.__eq__)]
    if len(found) != 1:
        raise ProjectError(
            "{called} holds {n} files {file}, and a project holds one. In the browser: Save project.",
            called=called,
            n=len(found) or "no",
            file=PROJECT_FILE,
        )
    return parse_project(found[0], called)


def read_photos(path: Path, project: Project) -> Iterator[OpenedPhoto]:
    """Yield the photos of a project, in the order of the zip file.

    Raises
    ------
    ProjectError
        If one is missing, is another than the project says, cannot be decoded, or something else is there.
    ArchiveError
        As `read_project`.
    """
    called, wanted = str(path), {photo.file: photo for photo in project.photos}
    for member in _read(path, lambda name: name not in (PROJECT_FILE, _README)):
        photo = wanted.pop(member.name, None)
        if photo is None:
            raise ProjectError(
                "{called} holds {name}, which its {file} does not name, or names once. Save the project "
                "again.",
                called=called,
                name=member.name,
                file=PROJECT_FILE,
            )
        yield OpenedPhoto(photo, _check_photo(_unpack(member, called), photo, called))
    if wanted:
        raise ProjectError(
            "{called} lacks {n} of its photos, {name} for example. Copy or save the project again.",
            called=called,
            n=len(wanted),
            name=next(iter(wanted)),
        )


def _read(path: Path, wanted: Callable[[str], bool]) -> Iterator[Member]:
    return read_archive(path, wanted, limits=_LIMITS, most_bytes=MOST_BYTES)


def _unpack(member: Member, called: str) -> bytes:
    if member.data is None:
        raise ProjectError(
            "{called}: {name} {reason}. Save the project again.",
            called=called,
            name=member.name,
            reason=member.reason,
        )
    return member.data


def _check_photo(data: bytes, photo: ProjectPhoto, called: str) -> bytes:
    if hash_bytes(data) != photo.sha256:
        raise ProjectError(
            "{called}: {name} is not the photo that the project was taught with (its hash differs). Copy or "
            "save the project again.",
            called=called,
            name=photo.file,
        )
    try:
        decode_photo(data, photo.file, max_bytes=MAX_BYTES, max_pixels=MOST_PIXELS)
    except UnreadablePhotoError as e:
        raise ProjectError(
            "{called}: {name} {reason}. Save the project again.",
            called=called,
            name=e.name,
            reason=e.reason,
        ) from None
    return data
