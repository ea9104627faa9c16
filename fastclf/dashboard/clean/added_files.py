"""Files that join the class folders by a step: all of them are written and held, or none stays."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ...catalog import Catalog, check_label
from ...errors import FastclfError, PhotosError
from ...photos import find_class_folder
from ...system import make_folder, write_atomic


class Addition(NamedTuple):
    """A file to add: its class, what it shall be called, and what reads its bytes."""

    label: str | None
    file_name: str
    read: Callable[[], bytes]


class AddedFile(NamedTuple):
    """A file that was added, its name in the folder; one that is not new was left by an undone step."""

    path: Path
    name: str
    is_new: bool


@contextlib.contextmanager
def hold_files(
    catalog: Catalog,
    additions: Sequence[Addition],
    why: str,
    ask: Callable[[], object] | None = None,
) -> Iterator[list[int]]:
    """Write files into their class folders and hold them out of the set; on a fault none of them stays.

    Gives the catalog's numbers of the photos, in their order, for a step that lets them in. `ask` is called
    before they are held, while nobody else can write to the catalog: what it raises is such a fault.
    """
    added = _add_files(catalog.folder, additions)
    try:
        if added:
            catalog.scan()
        held = catalog.arrivals.hold([file.name for file in added], why, ask=ask)
        yield [_get_number(held, file) for file in added]
    except BaseException:
        _remove_files(_leave_let_in(catalog, added))
        with contextlib.suppress(FastclfError):  # the next scan will see it
            if added:
                catalog.scan()
        raise


def _leave_let_in(catalog: Catalog, added: Sequence[AddedFile]) -> list[AddedFile]:
    """Return the files without those that somebody else's step has let in meanwhile."""
    let_in: set[str] = set()
    with contextlib.suppress(FastclfError):
        for file in added:
            let_in |= {held.name for held in catalog.arrivals.find_held(file.name) if held.action}
    return [file for file in added if file.name not in let_in]


def _get_number(held: Mapping[str, int], file: AddedFile) -> int:
    if file.name not in held:
        raise PhotosError(
            "{name} was added, but no class has its photos there. Choose another class; nothing was changed.",
            name=file.name,
        )
    return held[file.name]


def _add_files(folder: Path, additions: Sequence[Addition]) -> list[AddedFile]:
    """Write files to their class folders; all of them or, on a fault, none. No file is replaced."""
    added: list[AddedFile] = []
    try:
        for one in additions:
            check_label(one.label)
            added.append(_add_file(folder, str(one.label), one.file_name, one.read()))
    except BaseException:
        _remove_files(added)
        raise
    return added


def _add_file(folder: Path, label: str, file_name: str, data: bytes) -> AddedFile:
    place = find_class_folder(folder, label)
    path, number = place / file_name, 1
    try:
        make_folder(place)
        while path.is_symlink() or path.exists():
            if path.is_file() and path.read_bytes() == data:
                return AddedFile(path, path.relative_to(folder).as_posix(), is_new=False)
            number += 1
            path = path.with_name(f"{Path(file_name).stem}-{number}{Path(file_name).suffix}")
        write_atomic(path, data)
    except OSError as e:
        raise PhotosError(
            "The photo cannot be added to {place} ({reason}). Make room or mend its permissions; "
            "nothing was changed.",
            place=place,
            reason=e.strerror or e,
        ) from None
    return AddedFile(path, path.relative_to(folder).as_posix(), is_new=True)


def _remove_files(added: Iterable[AddedFile]) -> None:
    for file in added:
        if file.is_new:
            file.path.unlink(missing_ok=True)
