"""A project of Teachable Machine: a zip file with the photos of every class; it becomes a photo folder.

Nobody publishes the format. What is read here is what programs write that Teachable Machine opens: the photos
lie at the top of the zip file, called ``CLASS-!-NUMBER.jpg``, beside a ``manifest.json`` whose ``type`` is
"image". Photos in a folder a class are read, too. What else is there, a trained model for example, is left.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..collect import Member, ReadLimits, is_photo_name, read_archive
from ..errors import ProjectError, UnreadablePhotoError
from ..photos import MAX_BYTES, decode_photo
from ..system import clean_text, unify_name
from .class_folders import name_folders, name_photo
from .kinds import MANIFEST_FILE
from .photo_folder import (
    ClassNames,
    NewPhoto,
    check_photo_target,
    record_labels,
    write_photo_folder,
)

_JOINT = "-!-"
_MB = 2**20
_MOST_BYTES, _LONGEST_CLASS, _MOST_CLASSES = 2**32, 100, 1000
_LIMITS = ReadLimits(
    member_bytes=MAX_BYTES, total_bytes=_MOST_BYTES + 64 * _MB, ratio=4, slack_bytes=64 * _MB, members=100_000
)


@dataclass(frozen=True)
class ImportedPhotos:
    """What became of a project of Teachable Machine.

    Attributes
    ----------
    folder
        The folder of the photos.
    labels
        (K,) what the classes are called here.
    photos
        How many photos were written.
    skipped
        (file, reason) of those that cannot be read.
    kind
        What the project says it is: "image" as a rule, "" where it says nothing.
    """

    folder: Path
    labels: tuple[str, ...]
    photos: int
    skipped: tuple[tuple[str, str], ...] = ()
    kind: str = ""


def import_teachable(
    file: str | Path, photos: str | Path | None = None, *, say: Callable[[str], None] = lambda _: None
) -> ImportedPhotos:
    """Turn a project of Teachable Machine (.tm) into a folder of photos, from which a model is trained.

    Parameters
    ----------
    file
        The project's file.
    photos
        Folder of the photos, which must not hold anything yet; by default one in ``photos/`` that is called
        as the file is.
    say
        Called with sentences about what is done.

    Returns
    -------
    ImportedPhotos
        The folder, the classes, and what was skipped.

    Raises
    ------
    ProjectError
        If it holds no photos with classes.
    ArchiveError
        If the file is damaged, or unpacks to more than photos do.
    UsageError
        If the place is taken or cannot be written.

    Examples
    --------
    >>> imported = import_teachable("project.tm", "photos/mugs")
    >>> imported.labels, imported.photos
    (('mug', 'glass'), 4)
    """
    path = Path(file)
    folder = (
        Path(photos) if photos is not None else Path("photos") / name_folders([path.stem or "project"])[0]
    )
    check_photo_target(folder)
    kind, classes = _read_kind(path), list_classes(path)
    if not classes:
        raise ProjectError(
            "{file} holds no photos with classes{kind}. In Teachable Machine, an image project is saved by "
            "Download project as file.",
            file=path,
            kind=f": it is a project of the kind {kind}" if kind not in ("", "image") else "",
        )
    skipped: list[tuple[str, str]] = []
    numbers = {name: number for number, name in enumerate(classes)}
    names = ClassNames.choose(classes)
    say(f"Reading photos of {len(classes)} classes ...")
    count = write_photo_folder(folder, names, read_teachable_photos(path, numbers, skipped))
    record_labels(folder, names, {})
    return ImportedPhotos(folder, names.labels, count, tuple(skipped), kind)


def _read(path: Path, wanted: Callable[[str], bool]) -> Iterator[Member]:
    return read_archive(path, wanted, limits=_LIMITS, most_bytes=_MOST_BYTES)


def _read_kind(path: Path) -> str:
    """Return what the manifest calls the project; "" where it says nothing that can be read."""
    for member in _read(path, MANIFEST_FILE.__eq__):
        try:
            return clean_text(json.loads(member.data or b"")["type"], 20)
        except (ValueError, KeyError, TypeError, RecursionError):
            return ""
    return ""


def list_classes(path: Path) -> list[str]:
    """Return the classes, in the order in which the zip file names them."""
    classes = dict[str, None]()

    def note(name: str) -> bool:
        if label := _find_class(name):
            classes[label] = None
        return False

    for _ in _read(path, note):
        pass
    if len(classes) > _MOST_CLASSES:
        raise ProjectError(
            "{file} holds photos of {n} classes; at most {most} are read.",
            file=path,
            n=len(classes),
            most=_MOST_CLASSES,
        )
    return list(classes)


def _find_class(name: str) -> str:
    """Return the class that a member's name says, or ""."""
    if not is_photo_name(name):
        return ""
    label, joint, _ = name.rpartition(_JOINT)
    if not joint:
        label = name.rpartition("/")[0].rpartition("/")[2]
    return unify_name(clean_text(label, _LONGEST_CLASS)).strip()


def read_teachable_photos(
    path: Path, classes: Mapping[str, int], skipped: list[tuple[str, str]]
) -> Iterator[NewPhoto]:
    """Yield the photos of {class: its number}; (file, reason) of what cannot be read goes to `skipped`."""
    numbers = dict.fromkeys(classes.values(), 0)
    for member in _read(path, lambda name: bool(_find_class(name))):
        try:
            data = _decode(member)
        except UnreadablePhotoError as e:
            skipped.append((e.name, e.reason))
            continue
        label = classes[_find_class(member.name)]
        numbers[label] += 1
        suffix = member.name.rpartition(".")[2].lower()
        yield NewPhoto(label, name_photo(f"{numbers[label]:05d}", "", suffix), data)


def _decode(member: Member) -> bytes:
    if member.data is None:
        raise UnreadablePhotoError(member.name, member.reason)
    decode_photo(member.data, member.name, max_bytes=MAX_BYTES)
    return member.data
