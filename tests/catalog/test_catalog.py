"""The catalog: incremental scan, edits that stay, splits that stay, two processes, and its second place."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from fastclf.catalog import Catalog, Edit, GivenSplits, read_given_splits, reading
from fastclf.errors import CatalogError, PhotosError, UsageProblem
from fastclf.photos import build_training_file, find_photo_files
from fastclf.system import find_private_place, hash_file

from ..drawing import bad_files, draw_photo, draw_scene
from ..scanned import hash_folder, labels_of, scanned


def test_a_second_scan_decodes_nothing(photo_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Catalog(photo_folder) as catalog:
        first = catalog.scan()
        assert (first.files, first.decoded, len(first.new)) == (30, 30, 30)
        monkeypatch.setattr(reading, "decode_photo", None)
        monkeypatch.setattr(reading, "hash_bytes", None)
        again = catalog.scan()
        assert (again.files, again.decoded, again.new, again.gone) == (30, 0, (), ())
        assert len(catalog.photos().photos) == 30


def test_a_scan_reads_only_what_changed(photo_folder: Path) -> None:
    with scanned(photo_folder) as catalog:
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


def test_a_renamed_photo_keeps_its_edits(photo_folder: Path) -> None:
    with scanned(photo_folder) as catalog:
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


def test_a_photo_moved_to_another_class_takes_its_label_and_that_is_a_row(photo_folder: Path) -> None:
    with scanned(photo_folder) as catalog:
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


def test_swapped_names_carry_the_edits_along(photo_folder: Path) -> None:
    with scanned(photo_folder) as catalog:
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


def test_unreadable_files_are_listed_and_tried_again_by_another_decoder(
    photo_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, (data, _) in bad_files().items():
        (photo_folder / "red" / name).write_bytes(data)
    with scanned(photo_folder) as catalog:
        failures = dict(catalog.photos().failures)
        assert len(failures) == len([n for n in bad_files() if not n.endswith(".ico")])
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


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such a name")
def test_a_name_that_is_no_text_is_a_sentence(photo_folder: Path) -> None:
    shutil.copy(photo_folder / "red" / "000.png", os.fsencode(photo_folder / "red") + b"/\xff.png")
    with scanned(photo_folder) as catalog:
        [(name, reason)] = catalog.photos().failures
        assert name.startswith("red/")
        assert "rename it" in reason
        assert len(catalog.photos().photos) == 30


def test_undo_and_redo_go_without_end(photo_folder: Path) -> None:
    with scanned(photo_folder) as catalog:
        states = [labels_of(catalog)]
        for step in (
            lambda: catalog.relabel(["red/000.png", "red/001.png"], "blue"),
            lambda: catalog.remove(["red/000.png"]),
            lambda: catalog.restore(["red/000.png"]),
            lambda: catalog.apply(
                [Edit(p.id, "relabel", "green") for p in catalog.photos().photos if p.label == "blue"]
            ),
        ):
            step()
            states.append(labels_of(catalog))
        for state in reversed(states[:-1]):
            assert catalog.undo()
            assert labels_of(catalog) == state
        assert catalog.undo() is None
        for state in states[1:]:
            assert catalog.redo()
            assert labels_of(catalog) == state
        assert catalog.redo() is None
        catalog.undo()
        catalog.remove(["blue/009.png"])
        assert catalog.redo() is None
        # nothing is ever taken out of the log
        assert len(catalog.edits(log=True)) > len(states)


def test_edits_cannot_be_changed_or_deleted_even_in_the_database(photo_folder: Path) -> None:
    with scanned(photo_folder) as catalog:
        catalog.remove(["red/000.png"])
    database = sqlite3.connect(photo_folder / ".fastclf" / "catalog.sqlite")
    for statement in ("UPDATE edits SET who = 'x'", "DELETE FROM edits"):
        with pytest.raises(sqlite3.Error, match="never"):
            database.execute(statement)
    database.close()


def test_an_edit_records_who_and_why_and_what_was_before(photo_folder: Path) -> None:
    with scanned(photo_folder) as catalog:
        [row] = catalog.relabel(["red/000.png"], "blue", why="hump")
        assert (row.action, row.old, row.new, row.why, row.who) == ("relabel", "red", "blue", "hump", "ann")
        assert row.sha256 == hash_file(photo_folder / "red" / "000.png")
        assert row.time.endswith("+00:00")
        assert catalog.relabel(["red/000.png"], "blue") == []


@pytest.mark.parametrize("label", ["", "  ", "a/b", "..", ".hidden", "a\nb", "x" * 300, "\udcff"])
def test_a_label_that_no_folder_could_have_is_refused(photo_folder: Path, label: str) -> None:
    with scanned(photo_folder) as catalog:
        before = labels_of(catalog)
        photo = catalog.photos().photos[0].id
        with pytest.raises(UsageProblem):
            catalog.apply([Edit(photo, "remove"), Edit(photo, "relabel", label)])
        assert labels_of(catalog) == before
        assert catalog.undo() is None


def test_one_refused_edit_refuses_the_whole_step(photo_folder: Path) -> None:
    with scanned(photo_folder) as catalog:
        photo = catalog.photos().photos[0].id
        with pytest.raises(UsageProblem, match="number 999"):
            catalog.apply([Edit(photo, "remove"), Edit(999, "remove")])
        with pytest.raises(UsageProblem, match="explode"):
            catalog.apply([Edit(photo, "remove"), Edit(photo, "explode")])
        with pytest.raises(UsageProblem, match=r"red/none\.png"):
            catalog.remove(["red/none.png"])
        assert len(catalog.photos().photos) == 30
        assert catalog.edits(log=True) == []


def test_no_byte_of_a_photo_changes(photo_folder: Path, tmp_path: Path) -> None:
    before = hash_folder(photo_folder)
    with scanned(photo_folder) as catalog:
        catalog.relabel(["red/000.png"], "blue")
        catalog.remove(["red/001.png"])
        catalog.undo()
        catalog.assign_splits(catalog.photos().photos)
        catalog.materialize(tmp_path / "clean")
    assert hash_folder(photo_folder) == before


def test_splits_stay_when_photos_come_go_and_are_relabelled(photo_folder: Path) -> None:
    with scanned(photo_folder) as catalog:
        photos = catalog.photos().photos
        first = dict(zip([p.name for p in photos], catalog.assign_splits(photos).splits, strict=True))
        assert set(first.values()) == {"train", "valid", "test"}
        for i in range(20):
            draw_photo("red", 100 + i).save(photo_folder / "red" / f"more{i}.png")
        (photo_folder / "blue" / "000.png").unlink()
        catalog.relabel(["green/000.png"], "blue")
        catalog.scan()
        photos = catalog.photos().photos
        assignment = catalog.assign_splits(photos, seed=5)
        second = dict(zip([p.name for p in photos], assignment.splits, strict=True))
        assert all(second[name] == split for name, split in first.items() if name in second)
        assert assignment.drawn == 20
        red = [s for name, s in second.items() if name.startswith("red/")]
        assert (red.count("valid"), red.count("test")) == (6, 3)
        assert {p.name: p.split for p in catalog.photos().photos} == second


def test_copies_share_a_split_and_a_bridge_is_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    for label in ("a", "b"):
        (folder / label).mkdir(parents=True)
        for i in range(20):
            draw_scene(f"{label}{i}").save(folder / label / f"{i}.png")
    for i in range(10):
        draw_scene(f"a{i}").resize((150, 120)).save(folder / "a" / f"copy{i}.jpg", quality=60)
    with scanned(folder) as catalog:
        photos = catalog.photos().photos
        assignment = catalog.assign_splits(photos)
        splits = dict(zip([p.name for p in photos], assignment.splits, strict=True))
        groups = dict(zip([p.name for p in photos], assignment.groups, strict=True))
        for i in range(10):
            assert splits[f"a/copy{i}.jpg"] == splits[f"a/{i}.png"]
            assert groups[f"a/copy{i}.jpg"] == groups[f"a/{i}.png"]
        assert len(set(groups.values())) == 40
        # a copy of a training photo that comes later joins it, whatever the lot says
        trained = next(n for n, s in splits.items() if s == "train" and "copy" not in n)
        Image.open(folder / trained).resize((170, 140)).save(folder / "b" / "late.png")
        catalog.scan()
        photos = catalog.photos().photos
        late = dict(zip([p.name for p in photos], catalog.assign_splits(photos).splits, strict=True))
        assert late["b/late.png"] == "train"


def test_given_splits_count_and_their_leaks_are_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    for split in ("train", "valid"):
        for label in ("a", "b"):
            (folder / split / label).mkdir(parents=True)
            for i in range(5):
                draw_scene(f"{split}{label}{i}").save(folder / split / label / f"{i}.png")
    draw_scene("validb3").resize((150, 120)).save(folder / "train" / "b" / "leak.png")
    assert {f.label for f in find_photo_files(folder)} == {"a", "b"}
    with scanned(folder) as catalog:
        photos = catalog.photos().photos
        splits = dict(zip([p.name for p in photos], catalog.assign_splits(photos).splits, strict=True))
        assert splits.pop("train/b/leak.png") == ""
        assert all(split == name.split("/")[0] for name, split in splits.items())
        [leak] = catalog.check(labels=False).leaks
        assert set(leak.files) == {"train/b/leak.png", "valid/b/3.png"}


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
        with pytest.raises(UsageProblem, match="redraw-splits"):
            catalog.assign_splits(photos, given=other)
        assert catalog.clear_splits() == 30
        cameras = GivenSplits(groups={p.name: f"camera {i % 6}" for i, p in enumerate(photos)})
        drawn = catalog.assign_splits(photos, given=cameras).splits
        by_camera: dict[int, set[str]] = {}
        for i, split in enumerate(drawn):
            by_camera.setdefault(i % 6, set()).add(split)
        assert all(len(found) == 1 for found in by_camera.values())
    for text, match in (("path\n", "column"), ("path,split\nred/0.png,often\n", "often")):
        table.write_text(text)
        with pytest.raises(UsageProblem, match=match):
            read_given_splits(table)


def test_the_folder_below_the_class_can_name_the_group(photo_folder: Path) -> None:
    for label in ("red", "blue", "green"):
        for i in range(10):
            sub = photo_folder / label / f"camera{i % 5}"
            sub.mkdir(exist_ok=True)
            (photo_folder / label / f"{i:03d}.png").rename(sub / f"{i:03d}.png")
    with scanned(photo_folder) as catalog:
        photos = catalog.photos().photos
        splits = catalog.assign_splits(photos, given=GivenSplits(by_folder=True)).splits
        found = {(p.name.split("/")[1], s) for p, s in zip(photos, splits, strict=True)}
        assert len(found) == 5


def test_openings_are_recorded(photo_folder: Path) -> None:
    with scanned(photo_folder) as catalog:
        catalog.record_opening("a model", ["0" * 64, "1" * 64], {"accuracy": 0.5})
        [opening] = catalog.openings()
        assert (opening["model"], opening["n"], opening["accuracy"]) == ("a model", 2, 0.5)
        assert catalog.opened_hashes() == {"0" * 64, "1" * 64}


_WRITER = """
import sys
from fastclf.catalog import Catalog
catalog = Catalog(sys.argv[1], who=sys.argv[2])
catalog.scan()
for photo in catalog.photos().photos:
    catalog.relabel([photo.name], sys.argv[2])
