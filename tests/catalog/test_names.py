"""One meaning of a label and of a path, in the catalog, in tables and in edits; and refusals that write nothing."""

from __future__ import annotations

import shlex
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastclf.catalog import Catalog, load_dataset
from fastclf.check import check_folder
from fastclf.errors import PhotosError, UsageError

from ..conftest import call_fastclf
from ..scanned import labels_of, scanned


def draw(folder: Path, labels: dict[str, int], first: int = 0) -> Path:
    """Draw photos of noise: no two alike, and the same ones for the same arguments."""
    for k, (label, n) in enumerate(labels.items()):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for i in range(n):
            noise = np.random.default_rng(1000 * k + i + first).integers(0, 255, (32, 32, 3), np.uint8)
            Image.fromarray(noise).save(folder / label / f"{i}.png")
    return folder


def spell(text: str, form: str) -> str:
    return unicodedata.normalize(form, text)


@pytest.fixture
def copies(tmp_path: Path) -> dict[str, Path]:
    """The same photos as a Mac spells their folders, and as others do."""
    names = ("Bär", "Hündin")
    return {form: draw(tmp_path / form, {spell(name, form): 6 for name in names}) for form in ("NFC", "NFD")}


@pytest.mark.parametrize("forms", [("NFD", "NFC"), ("NFC", "NFD")])
def test_edits_go_from_one_spelling_to_the_other(copies: dict[str, Path], forms: tuple[str, str]) -> None:
    with scanned(copies[forms[0]]) as there:
        there.relabel([spell("Bär/0.png", forms[1])], spell("Hündin", "NFD"))
        edits = there.export_edits()
    with scanned(copies[forms[1]]) as here:
        report = here.import_edits(edits)
        assert (len(report.applied), report.conflicts, report.missing) == (1, (), ())
        assert set(labels_of(here).values()) == {"Bär", "Hündin"}


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_file_of_edits_may_be_spelt_and_saved_in_any_way(
    copies: dict[str, Path], form: str, encoding: str
) -> None:
    with scanned(copies["NFC"]) as catalog:
        catalog.relabel(["Bär/0.png"], "Hündin")
        edits = catalog.export_edits().decode()
        catalog.undo()
        saved = spell(edits, form).replace(",", ";").replace("\n", "\r\n")
        report = catalog.import_edits(saved.encode(encoding))
        assert (len(report.applied), report.conflicts) == (1, ())
        assert catalog.import_edits(saved.encode(encoding)).already == 1


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("table", ["NFC", "NFD"])
def test_a_table_fits_in_either_spelling(copies: dict[str, Path], form: str, table: str) -> None:
    rows = [f"{c}/{i}.png,{'val' if i < 2 else 'train'}" for c in ("Bär", "Hündin") for i in range(6)]
    file = copies[form].parent / "s.csv"
    file.write_text(spell("path,split\n" + "\n".join(rows), table), encoding="utf-8")
    data = load_dataset(copies[form], split_by=file)
    assert data.vocab == ["Bär", "Hündin"]
    assert {r.photo.name[-5] for r in data.rows if r.split == "valid"} == {"0", "1"}


@pytest.mark.parametrize("head", ["fname,is_valid", "image_id,is_valid", "filename,set", "file,subset"])
def test_a_table_of_the_course_is_taken_with_its_own_columns(copies: dict[str, Path], head: str) -> None:
    words = ("True", "False") if head.endswith("is_valid") else ("val", "Training")
    rows = [f"{c}/{i}.png,{words[i >= 2]}" for c in ("Bär", "Hündin") for i in range(6)]
    file = copies["NFC"].parent / "s.csv"
    file.write_text(f"{head}\n" + "\n".join(rows[:-1]), encoding="utf-8")
    data = load_dataset(copies["NFC"], split_by=file)
    assert {r.photo.name[-5] for r in data.rows if r.split == "valid"} >= {"0", "1"}
    assert data.notes[-1] == "1 photo stands in no row of s.csv: Hündin/5.png; its split is drawn."


def test_two_spellings_of_a_folder_are_one_class(tmp_path: Path) -> None:
    draw(tmp_path, {spell("Bär", "NFC"): 3, spell("Bär", "NFD"): 4, "cat": 3})
    with scanned(tmp_path) as catalog:
        assert sorted(labels_of(catalog).values()) == ["Bär"] * 7 + ["cat"] * 3


PATHS = {
    "as they are": "{label}/{i}.png", "of Windows": "{label}\\{i}.png", "with a dot": "./{label}/{i}.png",
    "whole": "{folder}/{label}/{i}.png", "with the folder": "{name}/{label}/{i}.png", "with blanks": " {label}/{i}.png ",
}  # fmt: skip


@pytest.mark.parametrize("way", PATHS)
def test_a_table_may_write_paths_in_any_usual_way(tmp_path: Path, way: str) -> None:
    folder = draw(tmp_path / "pets", {"cat": 5, "dog": 5})
    paths = [
        (PATHS[way].format(label=label, i=i, folder=folder, name=folder.name), i)
        for label in ("cat", "dog")
        for i in range(5)
    ]
    table = tmp_path / "s.csv"
    table.write_text("Split;Path\n" + "".join(f"{'valid' if i < 2 else 'train'};{p}\n" for p, i in paths))
    data = load_dataset(folder, split_by=table)
    assert [len(data.part(split)) for split in ("train", "valid", "test")] == [6, 4, 0]


