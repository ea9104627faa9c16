"""Recorded splits: drawn once, kept when photos come, go or get another label."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..checks.duplicates import group_pairs
from ..errors import UsageProblem
from ..files import utc_now
from ..photos import Photo
from ..splits import LEFT_OUT, SPLITS, TEST, TRAIN, VALID, draw_splits
from .pairs import NearPair
from .store import Store

RULE = "given groups"
_INSERT = "INSERT OR IGNORE INTO splits (sha256, grp, split, origin, seed, time) VALUES (?, ?, ?, ?, ?, ?)"
_ALIASES = {"val": "valid", "validation": "valid", "training": "train"}


@dataclass(frozen=True)
class GivenSplits:
    """Splits or groups that the maker names, by a column of a table.

    Attributes
    ----------
    splits
        {name of a photo: "train", "valid" or "test"}.
    groups
        {name of a photo: group}, a camera or a day for example; no group straddles two splits.
    by_folder
        Whether the folder below the class folder names the group: ``bear/camera2/17.jpg`` is of camera2.
    """

    splits: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    by_folder: bool = False


@dataclass(frozen=True)
class Assignment:
    """The split of each photo.

    Attributes
    ----------
    splits
        (N,) "train", "valid", "test", or "" for a photo that is left out because it would leak.
    groups
        (N,) name of each photo's group.
    drawn
        How many contents got their split now.
    largest
        Number of photos in the largest group.
    """

    splits: tuple[str, ...]
    groups: tuple[str, ...]
    drawn: int
    largest: int


def read_given_splits(path: Path) -> GivenSplits:
    """Read a table of splits or groups: CSV with the columns ``path`` and ``split`` or ``group``.

    Raises
    ------
    UsageProblem
        If a column is missing or a value is none of train, valid and test.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
    except (OSError, UnicodeDecodeError, csv.Error) as e:
        raise UsageProblem(f"The table of splits {path} cannot be read ({e}).") from None
    columns = set(rows[0]) if rows else set()
    if "path" not in columns or not columns & {"split", "group"}:
        raise UsageProblem(
            f"The table of splits {path} needs a column `path` (relative to the photos' folder) and a column "
            f"`split` (train, valid, test) or `group`; it has {', '.join(map(str, columns)) or 'none'}."
        )
    splits, groups = {}, {}
    for row in rows:
        name = (row["path"] or "").replace("\\", "/")
        if row.get("group"):
            groups[name] = row["group"]
        if row.get("split"):
            splits[name] = _read_split(row["split"], path)
    return GivenSplits(splits, groups)


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
    agrees with recorded ones follows them; one that nearly agrees with photos of two splits is left out.

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
    UsageProblem
        If a given split or group contradicts what is on record.
    """
    with store.transaction():
        recorded = {r["sha256"]: (r["grp"], r["split"]) for r in store.read("SELECT * FROM splits")}
        given = _remember_groups(store, given)
        named = _collect_given(photos, given)
        if TEST in named.values():
            test = 0.0
        cameras = _name_cameras(photos, given)
        _check_given(recorded, named)
        _check_cameras(recorded, named, cameras)
        groups, links = _build_groups(photos, pairs, recorded, cameras)
        of_group = dict(recorded.values())
        of_group |= {groups[sha]: split for sha, split in named.items() if sha not in recorded}
        splits = draw_splits(
            [groups[p.sha256] for p in photos],
            [p.label for p in photos],
            seed=seed, valid=valid, test=test, recorded=of_group, links=links,
        )  # fmt: skip
        splits = [
            recorded[p.sha256][1] if p.sha256 in recorded else named.get(p.sha256, s)
            for p, s in zip(photos, splits, strict=True)
        ]
        splits = _leave_out_leaks(photos, splits, pairs, recorded)
        drawn = _record(store, photos, splits, groups, recorded, named, seed)
    sizes: dict[str, int] = defaultdict(int)
    for photo in photos:
        sizes[groups[photo.sha256]] += 1
    names = tuple(groups[p.sha256] for p in photos)
    return Assignment(tuple(splits), names, drawn, max(sizes.values(), default=0))


def adopt_splits(store: Store, known: Mapping[str, tuple[str, str]]) -> None:
    """Record {sha256: (group, split)} of contents that have no split on record."""
    there = {row["sha256"] for row in store.read("SELECT sha256 FROM splits")}
    now = utc_now()
    rows = [(sha, *pair, "model", 0, now) for sha, pair in known.items() if sha not in there]
    if rows:
        with store.transaction():
            store.write_many(_INSERT, rows)


def _read_split(value: str, path: Path) -> str:
    split = value.strip().lower()
    split = _ALIASES.get(split, split)
    if split not in SPLITS:
        raise UsageProblem(
            f"The table of splits {path} holds the split {value!r}; it can be train, valid or test."
        )
    return split


def _collect_given(photos: Sequence[Photo], given: GivenSplits) -> dict[str, str]:
    """Return {sha256: split} that the maker names.

    Where training and test are named and validation is not, it is drawn from the training photos.
    """
    named = {p.sha256: p.given_split for p in photos if p.given_split}
    named |= {p.sha256: given.splits[p.name] for p in photos if p.name in given.splits}
    if VALID not in named.values() and TEST in named.values():
        named = {sha: split for sha, split in named.items() if split != TRAIN}
    return named


def _remember_groups(store: Store, given: GivenSplits | None) -> GivenSplits:
    """Keep how photos are grouped, so that photos that come later are grouped the same way."""
    rows = store.read("SELECT value FROM results WHERE name = ?", (RULE,))
    known: dict[str, Any] = json.loads(rows[0]["value"]) if rows else {"by_folder": False, "groups": {}}
    given = given or GivenSplits()
    groups = {**known["groups"], **given.groups}
    by_folder = bool(known["by_folder"] or given.by_folder)
    if groups != known["groups"] or by_folder != known["by_folder"]:
        value = json.dumps({"by_folder": by_folder, "groups": groups})
        store.write("INSERT OR REPLACE INTO results (name, key, value) VALUES (?, '', ?)", (RULE, value))
    return GivenSplits(given.splits, groups, by_folder)


def _name_cameras(photos: Sequence[Photo], given: GivenSplits) -> dict[str, str]:
    """Return {sha256: group} that the maker names."""
    names = {p.sha256: given.groups[p.name] for p in photos if p.name in given.groups}
    if given.by_folder:
        for photo in photos:
            deeper = photo.name.split("/")[2 if photo.given_split else 1 : -1]
            if deeper:
                names.setdefault(photo.sha256, deeper[0])
    return {sha: f"given:{name}" for sha, name in names.items()}


def _check_cameras(
    recorded: Mapping[str, tuple[str, str]], named: Mapping[str, str], cameras: Mapping[str, str]
) -> None:
    stand: dict[str, set[str]] = defaultdict(set)
    for sha, camera in cameras.items():
        split = recorded[sha][1] if sha in recorded else named.get(sha, LEFT_OUT)
        if split:
            stand[camera].add(split)
    torn = sorted(camera.removeprefix("given:") for camera, splits in stand.items() if len(splits) > 1)
    if torn:
        raise UsageProblem(
            f"The group {torn[0]} stands in more than one split{_more(torn)}. Mend the table, or draw "
            "the splits anew with --redraw-splits."
        )


def _more(names: Sequence[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""


def _check_given(recorded: Mapping[str, tuple[str, str]], named: Mapping[str, str]) -> None:
    torn = [sha for sha, split in named.items() if sha in recorded and recorded[sha][1] != split]
    if torn:
        raise UsageProblem(
            f"{len(torn)} photos have another split on record than the one named now, and a recorded split "
            "stays: a change would make test photos training photos. If no model of these photos is in use, "
            "draw anew with --redraw-splits."
        )


def _build_groups(
    photos: Sequence[Photo],
    pairs: Sequence[NearPair],
    recorded: Mapping[str, tuple[str, str]],
    cameras: Mapping[str, str],
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
    groups |= {sha: name for sha, name in cameras.items() if sha not in recorded}
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


def _record(
    store: Store,
    photos: Sequence[Photo],
    splits: Sequence[str],
    groups: Mapping[str, str],
    recorded: Mapping[str, tuple[str, str]],
    named: Mapping[str, str],
    seed: int,
) -> int:
    now = utc_now()
    rows = {
        p.sha256: (p.sha256, groups[p.sha256], s, "given" if p.sha256 in named else "drawn", seed, now)
        for p, s in zip(photos, splits, strict=True)
        if s and p.sha256 not in recorded
    }
    store.write_many(_INSERT, list(rows.values()))
    return len(rows)