"""


def test_two_processes_write_at_once(photo_folder: Path) -> None:
    children = [
        subprocess.Popen([sys.executable, "-c", _WRITER, photo_folder, who], stderr=subprocess.PIPE)
        for who in ("ann", "bob")
    ]
    for child in children:
        _, error = child.communicate(timeout=120)
        assert child.returncode == 0, error.decode()
    with Catalog(photo_folder) as catalog:
        assert len(catalog.photos().photos) == 30
        rows = catalog.edits(log=True)
        assert {who: sum(r.who == who for r in rows) for who in ("ann", "bob")} == {"ann": 30, "bob": 30}
        assert set(labels_of(catalog).values()) <= {"ann", "bob"}


def _fill_disk(catalog: Catalog) -> None:
    names = [p.name for p in catalog.photos().photos]
    for _ in range(2000):
        catalog.relabel(names, "blue", why="x" * 900)
        catalog.undo()


def test_a_full_disk_is_a_sentence_and_nothing_is_torn(photo_folder: Path) -> None:
    with scanned(photo_folder) as catalog:
        pages = catalog._store.read("PRAGMA page_count")[0][0]
        catalog._store.read(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(CatalogError, match="full"):
            _fill_disk(catalog)
        states = labels_of(catalog)
        assert len(states) == 30
    with Catalog(photo_folder) as catalog:
        assert labels_of(catalog) == states


def test_a_missing_folder_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(PhotosError, match="no folder"):
        Catalog(tmp_path / "none")


def test_a_folder_that_cannot_be_written_gets_a_second_place(
    photo_folder: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a file in the way stops even an administrator
    (photo_folder / ".fastclf").write_text("")
    with scanned(photo_folder) as catalog:
        assert home in catalog.private.parents
        assert str(catalog.private) in catalog.note
        assert catalog._store.read("PRAGMA journal_mode")[0][0] == "delete"
        catalog.relabel(["red/000.png"], "blue")
    with Catalog(photo_folder) as catalog:
        assert labels_of(catalog)["red/000.png"] == "blue"
    monkeypatch.setenv("FASTCLF_CATALOG", str(tmp_path / "elsewhere"))
    with scanned(photo_folder) as catalog:
        assert tmp_path / "elsewhere" in catalog.private.parents
    other = shutil.copytree(photo_folder, photo_folder.with_name("other"))
    assert find_private_place(other).path != find_private_place(photo_folder).path


def test_edits_come_along_from_a_folder_that_became_read_only(
    photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scanned(photo_folder) as catalog:
        catalog.relabel(["red/000.png"], "blue")
    monkeypatch.setenv("FASTCLF_CATALOG", str(tmp_path / "elsewhere"))
    monkeypatch.setattr("fastclf.system.folders.find_filesystem", lambda folder: "nfs4")
    with Catalog(photo_folder) as catalog:
        assert "network" in catalog.note
        assert labels_of(catalog)["red/000.png"] == "blue"


def test_a_photo_is_known_by_its_path_and_by_its_decoded_copy(photo_folder: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    draw_photo("red", 60).save(photo_folder / "red" / "sideways.png", exif=exif)
    with scanned(photo_folder) as catalog:
        [photo] = [p for p in catalog.photos().photos if not p.plain]
        copy = build_training_file(photo, catalog.private)
        assert copy != photo.path
        catalog.relabel([photo_folder / "red" / "000.png"], "blue")
        catalog.remove([copy])
        assert [r.path for r in catalog.edits()] == ["red/000.png", "red/sideways.png"]
