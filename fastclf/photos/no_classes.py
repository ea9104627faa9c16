"""What lies in a folder without class folders, and what was probably meant, in words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import Message, PhotosError, join_messages
from .split_folders import SplitFolders
from .splits import SPLITS
from .tree import Folder, show_name

if TYPE_CHECKING:
    from .layout import Layout

_TABLES = (".csv", ".tsv", ".json", ".xlsx")
# A file's name says a class where so many files share what stands before the number.
_LEAST_ALIKE = 2
_CLASS_IN_NAME = re.compile(r"([^\W\d_][\w ]*?)[\W_]*\d+\D*\.\w+$")
# A folder of more folders than that is no set of classes that somebody overlooked.
_MOST_BESIDE = 2000


def describe_nothing(root: Folder, layout: Layout) -> PhotosError:
    """Return what to raise where no class has photos: what is there, and what to do."""
    flat = next((f for f in (root, *layout.loose, *layout.base.full) if f.has_photos), None)
    if flat is not None:
        return _describe_flat(root, flat)
    files = [
        file.name for folder, _ in zip(root.walk(), range(500), strict=False) for file in folder.listing.files
    ]
    faults = [folder for folder in layout.others if folder.listing.fault]
    if faults:
        words = "{folder} holds no photos, and {name} in it cannot be read ({reason})."
        return PhotosError(
            words, folder=root.path, name=show_name(faults[0].name), reason=faults[0].listing.fault
        )
    if files:
        return PhotosError(
            "{folder} holds no photos: none of the {n} files in it is one ({name} for example). Make one "
            "sub-folder per class ({folder}/cat, {folder}/dog) and put the photos there.",
            folder=root.path, n=len(files), name=show_name(files[0]),
        )  # fmt: skip
    return PhotosError(
        "{folder} holds no photos. Make one sub-folder per class ({folder}/cat, {folder}/dog) "
        "and put the photos there.",
        folder=root.path,
    )


def describe_one_class(folder: Path, n: int) -> PhotosError:
    """Return what to raise where a classifier is wanted and fewer than two classes have photos."""
    return PhotosError(
        "{folder} holds {n} class with readable photos; a classifier needs two. "
        "Add a sub-folder with photos of another kind.",
        folder=folder,
        n=n,
    )


def describe_flat_splits(base: Folder, splits: SplitFolders) -> PhotosError:
    """Return what to raise where folders named like splits hold photos and no classes."""
    flat = sorted(splits.flat, key=lambda folder: SPLITS.index(splits.flat[folder]))
    words = Message(
        "{folder} holds photos in {names}, which are named like splits and hold no class folders, so "
        "nothing says which class a photo is of. Make one sub-folder per class ({example}/cat, "
        "{example}/dog) and move the photos there.",
        folder=base.path,
        names=", ".join(show_name(folder.own_name) for folder in flat[:4]),
        example=show_name(flat[0].name),
    )
    names = [file.name for file in splits.inner[flat[0]].listing.files if file.is_photo]
    said = Message(
        "The files' names seem to say the class ({said}): `fastclf collect` with a recipe that names the "
        'folder and by = "pattern" sorts them.',
        said=", ".join(_read_classes(names)),
    )
    return PhotosError(join_messages([words, said if _read_classes(names) else _mention_table(base)]))


def _mention_table(folder: Folder) -> str:
    """Return that a table beside photos may name their classes; "" where there is none."""
    tables = [file.name for file in folder.listing.files if file.name.lower().endswith(_TABLES)]
    return Message("{name} may say which is which.", name=show_name(tables[0])) if tables else ""


def _describe_flat(root: Folder, flat: Folder) -> PhotosError:
    """Return what to raise where photos lie in one folder without classes."""
    names = [file.name for file in flat.listing.files if file.is_photo]
    found = {"folder": flat.path, "n": len(names), "name": show_name(names[0])}
    if said := _read_classes(names):
        return PhotosError(
            "{folder} holds {n} photos, {name} for example, but no class folders; their names seem to say "
            "the class ({said}). Move each into a sub-folder of that name, or let `fastclf collect` do it "
            'with a recipe that names the folder and by = "pattern".',
            **found,
            said=", ".join(said),
        )
    table = _mention_table(root)
    if not table and (above := _find_classes_above(flat)) is not None:
        return PhotosError(
            "{folder} holds {n} photos, {name} for example, but no class folders: it looks like one of the "
            "classes of {above}. Name that folder.",
            **found,
            above=above,
        )
    words = Message(
        "{folder} holds {n} photos, {name} for example, but no class folders, so nothing says which class "
        "they are of. Make one sub-folder per class and move them there.",
        **found,
    )
    return PhotosError(join_messages([words, table]))


def _find_classes_above(flat: Folder) -> Path | None:
    """Return the folder above where others with photos stand beside this one."""
    above = Folder(flat.path.absolute().parent)
    if above.has_photos or above.path == flat.path.absolute() or len(above.listing.folders) > _MOST_BESIDE:
        return None
    return above.path if sum(folder.has_photos for folder in above.listing.folders) > 1 else None


def _read_classes(names: Sequence[str]) -> list[str]:
    """Return the classes that names like cat.1.jpg, cat_2.jpg and dog-3.jpg seem to say, at most five."""
    words = (_CLASS_IN_NAME.match(name.rpartition("/")[2]) for name in names)
    counts = Counter(match[1] for match in words if match)
    alike = [word for word, n in counts.most_common(50) if n >= _LEAST_ALIKE]
    known = sum(counts[word] for word in alike)
    return alike[:5] if 1 < len(alike) < 50 and 2 * known > len(names) else []
