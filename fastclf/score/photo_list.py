"""The sorted list of what is scored: on the disk, so that memory does not grow with the photos."""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

# So many names are sorted in memory at once: some 20 MB.
_SORTED_AT_ONCE = 100_000


@dataclass(frozen=True)
class PhotoList:
    """The names of all photos, sorted, each once.

    Attributes
    ----------
    file
        Where they stand, a JSON text a line.
    photos
        How many.
    sha256
        Hash of all names.
    repeated
        How often a name was given again, which is no photo more.
    """

    file: Path
    photos: int
    sha256: str
    repeated: int

    @classmethod
    def write(cls, names: Iterable[str], folder: Path) -> PhotoList:
        """Sort names of any number into a file in a folder, which is made by this."""
        parts = [
            _write_part(folder / f"{number}.jsonl", sorted(part))
            for number, part in enumerate(_cut(names, _SORTED_AT_ONCE))
        ]
        digest, file, n, repeated, last = hashlib.sha256(), folder / "list.jsonl", 0, 0, None
        with file.open("w", encoding="ascii") as out:
            for name in heapq.merge(*(_read(part) for part in parts)):
                if name == last:
                    repeated += 1
                    continue
                line = json.dumps(name)
                out.write(f"{line}\n")
                digest.update(f"{line}\n".encode())
                n, last = n + 1, name
        for part in parts:
            part.unlink()
        return cls(file, n, digest.hexdigest(), repeated)

    def __iter__(self) -> Iterator[str]:
        return _read(self.file)

    def cut(self, size: int) -> Iterator[tuple[int, list[str]]]:
        """Yield (number, names) of the shards of `size` photos."""
        return enumerate(_cut(self, size))

    def sample(self, n: int) -> list[str]:
        """Return `n` names at most, evenly spaced."""
        rows = set(np.linspace(0, max(self.photos - 1, 0), min(n, self.photos)).astype(int).tolist())
        return [name for row, name in enumerate(self) if row in rows]


def _cut(names: Iterable[str], size: int) -> Iterator[list[str]]:
    left = iter(names)
    while part := list(islice(left, size)):
        yield part


def _write_part(file: Path, names: list[str]) -> Path:
    with file.open("w", encoding="ascii") as out:
        out.writelines(f"{json.dumps(name)}\n" for name in names)
    return file


def _read(file: Path) -> Iterator[str]:
    # what no text holds, as bytes of a name that are no UTF-8, JSON has signs for
    with file.open(encoding="ascii") as lines:
        for line in lines:
            yield json.loads(line)
