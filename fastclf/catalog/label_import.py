"""Labels of another tool, brought to the photos of a folder as one step that can be undone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from ..errors import UsageError
from ..system import ShortRepr, unify_name
from .edits import RELABEL, Edit, EditRow, check_label, write_step
from .label_files import GivenLabels, list_names, parse_labels
from .labels import choose_label
from .store import Store

_PHOTOS = "SELECT id, sha256, path, label, removed FROM photos WHERE present ORDER BY path"


@dataclass(frozen=True, repr=False)
class LabelReport(ShortRepr):
    """What an import of labels did.

    Attributes
    ----------
    kind
        Whose file it was, in words.
    matched
        How many photos of the folder the file says a label of.
    applied
        The edits that were made.
    already
        How many photos had that label already.
    missing
        (name, reason) of what is not among these photos.
    conflicts
        (name, reason) of what was left alone because something is in doubt.
    unlabelled
        How many photos the file names without a label.
    unnamed
        How many photos of the folder the file does not name.
    new_classes
        {class that was not there before: photos that have it now}.
    """

    kind: str
    matched: int
    applied: tuple[EditRow, ...]
    already: int
    missing: tuple[tuple[str, str], ...]
    conflicts: tuple[tuple[str, str], ...]
    unlabelled: int
    unnamed: int
    new_classes: dict[str, int]


@dataclass(frozen=True)
class _Photo:
    id: int
    sha256: str
    path: str
    label: str
    removed: bool


def import_labels(store: Store, data: bytes, who: str | None = None) -> LabelReport:
    """Give photos the labels that a file of another tool says, as one step.

    A photo is found by the hash of its bytes where the file has one, else by its path, else by the longest
    end of a path that one photo alone has. What is in doubt is left alone and reported.

    Parameters
    ----------
    store
        The catalog's database.
    data
        The file; see `parse_labels`.
    who
        Whoever imports.

    Raises
    ------
    UsageError
        If it is no file of labels. Nothing is changed then.
    """
    given = parse_labels(data)
    with store.transaction():
        photos = [
            _Photo(r["id"], r["sha256"], r["path"], r["label"], bool(r["removed"]))
            for r in store.read(_PHOTOS)
        ]
        matching = _Matching(given, photos)
        for name, labels in given.labels.items():
            matching.take(name, labels)
        edits = matching.decide()
        applied = write_step(store, edits, "do", who) if edits else []
    before = {photo.label for photo in photos}
    return LabelReport(
        kind=given.kind,
        matched=len(matching.found),
        applied=tuple(applied),
        already=matching.already,
        missing=tuple(matching.missing),
        conflicts=tuple(matching.conflicts),
        unlabelled=matching.unlabelled,
        unnamed=len(photos) - len(matching.named),
        new_classes=dict(Counter(row.new for row in applied if row.new not in before)),
    )


class _Matching:
    """Finds the photo of each name; `found` is {photo's number: (name, label)} of what has one answer."""

    def __init__(self, given: GivenLabels, photos: Sequence[_Photo]) -> None:
        self.found: dict[int, tuple[str, str]] = {}
        self.named: set[int] = set()
        self.missing: list[tuple[str, str]] = []
        self.conflicts: list[tuple[str, str]] = []
        self.already = self.unlabelled = 0
        self._hashes = given.hashes
        self._photos = {photo.id: photo for photo in photos}
        self._known = sorted({photo.label for photo in photos})
        self._by_path = {unify_name(photo.path): photo for photo in photos}
        self._by_hash: dict[str, list[_Photo]] = defaultdict(list)
        self._by_file: dict[str, list[_Photo]] = defaultdict(list)
        for photo in photos:
            self._by_hash[photo.sha256].append(photo)
            file = PurePosixPath(unify_name(photo.path))
            for end in {file.name, file.stem}:  # Datumaro leaves the ending out
                self._by_file[end].append(photo)
        self._doubtful: set[int] = set()

    def take(self, name: str, labels: Sequence[str]) -> None:
        """Note what the file says of one name."""
        photos = self._find(name)
        if not photos:
            self.missing.append((name, "is not among these photos"))
        elif len(photos) > 1:
            places = ", ".join(photo.path for photo in photos[:3])
            self.conflicts.append((name, f"could be any of {places}"))
        elif not labels:
            self.named.add(photos[0].id)
            self.unlabelled += 1
        else:
            self.named.add(photos[0].id)
            self._note(photos[0], name, labels)

    def _find(self, name: str) -> list[_Photo]:
        by_hash = self._by_hash.get(self._hashes.get(name, ""), [])
        if len(by_hash) == 1:
            return by_hash
        for text in map(unify_name, list_names(name)):
            if text in self._by_path:
                return [self._by_path[text]]
            if ends := _find_longest_ends(text, self._by_file.get(text.rpartition("/")[2], [])):
                return ends
        return []

    def _note(self, photo: _Photo, name: str, labels: Sequence[str]) -> None:
        known = self.found.get(photo.id)
        several = list(dict.fromkeys([*([known[1]] if known else []), *labels]))
        if len(several) > 1:
            self.conflicts.append((name, f"has the labels {', '.join(several[:5])}; a photo has one"))
            self._doubtful.add(photo.id)
        else:
            self.found[photo.id] = (name, labels[0])

    def decide(self) -> list[Edit]:
        """Return the edits that give each photo its label."""
        edits = []
        for number in self._doubtful:
            self.found.pop(number, None)
        for number, (name, said) in self.found.items():
            photo = self._photos[number]
            try:
                label = choose_label(said, self._known)
                check_label(label)
            except UsageError as e:
                self.conflicts.append((name, f"was left alone: {str(e).rstrip('.')}"))
                continue
            if photo.removed:
                self.conflicts.append((name, "was taken out of these photos, so it was left alone"))
            elif unify_name(label) == photo.label:
                self.already += 1
            else:
                edits.append(Edit(number, RELABEL, unify_name(label)))
        return edits


def _find_longest_ends(text: str, photos: Sequence[_Photo]) -> list[_Photo]:
    """Return the photos whose paths agree with a name on the most parts from the end."""
    wanted = PurePosixPath(text).parts[::-1]

    def count(photo: _Photo) -> int:
        parts = PurePosixPath(unify_name(photo.path)).parts[::-1]
        return next(
            (n for n, (a, b) in enumerate(zip(wanted[1:], parts[1:], strict=False)) if a != b), len(parts)
        )

    counts: Mapping[int, int] = {photo.id: count(photo) for photo in photos}
    return [photo for photo in photos if counts[photo.id] == max(counts.values())]
