"""Copies among the photos of a folder: identical ones, nearly identical ones, and where they do harm."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from ...photos import Photo
from .confirm import MIN_SCORE
from .duplicates import Star, group_pairs
from .features import find_feature_pairs
from .turns import PLAIN, follow_turns, invert_turn

Array = npt.NDArray[Any]
Turns = Mapping[tuple[int, int], int]
Confirm = Callable[[Sequence[tuple[str, str]]], Sequence[float]]


@dataclass(frozen=True)
class Group:
    """Photos that show the same picture.

    Attributes
    ----------
    photos
        The best copy first.
    tier
        "bytes" (equal files), "pixels" (equal pictures), "aligned" (nearly equal, laid over each other) or
        "features" (a network brought them up, and laid over each other with more tries they nearly agree).
    score
        The least agreement of a member with the group's centre, in [0, 1].
    turns
        How the best copy is turned and mirrored to become each of them (see `turns`); empty for not at all.
    """

    photos: tuple[Photo, ...]
    tier: str
    score: float
    turns: tuple[int, ...] = ()


@dataclass(frozen=True)
class Copies:
    """Which photos are copies of which.

    Attributes
    ----------
    names
        (N,) name of each photo's group of identical and nearly identical photos, for folds.
    identical, near
        Groups around one photo; none is in two of a kind.
    leaks
        Copies that stand in two splits, and photos that are copies of photos of two splits.
    """

    names: tuple[str, ...]
    identical: tuple[Group, ...] = ()
    near: tuple[Group, ...] = ()
    leaks: tuple[Group, ...] = ()

    @property
    def conflicts(self) -> tuple[Group, ...]:
        """The identical and the aligned photos that stand under two labels or more."""
        groups = (g for g in (*self.identical, *self.near) if g.tier != "features")
        return tuple(g for g in groups if len({p.label for p in g.photos}) > 1)


@dataclass(frozen=True)
class _Pair:
    """Two photos by position, the representatives of their identical copies."""

    a: int
    b: int
    score: float
    tier: str
    turn: int = PLAIN  # how a becomes b


def find_copies(
    photos: Sequence[Photo], pairs: Iterable[tuple[str, str, float, int]], features: Array, confirm: Confirm
) -> Copies:
    """Find the copies among photos: by bytes, by pixels, by aligned pixels, and by features.

    Parameters
    ----------
    photos
        (N,) photos.
    pairs
        (sha256, sha256, score, turn) of contents that nearly agree when they are laid over each other, the
        first one turned.
    features
        (N, D) with NaN rows where there are none; D may be 0.
    confirm
        Returns the scores, in [0, 1], of pairs of contents that features bring up.
    """
    same: dict[str, list[int]] = defaultdict(list)
    for i, photo in enumerate(photos):
        same[photo.pixel_hash].append(i)
    first = {i: members[0] for members in same.values() for i in members}
    sets = [members for members in same.values() if len(members) > 1]
    identical = [_make_group(photos, members, _name_tier(photos, members), 1.0) for members in sets]
    aligned = _find_aligned(photos, pairs, first)
    by_features = _find_by_features(photos, features, first, aligned, confirm)
    stars, more = _gather(photos, aligned), _gather(photos, by_features)
    turns = _find_turns(aligned)
    near = [
        _make_group(photos, (star.centre, *star.members), tier, min(star.scores), turns)
        for tier, found in (("aligned", stars), ("features", more))
        for star in found
    ]
    return Copies(
        names=_name_groups(photos, first, stars),
        identical=tuple(identical),
        near=tuple(near),
        leaks=tuple(_find_leaks(photos, identical, aligned, by_features)),
    )


def _name_tier(photos: Sequence[Photo], members: Iterable[int]) -> str:
    return "bytes" if len({photos[i].sha256 for i in members}) == 1 else "pixels"


def _find_aligned(
    photos: Sequence[Photo], pairs: Iterable[tuple[str, str, float, int]], first: Mapping[int, int]
) -> list[_Pair]:
    at: dict[str, int] = {}
    for i, photo in enumerate(photos):
        at.setdefault(photo.sha256, first[i])
    found: dict[tuple[int, int], tuple[float, int]] = {}
    for a, b, score, turn in pairs:
        if a in at and b in at and at[a] != at[b]:
            key = min(at[a], at[b]), max(at[a], at[b])
            found[key] = max((score, turn if at[a] < at[b] else invert_turn(turn)), found.get(key, (0.0, 0)))
    return [_Pair(a, b, score, "aligned", turn) for (a, b), (score, turn) in sorted(found.items())]


def _find_turns(pairs: Iterable[_Pair]) -> dict[tuple[int, int], int]:
    """Return {(a, b): how a becomes b}, both ways."""
    both = (((p.a, p.b), (p.b, p.a), p.turn) for p in pairs if p.turn != PLAIN)
    return {key: value for ab, ba, turn in both for key, value in ((ab, turn), (ba, invert_turn(turn)))}


def _find_by_features(
    photos: Sequence[Photo],
    features: Array,
    first: Mapping[int, int],
    aligned: Iterable[_Pair],
    confirm: Confirm,
) -> list[_Pair]:
    """Return the pairs that features bring up and pixels confirm, without those that are known."""
    rows = [i for i in sorted(set(first.values())) if features.size and np.isfinite(features[i]).all()]
    if len(rows) < 3:
        return []
    known = {(p.a, p.b) for p in aligned}
    ends = [
        (rows[a], rows[b])
        for a, b in find_feature_pairs(features if len(rows) == len(features) else features[rows])
    ]
    ends = [pair for pair in ends if pair not in known]
    scores = confirm([(photos[a].sha256, photos[b].sha256) for a, b in ends])
    pairs = zip(ends, scores, strict=True)
    return [_Pair(a, b, score, "features") for (a, b), score in pairs if score >= MIN_SCORE]


def _gather(photos: Sequence[Photo], pairs: Sequence[_Pair]) -> list[Star]:
    ends = np.array([(p.a, p.b) for p in pairs], np.intp).reshape(-1, 2)
    scores = np.array([p.score for p in pairs], np.float32)
    return group_pairs(ends, scores, [f"{p.sha256} {p.name}" for p in photos])


def _name_groups(photos: Sequence[Photo], first: Mapping[int, int], stars: Sequence[Star]) -> tuple[str, ...]:
    centre = {member: star.centre for star in stars for member in star.members}
    return tuple(photos[centre.get(first[i], first[i])].sha256 for i in range(len(photos)))


def _find_leaks(
    photos: Sequence[Photo], identical: Sequence[Group], aligned: Sequence[_Pair], others: Sequence[_Pair]
) -> list[Group]:
    splits = [p.split or p.given_split for p in photos]
    leaks = [g for g in identical if len({p.split or p.given_split for p in g.photos} - {""}) > 1]
    turns = _find_turns(aligned)
    for pair in (*aligned, *others):
        if splits[pair.a] and splits[pair.b] and splits[pair.a] != splits[pair.b]:
            leaks.append(_make_group(photos, (pair.a, pair.b), pair.tier, pair.score, turns))
    return [*leaks, *_find_bridges(photos, splits, aligned, turns)]


def _find_bridges(
    photos: Sequence[Photo], splits: Sequence[str], aligned: Sequence[_Pair], turns: Turns
) -> list[Group]:
    """Return a group for each photo without a split that would join photos of two splits."""
    near: dict[int, dict[int, float]] = defaultdict(dict)
    for pair in aligned:
        near[pair.a][pair.b] = near[pair.b][pair.a] = pair.score
    return [
        _make_group(photos, (i, *others), "aligned", min(others.values()), turns)
        for i, others in sorted(near.items())
        if not splits[i] and len({splits[o] for o in others} - {""}) > 1
    ]


def _make_group(
    photos: Sequence[Photo],
    members: Sequence[int],
    tier: str,
    score: float,
    turns: Turns = MappingProxyType({}),
) -> Group:
    """Return photos as a group; the best has most pixels, then the largest file, then the first name.

    The first of the members is the one that the others are pairs with.
    """
    best = min(members, key=lambda i: (-photos[i].width * photos[i].height, -photos[i].size, photos[i].name))
    ordered = [best, *(i for i in members if i != best)]
    centre = members[0]
    to_centre = turns.get((best, centre), PLAIN)
    turned = tuple(follow_turns(to_centre, turns.get((centre, i), PLAIN)) for i in ordered)
    return Group(tuple(photos[i] for i in ordered), tier, float(score), turned if any(turned) else ())
