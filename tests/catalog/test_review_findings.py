"""Accidents that a hostile reader found, each kept from coming back."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from fastclf import ModelBundle
from fastclf.catalog import GivenSplits
from fastclf.check import check_folder
from fastclf.errors import PhotosError, UsageProblem
from fastclf.model import PhotoRow
from fastclf.system import csv_bytes

from ..conftest import run_fastclf
from ..drawing import draw_photo, draw_scene
from ..scanned import hash_folder, labels_of, scanned
from ..toy import write_toy_bundle


def test_a_renamed_class_folder_keeps_what_was_relabelled_in_it(photo_folder: Path) -> None:
    with scanned(photo_folder) as catalog:
        catalog.relabel(["red/000.png"], "blue")
        catalog.relabel(["green/000.png"], "red")
        catalog.remove(["red/001.png"])
        (photo_folder / "red").rename(photo_folder / "crimson")
        assert catalog.scan().decoded == 0
        labels = labels_of(catalog)
        assert labels["crimson/000.png"] == "blue"
        assert labels["green/000.png"] == "crimson"
        assert labels["crimson/002.png"] == "crimson"
        assert "crimson/001.png" not in labels
        catalog.undo()
        assert "crimson/001.png" in labels_of(catalog)


def test_a_long_gone_removal_does_not_follow_the_bytes_elsewhere(photo_folder: Path, tmp_path: Path) -> None:
    with scanned(photo_folder) as catalog:
        catalog.remove(["red/000.png"])
        (photo_folder / "red" / "000.png").rename(tmp_path / "kept.png")
        catalog.scan()
        (tmp_path / "kept.png").rename(photo_folder / "blue" / "came back.png")
        assert catalog.scan().new == ("blue/came back.png",)
        assert labels_of(catalog)["blue/came back.png"] == "blue"


def test_the_surviving_copy_is_not_taken_for_the_removed_one(photo_folder: Path) -> None:
    shutil.copy(photo_folder / "red" / "000.png", photo_folder / "red" / "copy.png")
    with scanned(photo_folder) as catalog:
        catalog.remove(["red/000.png"])
        (photo_folder / "red" / "000.png").unlink()
        catalog.scan()
        (photo_folder / "red" / "copy.png").rename(photo_folder / "red" / "000.png")
        catalog.scan()
        assert labels_of(catalog)["red/000.png"] == "red"


def test_edits_of_a_rewritten_photo_lapse_aloud(photo_folder: Path) -> None:
    with scanned(photo_folder) as catalog:
        catalog.relabel(["red/000.png"], "blue")
        draw_photo("red", 300).save(photo_folder / "red" / "000.png")
        assert catalog.scan().lapsed == ("red/000.png",)
        assert "red/000.png" in catalog.note
        assert labels_of(catalog)["red/000.png"] == "red"


def test_a_removal_and_a_relabel_travel_in_an_order_that_replays(photo_folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(photo_folder, tmp_path / "copy"))
    with scanned(photo_folder) as catalog:
        catalog.remove(["red/000.png"])
        catalog.relabel(["red/000.png"], "blue", why="two\rlines")
        data = catalog.export_edits()
    with scanned(copy) as catalog:
        report = catalog.import_edits(data)
        assert (len(report.applied), report.conflicts) == (2, ())
        assert "red/000.png" not in labels_of(catalog)
    assert csv_bytes(["a"], [["x\ry"]]) == b'"a"\n"x\ry"\n'


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such a name")
def test_a_class_folder_whose_name_is_no_text_is_a_sentence(photo_folder: Path) -> None:
    shutil.copytree(photo_folder / "red", os.fsdecode(os.fsencode(photo_folder) + b"/caf\xe9"))
    with scanned(photo_folder) as catalog:
        failures = catalog.photos().failures
        assert len(failures) == 10
        assert all("rename it" in reason for _, reason in failures)
        catalog.check(labels=False)


def test_edits_made_while_the_folder_was_read_only_come_home(
    photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FASTCLF_CATALOG", str(tmp_path / "elsewhere"))
    with scanned(photo_folder) as catalog:
        catalog.relabel(["red/000.png"], "blue")
    with monkeypatch.context() as spell:
        spell.setattr("fastclf.system.folders.find_filesystem", lambda folder: "nfs4")
        with scanned(photo_folder) as catalog:
            catalog.remove(["red/001.png"])
    with scanned(photo_folder) as catalog:
        assert "1 edits were brought in" in catalog.note
        labels = labels_of(catalog)
        assert labels["red/000.png"] == "blue"
        assert "red/001.png" not in labels
    with scanned(photo_folder) as catalog:
        assert catalog.note == ""


def test_named_groups_hold_for_photos_that_come_later(photo_folder: Path) -> None:
    for label in ("red", "blue", "green"):
        for i in range(10):
            sub = photo_folder / label / f"camera{i % 5}"
            sub.mkdir(exist_ok=True)
            (photo_folder / label / f"{i:03d}.png").rename(sub / f"{i:03d}.png")
    with scanned(photo_folder) as catalog:
        catalog.assign_splits(catalog.photos().photos, given=GivenSplits(by_folder=True))
        for i in range(5):
            draw_photo("red", 200 + i).save(photo_folder / "red" / f"camera{i}" / "late.png")
        catalog.scan()
        photos = catalog.photos().photos
        splits = catalog.assign_splits(photos).splits
        assert len({(p.name.split("/")[1], s) for p, s in zip(photos, splits, strict=True)}) == 5


def test_groups_that_come_too_late_or_straddle_are_refused(photo_folder: Path) -> None:
    with scanned(photo_folder) as catalog:
        photos = catalog.photos().photos
        both = GivenSplits(
            {photos[0].name: "train", photos[1].name: "valid"}, {p.name: "x" for p in photos[:2]}
        )
        with pytest.raises(UsageProblem, match="group x"):
            catalog.assign_splits(photos, given=both)
        catalog.assign_splits(photos)
        with pytest.raises(UsageProblem, match="redraw-splits"):
            catalog.assign_splits(photos, given=GivenSplits(groups={p.name: "all" for p in photos}))


def test_training_and_test_folders_alone_get_a_validation_split(tmp_path: Path) -> None:
    for split, n in (("train", 12), ("test", 3)):
        for label in ("red", "blue"):
            (tmp_path / "p" / split / label).mkdir(parents=True)
            for i in range(n):
                draw_photo(label, i + 50 * n).save(tmp_path / "p" / split / label / f"{i}.png")
    with scanned(tmp_path / "p") as catalog:
        photos = catalog.photos().photos
        for _ in range(2):
            splits = catalog.assign_splits(photos).splits
            assert all(
                (s == "test") == p.name.startswith("test/") for p, s in zip(photos, splits, strict=True)
            )
            assert splits.count("valid") >= 4


@pytest.mark.slow
def test_a_table_that_names_no_photo_is_refused(photo_folder: Path, tmp_path: Path) -> None:
    from fastclf.training import load_data

    (tmp_path / "s.csv").write_text("path,split\nphotos/red/000.png,valid\n")
    with pytest.raises(UsageProblem, match="names no photo"):
        load_data(photo_folder, split_by=tmp_path / "s.csv")
    names = [p.relative_to(photo_folder).as_posix() for p in sorted(photo_folder.rglob("*.png"))]
    rows = [f"{n},{'valid' if n.startswith('red') else 'train'}" for n in names]
    (tmp_path / "s.csv").write_text("path,split\n" + "\n".join(rows) + "\n")
    with pytest.raises(PhotosError, match="No photo of red is in the training split"):
        load_data(photo_folder, split_by=tmp_path / "s.csv")


def scenes(folder: Path) -> Path:
    for label in ("red", "blue", "green"):
        (folder / label).mkdir(parents=True)
        for i in range(12):
            draw_scene(f"{label}{i}").save(folder / label / f"{i}.png")
    return folder


@pytest.mark.slow
def test_a_copy_of_a_sealed_photo_is_sealed(tmp_path: Path) -> None:
    folder = scenes(tmp_path / "photos")
    with scanned(folder) as catalog:
        catalog.assign_splits(catalog.photos().photos)
        sealed = next(p for p in catalog.photos().photos if p.split == "test")
        draw_scene("x").save(folder / "red" / "other.png")
        from PIL import Image

        Image.open(sealed.path).resize((150, 120)).save(folder / "red" / "copy of sealed.jpg", quality=80)
        catalog.scan()
        report = catalog.check()
        assert "red/copy of sealed.jpg" not in report.answers
        assert "red/other.png" in report.answers


@pytest.mark.slow
def test_the_bundles_own_test_photos_stay_sealed_and_a_check_records_no_split(
    photo_folder: Path, tmp_path: Path
) -> None:
    with scanned(photo_folder) as catalog:
        photos = catalog.photos().photos
        rows = [
            PhotoRow(p.sha256, p.label, p.sha256, "test" if i % 5 == 0 else "train")
            for i, p in enumerate(photos)
        ]
        bundle = ModelBundle.load(write_toy_bundle(tmp_path / "model", rows=rows))
        report = check_folder(catalog, bundle)
        assert report.sealed == 6
        assert not {p.name for p in photos[::5]} & set(report.answers)
        known = catalog.feature_cache("0" * 64).load()
        assert not {p.sha256 for p in photos[::5]} & known.keys()
        assert not any(p.split for p in catalog.photos().photos)


@pytest.mark.slow
def test_damaged_caches_are_computed_again(photo_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with scanned(photo_folder) as catalog:
        expected = catalog.check()
        for chunk in (catalog.private / "features").rglob("*.npz"):
            data = bytearray(chunk.read_bytes())
            for i in range(0, min(len(data), 400), 7):
                data[i] ^= 0xFF
            chunk.write_bytes(bytes(data))
        with catalog._store.transaction():
            catalog._store.write(
                "UPDATE results SET value = substr(value, 1, length(value) / 2) WHERE name = 'label issues'"
            )
        assert catalog.check() == expected


@pytest.mark.slow
def test_outputs_never_replace_a_photo(photo_folder: Path, tmp_path: Path) -> None:
    before = hash_folder(photo_folder)
    for args in (
        ("edits", "export", photo_folder, photo_folder / "red" / "000.png"),
        ("check", photo_folder, "--no-labels", "--html", photo_folder / "red" / "001.png"),
    ):
        done = run_fastclf(*args, cwd=tmp_path)
        assert done.returncode == 2
        assert "overwritten" in done.stderr
    assert hash_folder(photo_folder) == before


def test_what_was_not_looked_for_is_not_called_none(photo_folder: Path) -> None:
    (photo_folder / "empty").mkdir()
    with scanned(photo_folder) as catalog:
        report = catalog.check(labels=False)
        assert "0 doubtful labels" not in report.to_text()
        assert "doubtful labels: not looked for" in report.to_text()
        assert report.to_dict()["labels_checked"] is False
        assert report.classes["empty"].n == 0
        assert "no usable photo" in str(report.classes["empty"].warning)


def test_a_relative_catalog_knows_whole_paths(photo_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photo_folder.parent)
    with scanned(Path("photos")) as catalog:
        catalog.relabel([photo_folder / "red" / "000.png"], "blue")
        assert labels_of(catalog)["red/000.png"] == "blue"


def test_a_class_renamed_below_split_folders_keeps_its_edits(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    for split in ("train", "valid"):
        for label in ("red", "blue"):
            (folder / split / label).mkdir(parents=True)
            for i in range(3):
                draw_photo(label, i + 20 * len(split)).save(folder / split / label / f"{i}.png")
    with scanned(folder) as catalog:
        catalog.relabel(["train/red/0.png"], "blue")
        for split in ("train", "valid"):
            (folder / split / "red").rename(folder / split / "crimson")
        catalog.scan()
        labels = labels_of(catalog)
        assert labels["train/crimson/0.png"] == "blue"
        assert labels["valid/crimson/0.png"] == "crimson"
