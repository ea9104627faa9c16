"""The splits that the folders of a source name: train/cat/1.jpg in a zip file stays a training photo."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import PhotosError
from ..photos import TEST, TRAIN, VALID, build_tree, find_layout, read_split_name
from .labelling import LabelRule


class NamedSplits:
    """Which split each file of a source is in, by the folders above it.

    Parameters
    ----------
    names
        The files that are wanted, by their paths inside the source.
    rule
        How the classes are told.
    called
        What to call the source in an error.

    Attributes
    ----------
    flat
        Folders named like a split whose photos lie in no class folder: they have no class.

    Raises
    ------
    PhotosError
        If all classes would be called train, test and the like.
    """

    def __init__(self, names: Sequence[str], rule: LabelRule, called: str) -> None:
        self._splits: dict[str, str] = {}
        self.flat: set[str] = set()
        if rule.by != "folder":
            self._splits = {_above(name): _find_split(name) for name in names}
        elif names:
            self._read_layout(names, rule, called)
        told = set(self._splits.values())
        if TRAIN not in told or not told & {VALID, TEST}:
            self._splits = {}
        elif VALID not in told:  # it is drawn from the training photos
            self._splits = {folder: split for folder, split in self._splits.items() if split != TRAIN}

    def find(self, name: str) -> str:
        """Return "train", "valid", "test", or "" where none is named."""
        folder = _above(name)
        while folder:
            if split := self._splits.get(folder, ""):
                return split
            folder = _above(folder)
        return ""

    def _read_layout(self, names: Sequence[str], rule: LabelRule, called: str) -> None:
        try:
            layout = find_layout(build_tree(names))
        except PhotosError:
            if all(read_split_name(rule.find_label(name) or "") for name in names):
                raise PhotosError(
                    "{place} holds photos in folders that are named like splits ({example}) and no class "
                    "folders, so nothing says which class a photo is of. If the files' names do, add a "
                    'pattern to the recipe: [folder.label] with by = "pattern".',
                    place=called,
                    example=names[0],
                ) from None
            return
        self._splits = {one.folder.name: one.split for one in layout.classes if one.split}
        self.flat = {folder.name for folder in layout.flat}


def _above(name: str) -> str:
    return name.rpartition("/")[0]


def _find_split(name: str) -> str:
    """Return the split that the nearest folder above a file names."""
    parts = Path(name).parts[:-1]
    return next((split for part in reversed(parts) if (split := read_split_name(part))), "")
