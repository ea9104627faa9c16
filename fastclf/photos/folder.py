"""What is known of the photos of a labelled folder, one by one and together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ..system import ShortRepr, write_atomic
from .decode import MAX_FOLDER_BYTES, decode_photo, encode_png

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Photo:
    """One readable photo of a labelled folder.

    Attributes
    ----------
    path
        Where it lies.
    name
        The path relative to the folder, with ``/``.
    label
        Its class today: the class folder's name, or what an edit said.
    sha256
        Hash of the file's bytes.
    pixel_hash
        Hash of the decoded pixels.
    width, height
        Pixels, upright.
    plain
        Whether fastai reads it like fastclf does.
    id
        The catalog's number of it; a renamed photo keeps its number.
    folder_label
        The class folder's name.
    given_split
        The split that the folder names (``DIR/train/cat``), or "".
    split
        The recorded split, or "" where none is recorded yet.
    removed
        Whether an edit took it out.
    size
        Bytes.
    """

    path: Path
    name: str
    label: str
    sha256: str
    pixel_hash: str
    width: int
    height: int
    plain: bool
    id: int = 0
    folder_label: str = ""
    given_split: str = ""
    split: str = ""
    removed: bool = False
    size: int = 0


@dataclass(frozen=True, repr=False)
class PhotoSet(ShortRepr):
    """The photos of a folder and what could not be read of it.

    Attributes
    ----------
    folder
        Where the class folders lie.
    photos
        The readable ones, in the order of label and path.
    failures
        (file relative to the folder, reason) of the others.
    """

    folder: Path
    photos: tuple[Photo, ...]
    failures: tuple[tuple[str, str], ...]

    @property
    def vocab(self) -> list[str]:
        """The class names, sorted."""
        return sorted({photo.label for photo in self.photos})

    def find_conflicts(self) -> list[list[Photo]]:
        """Return groups of photos with equal pixels under two labels or more."""
        groups: dict[str, list[Photo]] = defaultdict(list)
        for photo in self.photos:
            groups[photo.pixel_hash].append(photo)
        return [group for group in groups.values() if len({p.label for p in group}) > 1]

    def without_conflicts(self) -> PhotoSet:
        """Return the set without the photos of such groups: nobody knows which label is right."""
        return self.without(photo for group in self.find_conflicts() for photo in group)

    def without(self, photos: Iterable[Photo]) -> PhotoSet:
        """Return the set without some of its photos."""
        gone = set(photos)
        return PhotoSet(self.folder, tuple(p for p in self.photos if p not in gone), self.failures)


def build_training_file(photo: Photo, private: Path) -> Path:
    """Return a file that fastai decodes to the same pixels as fastclf.

    The photo itself where it is plain; else a copy under ``decoded/`` (upright, 8 bits, over white).
    """
    if photo.plain:
        return photo.path
    folder = private / "decoded"
    folder.mkdir(exist_ok=True)
    copy = folder / f"{photo.sha256}.png"
    if not copy.exists():
        write_atomic(copy, encode_png(decode_photo(photo.path, max_bytes=MAX_FOLDER_BYTES).image))
    return copy
