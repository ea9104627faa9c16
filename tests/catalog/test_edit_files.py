"""Edits on their way to another copy of the photos, and the clean copy of a folder."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import pytest

from fastclf.catalog import Catalog
from fastclf.errors import UsageError
from fastclf.system import hash_file

from ..conftest import run_fastclf
from ..drawing import draw_photo
from ..scanned import labels_of, scanned

HEADER = "sha256,path,action,from,to,why,who,time"


def rows_of(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode())))


@pytest.fixture
def copy(photo_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(photo_folder, tmp_path / "copy"))


def test_net_edits_replayed_on_a_copy_give_the_same_state(photo_folder: Path, copy: Path) -> None:
    with scanned(photo_folder) as catalog:
        catalog.relabel(["red/000.png"], "blue", why='a, "b"\nc')
        catalog.relabel(["red/000.png"], "green")
        catalog.remove(["red/001.png", "red/000.png"])
        catalog.restore(["red/001.png"])
        # a relabel after the removal travels before it
        catalog.remove(["green/000.png"])
        catalog.relabel(["green/000.png"], "blue", why="two\rlines")
        catalog.relabel(["blue/000.png"], "red")
        catalog.undo()
        data, expected = catalog.export_edits(), labels_of(catalog)
    assert data.decode().replace('"', "").splitlines()[0] == HEADER
    assert [(r["action"], r["from"], r["to"]) for r in rows_of(data)] == [
        ("relabel", "red", "green"), ("remove", "green", ""),
        ("relabel", "green", "blue"), ("remove", "blue", ""),
    ]  # fmt: skip
    with scanned(copy) as catalog:
        report = catalog.import_edits(data)
        assert (len(report.applied), report.already, report.missing, report.conflicts) == (4, 0, (), ())
        assert labels_of(catalog) == expected
        assert {r.who for r in catalog.edits()} == {"ann"}
        again = catalog.import_edits(data)
        assert (len(again.applied), again.already, again.conflicts) == (0, 4, ())
        catalog.undo()
        assert catalog.edits() == []


def test_the_whole_history_replays_too(photo_folder: Path, copy: Path) -> None:
    with scanned(photo_folder) as catalog:
        catalog.relabel(["red/000.png"], "blue")
        catalog.undo()
        catalog.remove(["red/000.png"])
        catalog.relabel(["blue/000.png"], "new class")
        log, expected = catalog.export_edits(log=True), labels_of(catalog)
    assert len(rows_of(log)) == 4
    with scanned(copy) as catalog:
        assert catalog.import_edits(log).conflicts == ()
        assert labels_of(catalog) == expected


def test_a_renamed_photo_is_matched_by_its_bytes(photo_folder: Path, copy: Path) -> None:
    with scanned(photo_folder) as catalog:
        catalog.relabel(["red/000.png"], "blue")
        data = catalog.export_edits()
    (copy / "red" / "000.png").rename(copy / "red" / "other.png")
    with scanned(copy) as catalog:
        assert len(catalog.import_edits(data).applied) == 1
        assert labels_of(catalog)["red/other.png"] == "blue"
        assert catalog.import_edits(data).already == 1


def test_what_is_missing_or_in_doubt_is_left_alone_and_said(photo_folder: Path, copy: Path) -> None:
    with scanned(photo_folder) as catalog:
        catalog.relabel(["red/000.png"], "blue")
        catalog.remove(["red/001.png"])
        catalog.relabel(["red/002.png"], "blue")
        catalog.relabel(["red/003.png"], "blue")
        data = catalog.export_edits()
    (copy / "red" / "000.png").unlink()
    # two files with the bytes and the label that the edit expects, neither under its name
    shutil.copy(copy / "red" / "001.png", copy / "red" / "x.png")
    (copy / "red" / "001.png").rename(copy / "red" / "y.png")
    # the right file, but in another class by now
    (copy / "red" / "002.png").rename(copy / "green" / "002-green.png")
    with scanned(copy) as catalog:
        catalog.relabel(["red/003.png"], "green")
        before = labels_of(catalog)
        report = catalog.import_edits(data)
        assert report.applied == ()
        assert [path for path, _ in report.missing] == ["red/000.png"]
        assert [path for path, _ in report.conflicts] == ["red/001.png", "red/002.png", "red/003.png"]
        assert "labelled green" in dict(report.conflicts)["red/003.png"]
        assert labels_of(catalog) == before


def test_identical_files_under_two_labels_get_their_own_edits(photo_folder: Path, tmp_path: Path) -> None:
    shutil.copy(photo_folder / "red" / "000.png", photo_folder / "blue" / "twin.png")
    other = Path(shutil.copytree(photo_folder, tmp_path / "other"))
    with scanned(photo_folder) as catalog:
        catalog.relabel(["blue/twin.png"], "green")
        data = catalog.export_edits()
    (other / "blue" / "twin.png").rename(other / "blue" / "renamed.png")
    with scanned(other) as catalog:
        assert len(catalog.import_edits(data).applied) == 1
        assert (labels_of(catalog)["blue/renamed.png"], labels_of(catalog)["red/000.png"]) == ("green", "red")


def test_a_row_that_makes_no_sense_is_a_conflict_and_a_file_that_is_no_edits_is_refused(
    catalog: Catalog,
) -> None:
    zeros = "0" * 64
    for row, words in {
        "zz,red/000.png,remove,red,red,,,": "sha256",
        f"{zeros},red/000.png,explode,red,red,,,": "explode",
        f"{zeros},red/000.png,relabel,red,../up,,,": "cannot be a label",
        zeros: "''",
    }.items():
        [(_, reason)] = catalog.import_edits(f"{HEADER}\n{row}\n".encode()).conflicts
        assert words in reason
    for data in (b"", b"a,b,c\n", b"\xff\xfe\x00", b"path,label\nx,y\n"):
        with pytest.raises(UsageError, match="no file of edits"):
            catalog.import_edits(data)


def test_a_clean_copy_has_todays_labels(photo_folder: Path, tmp_path: Path) -> None:
    red, clean = photo_folder / "red", tmp_path / "clean"
    (red / "broken.jpg").write_bytes(b"")
    (red / "sub").mkdir()
    draw_photo("red", 90).save(red / "sub" / "003.PNG", "PNG")
    with scanned(photo_folder) as catalog:
        catalog.relabel(["red/000.png"], "blue")
        catalog.relabel(["red/001.png"], "crimson")
        catalog.remove(["red/002.png"])
        made = catalog.materialize(clean)
    names = {p.relative_to(clean).as_posix() for p in clean.rglob("*.*")}
    assert len(names) == made.linked + made.copied == 30
    assert "crimson/001.png" in names
    assert not names & {"red/000.png", "red/001.png", "red/002.png", "red/broken.jpg"}
    # the names were taken, one of them by blue's own 000.png; a disk may not tell PNG from png
    assert {new for _, new in made.renamed} == {"blue/000-2.png", "red/003-2.PNG"}
    assert hash_file(red / "000.png") in {hash_file(p) for p in (clean / "blue").iterdir()}
    assert (red / "004.png").samefile(clean / "red" / "004.png")


def test_a_clean_copy_never_goes_into_the_source_or_over_something(
    photo_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").write_text("mine")
    with scanned(photo_folder) as catalog:
        for dest in (photo_folder, photo_folder / "red", photo_folder / "new", tmp_path, tmp_path / "full"):
            with pytest.raises(UsageError):
                catalog.materialize(dest)
    assert (tmp_path / "full" / "a").read_text() == "mine"
    assert not (photo_folder / "new").exists()


@pytest.mark.slow
def test_the_command_exports_imports_and_materializes(
    copy: Path, catalog: Catalog, photo_folder: Path, tmp_path: Path
) -> None:
    catalog.relabel(["red/000.png"], "blue")
    catalog.remove(["red/001.png"])
    done = run_fastclf("edits", "export", photo_folder, "edits.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(rows_of((tmp_path / "edits.csv").read_bytes())) == 2
    done = run_fastclf("edits", "export", photo_folder, "-", "--log", cwd=tmp_path)
    assert len(rows_of(done.stdout.encode())) == 2
    done = run_fastclf("edits", "import", copy, "edits.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 edits applied (1 relabelled, 1 removed)" in done.stderr
    done = run_fastclf("materialize", copy, "clean", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "clean" / "blue").iterdir())) == 11
    for bad in (
        ("edits", "import", copy, "none.csv"),
        ("materialize", copy, copy / "x"),
        ("edits", "export", copy, "no/where.csv"),
    ):
        done = run_fastclf(*bad, cwd=tmp_path)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
