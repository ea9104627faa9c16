"""Photos without a label beside the classes: which of them still wait for one."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ..errors import CatalogError, Message, PhotosError, UnreadablePhotoError, count_message
from ..photos import NEW_FOLDER, FoundFile, Photo, Progress, list_photo_files
from .reading import make_text, read_hashed

if TYPE_CHECKING:
    from .catalog import Catalog

PREFIX = "new-"
_NAME = re.compile(rf"(?:^|/){PREFIX}(?P<digest>[0-9a-f]{{16}})(?:-[^/]*)?\.[A-Za-z0-9]+$")
# Characters and bytes of a name: with what stands around it and what a file is called while it is written it
# fits into the 255 bytes that most disks take.
_MOST_STEM, _MOST_STEM_BYTES = 60, 180
# What a catalog of this folder would take for a way out of it, or a system for the end of a line.
_ODD = re.compile(r"[\x00-\x1f\x7f\\]")
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")
_ONE_OF = 5
_RESULT = "unlabelled files"
_HASH = re.compile(r"[0-9a-f]{64}")
_ONE_WAITS = Message(
    "1 photo in {folder} waits for a label: the Clean tab shows it among New photos, and `fastclf suggest` "
    "names what to label first."
)
_SOME_WAIT = Message(
    "{n} photos in {folder} wait for a label: the Clean tab shows them as New photos, and `fastclf suggest` "
    "names those to label first."
)


@dataclass(frozen=True)
class Unlabelled:
    """The photos of a folder that have no label.

    Attributes
    ----------
    photos
        Each content once, by name; nothing but its name, its place and its hash is known of it.
    known
        How many others have a label, or were dismissed.
    failures
        (file, reason) of what could not be read.
    """

    photos: tuple[Photo, ...]
    known: int
    failures: tuple[tuple[str, str], ...] = ()


def list_unlabelled(catalog: Catalog, folder: Path, progress: Progress | None = None) -> Unlabelled:
    """Return the photos below a folder, inside the catalog's or not, that nobody gave a label.

    One whose bytes are a photo of the set has one, and one that was dismissed needs none. Where a label was
    undone the copy lies in a class folder, out of the set, and the photo waits again.

    Parameters
    ----------
    catalog
        Of the labelled photos, as of the last scan.
    folder
        The photos without a label.
    progress
        Called with (done, all) of the files whose bytes have to be hashed: a file of the same name, size and
        time is not hashed again.

    Raises
    ------
    PhotosError
        If there is no such folder.
    """
    files = list_photo_files(folder)
    hashes, failures = _hash_files(catalog, files, progress)
    is_known = _build_judge(catalog, folder)
    found: dict[str, Photo] = {}
    known = 0
    for file in files:
        if (sha256 := hashes.get(file.name)) is None:
            continue
        known += (decided := is_known(sha256))
        if not decided:
            found.setdefault(sha256, Photo(file.path, file.name, "", sha256, "", 0, 0, plain=True))
    return Unlabelled(tuple(found.values()), known, tuple(failures))


def describe_waiting(catalog: Catalog) -> Iterator[Message]:
    """Say how many photos wait in `_new` beside the classes.

    No file is read: one that was never hashed waits.
    """
    folder = catalog.folder / NEW_FOLDER
    try:
        files = list_photo_files(folder)
        known, is_known = _read_hashes(catalog), _build_judge(catalog, folder)
    # there is none; or who wants to give labels is told why it cannot be read. Or the catalog was closed.
    except (PhotosError, CatalogError):
        return
    hashes = [known.get(_mark_file(file)) for file in files]
    n = hashes.count(None) + sum(not is_known(sha256) for sha256 in {*hashes} if sha256)
    if n:
        yield count_message(n, _ONE_WAITS, _SOME_WAIT, folder=NEW_FOLDER)


def is_about_waiting(note: str) -> bool:
    """Tell whether a sentence is one of `describe_waiting`."""
    return isinstance(note, Message) and note.template in (_ONE_WAITS, _SOME_WAIT)


def name_copy(name: str, sha256: str) -> str:
    """Return what a labelled photo's copy in its class's folder is called, so that it is found again.

    Examples
    --------
    >>> name_copy("monday/DSC 1.JPG", "0123456789abcdef" + 48 * "0")
    'new-0123456789abcdef-DSC 1.JPG'
    """
    path = PurePosixPath(name)
    stem = _ODD.sub("_", path.stem)[:_MOST_STEM].encode()[:_MOST_STEM_BYTES].decode(errors="ignore")
    suffix = path.suffix if _SUFFIX.fullmatch(path.suffix) else ".jpg"
    return f"{PREFIX}{sha256[:16]}-{stem}{suffix}"


def is_held_out(sha256: str) -> bool:
    """Tell whether a photo that gets its label here judges models and teaches none: every fifth, by its hash.

    Those are to be labelled in the order of their hashes. Were they chosen for doubt, as the others are, a
    model would be judged on photos that are harder than those to come.
    """
    return int(sha256[:8], 16) % _ONE_OF == 0


def find_digest(path: str) -> str:
    """Return the beginning of the hash of the photo that a copy was made of; "" where it is no such copy."""
    match = _NAME.search(path)
    return match["digest"] if match else ""


def _build_judge(catalog: Catalog, folder: Path) -> Callable[[str], bool]:
    """Return what tells of a hash whether that content has a label, or was dismissed."""
    photos = leave_out(catalog.photos(removed=True).photos, folder)
    inside, there = {p.sha256 for p in photos if not p.removed}, {p.sha256 for p in photos}
    decided, undone = set[str](), set[str]()
    for held in catalog.arrivals.find_held(PREFIX):
        (decided if held.is_decided else undone).add(find_digest(held.name))
    undone -= decided

    def is_known(sha256: str) -> bool:
        digest = sha256[:16]
        return sha256 in inside or digest in decided or (sha256 in there and digest not in undone)

    return is_known


def leave_out(photos: Iterable[Photo], folder: Path) -> list[Photo]:
    """Return the photos that do not lie in a folder, or below it."""
    # unlike Path.resolve, this raises nothing where a link leads back to itself
    real = Path(os.path.realpath(folder))

    @cache
    def is_inside(place: Path) -> bool:
        found = Path(os.path.realpath(place))
        return real == found or real in found.parents

    # a file that is a link lies where the link does
    return [photo for photo in photos if not is_inside(photo.path.parent)]


def _hash_files(
    catalog: Catalog, files: list[FoundFile], progress: Progress | None
) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Return {name: hash} and what could not be read; known are files of the same place, size and time."""
    known = _read_hashes(catalog)
    marks = {file.name: _mark_file(file) for file in files}
    fresh = [file for file in files if marks[file.name] not in known]
    failures: list[tuple[str, str]] = []
    for i, file in enumerate(fresh, 1):
        try:
            _, known[marks[file.name]] = read_hashed(file)
        except UnreadablePhotoError as e:
            failures.append((make_text(file.name), e.reason))
        if progress:
            progress(i, len(fresh))
    if fresh:
        _keep_hashes(catalog, {mark: known[mark] for mark in marks.values() if mark in known})
    return {name: known[mark] for name, mark in marks.items() if mark in known}, failures


def forget_hash(catalog: Catalog, file: Path) -> None:
    """Have a file hashed again: it has other bytes under the same name, size and time."""
    known = _read_hashes(catalog)
    _keep_hashes(catalog, {mark: known[mark] for mark in known if not mark.startswith(_mark(file))})


def _mark_file(file: FoundFile) -> str:
    return f"{_mark(file.path)}{file.size}|{file.mtime_ns}"


def _mark(file: Path) -> str:
    return f"{file.absolute()}|"


def _read_hashes(catalog: Catalog) -> dict[str, str]:
    """Return {mark: hash} of what was kept; what fastclf would not write is passed over."""
    try:
        # a folder's catalog may be anybody's
        value = json.loads(catalog.read_result(_RESULT, "1") or b"{}")
    except (ValueError, RecursionError):
        return {}
    found = value.items() if isinstance(value, dict) else ()
    return {mark: sha for mark, sha in found if isinstance(sha, str) and _HASH.fullmatch(sha)}


def _keep_hashes(catalog: Catalog, hashes: dict[str, str]) -> None:
    try:
        catalog.keep_result(_RESULT, "1", json.dumps(hashes).encode())
    except CatalogError:  # they are computed again
        return
