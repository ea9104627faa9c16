"""Confirm candidates on their pixels: all by their coarse pictures first, where most are refused."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from .align import COARSE_SIDE, align_coarse, make_coarse, score_aligned, turn_signatures
from .candidates import TURN_OF, Candidates
from .hashes import TURNS, WINDOWS, FloatArray, IntArray, UInt8Array
from .search import MAX_THREADS
from .turns import N_TURNS, invert_turn, turn_pixels

# True copies score 0.90 and more (99 of 100 more than 0.94). Of the 25,000 closest pairs of 2,062 photos of
# hands none scores anything: where detail correlates, up to 0.90 too, there is a spot that differs.
MIN_SCORE = 0.9
# The turn that undoes each.
UNDONE = np.array([invert_turn(turn) for turn in range(N_TURNS)])
# of each hash: which part of the photo it is
_WINDOW_OF = np.array([*[WINDOWS[0]] * len(TURNS), *WINDOWS[1:]], np.float32)
# Photos read at a time, pairs of coarse pictures, pairs of signatures: so many fit a core's cache.
_READ, _COARSE_BLOCK, _BLOCK = 256, 128, 64

Result = TypeVar("Result")


class Signatures(Protocol):
    """Anything that gives the (n, 72, 64) signatures of n photos, to any thread: an array, or a reader."""

    def __getitem__(self, photos: IntArray, /) -> UInt8Array:
        """Return the signatures of the photos at these positions."""


def confirm_candidates(found: Candidates, signatures: Signatures, threads: int | None = None) -> FloatArray:
    """Return the (C,) scores of candidates as `score_aligned` gives them; 0 where coarse pictures differ."""
    scores = np.zeros(len(found.first), np.float32)
    with ThreadPoolExecutor(threads or min(MAX_THREADS, os.cpu_count() or 1)) as pool:
        work = _Work(pool, found, signatures)
        alike, windows = work.align_coarse()
        scores[alike] = work.score(alike, windows)
    return scores


class _Work:
    """Goes over the candidates of one search, some at a time, on threads."""

    def __init__(self, pool: ThreadPoolExecutor, found: Candidates, signatures: Signatures) -> None:
        self._pool, self._found, self._signatures = pool, found, signatures
        self._turn, self._window = UNDONE[TURN_OF[found.hash_number]], _WINDOW_OF[found.hash_number]

    def align_coarse(self) -> tuple[IntArray, FloatArray]:
        """Return the candidates whose coarse pictures may be one, and their windows."""
        n = len(self._found.first)
        photos, place = np.unique(np.stack([self._found.first, self._found.second]), return_inverse=True)
        first, second = place.reshape(2, -1)
        coarse = self._read_coarse(photos)

        def align(part: slice) -> tuple[IntArray, FloatArray]:
            one, other = (coarse[ends[part]].astype(np.float32) for ends in (first, second))
            for turn, turned in _list_turns(self._turn[part]):
                other[turned] = turn_pixels(other[turned], turn)
            alike, windows = align_coarse(one, other, self._window[part])
            return alike + part.start, windows

        found = [(np.zeros(0, np.intp), np.zeros((0, 4), np.float32)), *self._map(align, n, _COARSE_BLOCK)]
        return np.concatenate([one[0] for one in found]), np.concatenate([one[1] for one in found])

    def score(self, chosen: IntArray, windows: FloatArray) -> FloatArray:
        """Return the scores of some candidates, from their windows on."""

        def score(part: slice) -> FloatArray:
            numbers = chosen[part]
            second = self._signatures[self._found.second[numbers]].copy()
            for turn, turned in _list_turns(self._turn[numbers]):
                second[turned] = turn_signatures(second[turned], turn)
            return score_aligned(self._signatures[self._found.first[numbers]], second, windows[part])

        return np.concatenate([np.zeros(0, np.float32), *self._map(score, len(chosen), _BLOCK)])

    def _read_coarse(self, photos: IntArray) -> NDArray[np.float16]:
        # half the digits are a hundredth of a grey level
        coarse = np.empty((len(photos), COARSE_SIDE, COARSE_SIDE), np.float16)

        def read(part: slice) -> None:
            coarse[part] = make_coarse(self._signatures[photos[part]])

        list(self._map(read, len(photos), _READ))
        return coarse

    def _map(self, work: Callable[[slice], Result], n: int, size: int) -> Iterator[Result]:
        return self._pool.map(work, [slice(start, min(start + size, n)) for start in range(0, n, size)])


def _list_turns(turns: IntArray) -> Iterator[tuple[int, IntArray]]:
    for turn in np.unique(turns):
        yield int(turn), np.flatnonzero(turns == turn)
