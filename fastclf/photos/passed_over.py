"""What a walk concluded about folders and what it passed over, in words, each with an example."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..errors import Message, count_message
from .layout import Layout
from .tree import NEW_FOLDER, Folder, show_name

# So many folders that may not be entered are named one by one.
_NAMED = 3


class PassedOver:
    """What is no photo, counted, with the first of each kind as an example."""

    def __init__(self) -> None:
        self.files: list[str] = []
        self.hidden: list[str] = []
        self.links: list[str] = []
        self.faults: list[tuple[str, str]] = []

    def add(self, folder: Folder) -> None:
        """Note what is hidden in a folder, what it links to in vain, and that it may not be entered."""
        self.hidden += folder.listing.hidden
        if folder.listing.fault:
            self.faults.append((folder.name, folder.listing.fault))

    def describe(self) -> Iterator[Message]:
        """Say it."""
        yield from _describe_faults(self.faults)
        if self.files:
            yield count_message(
                len(self.files),
                "1 file that is no photo read here was passed over: {name}.",
                "{n} files that are no photos read here were passed over, for example {name}.",
                name=show_name(self.files[0]),
            )
        if self.hidden:
            yield count_message(
                len(self.hidden),
                "1 hidden file or folder was passed over: {name}.",
                "{n} hidden files and folders were passed over, for example {name}.",
                name=show_name(self.hidden[0]),
            )
        if self.links:
            yield count_message(
                len(self.links),
                "1 link leads to a folder that is walked already: {name}.",
                "{n} links lead to folders that are walked already, for example {name}.",
                name=show_name(self.links[0]),
            )


def _describe_faults(faults: Sequence[tuple[str, str]]) -> Iterator[Message]:
    for name, reason in faults[:_NAMED]:
        words = Message("The folder {name} cannot be read ({reason}), so it was left out.")
        yield Message(words, name=show_name(name), reason=reason)
    if len(faults) > _NAMED:
        yield Message("{n} more folders cannot be read and were left out.", n=len(faults) - _NAMED)


def write_notes(layout: Layout, passed: PassedOver) -> Iterator[Message]:
    """Say what was concluded about the folders and what of them was passed over."""
    yield from layout.notes
    loose = [file.name for folder in layout.loose for file in folder.listing.files if file.is_photo]
    if loose:
        yield count_message(
            len(loose),
            "1 photo lies beside the class folders, so it has no class and was passed over: {name}.",
            "{n} photos lie beside the class folders, so they have no class and were passed over, for "
            "example {name}.",
            name=show_name(loose[0]),
        )
    for folder in layout.flat:
        n = sum(file.is_photo for file in folder.listing.files)
        words = "The {n} photos in {folder} lie in no class folders, so they were passed over."
        yield Message(words, n=n, folder=show_name(folder.name))
    for folder in layout.loose:
        # photos without a label are no oversight: whoever knows which of them wait says so
        passed.hidden += [name for name in folder.listing.hidden if name != NEW_FOLDER]
    yield from _describe_others(layout, passed)
    yield from passed.describe()


def _describe_others(layout: Layout, passed: PassedOver) -> Iterator[Message]:
    passed.faults[:0] = [(f.name, f.listing.fault) for f in layout.others if f.listing.fault]
    others = [folder for folder in layout.others if not folder.listing.fault]
    for full, one, many in (
        (
            False,
            "The folder {name} holds no photos and was passed over.",
            "{n} folders hold no photos and were passed over, for example {name}.",
        ),
        (
            True,
            "The folder {name} is no split and no class, so its photos were passed over.",
            "{n} folders are no splits and no classes, so their photos were passed over, for example {name}.",
        ),
    ):
        names = [show_name(folder.name) for folder in others if folder.contains_photos is full]
        if names:
            yield count_message(len(names), one, many, name=names[0])
