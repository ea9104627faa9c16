"""Pairs of 64-bit hashes that differ in few bits: every pair is compared, in blocks and on threads."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .hashes import UInt8Array, UInt64Array

IntArray = NDArray[np.intp]

# 2 MB of differences at a time: they stay in a core's cache
_ROWS, _COLUMNS = 64, 4096
_MAX_THREADS = 4


@dataclass(frozen=True)
class CloseHashes:
    """Pairs of close hashes."""

    i: IntArray  # (P,) positions of the hashes
    j: IntArray  # (P,) positions of the others that they were compared with
    distance: UInt8Array  # (P,) how many bits differ
    capped: IntArray  # positions i that had more close hashes than are kept; theirs are the nearest


def find_close_hashes(
    hashes: UInt64Array,
    radius: int,
    *,
    others: UInt64Array | None = None,
    per_photo: int = 64,
    threads: int | None = None,
) -> CloseHashes:
    """Find all pairs of (N,) hashes and (M,) others that differ in at most `radius` bits.

    Without others the hashes are compared with themselves, each pair once with i < j. No pair is missed,
    unless a photo has more than `per_photo`: then the nearest are kept, of these those with the smallest j,
    and the photo is named in the result.
    """
    if not 0 <= radius <= 64 or per_photo < 1:
        raise ValueError(
            f"radius is {radius} and per_photo is {per_photo}; "
            "a radius of 0 to 64 bits and at least one pair for each photo are allowed"
        )
    rows = np.ascontiguousarray(hashes, dtype=np.uint64)
    columns = rows if others is None else np.ascontiguousarray(others, dtype=np.uint64)

    def search(start: int) -> CloseHashes:
        return _search_rows(rows, columns, start, radius, per_photo, triangle=others is None)

    with ThreadPoolExecutor(threads or min(_MAX_THREADS, os.cpu_count() or 1)) as pool:
        parts = list(pool.map(search, range(0, len(rows), _ROWS)))
    return _concatenate(parts)


def _search_rows(
    rows: UInt64Array, columns: UInt64Array, start: int, radius: int, per_photo: int, *, triangle: bool
) -> CloseHashes:
    block = rows[start : start + _ROWS, None]
    found = _Found(start, len(block), radius, per_photo)
    buffer = np.empty((len(block), _COLUMNS), np.uint64)
    for left in range(start if triangle else 0, len(columns), _COLUMNS):
        part = columns[left : left + _COLUMNS]
        counts = np.bitwise_count(np.bitwise_xor(block, part, out=buffer[:, : len(part)]))
        if triangle and left < start + _ROWS:
            counts[start + np.arange(len(block))[:, None] >= left + np.arange(len(part))] = 255
        found.add(counts, left)
    found.thin()
    return CloseHashes(found.i, found.j, found.distance, np.flatnonzero(found.capped) + start)


class _Found:
    """What a block of rows has found so far: rows that are full only take what is nearer."""

    def __init__(self, start: int, n_rows: int, radius: int, per_photo: int):
        self.start, self.per_photo = start, per_photo
        self.most = 2 * n_rows * per_photo
        self.limit = np.full((n_rows, 1), radius + 1, np.uint8)
        self.capped = np.zeros(n_rows, bool)
        self.i = self.j = np.zeros(0, np.intp)
        self.distance = np.zeros(0, np.uint8)
        self.waiting: list[tuple[IntArray, IntArray, UInt8Array]] = []
        self.n_waiting = 0

    def add(self, counts: UInt8Array, left: int) -> None:
        """Take the close pairs of one block of distances, whose first column is `left`."""
        near = counts < self.limit
        places = np.flatnonzero(near)
        if not len(places):
            return
        if len(places) > self.most:
            places = self._choose_nearest(counts, near)
        i, j = np.divmod(places, counts.shape[1])
        self.waiting.append((i + self.start, j + left, counts[i, j]))
        self.n_waiting += len(places)
        if self.n_waiting > self.most:
            self.thin()

    def thin(self) -> None:
        """Keep the nearest of each row, and raise the bar for rows that had more."""
        parts = [(self.i, self.j, self.distance), *self.waiting]
        i, j, distance = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        self.waiting, self.n_waiting = [], 0
        order = np.lexsort((j, distance, i))
        i, j, distance = i[order], j[order], distance[order]
        keep = np.arange(len(i)) - np.searchsorted(i, i) < self.per_photo
        self.capped[i[~keep] - self.start] = True
        self.i, self.j, self.distance = i[keep], j[keep], distance[keep]
        # columns come in rising order, so a later one must be nearer by a bit to count
        last = np.searchsorted(self.i, np.flatnonzero(self.capped) + self.start, side="right") - 1
        self.limit[self.capped, 0] = self.distance[last]

    def _choose_nearest(self, counts: UInt8Array, near: NDArray[np.bool_]) -> IntArray:
        """Return the flat places of each row's nearest in one crowded block; ties go to the first."""
        width = counts.shape[1]
        n = min(self.per_photo, width)
        self.capped |= near.sum(axis=1) > n
        keys = np.where(near, counts, 255).astype(np.uint32) * width + np.arange(width, dtype=np.uint32)
        nearest = np.partition(keys, n - 1, axis=1)[:, :n]
        row, kept = np.nonzero(nearest < 255 * width)
        return np.asarray(row * width + nearest[row, kept] % width, np.intp)


def _concatenate(parts: list[CloseHashes]) -> CloseHashes:
    empty = np.zeros(0, np.intp)
    every = [CloseHashes(empty, empty, np.zeros(0, np.uint8), empty), *parts]
    return CloseHashes(
        np.concatenate([part.i for part in every]),
        np.concatenate([part.j for part in every]),
        np.concatenate([part.distance for part in every]),
        np.concatenate([part.capped for part in every]),
    )
