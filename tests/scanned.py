"""A scanned folder, and what tests ask of one: current labels, and whether a byte of it changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fastclf.catalog import Catalog
from fastclf.model import PhotoRow
from fastclf.photos import Photo
from fastclf.system import hash_file


def scanned(folder: Path) -> Catalog:
    catalog = Catalog(folder, who="ann")
    catalog.scan()
    return catalog


def labels_of(catalog: Catalog) -> dict[str, str]:
    return {p.name: p.label for p in catalog.photos().photos}


def rows_of(photos: Sequence[Photo], splits: Sequence[str]) -> list[PhotoRow]:
    """What a model of these photos says it was trained with."""
    return [PhotoRow(p.sha256, p.label, p.sha256, s) for p, s in zip(photos, splits, strict=True)]


def draw_splits_of(folder: Path) -> list[PhotoRow]:
    """Draw the splits of a folder, on record in its catalog; what a model that keeps to them was trained with."""
    with scanned(folder) as catalog:
        photos = catalog.photos().photos
        given = catalog.assign_splits(photos)
    drawn = zip(photos, given.groups, given.splits, strict=True)
    return [PhotoRow(p.sha256, p.label, group, split) for p, group, split in drawn]


def hash_folder(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): hash_file(p)
        for p in folder.rglob("*")
        if p.is_file() and ".fastclf" not in p.parts
    }
