"""Where photos without a label wait: `_new` beside the classes, or the folder that a server's host names."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import Message, PhotosError
from ..system import expand_home
from .tree import NEW_FOLDER, Folder
from .walk import open_root

_VARIABLE = "FASTCLF_NEW"
_NO_FOLDER = Message("There is no folder {folder}. Make it, or name another with --new.")
_HOLDS = Message(
    "{folder} holds photos of {photos}, which have a label. Name a folder beside that one with --new."
)
_BELONGS = Message(
    "{folder} belongs to {photos}, where a folder is a class, so its photos have a label. Move it elsewhere, "
    "or call it {name}."
)


def find_new_folder(photos: Path) -> Path:
    """Return where photos without a label wait: what FASTCLF_NEW names, else `_new` beside the classes."""
    named = os.environ.get(_VARIABLE, "").strip()
    return expand_home(named) if named else photos / NEW_FOLDER


def check_new_folder(folder: Path, photos: Path, inbox: Path | None = None) -> None:
    """Refuse a folder whose photos could not be told from those that have a label.

    Links count as what they lead to.

    Parameters
    ----------
    folder
        Where photos without a label are said to wait.
    photos
        The folder with the classes.
    inbox
        The file of visitors' reports.

    Raises
    ------
    PhotosError
        If there is no such folder or it cannot be read, if it holds photos of the classes or they hold it, or
        if it is the inbox.
    """
    if inbox is not None and _identify(folder) in (_identify(inbox), _identify(inbox.parent)):
        raise PhotosError(
            "{folder} is where the inbox of visitors' reports lies. Name another folder of photos without a "
            "label with --new.",
            folder=folder,
        )
    open_root(folder, _NO_FOLDER)
    walked = [*Folder(photos).walk()]
    # what no link leads to lies in the folder of the classes, as that does
    starts = [Path(os.path.realpath(one.path)) for one in walked if one.is_link or not one.name]
    above = {_identify(path) for start in starts for path in (start, *start.parents)}
    if (own := _identify(folder)) in above:
        raise PhotosError(_HOLDS, folder=folder, photos=photos)
    if any(own == one.identity for one in walked):
        raise PhotosError(_BELONGS, folder=folder, photos=photos, name=NEW_FOLDER)


def _identify(path: Path) -> tuple[object, ...]:
    return Folder(path).identity
