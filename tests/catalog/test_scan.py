"""The incremental scan: what is read, and what a renamed, rewritten or vanished photo becomes."""

from __future__ import annotations

import io
import os
import shutil
import sys
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from fastclf.catalog import Catalog, reading
from fastclf.check import check_catalog
from fastclf.photos import decode_photo

from ..drawing import bad_files, draw_photo, draw_photos, encode
from ..scanned import labels_of, scanned


def test_a_second_scan_decodes_nothing(photo_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Catalog(photo_folder) as catalog:
        first = catalog.scan()
        assert (first.files, first.decoded, len(first.new)) == (30, 30, 30)
        monkeypatch.setattr(reading, "decode_photo", None)
        monkeypatch.setattr(reading, "hash_bytes", None)
        again = catalog.scan()
        assert (again.files, again.decoded, again.new, again.gone) == (30, 0, (), ())
        assert len(catalog.photos().photos) == 30


def test_a_scan_reads_only_what_changed(catalog: Catalog, photo_folder: Path) -> None:
    draw_photo("red", 77).save(photo_folder / "red" / "000.png")
    draw_photo("red", 78).save(photo_folder / "red" / "new.png")
    (photo_folder / "blue" / "003.png").unlink()
    os.utime(photo_folder / "red" / "001.png", (1, 1))
    result = catalog.scan()
    assert result.decoded == 2
    assert result.changed == ("red/000.png",)
    assert result.new == ("red/new.png",)
    assert result.gone == ("blue/003.png",)
    assert len(catalog.photos().photos) == 30


def test_a_renamed_photo_keeps_its_edits(catalog: Catalog, photo_folder: Path) -> None:
    catalog.relabel(["red/000.png"], "blue", why="it is blue")
    catalog.remove(["red/001.png"])
    (photo_folder / "red" / "000.png").rename(photo_folder / "red" / "other name.png")
    (photo_folder / "red" / "001.png").rename(photo_folder / "red" / "gone.png")
    result = catalog.scan()
    assert (result.moved, result.decoded) == (("red/gone.png", "red/other name.png"), 0)
    labels = labels_of(catalog)
    assert labels["red/other name.png"] == "blue"
    assert "red/gone.png" not in labels
    assert {(r.path, r.action) for r in catalog.edits()} == {
        ("red/other name.png", "relabel"),
        ("red/gone.png", "remove"),
    }


def test_a_photo_moved_to_another_class_takes_its_label_and_that_is_a_row(
    catalog: Catalog, photo_folder: Path
) -> None:
    catalog.relabel(["red/000.png"], "blue")
    (photo_folder / "red" / "000.png").rename(photo_folder / "green" / "moved.png")
    catalog.scan()
    assert labels_of(catalog)["green/moved.png"] == "green"
    last = catalog.edits(log=True)[-1]
    assert (last.action, last.old, last.new, last.who) == ("relabel", "blue", "green", "scan")
    assert "red/000.png" in last.why
    assert catalog.edits() == []
    # the undo of the relabel before the move must not take the person's move back
    catalog.undo()
    assert labels_of(catalog)["green/moved.png"] == "green"


def test_identical_files_with_different_labels_are_told_apart(photo_folder: Path) -> None:
    shutil.copy(photo_folder / "red" / "000.png", photo_folder / "blue" / "copy.png")
    with scanned(photo_folder) as catalog:
        catalog.relabel(["blue/copy.png"], "green")
        assert labels_of(catalog)["red/000.png"] == "red"
        (photo_folder / "red" / "000.png").rename(photo_folder / "red" / "x.png")
        (photo_folder / "blue" / "copy.png").rename(photo_folder / "blue" / "y.png")
        catalog.scan()
        assert (labels_of(catalog)["red/x.png"], labels_of(catalog)["blue/y.png"]) == ("red", "green")


def test_swapped_names_carry_the_edits_along(catalog: Catalog, photo_folder: Path) -> None:
    catalog.remove(["red/000.png"])
    a, b = photo_folder / "red" / "000.png", photo_folder / "red" / "001.png"
    a.rename(a.with_name("t"))
    b.rename(a)
    a.with_name("t").rename(b)
    catalog.scan()
    assert "red/001.png" not in labels_of(catalog)
    assert "red/000.png" in labels_of(catalog)


def test_a_file_that_comes_back_has_its_edits_again(photo_folder: Path) -> None:
    file = photo_folder / "red" / "000.png"
    with scanned(photo_folder) as catalog:
        catalog.relabel(["red/000.png"], "blue")
        data = file.read_bytes()
        file.unlink()
        catalog.scan()
        assert "red/000.png" not in labels_of(catalog)
        file.write_bytes(data)
        catalog.scan()
        assert labels_of(catalog)["red/000.png"] == "blue"


def test_a_renamed_class_folder_keeps_what_was_relabelled_in_it(catalog: Catalog, photo_folder: Path) -> None:
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


def test_a_long_gone_removal_does_not_follow_the_bytes_elsewhere(
    catalog: Catalog, photo_folder: Path, tmp_path: Path
) -> None:
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


def test_edits_of_a_rewritten_photo_lapse_aloud(catalog: Catalog, photo_folder: Path) -> None:
    catalog.relabel(["red/000.png"], "blue")
    draw_photo("red", 300).save(photo_folder / "red" / "000.png")
    assert catalog.scan().lapsed == ("red/000.png",)
    assert "red/000.png" in catalog.note
    assert labels_of(catalog)["red/000.png"] == "red"


def test_unreadable_files_are_listed_and_tried_again_by_another_decoder(
    photo_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, (data, _) in bad_files().items():
        (photo_folder / "red" / name).write_bytes(data)
    (photo_folder / "notes.txt").write_text("no class")
    (photo_folder / ".hidden").mkdir()
    (photo_folder / ".hidden" / "a.png").write_bytes(b"")
    seen: list[tuple[int, int]] = []
    with Catalog(photo_folder) as catalog:
        catalog.scan(lambda *done: seen.append(done))
        photos, failures = catalog.photos(), dict(catalog.photos().failures)
        assert (photos.vocab, len(photos.photos)) == (["blue", "green", "red"], 30)
        assert set(failures) == {f"red/{n}" for n in bad_files() if not n.endswith(".ico")}
        assert all(failures.values())
        assert seen[-1] == (30 + len(failures),) * 2
        assert catalog.scan().decoded == 0
        monkeypatch.setattr(reading, "describe_decoder", lambda: "better")
        assert catalog.scan().decoded == len(failures)
        assert catalog.scan().decoded == 0


def test_a_file_that_may_not_be_read_keeps_its_edits(photo_folder: Path) -> None:
    file = photo_folder / "red" / "000.png"
    with scanned(photo_folder) as catalog:
        catalog.relabel(["red/000.png"], "blue")
        data = file.read_bytes()
        file.unlink()
        file.symlink_to(photo_folder / "nowhere.png")
        catalog.scan()
        assert ("red/000.png", "does not exist") in catalog.photos().failures
        file.unlink()
        file.write_bytes(data)
        catalog.scan()
        assert labels_of(catalog)["red/000.png"] == "blue"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_of_files_and_class_folders_that_are_no_text_are_sentences(photo_folder: Path) -> None:
    shutil.copy(photo_folder / "red" / "000.png", os.fsencode(photo_folder / "red") + b"/\xff.png")
    shutil.copytree(photo_folder / "green", os.fsdecode(os.fsencode(photo_folder) + b"/caf\xe9"))
    with scanned(photo_folder) as catalog:
        failures = catalog.photos().failures
        assert len(failures) == 11
        assert all("rename it" in reason for _, reason in failures)
        assert any(name.startswith("red/") for name, _ in failures)
        assert len(catalog.photos().photos) == 30
        assert len(check_catalog(catalog, labels=False).findings["unreadable"]) == 11


def test_contents_that_are_lost_are_read_again(photo_folder: Path) -> None:
    with scanned(photo_folder) as catalog:
        before = catalog.photos().photos
        lost = before[0].sha256
        catalog._store.write("DELETE FROM contents WHERE sha256 = ?", (lost,))
    with scanned(photo_folder) as catalog:
        assert catalog.photos().photos == before
        assert catalog.scan().decoded == 0


def test_what_an_earlier_version_measured_is_measured_anew_and_edits_stay(photo_folder: Path) -> None:
    with scanned(photo_folder) as catalog:
        catalog.relabel(["red/000.png"], "blue")
        before = catalog.photos().photos
        catalog._store.write("UPDATE contents SET measured = '2', pixel_hash = 'old', hashes = x'00'")
    with Catalog(photo_folder) as catalog:
        assert catalog.scan().decoded == 30
        assert catalog.photos().photos == before
        assert catalog.scan().decoded == 0


def write_as_before(catalog: Catalog) -> None:
    """Leave a catalog as the schema before this one had it."""
    store = catalog._store
    with store.transaction():
        store.write("DROP TABLE drafts")
        store.write("ALTER TABLE pairs RENAME COLUMN turn TO mirrored")
        store.write("UPDATE contents SET measured = '3', hashes = zeroblob(96), signature = zeroblob(4608)")
        store.write("UPDATE thumbnails SET jpeg = zeroblob(200000)")
        store.write("PRAGMA user_version = 2")


def test_a_catalog_of_an_earlier_schema_opens_with_its_edits_and_splits_and_shrinks(
    photo_folder: Path,
) -> None:
    with scanned(photo_folder) as catalog:
        catalog.relabel(["red/000.png"], "blue")
        split = catalog.assign_splits(catalog.photos().photos)
        before, edits = catalog.photos().photos, catalog.edits()
        write_as_before(catalog)
        file = catalog._store.file
    large = file.stat().st_size
    with Catalog(photo_folder) as catalog:
        assert not catalog.find_near_pairs().pairs
        assert catalog.scan().decoded == 30
        assert (catalog.photos().photos, catalog.edits()) == (before, edits)
        assert catalog.assign_splits(before).splits == split.splits
        assert catalog.thumbnail(before[0].sha256)
    assert file.stat().st_size < large / 10
    with Catalog(photo_folder) as catalog:
        assert catalog.scan().decoded == 0


def test_a_tiny_photo_is_kept_small_and_shown_large(tmp_path: Path) -> None:
    folder = draw_photos(tmp_path / "photos", per_class=2, size=(96, 80))
    with scanned(folder) as catalog:
        sha = catalog.photos().photos[0].sha256
        shown = Image.open(io.BytesIO(catalog.thumbnail(sha) or b""))
        [kept] = catalog._store.read("SELECT LENGTH(jpeg) FROM thumbnails WHERE sha256 = ?", (sha,))
    assert (shown.format, shown.size) == ("JPEG", (256, 213))
    assert kept[0] < 4000


@pytest.mark.slow
def test_a_large_jpeg_is_measured_at_a_part_of_its_size_and_told_at_its_own(tmp_path: Path) -> None:
    folder = draw_photos(tmp_path / "photos", per_class=2, size=(300, 200)) / "red"
    large = draw_photo("red", 9, (60, 40)).resize((1200, 800), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    (folder / "turned.jpg").write_bytes(encode(large, "JPEG", quality=90, exif=exif))
    (folder / "a.jpg").write_bytes(encode(large, "JPEG", quality=90))
    (folder / "b.jpg").write_bytes(encode(large, "JPEG", quality=90, comment=b"other bytes, same picture"))
    (folder / "c.png").write_bytes(encode(decode_photo(folder / "a.jpg").image, "PNG"))
    with scanned(folder.parent) as catalog:
        known = {p.name: p for p in catalog.photos().photos}
        report = check_catalog(catalog, labels=False)
    assert [(known[f"red/{n}"].width, known[f"red/{n}"].height) for n in ("turned.jpg", "a.jpg")] == [
        (800, 1200), (1200, 800)
    ]  # fmt: skip
    assert known["red/a.jpg"].pixel_hash == known["red/b.jpg"].pixel_hash
    assert known["red/a.jpg"].sha256 != known["red/b.jpg"].sha256
    assert [set(f.files) for f in report.findings["duplicate"]] == [{"red/a.jpg", "red/b.jpg"}]
    assert any("red/c.png" in f.files for f in report.findings["near-duplicate"])
