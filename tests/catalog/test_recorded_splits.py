"""Splits: drawn once, kept, named by the maker, and never with copies on two sides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from fastclf.catalog import Catalog, GivenSplits, read_given_splits
from fastclf.check import check_catalog
from fastclf.errors import UsageError
from fastclf.photos import Photo, find_photo_files

from ..drawing import draw_photo, draw_scene, draw_scenes
from ..scanned import scanned


def by_name(photos: Sequence[Photo], values: Sequence[str]) -> dict[str, str]:
    return dict(zip([p.name for p in photos], values, strict=True))


def test_splits_stay_when_photos_come_go_and_are_relabelled(catalog: Catalog, photo_folder: Path) -> None:
    photos = catalog.photos().photos
    first = by_name(photos, catalog.assign_splits(photos).splits)
    assert set(first.values()) == {"train", "valid", "test"}
    for i in range(20):
        draw_photo("red", 100 + i).save(photo_folder / "red" / f"more{i}.png")
    (photo_folder / "blue" / "000.png").unlink()
    catalog.relabel(["green/000.png"], "blue")
    catalog.scan()
    photos = catalog.photos().photos
    assignment = catalog.assign_splits(photos, seed=5)
    second = by_name(photos, assignment.splits)
    assert all(second[name] == split for name, split in first.items() if name in second)
    assert assignment.drawn == 20
    red = [s for name, s in second.items() if name.startswith("red/")]
    assert (red.count("valid"), red.count("test")) == (6, 3)
    assert {p.name: p.split for p in catalog.photos().photos} == second


def test_copies_share_a_split_and_a_bridge_is_left_out(tmp_path: Path) -> None:
    folder = draw_scenes(tmp_path / "photos", "a", "b", n=20)
    for i in range(10):
        draw_scene(f"a{i}").resize((150, 120)).save(folder / "a" / f"copy{i}.jpg", quality=60)
    with scanned(folder) as catalog:
        photos = catalog.photos().photos
        assignment = catalog.assign_splits(photos)
        splits, groups = by_name(photos, assignment.splits), by_name(photos, assignment.groups)
        for i in range(10):
            assert splits[f"a/copy{i}.jpg"] == splits[f"a/{i:02d}.png"]
            assert groups[f"a/copy{i}.jpg"] == groups[f"a/{i:02d}.png"]
        assert len(set(groups.values())) == 40
        # a copy of a training photo that comes later joins it, whatever the lot says
        trained = next(n for n, s in splits.items() if s == "train" and "copy" not in n)
        Image.open(folder / trained).resize((170, 140)).save(folder / "b" / "late.png")
        catalog.scan()
        photos = catalog.photos().photos
        assert by_name(photos, catalog.assign_splits(photos).splits)["b/late.png"] == "train"


def test_given_splits_count_and_their_leaks_are_left_out(tmp_path: Path) -> None:
    folder = draw_scenes(tmp_path / "photos", "train/a", "train/b", "valid/a", "valid/b", n=5)
    draw_scene("valid/b3").resize((150, 120)).save(folder / "train" / "b" / "leak.png")
    assert {f.label for f in find_photo_files(folder)} == {"a", "b"}
    with scanned(folder) as catalog:
        photos = catalog.photos().photos
        splits = by_name(photos, catalog.assign_splits(photos).splits)
        assert splits.pop("train/b/leak.png") == ""
        assert all(split == name.split("/")[0] for name, split in splits.items())
        [leak] = check_catalog(catalog, labels=False).findings["leak"]
        assert set(leak.files) == {"train/b/leak.png", "valid/b/03.png"}


def test_training_and_test_folders_alone_get_a_validation_split(tmp_path: Path) -> None:
    for split, n in (("train", 16), ("test", 1)):
        for label in ("red", "blue"):
            (tmp_path / "p" / split / label).mkdir(parents=True)
            for i in range(n):
                draw_photo(label, i + 50 * n).save(tmp_path / "p" / split / label / f"{i}.png")
    with scanned(tmp_path / "p") as catalog:
        photos = catalog.photos().photos
        for _ in range(2):
            splits = by_name(photos, catalog.assign_splits(photos).splits)
            assert all((split == "test") == name.startswith("test/") for name, split in splits.items())
            assert list(splits.values()).count("valid") >= 4


def test_a_table_names_splits_or_groups(photo_folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "splits.csv"
    with scanned(photo_folder) as catalog:
        photos = catalog.photos().photos
        table.write_text(
            "path,split\n" + "".join(f"{p.name},{'val' if '00' in p.name else 'Train'}\n" for p in photos)
        )
        given = read_given_splits(table)
        splits = catalog.assign_splits(photos, given=given).splits
        assert all((s == "valid") == ("00" in p.name) for p, s in zip(photos, splits, strict=True))
        other = GivenSplits(splits={photos[0].name: "test"})
        with pytest.raises(UsageError, match="redraw-splits"):
            catalog.assign_splits(photos, given=other)
        assert catalog.clear_splits() == 30
        cameras = GivenSplits(groups={p.name: f"camera {i % 6}" for i, p in enumerate(photos)})
        drawn = catalog.assign_splits(photos, given=cameras).splits
        assert len({(i % 6, split) for i, split in enumerate(drawn)}) == 6
    for text, match in (("path\n", "column"), ("path,split\nred/0.png,often\n", "often")):
        table.write_text(text)
        with pytest.raises(UsageError, match=match):
            read_given_splits(table)


def test_the_folder_below_the_class_can_name_the_group_of_later_photos_too(photo_folder: Path) -> None:
    for label in ("red", "blue", "green"):
        for i in range(10):
            sub = photo_folder / label / f"camera{i % 5}"
            sub.mkdir(exist_ok=True)
            (photo_folder / label / f"{i:03d}.png").rename(sub / f"{i:03d}.png")
    with scanned(photo_folder) as catalog:
        for given in (GivenSplits(by_folder=True), None):
            photos = catalog.photos().photos
            splits = catalog.assign_splits(photos, given=given).splits
            found = {(p.name.split("/")[1], s) for p, s in zip(photos, splits, strict=True)}
            assert len(found) == 5
            for i in range(5):
                draw_photo("red", 200 + i).save(photo_folder / "red" / f"camera{i}" / "late.png")
            catalog.scan()


def test_groups_that_come_too_late_or_straddle_are_refused(catalog: Catalog) -> None:
    photos = catalog.photos().photos
    both = GivenSplits({photos[0].name: "train", photos[1].name: "valid"}, {p.name: "x" for p in photos[:2]})
    with pytest.raises(UsageError, match="group x"):
        catalog.assign_splits(photos, given=both)
    catalog.assign_splits(photos)
    with pytest.raises(UsageError, match="redraw-splits"):
        catalog.assign_splits(photos, given=GivenSplits(groups={p.name: "all" for p in photos}))
