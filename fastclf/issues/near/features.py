"""Near-duplicates by features: pairs far closer to each other than photos of this folder usually are."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .align import align_coarse, make_coarse, score_aligned, turn_signatures
from .cells import list_surroundings
from .confirm import MIN_SCORE, Signatures
from .hashes import FloatArray, IntArray, UInt8Array
from .turns import MIRRORED, PLAIN, turn_pixels

# The defaults of the search and the starts of the confirmation were chosen by hand, and measured on copies
# planted among photos of hand signs and of clothing (benchmarks/README.md).
_CROWD = 5  # the neighbour that tells how crowded it is around a photo; as many copies hide each other
_MIN_SIMILARITY = 0.5  # whatever the photos are like
_BLOCK_VALUES = 4_000_000
_ITSELF = -2.0  # below every similarity
# From more photos on each is compared with its surroundings alone.
_ALL_WITH_ALL = 10_000
_CONFIRMED = 128


def find_feature_pairs(
    features: FloatArray,
    *,
    ratio: float = 1.0,
    per_photo: int = 16,
) -> IntArray:
    """Return (P, 2) positions, the smaller first and rising, of pairs of photos whose features are close.

    The threshold comes from the photos themselves: the distance ``1 - cosine`` of a pair must be at most
    `ratio` times the distance that a photo usually has to its fifth neighbour (the median over all photos),
    and `ratio` times that of either of the two. Where all photos look alike, little is a duplicate. Each
    photo keeps its nearest `per_photo` partners.
    """
    if features.ndim != 2 or not np.isfinite(features).all():
        raise ValueError(f"features have the shape {features.shape}; (N, D) finite numbers are needed")
    unit = _normalise(features)
    keep = min(max(_CROWD, per_photo), max(len(unit) - 1, 0))
    if not keep:
        return np.zeros((0, 2), np.intp)
    nearest, similarity = _find_nearest(unit, keep)
    crowd = 1 - similarity[:, min(_CROWD, keep) - 1]
    limit = np.minimum(ratio * np.minimum(crowd, np.median(crowd)), 1 - _MIN_SIMILARITY)
    near = 1 - similarity <= np.minimum(limit[:, None], limit[nearest])
    i, rank = np.nonzero(near[:, :per_photo])
    return np.unique(np.sort(np.stack([i, nearest[i, rank]], axis=1), axis=1), axis=0)


def _normalise(features: FloatArray) -> FloatArray:
    length = np.sqrt(np.einsum("ij,ij->i", features, features))[:, None]
    unit: FloatArray = np.divide(features, np.where(length > 0, length, 1), dtype=np.float32)
    return unit


def _find_nearest(unit: FloatArray, n: int) -> tuple[IntArray, FloatArray]:
    """Return (N, n) positions and similarities of each photo's nearest, the most alike first.

    Among very many photos those of its surroundings; where these are fewer, the rest is itself, and far away.
    """
    positions = np.tile(np.arange(len(unit))[:, None], (1, n))
    similarities = np.full((len(unit), n), _ITSELF, np.float32)
    for rows, others in _list_parts(unit):
        block: FloatArray = np.matmul(unit[rows], unit[others].T if len(others) < len(unit) else unit.T)
        block[rows[:, None] == others] = _ITSELF
        k = min(n, len(others))
        chosen = np.argpartition(block, -k, axis=1)[:, -k:]
        values = np.take_along_axis(block, chosen, axis=1)
        order = np.lexsort((chosen, -values), axis=1)
        positions[rows, :k] = others[np.take_along_axis(chosen, order, axis=1)]
        similarities[rows, :k] = np.minimum(np.take_along_axis(values, order, axis=1), 1)
    return positions, similarities


def _list_parts(unit: FloatArray) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield some photos at a time, and those that they are compared with."""
    every = np.arange(len(unit))
    parts = [(every, every)] if len(unit) <= _ALL_WITH_ALL else list_surroundings(unit)
    for rows, others in parts:
        size = max(1, _BLOCK_VALUES // len(others))
        for start in range(0, len(rows), size):
            yield rows[start : start + size], others


def confirm_pairs(pairs: IntArray, signatures: Signatures) -> FloatArray:
    """Score pairs found by features on aligned pixels, from more starting points than hashes offer.

    Features find a copy whose hash is far off, a large crop or a mirrored crop for example, and look-alikes
    as well: other trousers on the same floor. Each photo is tried as a part of the other one, mirrored or
    not, until a pair reaches `MIN_SCORE`.

    Parameters
    ----------
    pairs
        (P, 2) positions.
    signatures
        Gives the signatures of some photos at a time.

    Returns
    -------
    numpy.ndarray
        (P,) best score in [0, 1] of the fine detail's correlation, 0 for pairs that are dropped early.
    """
    blocks = (pairs[start : start + _CONFIRMED] for start in range(0, len(pairs), _CONFIRMED))
    scores = (_try_starts((signatures[block[:, 0]], signatures[block[:, 1]])) for block in blocks)
    return np.concatenate([np.zeros(0, np.float32), *scores])


def _try_starts(ends: tuple[UInt8Array, UInt8Array]) -> FloatArray:
    """Return the (B,) best scores of pairs of signatures."""
    scores = np.zeros(len(ends[0]), np.float32)
    coarse = [make_coarse(signatures) for signatures in ends]
    for whole, part, turn, window in _list_starts():
        left = np.flatnonzero(scores < MIN_SCORE)
        if not len(left):
            break
        turned = turn_pixels(coarse[part][left], turn)
        alike, windows = align_coarse(coarse[whole][left], turned, np.tile(window, (len(left), 1)))
        left = left[alike]
        tried = score_aligned(ends[whole][left], turn_signatures(ends[part][left], turn), windows)
        scores[left] = np.maximum(scores[left], tried)
    return scores


def _list_starts() -> Iterator[tuple[int, int, int, tuple[float, float, float, float]]]:
    """Yield which photo is the whole, which the part, how that is turned, and where it begins."""
    for share in (1.0, 0.85, 0.7):
        gap = 1 - share
        corners = [(y, x) for y in (0.0, gap) for x in (0.0, gap)] if gap else []
        places = [(gap / 2, gap / 2), *corners]
        for turn in (PLAIN, MIRRORED):
            for whole, part in ((0, 1), (1, 0)):
                for top, left in places:
                    yield whole, part, turn, (top, top + share, left, left + share)