def test_every_row_fits_or_is_counted_or_refused(tmp_path: Path) -> None:
    folder, table = draw(tmp_path / "pets", {"cat": 5, "dog": 5}), tmp_path / "s.csv"
    rows = "".join(f"{c}/{i}.png,train\n" for c in ("cat", "dog") for i in range(4))
    table.write_text(f"path,split\n{rows}cat/99.png,test\n")
    notes = " ".join(load_dataset(folder, split_by=table).notes)
    assert "1 of the 9 paths in s.csv names no photo here: cat/99.png" in notes
    assert "2 photos stand in no row of s.csv, for example cat/4.png" in notes
    table.write_text(f"path,split\n{rows}./cat/0.png,test\n")
    with pytest.raises(UsageError, match=r"line 10: cat/0.png is in test, and an earlier line says train"):
        load_dataset(folder, split_by=table)


@pytest.mark.parametrize(
    ("old", "new"), [("cat ", "cat"), ("Cat", "cat"), ("cats", "cat"), ("hot_dog", "hot dog")]
)
def test_classes_that_differ_little_are_told(tmp_path: Path, old: str, new: str) -> None:
    folder = draw(tmp_path / "pets", {old: 3, new: 3, "bird": 3})
    with scanned(folder) as catalog:
        [note] = [remark for remark in catalog.remarks if "differ little" in remark]
        assert shlex.join(["fastclf", "edits", "merge", str(folder), old, new]) in note
        assert {row.new for row in catalog.merge_classes(old, new)} == {new}
        assert set(labels_of(catalog).values()) == {"bird", new}


def test_classes_are_merged_and_apart_again(tmp_path: Path) -> None:
    folder = draw(tmp_path / "pets", {"cats": 3, "cat": 4, "bird": 5})
    assert any("differ little" in note for note in check_folder(folder, labels=False).notes)
    done = call_fastclf("edits", "merge", folder, "cats", "cat", cwd=tmp_path)
    assert "3 photos of 'cats' are now labelled 'cat'." in done.stderr
    data = load_dataset(folder)
    assert data.vocab == ["bird", "cat"]
    assert not [line for line in data.describe() if "Warning" in line]
    assert "3 relabelled" in call_fastclf("edits", "undo", folder, cwd=tmp_path).stderr
    with scanned(folder) as catalog:
        assert set(labels_of(catalog).values()) == {"bird", "cat", "cats"}
    assert "no class 'cow'" in call_fastclf("edits", "merge", folder, "cow", "cat", cwd=tmp_path).stderr


def test_a_label_with_blanks_around_it_is_no_new_class(tmp_path: Path) -> None:
    draw(tmp_path, {"hat": 3, "coat": 3})
    with scanned(tmp_path) as catalog:
        catalog.relabel(["coat/0.png"], " hat ")
        assert labels_of(catalog)["coat/0.png"] == "hat"
        for label in ("Hat", "hats", "HAT "):
            with pytest.raises(UsageError, match="new class beside 'hat'"):
                catalog.relabel(["coat/1.png"], label)
        catalog.relabel(["coat/1.png"], "Hat", new_class=True)
        catalog.relabel(["coat/2.png"], "Hat")
        assert labels_of(catalog)["coat/2.png"] == "Hat"


def test_labels_of_an_older_catalog_are_brought_to_one_spelling(tmp_path: Path) -> None:
    draw(tmp_path, {"Bär": 3, "cat": 3})
    with scanned(tmp_path) as catalog:
        catalog.relabel(["cat/0.png"], "Bär")
        old = spell("Bär", "NFD")
        catalog._store.write("UPDATE photos SET label = ?, folder_label = replace(folder_label, 'Bär', ?)"
                             " WHERE label = 'Bär'", (old, old))  # fmt: skip
    with scanned(tmp_path) as catalog:
        assert sorted(labels_of(catalog).values()) == ["Bär"] * 4 + ["cat"] * 2


def test_equal_photos_that_empty_a_class_are_named(tmp_path: Path) -> None:
    draw(tmp_path, {"cat": 4})
    draw(tmp_path, {"dog": 4})
    with pytest.raises(PhotosError, match=r"8 photos .* two classes .*cat/0.png and dog/0.png"):
        load_dataset(tmp_path)


@pytest.mark.parametrize("command", ["check", "train", "materialize", "evaluate", "edits"])
def test_a_call_that_only_refuses_writes_nothing(tmp_path: Path, toy_model: Path, command: str) -> None:
    sets = tmp_path / "sets"
    draw(sets / "pets", {"cat": 3, "dog": 3})
    draw(sets / "cars", {"bus": 3, "van": 3})
    arguments = {
        "check": ["check", sets], "train": ["train", sets], "materialize": ["materialize", sets, tmp_path / "to"],
        "evaluate": ["evaluate", toy_model, sets / "pets"], "edits": ["edits", "undo", sets],
    }  # fmt: skip
    done = call_fastclf(*arguments[command], cwd=tmp_path)
    words = "cat, dog; the model" if command == "evaluate" else "folder of data sets: cars (bus, van), pets"
    assert words in done.stderr
    assert done.returncode == 1
    assert not list(tmp_path.rglob(".fastclf"))


def test_what_is_taken_and_what_is_not_is_said_before_training(tmp_path: Path) -> None:
    draw(tmp_path / "train", {"cat": 10, "dog": 12})
    draw(tmp_path, {"test": 4}, first=500)
    (tmp_path / "train" / "cat" / "notes.txt").write_text("mine")
    said = " ".join(load_dataset(tmp_path).describe())
    for words in (
        "Classes: cat 10, dog 12.",
        "name splits: train",
        "The 4 photos in test",
        "train/cat/notes.txt",
    ):
        assert words in said
    with Catalog(tmp_path) as catalog:
        assert catalog.clear_splits() == 22
