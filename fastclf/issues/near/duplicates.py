"""Near-duplicates: pairs confirmed on aligned pixels, and groups around a centre that are never chained."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .align import mirror_signatures, score_pairs
from .hashes import MIRRORED, N_HASHES, PLAIN, WINDOWS, FloatArray, UInt8Array, UInt64Array
from .search import CloseHashes, IntArray, find_close_hashes

# Copies cropped by 5 % lie within 8 bits of a part's hash in 99 of 100 cases, by 10 % within 10 in 97.
RADIUS = 10
# True copies score 0.90 and more (99 of 100 more than 0.94). Of the 25,000 closest pairs of 2,062 photos of
# hands none scores anything: where detail correlates, up to 0.90 too, there is a spot that differs.
MIN_SCORE = 0.9
_BLOCK = 128


class Signatures(Protocol):
    """Anything that gives the (n, 72, 64) signatures of n photos: an array, or a reader of a store."""

    def __getitem__(self, photos: IntArray, /) -> UInt8Array:
        """Return the signatures of the photos at these positions."""


@dataclass(frozen=True)
class NearPairs:
    """Pairs of photos that show the same picture."""

    pairs: IntArray  # (P, 2) positions of the two photos, the smaller first, in rising order
    scores: FloatArray  # (P,) how sure it is, in [0, 1]
    mirrored: NDArray[np.bool_]  # (P,) whether one is the other's mirror image
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
    """Find near-duplicates by pixels: resized, recompressed, slightly cropped, re-lit or mirrored copies.

    Photos whose hashes are close are laid over each other; what counts is the score of `score_pairs`.

    Parameters
    ----------
    hashes
        (N, 12) hashes of `Fingerprint`.
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
    ends.sort(axis=1)
    order = np.lexsort((ends[:, 1], ends[:, 0]))
    mirrored = found.hash_number[sure] == MIRRORED
    return NearPairs(ends[order], scores[sure][order], mirrored[order], len(scores), found.capped)


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
    """Search with every hash; of a pair found more than once, keep the nearest way to see it."""
    every = np.flatnonzero(comparable)
    fresh = every if new is None else np.flatnonzero(comparable & new)
    found = []
    for number in (PLAIN, MIRRORED, *range(2, N_HASHES)):
        # whole photos are compared both ways at once; a part of one with the whole other, once each way
        sides = [(fresh, every)] if new is None or number < 2 else [(fresh, every), (every, fresh)]
        for parts, wholes in sides:
            others = None if number == PLAIN and new is None else hashes[wholes, PLAIN]
            close = find_close_hashes(
                hashes[parts, number], RADIUS, others=others, per_photo=per_photo, threads=threads
            )
            found.append(_name_photos(close, parts, wholes, number))
    return _merge(found)


def _name_photos(close: CloseHashes, parts: IntArray, wholes: IntArray, number: int) -> _Candidates:
    """Translate positions among the searched hashes into positions among all photos."""
    # a part's hash belongs to the larger photo, so the whole of the other one is the crop
    first, second = parts[close.i], wholes[close.j]
    keep = first != second
    numbers = np.full(int(keep.sum()), number, np.intp)
    return _Candidates(first[keep], second[keep], close.distance[keep], numbers, parts[close.capped])


def _merge(found: list[_Candidates]) -> _Candidates:
    first = np.concatenate([part.first for part in found])
    second = np.concatenate([part.second for part in found])
    distance = np.concatenate([part.distance for part in found])
    number = np.concatenate([part.hash_number for part in found])
    low, high = np.minimum(first, second), np.maximum(first, second)
    order = np.lexsort((first, number, distance, high, low))
    low, high = low[order], high[order]
    fresh = np.ones(len(order), bool)
    fresh[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    best = order[fresh]
    capped = np.unique(np.concatenate([part.capped for part in found]))
    return _Candidates(first[best], second[best], distance[best], number[best], capped)


def _confirm(found: _Candidates, signatures: Signatures) -> FloatArray:
    windows = np.array([WINDOWS[0], *WINDOWS], np.float32)
    scores = np.zeros(len(found.first), np.float32)
    for start in range(0, len(scores), _BLOCK):
        part = slice(start, start + _BLOCK)
        numbers = found.hash_number[part]
        second = signatures[found.second[part]]
        mirrored = numbers == MIRRORED
        second = np.where(mirrored[:, None, None], mirror_signatures(second), second)
        scores[part] = score_pairs(signatures[found.first[part]], second, windows[numbers])
    return scores
