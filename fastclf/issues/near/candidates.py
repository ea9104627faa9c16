"""Pairs of photos that may be one picture: those with close hashes, in any turn, or of a part of one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .hashes import N_HASHES, TURNS, IntArray, UInt8Array, UInt64Array
from .search import CloseHashes, find_close_hashes
from .turns import PLAIN

# Copies cropped by 5 % lie within 8 bits of a part's hash in 99 of 100 cases, by 10 % within 10 in 97.
RADIUS = 10
# How a photo was turned before each of its hashes.
TURN_OF = np.array([*TURNS, *[PLAIN] * (N_HASHES - len(TURNS))])
# Hashes that are searched at a time: few where photos have many candidates, which bounds the memory, else
# many, which takes half the time. So many photos' hashes and wholes are compared to tell; chosen by hand.
_FEW_HASHES, _MANY_HASHES = 2**18, 2**21
_PROBED = (32, 4096)
# What part of the cap is left to a photo where photos have more candidates than the cap on average: hundreds
# of frames of one scene. It bounds memory and time.
_CROWDED = 4


@dataclass(frozen=True)
class Candidates:
    """Pairs of photos that may be one picture, by position; in each the second may be a part of the first."""

    first: IntArray  # (C,)
    second: IntArray  # (C,)
    distance: UInt8Array  # (C,) how many bits of the hashes differ
    hash_number: IntArray  # (C,) which hash of the first was close: how it is turned and what part it is
    capped: IntArray  # positions of photos with more candidates than are kept: the nearest ones are


def find_candidates(
    hashes: UInt64Array,
    comparable: NDArray[np.bool_],
    new: NDArray[np.bool_] | None,
    per_photo: int,
    threads: int | None,
) -> Candidates:
    """Search with every hash; of a pair found more than once, keep the nearest way for each turn."""
    every = np.flatnonzero(comparable)
    fresh = every if new is None else np.flatnonzero(comparable & new)
    crowd = _Crowd(len(every), per_photo)
    # whole photos are compared both ways at once; a part or a turned one with the other, once each way
    sides = [(fresh, every, 0)] if new is None else [(fresh, every, 0), (every, fresh, 1)]
    for parts, wholes, first in sides:
        step = _choose_step(hashes, parts, wholes, per_photo)
        for start in range(first, N_HASHES, step):
            numbers = np.arange(start, min(start + step, N_HASHES))
            after = np.where((numbers == 0) & (new is None), np.arange(len(parts))[:, None], -1)
            close = find_close_hashes(
                hashes[np.ix_(parts, numbers)].ravel(), RADIUS, others=hashes[wholes, 0],
                after=after.ravel(), per_photo=per_photo, threads=threads,
            )  # fmt: skip
            crowd.add(_name_photos(close, parts, wholes, numbers))
    return _merge(crowd.found)


def _choose_step(hashes: UInt64Array, parts: IntArray, wholes: IntArray, per_photo: int) -> int:
    """Return how many of the hashes are searched at a time."""
    some, others = (_take_some(photos, n) for photos, n in zip((parts, wholes), _PROBED, strict=True))
    close = np.bitwise_count(hashes[some, :, None] ^ hashes[others, 0]) <= RADIUS
    n_close = int((close & (some[:, None, None] != others)).sum())
    is_crowded = n_close * len(wholes) * _CROWDED > per_photo * len(some) * len(others)
    return max(1, (_FEW_HASHES if is_crowded else _MANY_HASHES) // max(1, len(parts)))


def _take_some(photos: IntArray, n: int) -> IntArray:
    return photos[:: max(1, len(photos) // n)]


class _Crowd:
    """Candidates as they are found; where photos have very many, only the nearest of each are kept."""

    def __init__(self, n_photos: int, per_photo: int) -> None:
        self._most, self._kept = n_photos * per_photo, max(1, per_photo // _CROWDED)
        self.found: list[Candidates] = []

    def add(self, more: Candidates) -> None:
        """Take more candidates."""
        self.found.append(more)
        if sum(len(part.first) for part in self.found) > self._most:
            self.found = [self._thin(_merge(self.found))]

    def _thin(self, found: Candidates) -> Candidates:
        order = np.lexsort((found.second, found.hash_number, found.distance, found.first))
        first = found.first[order]
        keep = np.arange(len(order)) - np.searchsorted(first, first) < self._kept
        capped, kept = np.union1d(found.capped, first[~keep]), order[keep]
        numbers, distance = found.hash_number[kept], found.distance[kept]
        return Candidates(first[keep], found.second[kept], distance, numbers, capped)


def _name_photos(close: CloseHashes, parts: IntArray, wholes: IntArray, numbers: IntArray) -> Candidates:
    """Translate positions among the searched hashes, a photo's side by side, into positions among photos."""
    # a part's hash belongs to the larger photo, so the whole of the other one is the crop
    place, number = np.divmod(close.i, len(numbers))
    first, second = parts[place], wholes[close.j]
    keep = first != second
    capped = np.unique(parts[close.capped // len(numbers)])
    return Candidates(first[keep], second[keep], close.distance[keep], numbers[number[keep]], capped)


def _merge(found: list[Candidates]) -> Candidates:
    first = np.concatenate([part.first for part in found])
    second = np.concatenate([part.second for part in found])
    distance = np.concatenate([part.distance for part in found])
    number = np.concatenate([part.hash_number for part in found])
    low, high = np.minimum(first, second), np.maximum(first, second)
    turn = TURN_OF[number]
    order = np.lexsort((first, number, distance, turn, high, low))
    best = order[find_first(low[order], high[order], turn[order])]
    capped = np.unique(np.concatenate([part.capped for part in found]))
    return Candidates(first[best], second[best], distance[best], number[best], capped)


def find_first(*keys: IntArray) -> NDArray[np.bool_]:
    """Return (N,) which of N sorted rows differ from the one before."""
    fresh = np.ones(len(keys[0]), bool)
    fresh[1:] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    return fresh
