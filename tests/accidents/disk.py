"""A disk as a power cut finds it: what was synced is there, and of the rest some part.

The rules are those of POSIX, which promise less than most file systems keep:
- bytes of a file are there once the file was synced after they were written;
- a name in a folder (made, renamed, removed) is there once the folder was synced after that;
- a rename is one step. Nothing else has an order.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

CREATE, WRITE, TRUNCATE, SYNC, RENAME, UNLINK, MKDIR, RMDIR, LINK = range(1, 10)
_HEAD = struct.Struct("<BQQII")
_SECTOR = 512


@dataclass(frozen=True)
class Change:
    """One call that changed a disk, as the library recorded it."""

    what: int
    inode: int
    offset: int
    first: bytes
    second: bytes


def read_log(file: Path) -> Iterator[Change]:
    data, at = file.read_bytes(), 0
    while at < len(data):
        what, inode, offset, n, m = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        yield Change(what, inode, offset, data[at : at + n], data[at + n : at + n + m])
        at += n + m


@dataclass(eq=False)
class File:
    """What lies on the disk, and what was written since it was synced: (offset, bytes), or (size, None)."""

    safe: bytes = b""
    late: list[tuple[int, bytes | None]] = field(default_factory=list)

    def read(self, writes: list[tuple[int, bytes | None]]) -> bytes:
        data = bytearray(self.safe)
        for offset, new in writes:
            end = offset if new is None else offset + len(new)
            data.extend(bytes(max(0, end - len(data))))
            if new is None:
                del data[offset:]
            else:
                data[offset:end] = new
        return bytes(data)

    def sync(self) -> None:
        self.safe, self.late = self.read(self.late), []


@dataclass(eq=False)
class Folder:
    """The names that are on the disk for certain, and those that running programs see."""

    safe: dict[str, File | Folder] = field(default_factory=dict)
    seen: dict[str, File | Folder] = field(default_factory=dict)


@dataclass(eq=False)
class Step:
    """Names that change together: a rename is two of them."""

    names: list[tuple[Folder, str, File | Folder | None]]
    emptied: Folder | None = None  # a folder that was removed, which no disk does while it holds anything

    def keys(self) -> set[tuple[int, str]]:
        return {(id(folder), name) for folder, name, _ in self.names}


Tree = dict[str, bytes | None]  # {path: content}, None for a folder


class Disk:
    """The files below a root, from the moment on that the disk was still."""

    def __init__(self, root: Path) -> None:
        self.root = str(root.resolve())
        self.inodes: dict[int, File | Folder] = {}
        self.late: list[Step] = []
        self.top = self._read(root)

    def _read(self, path: Path) -> File | Folder:
        if path.is_dir():
            names = {inner.name: self._read(inner) for inner in path.iterdir()}
            found: File | Folder = Folder(names, dict(names))
        else:
            found = File(path.read_bytes())
        self.inodes[path.stat().st_ino] = found
        return found

    def apply(self, change: Change) -> None:
        """Do what a program did."""
        match change.what:
            case 2 | 3:
                file = self.inodes.get(change.inode)
                if isinstance(file, File):
                    file.late.append((change.offset, change.first if change.what == WRITE else None))
            case 4:
                self._sync(self.inodes.get(change.inode))
            case _:
                self._name(change)

    def _name(self, change: Change) -> None:
        what, first, second = change.what, change.first.decode(), change.second.decode()
        if what in (CREATE, MKDIR):
            made = self.inodes[change.inode] = File() if what == CREATE else Folder()
            if first:  # a temporary file has no name
                self._change([(first, made)])
        elif what in (UNLINK, RMDIR):
            gone = self._find(first)
            self._change([(first, None)], emptied=gone if isinstance(gone, Folder) else None)
        else:
            there = self._find(first)
            self._change([(second, there)] if what == LINK else [(first, None), (second, there)])

    def _change(self, names: list[tuple[str, File | Folder | None]], emptied: Folder | None = None) -> None:
        step = Step([], emptied)
        for path, node in names:
            place, _, name = path.rpartition("/")
            folder = self._find(place)
            if isinstance(folder, Folder):  # else it lies outside
                step.names.append((folder, name, node))
                _put(folder.seen, name, node)
        self.late.append(step)

    def _find(self, path: str) -> File | Folder | None:
        if path == self.root:
            return self.top
        if not path.startswith(f"{self.root}/"):
            return None
        node: File | Folder | None = self.top
        for part in path[len(self.root) + 1 :].split("/"):
            node = node.seen.get(part) if isinstance(node, Folder) else None
        return node

    def _sync(self, node: File | Folder | None) -> None:
        if isinstance(node, File):
            node.sync()
            return
        # what came before at the same names is settled as well
        keys: set[tuple[int, str]] = set()
        for step in reversed(self.late):
            if keys & step.keys() or any(folder is node for folder, _, _ in step.names):
                keys |= step.keys()
        settled = [step for step in self.late if keys & step.keys()]
        for step in settled:
            for folder, name, there in step.names:
                _put(folder.safe, name, there)
        self.late = [step for step in self.late if step not in settled]

    def build(
        self,
        keep: Callable[[Step], bool],
        content: Callable[[File], bytes],
    ) -> Tree:
        """What is found after a power cut that spared the steps of `keep` and left files as `content` says."""
        names: dict[Folder, dict[str, File | Folder]] = {}
        dropped: set[Folder] = set()
        for step in self.late:
            if keep(step) and step.emptied not in dropped:
                for folder, name, node in step.names:
                    _put(names.setdefault(folder, dict(folder.safe)), name, node)
            else:
                dropped |= {folder for folder, _, _ in step.names}
        tree: Tree = {}

        def walk(folder: Folder, prefix: str) -> None:
            for name, node in names.get(folder, folder.safe).items():
                tree[prefix + name] = None if isinstance(node, Folder) else content(node)
                if isinstance(node, Folder):
                    walk(node, f"{prefix}{name}/")

        assert isinstance(self.top, Folder)
        walk(self.top, "")
        return tree


def _put(names: dict[str, File | Folder], name: str, node: File | Folder | None) -> None:
    if node is None:
        names.pop(name, None)
    else:
        names[name] = node


def read_safe(file: File) -> bytes:
    """Of a file only what was synced."""
    return file.safe


def read_all(file: File) -> bytes:
    """Of a file all that was written."""
    return file.read(file.late)


def tear(file: File, draw: Callable[[int], int]) -> bytes:
    """Of a file the first of its late writes, and of one more some sectors."""
    if not file.late:
        return file.safe
    n = draw(len(file.late))
    offset, new = file.late[n]
    cut = () if new is None else ((offset, new[: draw(len(new) // _SECTOR + 1) * _SECTOR]),)
    return file.read([*file.late[:n], *cut])


def scatter(file: File, draw: Callable[[int], int]) -> bytes:
    """Of a file some of its late writes, whichever."""
    return file.read([write for write in file.late if draw(2)])
