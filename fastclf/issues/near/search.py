"""Pairs of 64-bit hashes that differ in few bits: compared block by block, on threads, the nearest kept."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .buckets import Block, choose_blocks
from .hashes import IntArray, UInt8Array, UInt64Array

# 2 MB of differences at a time: they stay in a core's cache
_ROWS, _COLUMNS = 64, 4096
_FEW = 256
MAX_THREADS = 4


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
    after: IntArray | None = None,
    per_photo: int = 64,
    threads: int | None = None,
) -> CloseHashes:
    """Find all pairs of (N,) hashes and (M,) others that differ in at most `radius` bits.

    Without others the hashes are compared with themselves, each pair once with i < j. No pair is missed,
    unless a photo has more than `per_photo`: then the nearest are kept, of these those with the smallest j,
    and the photo is named in the result. With (N,) positions `after` only pairs with a larger j are found.
    """
    if not 0 <= radius <= 64 or per_photo < 1:
        raise ValueError(
            f"radius is {radius} and per_photo is {per_photo}; "
            "a radius of 0 to 64 bits and at least one pair for each photo are allowed"
        )
    rows = np.ascontiguousarray(hashes, dtype=np.uint64)
    columns = rows if others is None else np.ascontiguousarray(others, dtype=np.uint64)
    if after is None:
        after = np.arange(len(rows)) if others is None else np.full(len(rows), -1)
    search = _Search(rows, columns, after, radius, per_photo)
    shares = choose_blocks(rows, columns, radius)
    with ThreadPoolExecutor(threads or min(MAX_THREADS, os.cpu_count() or 1)) as pool:
        return _join([part for parts in pool.map(search.run, shares) for part in parts], per_photo)


class _Search:
    """Compares hashes with others; each share of the work may run on a thread of its own."""

    def __init__(
        self, rows: UInt64Array, columns: UInt64Array, after: IntArray, radius: int, per_photo: int
    ) -> None:
        self.rows, self.columns, self.after = rows, columns, after
        self.radius, self.per_photo = radius, per_photo

    def run(self, share: Iterable[Block]) -> list[CloseHashes]:
        """Compare the blocks of one share."""
        buffer = np.empty(_ROWS * _COLUMNS, np.uint64)
        found = []
        for block in share:
            step = max(1, len(buffer) // max(1, min(len(block.columns), _COLUMNS)))
            for start in range(0, len(block.rows), step):
                found.append(self._compare(block, block.rows[start : start + step], buffer))
        return [part for part in found if len(part.i)]

    def _compare(self, block: Block, rows: IntArray, buffer: UInt64Array) -> CloseHashes:
        own, after = self.rows[rows][:, None], self.after[rows]
        found = _Found(rows, self.radius, self.per_photo)
        first = int(np.searchsorted(block.columns, after.min(initial=len(self.columns)), side="right"))
        for columns in _take_tiles(block.columns[first:]):
            differing = buffer[: len(rows) * len(columns)].reshape(len(rows), -1)
            np.bitwise_xor(own, self.columns[columns], out=differing)
            counts = np.bitwise_count(differing)
            places = np.flatnonzero(counts < found.limit)
            if len(places) and (block.earlier or columns[0] <= after.max()):
                i, j = np.divmod(places, len(columns))
                # what another block has found as well counts there
                places = places[(columns[j] > after[i]) & block.holds(differing.ravel()[places])]
            if len(places):
                found.add(counts, columns, places)
        return found.close()


def _take_tiles(columns: IntArray) -> Iterator[IntArray]:
    """Yield some columns at a time; of many a few first, which raise the bar where all are close."""
    few = _FEW if len(columns) > _COLUMNS else 0
    if few:
        yield columns[:few]
    for left in range(few, len(columns), _COLUMNS):
        yield columns[left : left + _COLUMNS]


class _Found:
    """What some rows have found so far: rows that are full only take what is nearer."""

    def __init__(self, rows: IntArray, radius: int, per_photo: int) -> None:
        self.rows, self.per_photo = rows, per_photo
        self.most = 2 * len(rows) * per_photo
        self.limit = np.full((len(rows), 1), radius + 1, np.uint8)
        self.capped = np.zeros(len(rows), bool)
        self.i = self.j = np.zeros(0, np.intp)
        self.distance = np.zeros(0, np.uint8)
        self.waiting: list[tuple[IntArray, IntArray, UInt8Array]] = []
        self.n_waiting = 0

    def add(self, counts: UInt8Array, columns: IntArray, places: IntArray) -> None:
        """Take the close pairs of one block of distances, which stand in it at flat places."""
        if len(places) > self.most:
            places = self._choose_nearest(counts, places)
        i, j = np.divmod(places, counts.shape[1])
        self.waiting.append((i, columns[j], counts[i, j]))
        self.n_waiting += len(places)
        if self.n_waiting > self.most:
            self._thin()

    def close(self) -> CloseHashes:
        """Return the nearest of each row."""
        if self.waiting:
            self._thin()
        return CloseHashes(self.rows[self.i], self.j, self.distance, self.rows[self.capped])

    def _thin(self) -> None:
        """Keep the nearest of each row, and raise the bar for rows that had more."""
        parts = [(self.i, self.j, self.distance), *self.waiting]
        i, j, distance = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        self.waiting, self.n_waiting = [], 0
        order, keep = _rank(i, j, distance, self.per_photo)
        i, j, distance = i[order], j[order], distance[order]
        self.capped[i[~keep]] = True
        self.i, self.j, self.distance = i[keep], j[keep], distance[keep]
        # columns come in rising order, so a later one must be nearer by a bit to count
        last = np.searchsorted(self.i, np.flatnonzero(self.capped), side="right") - 1
        self.limit[self.capped, 0] = self.distance[last]

    def _choose_nearest(self, counts: UInt8Array, places: IntArray) -> IntArray:
        """Return the flat places of each row's nearest in one crowded block; ties go to the first."""
        width = counts.shape[1]
        n = min(self.per_photo, width)
        near = np.zeros(counts.shape, bool)
        near.ravel()[places] = True
        self.capped |= near.sum(axis=1) > n
        keys = np.where(near, counts, 255).astype(np.uint32) * width + np.arange(width, dtype=np.uint32)
        nearest = np.partition(keys, n - 1, axis=1)[:, :n]
        row, kept = np.nonzero(nearest < 255 * width)
        return np.asarray(row * width + nearest[row, kept] % width, np.intp)


def _rank(
    i: IntArray, j: IntArray, distance: UInt8Array, per_photo: int
) -> tuple[IntArray, NDArray[np.bool_]]:
    """Return the order by rows, the nearest first, and which in it are among the first of their row."""
    order = np.lexsort((j, distance, i))
    ranked = i[order]
    return order, np.arange(len(i)) - np.searchsorted(ranked, ranked) < per_photo


def _join(parts: list[CloseHashes], per_photo: int) -> CloseHashes:
    """Return the nearest of each row over all blocks that it stood in."""
    empty = np.zeros(0, np.intp)
    every = [CloseHashes(empty, empty, np.zeros(0, np.uint8), empty), *parts]
    i, j = np.concatenate([part.i for part in every]), np.concatenate([part.j for part in every])
    distance = np.concatenate([part.distance for part in every])
    capped = np.concatenate([part.capped for part in every])
    order, keep = _rank(i, j, distance, per_photo)
    capped = np.union1d(capped, i[order[~keep]])
    order = order[keep]
    return CloseHashes(i[order], j[order], distance[order], capped)
