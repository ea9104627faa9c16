"""Splits and groups that the maker names: by a table, by folders, remembered for photos that come later."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import UsageError
from ..photos import LEFT_OUT, SPLITS, TRAIN, VALID, Photo, leave_class_out, read_split_name
from ..system import unify_name
from .store import Store

RULE = "given groups"


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
class Named:
    """What the maker names of contents: {sha256: split} and {sha256: group}."""

    splits: Mapping[str, str]
    groups: Mapping[str, str]


def collect_named(
    store: Store,
    photos: Sequence[Photo],
    given: GivenSplits | None,
    recorded: Mapping[str, tuple[str, str]],
) -> Named:
    """Return what the maker names now, or named earlier for photos that come later.

    Where validation is not named, it is drawn from the training photos. Of copies that are named in two
    splits the one that is not trained on counts. What contradicts {sha256: (group, split)} on record, or
    itself, is refused.
    """
    given = _remember_groups(store, given or GivenSplits())
    splits = dict[str, str]()
    for photo in photos:
        split = given.splits.get(unify_name(photo.name), photo.given_split)
        if split and SPLITS.index(split) >= SPLITS.index(splits.get(photo.sha256, TRAIN)):
            splits[photo.sha256] = split
    if VALID not in splits.values() and all(photo.sha256 in splits for photo in photos):
        # validation photos can only come from the training photos
        splits = {sha: split for sha, split in splits.items() if split != TRAIN}
    named = Named(splits, _name_groups(photos, given))
    _check_splits(recorded, named)
    _check_groups(recorded, named)
    return named


def _remember_groups(store: Store, given: GivenSplits) -> GivenSplits:
    """Keep how photos are grouped, so that photos that come later are grouped the same way."""
    rows = store.read("SELECT value FROM results WHERE name = ?", (RULE,))
    known: dict[str, Any] = json.loads(rows[0]["value"]) if rows else {"by_folder": False, "groups": {}}
    groups = {**known["groups"], **given.groups}
    by_folder = bool(known["by_folder"] or given.by_folder)
    if groups != known["groups"] or by_folder != known["by_folder"]:
        value = json.dumps({"by_folder": by_folder, "groups": groups})
        store.write("INSERT OR REPLACE INTO results (name, key, value) VALUES (?, '', ?)", (RULE, value))
    return GivenSplits(given.splits, groups, by_folder)


def _name_groups(photos: Sequence[Photo], given: GivenSplits) -> dict[str, str]:
    names = {p.sha256: given.groups[n] for p in photos if (n := unify_name(p.name)) in given.groups}
    if given.by_folder:
        for photo in photos:
            deeper = leave_class_out(photo.name, photo.folder_label)[1].split("/")[:-1]
            if photo.given_split and deeper and read_split_name(deeper[0]):
                del deeper[0]  # cat/train/camera2
            if deeper:
                names.setdefault(photo.sha256, deeper[0])
    return {sha: f"given:{name}" for sha, name in names.items()}


def _check_splits(recorded: Mapping[str, tuple[str, str]], named: Named) -> None:
    torn = [sha for sha, split in named.splits.items() if sha in recorded and recorded[sha][1] != split]
    if torn:
        raise UsageError(
            "{n} photos have another split on record than the one named now, and a recorded split "
            "stays: a change would make test photos training photos. If no model of these photos is in use, "
            "draw new splits with --redraw-splits.",
            n=len(torn),
        )


def _check_groups(recorded: Mapping[str, tuple[str, str]], named: Named) -> None:
    """Refuse a named group that stands in two splits, on record or by name."""
    stand: dict[str, set[str]] = defaultdict(set)
    for sha, group in named.groups.items():
        split = recorded[sha][1] if sha in recorded else named.splits.get(sha, LEFT_OUT)
        if split:
            stand[group].add(split)
    torn = sorted(group.removeprefix("given:") for group, splits in stand.items() if len(splits) > 1)
    if torn:
        raise UsageError(
            "The group {group} stands in more than one split{more}. Correct the table, or draw "
            "new splits with --redraw-splits.",
            group=torn[0],
            more=f" (and {len(torn) - 1} more)" if len(torn) > 1 else "",
        )
