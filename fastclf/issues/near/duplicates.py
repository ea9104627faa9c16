"""Near-duplicates: pairs confirmed on aligned pixels, and groups around a centre that are never chained."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .align import score_pairs, turn_signatures
from .hashes import N_HASHES, TURNS, WINDOWS, FloatArray, IntArray, UInt8Array, UInt64Array
from .search import CloseHashes, find_close_hashes
from .turns import N_TURNS, PLAIN, invert_turn

# Copies cropped by 5 % lie within 8 bits of a part's hash in 99 of 100 cases, by 10 % within 10 in 97.
RADIUS = 10
# True copies score 0.90 and more (99 of 100 more than 0.94). Of the 25,000 closest pairs of 2,062 photos of
# hands none scores anything: where detail correlates, up to 0.90 too, there is a spot that differs.
MIN_SCORE = 0.9
_BLOCK = 128
# Hashes that are searched at a time, and what part of the cap is left to a photo where photos have more
# candidates than the cap on average: hundreds of frames of one scene. Both bound the memory, the second the
# time, too; chosen by hand.
_HASHES, _CROWDED = 2**18, 4
# of each hash: how the photo was turned before, and which part of it that is
_TURN_OF = np.array([*TURNS, *[PLAIN] * (N_HASHES - len(TURNS))])
_WINDOW_OF = np.array([*[WINDOWS[0]] * len(TURNS), *WINDOWS[1:]], np.float32)
_UNDONE = np.array([invert_turn(turn) for turn in range(N_TURNS)])


class Signatures(Protocol):
    """Anything that gives the (n, 72, 64) signatures of n photos: an array, or a reader of a store."""

    def __getitem__(self, photos: IntArray, /) -> UInt8Array:
        """Return the signatures of the photos at these positions."""


@dataclass(frozen=True)
class NearPairs:
    """Pairs of photos that show the same picture."""

    pairs: IntArray  # (P, 2) positions of the two photos, the smaller first, in rising order
    scores: FloatArray  # (P,) how sure it is, in [0, 1]
    turns: IntArray  # (P,) how the first is turned and mirrored to become the second, see `turns`
    n_candidates: int  # how many pairs were looked at
    capped: IntArray  # positions of photos with more candidates than were looked at: the nearest ones were


@dataclass(frozen=True)
class Star:
    """A photo and its near-duplicates, by position."""

    centre: int  # every member is a confirmed pair with it
    members: tuple[int, ...]  # the most alike first
    scores: tuple[float, ...]  # of each member against the centre


@dataclass(frozen=True)
class _Candidates:
    first: IntArray
    second: IntArray
    distance: UInt8Array
    hash_number: IntArray
    capped: IntArray


def find_pixel_pairs(
    hashes: UInt64Array,
    signatures: Signatures,
    comparable: NDArray[np.bool_],
    *,
    new: NDArray[np.bool_] | None = None,
    per_photo: int = 64,
    threads: int | None = None,
) -> NearPairs:
    """Find near-duplicates by pixels: resized, recompressed, slightly cropped, re-lit, mirrored, turned ones.

    Photos whose hashes are close are laid over each other; what counts is the score of `score_pairs`.

    Parameters
    ----------
    hashes
        (N, 17) hashes of `Fingerprint`.
    signatures
        Gives the signatures of some of the N photos at a time.
    comparable
        (N,) photos that can be told apart by pixels; others are in no pair.
    new
        (N,) photos that were not there before; only pairs that hold one of them are looked for.
    per_photo
        Most candidates of a photo for each of its hashes.
    threads
        For the search; by default one for each core, 4 at most.

    Returns
    -------
    NearPairs
        Each pair once. Without a cap reached, the order of the photos does not matter.

    Raises
    ------
    ValueError
        If the arrays do not belong to the same number of photos.
    """
    marks = (comparable,) if new is None else (comparable, new)
    if hashes.shape[1:] != (N_HASHES,) or any(mark.shape != hashes.shape[:1] for mark in marks):
        raise ValueError(
            f"hashes have the shape {hashes.shape} and the marks {[mark.shape for mark in marks]}; "
            f"(N, {N_HASHES}) and (N,) are needed"
        )
    found = _find_candidates(hashes, comparable, new, per_photo, threads)
    scores = _confirm(found, signatures)
    sure = scores >= MIN_SCORE
    ends = np.stack([found.first[sure], found.second[sure]], axis=1)
    turns = _TURN_OF[found.hash_number[sure]]
    turns = np.where(ends[:, 0] < ends[:, 1], turns, _UNDONE[turns])
    ends.sort(axis=1)
    order = np.lexsort((turns, -scores[sure], ends[:, 1], ends[:, 0]))
    order = order[_find_first(ends[order, 0], ends[order, 1])]
    return NearPairs(ends[order], scores[sure][order], turns[order], len(scores), found.capped)


def group_pairs(pairs: IntArray, scores: FloatArray, names: Sequence[str]) -> list[Star]:
    """Gather pairs into groups: every member is a pair with the group's centre, nothing is chained.

    The photo with most ungrouped partners becomes the next centre and takes them all; the smaller name wins
    a tie. With unique names the result does not depend on the order of photos or pairs. A pair may end up
    across two groups, or with one photo outside.

    Parameters
    ----------
    pairs
        (P, 2) positions.
    scores
        (P,) scores.
    names
        (N,) name of each photo, its content hash for example.
    """
    partners: dict[int, dict[int, float]] = {}
    for (a, b), score in zip(pairs.tolist(), scores.tolist(), strict=True):
        partners.setdefault(a, {})[b] = score
        partners.setdefault(b, {})[a] = score
    queue = [(-len(partners[photo]), names[photo], photo) for photo in partners]
    heapq.heapify(queue)
    grouped: set[int] = set()
    groups = []
    while queue:
        count, name, centre = heapq.heappop(queue)
        free = {photo: score for photo, score in partners[centre].items() if photo not in grouped}
        if centre in grouped or not free:
            continue
        if len(free) < -count:
            heapq.heappush(queue, (-len(free), name, centre))
            continue
        members = sorted((-score, names[photo], photo) for photo, score in free.items())
        groups.append(Star(centre, tuple(m[2] for m in members), tuple(-m[0] for m in members)))
        grouped.update(free, (centre,))
    return groups


def _find_candidates(
    hashes: UInt64Array,
    comparable: NDArray[np.bool_],
    new: NDArray[np.bool_] | None,
    per_photo: int,
    threads: int | None,
) -> _Candidates:
    """Search with every hash; of a pair found more than once, keep the nearest way for each turn."""
    every = np.flatnonzero(comparable)
    fresh = every if new is None else np.flatnonzero(comparable & new)
    crowd = _Crowd(len(every), per_photo)
    # whole photos are compared both ways at once; a part or a turned one with the other, once each way
    sides = [(fresh, every, 0)] if new is None else [(fresh, every, 0), (every, fresh, 1)]
    for parts, wholes, first in sides:
        step = max(1, _HASHES // max(1, len(parts)))
        for start in range(first, N_HASHES, step):
            numbers = np.arange(start, min(start + step, N_HASHES))
            after = np.where((numbers == 0) & (new is None), np.arange(len(parts))[:, None], -1)
            close = find_close_hashes(
                hashes[np.ix_(parts, numbers)].ravel(), RADIUS, others=hashes[wholes, 0],
                after=after.ravel(), per_photo=per_photo, threads=threads,
            )  # fmt: skip
            crowd.add(_name_photos(close, parts, wholes, numbers))
    return _merge(crowd.found)


class _Crowd:
    """Candidates as they are found; where photos have very many, only the nearest of each are kept."""

    def __init__(self, n_photos: int, per_photo: int) -> None:
        self._most, self._kept = n_photos * per_photo, max(1, per_photo // _CROWDED)
        self.found: list[_Candidates] = []

    def add(self, more: _Candidates) -> None:
        """Take more candidates."""
        self.found.append(more)
        if sum(len(part.first) for part in self.found) > self._most:
            self.found = [self._thin(_merge(self.found))]

    def _thin(self, found: _Candidates) -> _Candidates:
        order = np.lexsort((found.second, found.hash_number, found.distance, found.first))
        first = found.first[order]
        keep = np.arange(len(order)) - np.searchsorted(first, first) < self._kept
        capped, kept = np.union1d(found.capped, first[~keep]), order[keep]
        numbers, distance = found.hash_number[kept], found.distance[kept]
        return _Candidates(first[keep], found.second[kept], distance, numbers, capped)


def _name_photos(close: CloseHashes, parts: IntArray, wholes: IntArray, numbers: IntArray) -> _Candidates:
    """Translate positions among the searched hashes, a photo's side by side, into positions among photos."""
    # a part's hash belongs to the larger photo, so the whole of the other one is the crop
    place, number = np.divmod(close.i, len(numbers))
    first, second = parts[place], wholes[close.j]
    keep = first != second
    capped = np.unique(parts[close.capped // len(numbers)])
    return _Candidates(first[keep], second[keep], close.distance[keep], numbers[number[keep]], capped)


def _merge(found: list[_Candidates]) -> _Candidates:
    first = np.concatenate([part.first for part in found])
    second = np.concatenate([part.second for part in found])
    distance = np.concatenate([part.distance for part in found])
    number = np.concatenate([part.hash_number for part in found])
    low, high = np.minimum(first, second), np.maximum(first, second)
    turn = _TURN_OF[number]
    order = np.lexsort((first, number, distance, turn, high, low))
    best = order[_find_first(low[order], high[order], turn[order])]
    capped = np.unique(np.concatenate([part.capped for part in found]))
    return _Candidates(first[best], second[best], distance[best], number[best], capped)


def _find_first(*keys: IntArray) -> NDArray[np.bool_]:
    """Return (N,) which of N sorted rows differ from the one before."""
    fresh = np.ones(len(keys[0]), bool)
    fresh[1:] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    return fresh


def _confirm(found: _Candidates, signatures: Signatures) -> FloatArray:
    scores = np.zeros(len(found.first), np.float32)
    for start in range(0, len(scores), _BLOCK):
        part = slice(start, start + _BLOCK)
        numbers = found.hash_number[part]
        second = signatures[found.second[part]].copy()
        turns = _UNDONE[_TURN_OF[numbers]]
        for turn in np.unique(turns):
            second[turns == turn] = turn_signatures(second[turns == turn], int(turn))
        scores[part] = score_pairs(signatures[found.first[part]], second, _WINDOW_OF[numbers])
    return scores
