"""Recorded splits: drawn once, kept when photos come, go or get another label."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..issues import group_pairs
from ..photos import LEFT_OUT, SPLITS, TEST, TRAIN, VALID, Photo, draw_splits
from ..system import ShortRepr, utc_now
from .given_splits import RULE, GivenSplits, Named, collect_named
from .near_pairs import NearPair
from .store import Store
from .unlabelled import find_digest, is_held_out

_INSERT = "INSERT OR IGNORE INTO splits (sha256, grp, split, origin, seed, time) VALUES (?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, repr=False)
class Assignment(ShortRepr):
    """The split of each photo.

    Attributes
    ----------
    splits
        (N,) "train", "valid", "test", or "" for a photo that is left out because it would leak.
    groups
        (N,) name of each photo's group.
    drawn
        How many contents got their split now.
    """

    splits: tuple[str, ...]
    groups: tuple[str, ...]
    drawn: int


def assign_splits(
    store: Store,
    photos: Sequence[Photo],
    pairs: Sequence[NearPair],
    *,
    seed: int = 0,
    valid: float = 0.2,
    test: float = 0.1,
    given: GivenSplits | None = None,
) -> Assignment:
    """Return every photo's split; what has none yet gets one that is recorded.

    Photos with equal pixels, and nearly equal ones around one of them, form groups. A new photo that nearly
    agrees with recorded ones follows them; one that nearly agrees with photos of two splits is left out. Of
    those from the queue of new photos every fifth goes to validation, by its hash, and none to the test.

    Parameters
    ----------
    store
        The catalog's database.
    photos
        (N,) the photos to train and judge on.
    pairs
        Nearly equal contents.
    seed, valid, test
        For what is drawn now; see `draw_splits`.
    given
        What the maker names. It beats drawing, and never changes a recorded split.

    Raises
    ------
    UsageError
        If a given split or group contradicts what is on record.
    """
    with store.transaction():
        recorded = {r["sha256"]: (r["grp"], r["split"]) for r in store.read("SELECT * FROM splits")}
        named = collect_named(store, photos, given, recorded)
        groups, links = _build_groups(photos, pairs, recorded, named.groups)
        splits = _draw(photos, groups, links, recorded, named, seed=seed, valid=valid, test=test)
        splits = _leave_out_leaks(photos, splits, pairs, recorded)
        of = {p.sha256: split for p, split in zip(photos, splits, strict=True) if split}
        now = utc_now()
        new = [
            (sha, groups[sha], split, "given" if sha in named.splits else "drawn", seed, now)
            for sha, split in of.items()
            if sha not in recorded
        ]
        store.write_many(_INSERT, new)
    return Assignment(tuple(splits), tuple(groups[p.sha256] for p in photos), len(new))


def _draw(
    photos: Sequence[Photo],
    groups: Mapping[str, str],
    links: Sequence[tuple[str, str]],
    recorded: Mapping[str, tuple[str, str]],
    named: Named,
    *,
    test: float,
    **options: Any,
) -> list[str]:
    """Return the split on record or by name, else one that every group's other photos have."""
    of_group = dict(recorded.values())
    of_group |= {groups[sha]: split for sha, split in named.splits.items() if sha not in recorded}
    of_group = {**_hold_out_new(photos, groups, links), **of_group}
    names, labels = [groups[p.sha256] for p in photos], [p.label for p in photos]
    test = 0.0 if TEST in named.splits.values() else test
    drawn = draw_splits(names, labels, recorded=of_group, links=links, test=test, **options)
    fixed = {**named.splits, **{sha: split for sha, (_, split) in recorded.items()}}
    return [fixed.get(p.sha256, split) for p, split in zip(photos, drawn, strict=True)]


def _hold_out_new(
    photos: Sequence[Photo], groups: Mapping[str, str], links: Sequence[tuple[str, str]]
) -> dict[str, str]:
    """Return {group: split} of photos that came from the queue of new ones: every fifth judges, by its hash.

    One that nearly agrees with others goes where these are.
    """
    near = {group for link in links for group in link}
    came = {groups[photo.sha256] for photo in photos if find_digest(photo.name)} - near
    hashes = {photo.sha256 for photo in photos} & came
    return {group: VALID if is_held_out(group) else TRAIN for group in hashes}


