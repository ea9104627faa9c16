"""Names of folders and files for classes and photos of any name: every disk takes them, and every walk."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..collect import is_class_name
from ..photos import read_split_name
from ..system import is_stray

_BARRED = re.compile(r'[<>:"/\\|?*\ufffd\s]+')
_UNUSUAL = re.compile(r"[^\w .()-]+")
_LONGEST_STEM = 60


def name_folders(vocab: Sequence[str]) -> list[str]:
    """Return a folder's name for each class: the class's own, or one like it that can be a folder.

    No two are the same to a disk that does not tell "Cat" from "cat", and none is called as a split is.

    Examples
    --------
    >>> name_folders(["mug", "Mug", "AC/DC", "train", "..."])
    ['mug', 'Mug-2', 'AC_DC', 'named train', 'class-5']
    """
    taken, names = set[str](), list[str]()
    for number, name in enumerate(vocab, 1):
        stem = _make_safe(name, number)
        found, count = stem, 1
        while found.casefold() in taken:
            count += 1
            found = f"{stem}-{count}"
        taken.add(found.casefold())
        names.append(found)
    return names


def name_photo(number: str, original: str, suffix: str) -> str:
    """Return a photo's file name: its number, and what its maker called it.

    Examples
    --------
    >>> name_photo("00007", "../My mug?.JPG", "jpg"), name_photo("00008", "", "png")
    ('00007-My mug.jpg', '00008.png')
    """
    last = original.replace("\\", "/").rpartition("/")[2]
    stem = _UNUSUAL.sub("", last.rpartition(".")[0] or last)[:_LONGEST_STEM].strip(" .-")
    return f"{number}-{stem}.{suffix}" if stem else f"{number}.{suffix}"


def _make_safe(name: str, number: int) -> str:
    if _is_safe(name):
        return name
    cleaned = _BARRED.sub("_", name).strip("_. ")
    for tried in (cleaned, f"named {name}", f"named {cleaned}"):
        if _is_safe(tried):
            return tried
    return f"class-{number}"


def _is_safe(name: str) -> bool:
    return is_class_name(name) and not is_stray(name) and not read_split_name(name)
