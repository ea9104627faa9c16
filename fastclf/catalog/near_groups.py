"""Copies among the photos of a folder: identical ones, nearly identical ones, and where they do harm."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..check import Group
from ..errors import Message
from ..issues import MIN_SCORE, choose_best, find_feature_pairs, group_pairs
from ..photos import Photo
from .near_pairs import confirm_candidates, find_near_pairs
from .store import Store

Array = npt.NDArray[Any]

# Pixels decide, so features may bring up every pair that is nearer than neighbours usually are.
_USUAL = 1.0


@dataclass(frozen=True)
class _Pair:
    """Two photos by position, the representatives of their identical copies."""

    a: int
    b: int
    score: float
    tier: str


@dataclass(frozen=True)
class Neighbours:
    """Who is a copy of whom.

    Attributes
    ----------
    groups
        (N,) name of each photo's group of identical and nearly identical photos, for folds.
    identical, near
        Groups to report.
    notes
        Sentences for the user.
    """

    photos: tuple[Photo, ...]
    groups: tuple[str, ...] = ()
    identical: tuple[Group, ...] = ()
    near: tuple[Group, ...] = ()
    pairs: tuple[_Pair, ...] = ()
    members: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def first_names(self) -> dict[str, str]:
        """{group: name of its first photo}."""
        return {g: p.name for g, p in reversed(list(zip(self.groups, self.photos, strict=True)))}

    def find_conflicts(self) -> tuple[Group, ...]:
        """Return the identical and the aligned photos that stand under two labels or more."""
        found = [g for g in (*self.identical, *self.near) if g.tier != "features" and len(set(g.labels)) > 1]
        return tuple(found)

    def find_leaks(self) -> tuple[Group, ...]:
        """Return copies that stand in two splits, and photos that are copies of photos of two splits."""
        splits = [p.split or p.given_split for p in self.photos]
        leaks = []
        for members in self.members.values():
            if len({splits[i] for i in members} - {""}) > 1:
                leaks.append(_make_group(self.photos, members, _tier(self.photos, members), 1.0))
        for pair in self.pairs:
            if splits[pair.a] and splits[pair.b] and splits[pair.a] != splits[pair.b]:
                leaks.append(_make_group(self.photos, (pair.a, pair.b), pair.tier, pair.score))
        return (*leaks, *self._find_bridges(splits))

    def _find_bridges(self, splits: Sequence[str]) -> list[Group]:
        """Return a group for each photo without a split that would join photos of two splits."""
        near: dict[int, list[_Pair]] = defaultdict(list)
        for pair in self.pairs:
            if pair.tier == "aligned":
                near[pair.a].append(pair)
                near[pair.b].append(pair)
        bridges = []
        for i, pairs in sorted(near.items()):
            others = [p.b if p.a == i else p.a for p in pairs]
            if not splits[i] and len({splits[o] for o in others} - {""}) > 1:
                bridges.append(_make_group(self.photos, (i, *others), "aligned", min(p.score for p in pairs)))
        return bridges


def find_neighbours(store: Store, photos: Sequence[Photo], features: Array) -> Neighbours:
    """Find the copies among photos: by bytes, by pixels, by aligned pixels, and by features.

    Parameters
    ----------
    store
        The catalog's database.
    photos
        (N,) photos.
    features
        (N, D) with NaN rows where there are none.
    """
    same: dict[str, list[int]] = defaultdict(list)
    for i, photo in enumerate(photos):
        same[photo.pixel_hash].append(i)
    first = {i: members[0] for members in same.values() for i in members}
    identical = [
        _make_group(photos, members, _tier(photos, members), 1.0)
        for members in same.values()
        if len(members) > 1
    ]
    aligned, capped = _find_aligned(store, photos, first)
    known = {(p.a, p.b) for p in aligned}
    by_features = _find_by_features(store, photos, features, first, known)
    near = [*_group(photos, aligned, "aligned"), *_group(photos, by_features, "features")]
    notes = []
    if capped:
        notes.append(
            Message("{n} photos have so many near copies that only their nearest were compared.", n=capped)
        )
    return Neighbours(
        tuple(photos),
        _name_groups(photos, first, aligned),
        tuple(identical),
        tuple(near),
        (*aligned, *by_features),
        {members[0]: tuple(members) for members in same.values() if len(members) > 1},
        tuple(notes),
    )


def _tier(photos: Sequence[Photo], members: Iterable[int]) -> str:
    return "bytes" if len({photos[i].sha256 for i in members}) == 1 else "pixels"


def _find_aligned(store: Store, photos: Sequence[Photo], first: Mapping[int, int]) -> tuple[list[_Pair], int]:
    at: dict[str, int] = {}
    for i, photo in enumerate(photos):
        at.setdefault(photo.sha256, first[i])
    near = find_near_pairs(store)
    found: dict[tuple[int, int], float] = {}
    for pair in near.pairs:
        if pair.a in at and pair.b in at and at[pair.a] != at[pair.b]:
            key = _sort(at[pair.a], at[pair.b])
            found[key] = max(pair.score, found.get(key, 0.0))
    return [_Pair(a, b, score, "aligned") for (a, b), score in sorted(found.items())], near.capped


def _find_by_features(
    store: Store,
    photos: Sequence[Photo],
    features: Array,
    first: Mapping[int, int],
    known: set[tuple[int, int]],
) -> list[_Pair]:
    """Return the pairs that features bring up and pixels confirm, without those that are known."""
    representatives = sorted(set(first.values()))
    rows = [i for i in representatives if features.size and np.isfinite(features[i]).all()]
    if len(rows) < 3:
        return []
    found = find_feature_pairs(features[rows], ratio=_USUAL)
    ends = [(rows[a], rows[b]) for a, b in found.pairs]
    ends = [pair for pair in ends if pair not in known]
    scores = confirm_candidates(store, [(photos[a].sha256, photos[b].sha256) for a, b in ends])
    pairs = zip(ends, scores, strict=True)
    return [_Pair(a, b, score, "features") for (a, b), score in pairs if score >= MIN_SCORE]


def _group(photos: Sequence[Photo], pairs: Sequence[_Pair], tier: str) -> list[Group]:
    if not pairs:
        return []
    ends = np.array([(p.a, p.b) for p in pairs], np.intp)
    scores = np.array([p.score for p in pairs], np.float32)
    stars = group_pairs(ends, scores, [f"{p.sha256} {p.name}" for p in photos])
    return [_make_group(photos, (s.centre, *s.members), tier, min(s.scores)) for s in stars]


def _name_groups(
    photos: Sequence[Photo], first: Mapping[int, int], aligned: Sequence[_Pair]
) -> tuple[str, ...]:
    names = {i: photos[f].sha256 for i, f in first.items()}
    if aligned:
        ends = np.array([(p.a, p.b) for p in aligned], np.intp)
        scores = np.array([p.score for p in aligned], np.float32)
        centre: dict[int, int] = {}
        for star in group_pairs(ends, scores, [f"{p.sha256} {p.name}" for p in photos]):
            centre |= dict.fromkeys((star.centre, *star.members), star.centre)
        names = {i: photos[centre.get(f, f)].sha256 for i, f in first.items()}
    return tuple(names[i] for i in range(len(photos)))


def _make_group(photos: Sequence[Photo], members: Sequence[int], tier: str, score: float) -> Group:
    some = [photos[i] for i in members]
    chosen = choose_best(
        range(len(some)), [p.width * p.height for p in some], [p.size for p in some], [p.name for p in some]
    )
    best = members[chosen]
    ordered = [best, *(i for i in members if i != best)]
    return Group(
        tuple(photos[i].name for i in ordered),
        photos[best].name,
        tier,
        float(score),
        tuple(photos[i].label for i in ordered),
    )


def _sort(a: int, b: int) -> tuple[int, int]:
    return (a, b) if a < b else (b, a)
