"""Where splits come from, and what the model's record says of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from ...catalog import Assignment, GivenSplits, NearPairs, find_pairs_across, read_given_splits
from ...errors import UsageProblem
from ...photos import SPLITS, PhotoSet


def read_given(photos: PhotoSet, split_by: str | Path | None) -> GivenSplits | None:
    """Return what the maker says about splits: nothing, by folder, or in a table.

    Raises
    ------
    UsageProblem
        If the table cannot be used, or names no photo of the folder.
    """
    if split_by is None:
        return None
    if split_by == "folder":
        return GivenSplits(by_folder=True)
    given = read_given_splits(Path(split_by))
    names = {p.name for p in photos.photos}
    if not names & {*given.splits, *given.groups}:
        raise UsageProblem(
            "The table of splits {split_by} names no photo of {folder}. Paths are relative to that "
            "folder, like {example}.",
            split_by=split_by,
            folder=photos.folder,
            example=next(iter(sorted(names)), "class/photo.jpg"),
        )
    return given


def describe_split(
    photos: PhotoSet,
    assignment: Assignment,
    near: NearPairs,
    *,
    split_by: str | Path | None,
    seed: int,
    conflicts: int,
) -> dict[str, Any]:
    """Return what the manifest says of the split.

    Parameters
    ----------
    photos
        (N,) those that were assigned.
    assignment
        Their splits.
    near
        Nearly equal contents.
    split_by
        Where the splits come from.
    seed
        Of the drawing; it is recorded only where something was drawn.
    conflicts
        How many photos were left out because equal pixels carry two labels.
    """
    counts = Counter(assignment.splits)
    of = {p.sha256: split for p, split in zip(photos.photos, assignment.splits, strict=True)}
    how = _name_source(photos, split_by, bool(assignment.drawn))
    return {
        "how": how,
        "seed": seed if how in ("drawn", "folder") and assignment.drawn else None,
        **{split: counts[split] for split in SPLITS},
        "near_duplicates_across": len(find_pairs_across(near.pairs, of)),
        "left_out_leaks": counts[""],
        "left_out_conflicts": conflicts,
    }


def _name_source(photos: PhotoSet, split_by: str | Path | None, drawn: bool) -> str:
    if split_by is not None:
        return "folder" if split_by == "folder" else f"by the table {Path(split_by).name}"
    if any(p.given_split for p in photos.photos):
        return "named folders"
    return "drawn" if drawn else "recorded"
