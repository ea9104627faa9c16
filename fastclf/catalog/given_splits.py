"""Splits and groups that the maker names: by a table, by folders, remembered for photos that come later."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..photos import LEFT_OUT, SPLITS, TEST, TRAIN, VALID, Photo
from .store import Store

RULE = "given groups"
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


def read_given_splits(path: Path) -> GivenSplits:
    """Read a table of splits or groups: CSV with the columns ``path`` and ``split`` or ``group``.

    Raises
    ------
    UsageError
        If a column is missing or a value is none of train, valid and test.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
    except (OSError, UnicodeDecodeError, csv.Error) as e:
        raise UsageError(
            "The table of splits {path} cannot be read ({reason}).", path=path, reason=e
        ) from None
    columns = set(rows[0]) if rows else set()
    if "path" not in columns or not columns & {"split", "group"}:
        raise UsageError(
            "The table of splits {path} needs a column `path` (relative to the photos' folder) and a column "
            "`split` (train, valid, test) or `group`; it has {columns}.",
            path=path,
            columns=", ".join(map(str, columns)) or "none",
        )
    splits, groups = {}, {}
    for row in rows:
        name = (row["path"] or "").replace("\\", "/")
        if row.get("group"):
            groups[name] = row["group"]
        if row.get("split"):
            splits[name] = _read_split(row["split"], path)
    return GivenSplits(splits, groups)


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

    Where training and test are named and validation is not, it is drawn from the training photos. What
    contradicts {sha256: (group, split)} on record, or itself, is refused.
    """
    given = _remember_groups(store, given or GivenSplits())
    splits = {p.sha256: p.given_split for p in photos if p.given_split}
    splits |= {p.sha256: given.splits[p.name] for p in photos if p.name in given.splits}
    if VALID not in splits.values() and TEST in splits.values():
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
    names = {p.sha256: given.groups[p.name] for p in photos if p.name in given.groups}
    if given.by_folder:
        for photo in photos:
            deeper = photo.name.split("/")[2 if photo.given_split else 1 : -1]
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


def _read_split(value: str, path: Path) -> str:
    split = value.strip().lower()
    split = _ALIASES.get(split, split)
    if split not in SPLITS:
        raise UsageError(
            "The table of splits {path} holds the split {value!r}; it can be train, valid or test.",
            path=path,
            value=value,
        )
    return split
