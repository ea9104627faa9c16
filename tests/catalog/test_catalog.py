"""The catalog as a whole: its places, its processes, its photos by name, the openings of the test set."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from fastclf.catalog import Catalog
from fastclf.errors import CatalogError, PhotosError
from fastclf.photos import build_training_file, decode_photo
from fastclf.system import find_private_place

from ..drawing import draw_photo
from ..scanned import labels_of, scanned


def test_openings_are_recorded(catalog: Catalog) -> None:
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


@pytest.mark.slow
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


def test_edits_go_along_when_the_folder_becomes_read_only_and_come_home_afterwards(
    photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FASTCLF_CATALOG", str(tmp_path / "elsewhere"))
    with scanned(photo_folder) as catalog:
        catalog.relabel(["red/000.png"], "blue")
    with monkeypatch.context() as spell:
        spell.setattr("fastclf.system.folders.find_filesystem", lambda folder: "nfs4")
        with scanned(photo_folder) as catalog:
            assert "network" in catalog.note
            assert labels_of(catalog)["red/000.png"] == "blue"
            catalog.remove(["red/001.png"])
    with scanned(photo_folder) as catalog:
        assert "1 edits were brought in" in catalog.note
        labels = labels_of(catalog)
        assert (labels["red/000.png"], "red/001.png" in labels) == ("blue", False)
    with scanned(photo_folder) as catalog:
        assert catalog.note == ""


def test_a_relative_catalog_knows_whole_paths(photo_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photo_folder.parent)
    with scanned(Path("photos")) as catalog:
        catalog.relabel([photo_folder / "red" / "000.png"], "blue")
        assert labels_of(catalog)["red/000.png"] == "blue"


def test_a_photo_that_fastai_reads_otherwise_is_copied_as_it_is_meant_and_known_by_its_copy(
    photo_folder: Path,
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    draw_photo("red", 60).save(photo_folder / "red" / "sideways.png", exif=exif)
    with scanned(photo_folder) as catalog:
        copies = {p.name: build_training_file(p, catalog.private) for p in catalog.photos().photos}
        copy = copies.pop("red/sideways.png")
        assert copies == {name: photo_folder / name for name in copies}
        assert copy.parent == photo_folder / ".fastclf" / "decoded"
        sideways = decode_photo(photo_folder / "red" / "sideways.png").image
        assert Image.open(copy).convert("RGB").tobytes() == sideways.tobytes()
        catalog.relabel([photo_folder / "red" / "000.png"], "blue")
        catalog.remove([copy])
        assert [r.path for r in catalog.edits()] == ["red/000.png", "red/sideways.png"]


def test_held_photos_are_out_of_the_set_until_a_step_lets_them_in(catalog: Catalog) -> None:
    names = [photo.name for photo in catalog.photos().photos[:2]]
    numbers = catalog.arrivals.hold([*names, "none/such.png"], "from a visitor")
    assert list(numbers) == names
    assert not {photo.name for photo in catalog.photos().photos} & set(names)
    rows = catalog.edits(log=True)
    assert [(row.path, row.action, row.who) for row in rows] == [(name, "remove", "scan") for name in names]
    # undo passes over it, and what is held already is not held again
    assert catalog.undo() is None
    assert catalog.arrivals.hold(names) == numbers
    assert catalog.edits(log=True) == rows
