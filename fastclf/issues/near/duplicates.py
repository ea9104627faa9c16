"""Near-duplicates: pairs confirmed on aligned pixels, and groups around a centre that are never chained."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .candidates import TURN_OF, find_candidates, find_first
from .confirm import MIN_SCORE, UNDONE, Signatures, confirm_candidates
from .hashes import N_HASHES, FloatArray, IntArray, UInt64Array


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

    Photos whose hashes are close are laid over each other; what counts is the score of `score_aligned`.

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
        For the search and for what it finds; by default one for each core, 4 at most.

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
    found = find_candidates(hashes, comparable, new, per_photo, threads)
    scores = confirm_candidates(found, signatures, threads)
    sure = scores >= MIN_SCORE
    ends = np.stack([found.first[sure], found.second[sure]], axis=1)
    turns = TURN_OF[found.hash_number[sure]]
    turns = np.where(ends[:, 0] < ends[:, 1], turns, UNDONE[turns])
    ends.sort(axis=1)
    order = np.lexsort((turns, -scores[sure], ends[:, 1], ends[:, 0]))
    order = order[find_first(ends[order, 0], ends[order, 1])]
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
