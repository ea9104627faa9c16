"""What the folders in a folder of photos are: classes, splits, data sets; told by what lies in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from ..errors import Message, PhotosError
from ..system import unify_name
from .no_classes import describe_flat_splits
from .split_folders import SplitFolders, are_flat, are_splits, find_split_folders, name_splits, pass_through
from .split_names import is_filler, read_split_name
from .splits import TRAIN, VALID
from .tree import Folder, show_name

# Folders that hold the classes are looked for so many levels below the one that was named.
_MOST_LEVELS = 8
_NAMED = 4
_NUMBER = re.compile(r"\d+")
# So many folders are looked through for files before one counts as empty.
_MOST_EMPTY = 50
# Data sets side by side share few names of classes; classes with groups inside share most.
_SHARED = 0.5


@dataclass(frozen=True)
class ClassFolder:
    """A folder whose photos are of one class, and of one split where a folder names that."""

    folder: Folder
    label: str
    split: str = ""


@dataclass(frozen=True)
class Layout:
    """What was concluded about a folder.

    Attributes
    ----------
    base
        The folder that the classes, or the splits, lie in.
    classes
        The class folders, the empty ones too.
    loose
        Folders of which the photos that lie directly in them belong to no class.
    flat
        Folders named like a split that hold photos and no classes.
    others
        Folders that are neither classes nor splits.
    notes
        What was concluded and is not obvious.
    """

    base: Folder
    classes: tuple[ClassFolder, ...] = ()
    loose: tuple[Folder, ...] = ()
    flat: tuple[Folder, ...] = ()
    others: tuple[Folder, ...] = ()
    notes: tuple[Message, ...] = ()


def find_layout(root: Folder, *, strict: bool = True) -> Layout:
    """Tell what the folders in a folder are.

    Folders named like splits (train, Testing, val_set ...) are splits where they hold class folders; where
    they hold photos themselves and stand beside other such folders they are classes. Splits may also lie in
    each class. A folder that holds nothing but another one with the classes in it is passed through.

    Raises
    ------
    PhotosError
        If the folder holds data sets, or splits without classes: guessing would give a model of nonsense.
        If not `strict`, each folder is a class then.
    """
    base, above = root, list[Folder]()
    while len(above) < _MOST_LEVELS and (inner := _find_inner(base, strict=strict)) is not None:
        above.append(base)
        base = inner
        if strict and base.has_catalog:
            raise PhotosError(
                "{folder} holds the data set {name}, which was worked on under its own name. Name {path}.",
                folder=root.path,
                name=_call(base),
                path=base.path,
            )
    splits = find_split_folders(base)
    try:
        layout = _judge(base, splits)
    except PhotosError:
        if strict:
            raise
        layout = _plain_layout(base, SplitFolders())
    notes = [Message("The classes are the folders in {folder}.", folder=_call(base))] if above else []
    inside = {*above, base}
    others = [sub for folder in above for sub in folder.listing.folders if sub not in inside]
    return Layout(
        base, layout.classes, (*above, *layout.loose), layout.flat, (*others, *layout.others),
        (*notes, *layout.notes),
    )  # fmt: skip


def _find_inner(base: Folder, *, strict: bool) -> Folder | None:
    """Return the one folder that the classes or splits lie in, or None where they lie in `base` itself."""
    full = base.full
    if are_splits(find_split_folders(base)):
        return None
    if len(full) == 1:
        return full[0] if _holds_folders(full[0]) else None
    if _has_splits_inside(base):
        return None
    inner = [f for f in full if not f.has_photos and are_splits(find_split_folders(f))]
    if len(inner) == 1 and sum(f.has_photos or len(f.full) > 1 for f in full if f is not inner[0]) < 2:
        return inner[0]
    inner = inner or [f for f in full if not f.has_photos and is_filler(f.own_name) and _holds_words(f)]
    if strict and len(inner) == 1:
        raise PhotosError(
            "{folder} holds the folder {name} with classes of its own ({classes}), and other folders with "
            "photos. Name {path}, or move it elsewhere; if it is a class itself, move a photo or more of it "
            "directly into it.",
            folder=base.path,
            name=_call(inner[0]),
            classes=_list_names(inner[0].full),
            path=inner[0].path,
        )
    return None


def _holds_words(folder: Folder) -> bool:
    """Return whether the folders in a folder are called as classes are, not by dates and numbers."""
    return len(folder.full) > 1 and not any(_NUMBER.search(sub.own_name) for sub in folder.full)


def _holds_folders(folder: Folder) -> bool:
    """Return whether a folder that stands alone holds the classes or splits, rather than being a class."""
    for _ in range(_MOST_LEVELS):
        if folder.has_photos or len(folder.full) > 1:
            break
        folder = folder.full[0]
        if read_split_name(folder.own_name):
            return True
    return not folder.has_photos


def _judge(base: Folder, splits: SplitFolders) -> Layout:
    if are_splits(splits):
        return _split_layout(base, splits)
    if are_flat(splits):
        raise describe_flat_splits(base, splits)
    if _has_splits_inside(base):
        return _class_first_layout(base)
    _refuse_data_sets(base)
    _refuse_folds(base)
    if len(base.full) == 1 and base.full[0].has_photos and is_filler(base.full[0].own_name):
        return Layout(base)  # all photos in "images": that is no class
    return _plain_layout(base, splits)


def _split_layout(base: Folder, splits: SplitFolders) -> Layout:
    classes, loose, others = list[ClassFolder](), [base], list[Folder]()
    # where nothing is for training, a folder called "test" is just where the photos lie
    trains = TRAIN in splits.folders.values()
    for folder, name in splits.folders.items():
        split = name if trains else ""
        inner = splits.inner[folder]
        loose += [folder, inner] if inner is not folder else [folder]
        classes += [ClassFolder(sub, _label(sub), split) for sub in inner.listing.folders if _counts(sub)]
        others += [sub for sub in inner.listing.folders if not _counts(sub)]
        others += _list_beside(folder, inner)
        _refuse_inner_splits(inner, split)
        _refuse_folds(inner)
    known = {*splits.folders, *splits.flat}
    others += [sub for sub in base.listing.folders if sub not in known]
    flat = [splits.inner[folder] for folder in splits.flat]
    notes = tuple(_describe_splits(splits.folders))
    return Layout(base, tuple(classes), tuple(loose), tuple(flat), tuple(others), notes)


def _list_beside(outer: Folder, inner: Folder) -> Iterator[Folder]:
    """Yield the folders that lie beside those which lead from one folder to another in it."""
    while outer is not inner:
        [way] = outer.full
        yield from (sub for sub in outer.listing.folders if sub is not way)
        outer = way


def _refuse_inner_splits(inner: Folder, split: str) -> None:
    """Refuse train/cat, train/dog, train/validation/cat: the split inside is no class."""
    for folder, said in find_split_folders(inner).folders.items():
        shared = {_label(sub) for sub in folder.full} & {_label(sub) for sub in inner.full}
        if said != split and shared:
            raise PhotosError(
                "{folder} is named like a split, holds classes and lies among the classes of {above}. Move "
                "it out of there, beside {name}; if it is a class, move a photo or more directly into it.",
                folder=folder.path,
                above=inner.path,
                name=_call(inner),
            )


def _describe_splits(folders: Mapping[Folder, str]) -> Iterator[Message]:
    """Say which folders are which splits, and where validation photos come from if none holds any."""
    names = ", ".join(_call(folder) for folder in folders)
    if TRAIN not in folders.values():
        yield Message("The classes are the folders in {folder}.", folder=names)
        return
    called = {folder: folder.own_name for folder in folders}
    said = (_call(f) if called[f] == split else f"{_call(f)} ({split})" for f, split in folders.items())
    yield Message("The folders name splits: {splits}.", splits=", ".join(said))
    if VALID not in folders.values():
        yield Message(
            "No folder holds validation photos, so they are drawn from those in {folder}.",
            folder=", ".join(_call(folder) for folder, split in folders.items() if split == TRAIN),
        )


def _has_splits_inside(base: Folder) -> bool:
    """Return whether classes hold splits (cat/train, cat/test), and all others photos alone."""
    inside = set[str]()
    for folder in base.full:
        splits = [
            read_split_name(sub.own_name) if pass_through(sub).has_photos else "" for sub in folder.full
        ]
        if "" in splits or not (splits or folder.has_photos):
            return False
        inside |= set(splits)
    return len(base.full) > 1 and len(inside) > 1


def _class_first_layout(base: Folder) -> Layout:
    classes = [
        ClassFolder(sub, _label(folder), split)
        for folder in base.full
        for sub, split in (name_splits(folder.full) or {folder: ""}).items()
    ]
    others = [sub for sub in base.listing.folders if sub not in base.full]
    named = dict.fromkeys(one.split for one in classes if one.split)
    note = Message("The folders in each class name splits: {splits}.", splits=", ".join(named))
    loose = (base, *(folder for folder in base.full if folder.full))
    return Layout(base, tuple(classes), loose, (), tuple(others), (note,))


def _plain_layout(base: Folder, splits: SplitFolders) -> Layout:
    copies = _find_copies(base)
    of = [sub for sub in base.listing.folders if sub not in copies and _counts(sub)]
    classes = [ClassFolder(sub, _label(sub)) for sub in of]
    others = [sub for sub in base.listing.folders if sub not in of]
    odd = [folder for folder in (*splits.flat, *splits.folders) if len(classes) > 1 and folder in of]
    notes = [
        Message(
            "{name} is taken for a class, not for a split: it holds photos as the folders beside it do.",
            name=_call(folder),
        )
        for folder in odd
    ]
    return Layout(base, tuple(classes), (base,), (), tuple(others), (*notes, *_describe_groups(of)))


def _describe_groups(classes: Sequence[Folder]) -> Iterator[Message]:
    """Say that folders which all hold the same ones are the classes: it could be the other way round."""
    inside = [{_label(sub) for sub in folder.full} for folder in classes if folder.contains_photos]
    if len(inside) > 1 and len(inside[0]) > 1 and all(names == inside[0] for names in inside):
        yield Message(
            "The classes are {classes}; each holds the folders {inside}, whose photos are of that class.",
            classes=_list_names(classes),
            inside=", ".join(sorted(inside[0])[:_NAMED]),
        )


def _find_copies(base: Folder) -> set[Folder]:
    """Return folders without photos of their own that hold once more what lies beside them: set/yes, yes."""
    beside = {_label(folder) for folder in base.full if folder.has_photos}
    return {
        folder
        for folder in base.full
        if not folder.has_photos and len(folder.full) > 1 and {_label(sub) for sub in folder.full} <= beside
    }


def _refuse_folds(base: Folder) -> None:
    """Refuse fold1/cat, fold1/dog, fold2/cat, fold2/dog: the classes lie inside, or nobody can tell."""
    stems = {_NUMBER.sub("#", _label(folder)) for folder in base.full}
    inside = [{_label(sub) for sub in folder.full} for folder in base.full]
    if len(inside) < 2 or len(stems) > 1 or "#" not in next(iter(stems)) or len(inside[0]) < 2:
        return
    if any(f.has_photos for f in base.full) or any(names != inside[0] for names in inside):
        return
    if not _holds_words(base.full[0]):
        return
    raise PhotosError(
        "Each of the folders {names} in {folder} holds the folders {classes}. If these are the classes, put "
        "the photos of each into one folder, or name one of the folders above; if not, move a photo or more "
        "of each class directly into its folder.",
        names=_list_names(base.full),
        folder=base.path,
        classes=", ".join(sorted(inside[0])[:_NAMED]),
    )


def _refuse_data_sets(base: Folder) -> None:
    """Refuse a folder that is a level too high; classes with groups of photos inside share their names."""
    sets = [folder for folder in base.full if _is_data_set(folder)]
    if len(sets) < 2 or 2 * len(sets) < len(base.full):
        return
    names = [{unify_name(sub.own_name).casefold() for sub in folder.full} for folder in sets]
    alike = any(len(a & b) > _SHARED * min(len(a), len(b)) for a, b in combinations(names, 2))
    in_words = any(all(not any(c.isdigit() for c in name) for name in group) for group in names)
    with_splits = any(find_split_folders(folder).folders for folder in sets)
    if not with_splits and (alike or not in_words):
        return
    told = [f"{_call(f)} ({_list_names(f.full, 3)})" for f in sets[:_NAMED]]
    raise PhotosError(
        "{folder} looks like a folder of data sets: {sets}. Name one of them, {example} for example. "
        "If they are the classes themselves, move a photo or more of each directly into its folder.",
        folder=base.path,
        sets=", ".join(told) + (" ..." if len(sets) > _NAMED else ""),
        example=sets[0].path,
    )


def _is_data_set(folder: Folder) -> bool:
    splits = find_split_folders(folder)
    if folder.has_photos or (len(folder.full) < 2 and TRAIN not in splits.folders.values()):
        return False
    return bool(splits.folders) or all(sub.has_photos for sub in folder.full)


def _counts(folder: Folder) -> bool:
    """Return whether a folder is a class: it holds photos, or nothing at all yet."""
    if folder.contains_photos:
        return True
    below = [one.listing for one, _ in zip(folder.walk(), range(_MOST_EMPTY), strict=False)]
    return not read_split_name(folder.own_name) and not any(one.files or one.fault for one in below)


def _label(folder: Folder) -> str:
    return unify_name(folder.own_name)


def _call(folder: Folder) -> str:
    """Return a folder's name fit to be shown."""
    name = folder.name or folder.path.name or str(folder.path)
    return show_name(name)


def _list_names(folders: Sequence[Folder], most: int = _NAMED) -> str:
    names = [_call(folder).rpartition("/")[2] for folder in folders]
    return ", ".join(names[:most]) + (" ..." if len(names) > most else "")
