"""Folders that are named like splits: what lies in them says whether they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

from ..system import unify_name
from .split_names import is_filler, read_split_name, read_stem, says_either
from .splits import TEST, VALID
from .tree import Folder

_MOST_LEVELS = 8


@dataclass(frozen=True)
class SplitFolders:
    """The folders of a folder that are named like splits, by what they hold; and the others with photos."""

    folders: dict[Folder, str] = field(default_factory=dict)  # those with class folders
    flat: dict[Folder, str] = field(default_factory=dict)  # those with photos alone
    inner: dict[Folder, Folder] = field(default_factory=dict)  # where the classes of a split lie
    others: tuple[Folder, ...] = ()


def find_split_folders(base: Folder) -> SplitFolders:
    """Return which folders of a folder are named like splits, and what they hold."""
    named = name_splits(base.full)
    inner = {folder: pass_through(folder) for folder in named}
    return SplitFolders(
        {f: split for f, split in named.items() if inner[f].full},
        {f: split for f, split in named.items() if not inner[f].full},
        inner,
        tuple(folder for folder in base.full if folder not in named),
    )


def name_splits(folders: Sequence[Folder]) -> dict[Folder, str]:
    """Return the split that each folder's name says, of those that say one."""
    named = {folder: read_split_name(folder.own_name) for folder in folders}
    named = {folder: split for folder, split in named.items() if split} or _name_by_stem(folders)
    sure = {split for folder, split in named.items() if not says_either(folder.own_name)}
    if VALID in sure and TEST not in sure:
        named = {f: TEST if says_either(f.own_name) else split for f, split in named.items()}
    return named


def _name_by_stem(folders: Sequence[Folder]) -> dict[Folder, str]:
    """Return the splits of asl_train and asl_test: beside a word for a split they are called the same."""
    found = {folder: read_stem(folder.own_name) for folder in folders}
    splits: dict[str, set[str]] = defaultdict(set)
    for stem, split in found.values():
        if split:
            splits[stem].add(split)
    return {folder: split for folder, (stem, split) in found.items() if split and len(splits[stem]) > 1}


def pass_through(split: Folder) -> Folder:
    """Return where the classes of a split lie: seg_train/seg_train, train/images."""
    inner, said = split, read_split_name(split.own_name)
    for _ in range(_MOST_LEVELS):
        if inner.has_photos or len(inner.full) != 1:
            break
        [sub] = inner.full
        doubled = unify_name(sub.own_name).casefold() == unify_name(inner.own_name).casefold()
        if (
            not doubled
            and not is_filler(sub.own_name)
            and not (said and read_split_name(sub.own_name) == said)
        ):
            break
        inner = sub
    return inner


def are_splits(splits: SplitFolders) -> bool:
    """Return whether folders with such names are splits, given what lies in them and beside them."""
    if not splits.folders:
        return False
    direct = [folder for folder in splits.others if folder.has_photos]
    if not direct:
        return True
    names = [{unify_name(sub.own_name) for sub in splits.inner[f].full} for f in splits.folders]
    shared = any(a & b for a, b in combinations(names, 2))
    return shared or len(set(splits.folders.values())) > 1 or (len(direct) == 1 and len(names[0]) > 1)


def are_flat(splits: SplitFolders) -> bool:
    """Return whether folders with photos alone are splits without classes, not classes called "train"."""
    if splits.folders or not splits.flat or (len(splits.flat) == 1 and splits.others):
        return False
    return len(splits.others) < 2