def adopt_splits(store: Store, known: Mapping[str, tuple[str, str]]) -> None:
    """Record {sha256: (group, split)} of contents that have no split on record."""
    there = {row["sha256"] for row in store.read("SELECT sha256 FROM splits")}
    now = utc_now()
    rows = [(sha, *pair, "model", 0, now) for sha, pair in known.items() if sha not in there]
    if rows:
        with store.transaction():
            store.write_many(_INSERT, rows)


def clear_splits(store: Store) -> int:
    """Forget the recorded splits and how photos are grouped; returns how many splits there were."""
    with store.transaction():
        count = int(store.read("SELECT COUNT(*) AS n FROM splits")[0]["n"])
        store.write("DELETE FROM splits")
        store.write("DELETE FROM results WHERE name = ?", (RULE,))
    return count


def _build_groups(
    photos: Sequence[Photo],
    pairs: Sequence[NearPair],
    recorded: Mapping[str, tuple[str, str]],
    by_maker: Mapping[str, str],
) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Return {sha256: group} and the links between groups."""
    here = {p.sha256 for p in photos}
    pairs = [*_pair_identical(photos, recorded), *(p for p in pairs if p.a in here and p.b in here)]
    groups = {sha: recorded[sha][0] for sha in here if sha in recorded}
    for pair in sorted(pairs, key=lambda p: (-p.score, p.a, p.b)):
        for one, other in ((pair.a, pair.b), (pair.b, pair.a)):
            # a group is named after its centre: who agrees with that joins
            if one not in groups and other in recorded and recorded[other][0] == other:
                groups[one] = other
    loose_set = here - groups.keys()
    loose = sorted(loose_set)
    inner = [p for p in pairs if p.a in loose_set and p.b in loose_set]
    groups |= _group_new(loose, inner)
    groups |= {sha: name for sha, name in by_maker.items() if sha not in recorded}
    links = {(groups[p.a], groups[p.b]) for p in pairs if groups[p.a] != groups[p.b]}
    return groups, sorted(links)


def _pair_identical(photos: Sequence[Photo], recorded: Mapping[str, tuple[str, str]]) -> list[NearPair]:
    """Pair each of several contents with equal pixels with one of them, a recorded one if there is one."""
    same: dict[str, set[str]] = defaultdict(set)
    for photo in photos:
        same[photo.pixel_hash].add(photo.sha256)
    found = []
    for hashes in same.values():
        first, *others = sorted(hashes, key=lambda sha: (sha not in recorded, sha))
        found += [NearPair(first, other, 1.0) for other in others]
    return found


def _group_new(hashes: Sequence[str], pairs: Sequence[NearPair]) -> dict[str, str]:
    """Return {sha256: group} of contents without a record; a group is named after its centre."""
    index = {sha: i for i, sha in enumerate(hashes)}
    groups = {sha: sha for sha in hashes}
    ends = np.array([(index[p.a], index[p.b]) for p in pairs], np.intp).reshape(-1, 2)
    scores = np.array([p.score for p in pairs], np.float32)
    for star in group_pairs(ends, scores, hashes):
        for member in star.members:
            groups[hashes[member]] = hashes[star.centre]
    return groups


def _leave_out_leaks(
    photos: Sequence[Photo],
    splits: Sequence[str],
    pairs: Sequence[NearPair],
    recorded: Mapping[str, tuple[str, str]],
) -> list[str]:
    """Take out the training photo of every near-identical pair that stands in two splits.

    Drawing makes no such pair; splits that the maker names, or photos that came in between, can.
    """
    of = {p.sha256: s for p, s in zip(photos, splits, strict=True)}
    leaks: set[str] = set()
    for pair in [*pairs, *_pair_identical(photos, recorded)]:
        a, b = of.get(pair.a, LEFT_OUT), of.get(pair.b, LEFT_OUT)
        if a and b and a != b:
            # the less precious one goes: train before valid before test
            leaks.add(pair.a if SPLITS.index(a) < SPLITS.index(b) else pair.b)
    return [LEFT_OUT if p.sha256 in leaks else s for p, s in zip(photos, splits, strict=True)]
