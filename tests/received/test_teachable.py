"""Projects of Teachable Machine become a folder of photos; what cannot be read is told, and nothing is made up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fastclf import Catalog
from fastclf.errors import FastclfError
from fastclf.received import TEACHABLE, find_file_kind, import_teachable

from ..conftest import call_fastclf
from ..drawing import draw_photo, encode
from ..scanned import hash_folder
from .taught import write_zip

MANIFEST = {"type": "image", "version": "2.4.4", "appdata": {"publishResults": {}, "trainEpochs": 50}}


def write_tm(file: Path, members: dict[str, bytes], manifest: object = MANIFEST) -> Path:
    return write_zip(file, {"manifest.json": json.dumps(manifest).encode(), **members})


def draw(*names: str) -> dict[str, bytes]:
    return {name: encode(draw_photo("red", n), "JPEG") for n, name in enumerate(names)}


def test_the_photos_lie_in_the_folders_of_their_classes(tmp_path: Path) -> None:
    photos = draw("My dog-!-0.jpg", "My dog-!-1.jpg", "Katze -!- \u00e9-!-0.jpg", "Class/3-!-0.png")
    file = write_tm(tmp_path / "pets.tm", {**photos, "model.json": b"{}", "weights.bin": b"123"})
    assert find_file_kind(file) == TEACHABLE
    made = import_teachable(file, tmp_path / "p")
    assert made.labels == ("My dog", "Katze -!- \u00e9", "Class_3")
    assert (made.photos, made.skipped, made.kind) == (4, (), "image")
    assert sorted(hash_folder(made.folder)) == [
        "Class_3/00001.png", "Katze -!- \u00e9/00001.jpg", "My dog/00001.jpg", "My dog/00002.jpg",
    ]  # fmt: skip
    with Catalog(made.folder) as catalog:
        assert {photo.label for photo in catalog.photos().photos} == {*made.labels}


def test_photos_in_a_folder_a_class_are_read_too(tmp_path: Path) -> None:
    file = write_tm(tmp_path / "pets.tm", draw("dog/0.jpg", "samples/cat/0.jpg"))
    assert import_teachable(file, tmp_path / "p").labels == ("dog", "cat")


def test_what_cannot_be_read_is_told_and_the_rest_is_there(tmp_path: Path) -> None:
    write_tm(tmp_path / "pets.tm", {**draw("a-!-0.jpg", "b-!-0.jpg"), "a-!-1.jpg": b"no photo"})
    done = call_fastclf("import", "pets.tm", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Skipped: a-!-1.jpg is text, not a photo." in done.stderr
    assert "2 photos of 2 classes are in photos/pets." in done.stderr
    assert "What Teachable Machine trained is not taken over. Next: fastclf train photos/pets" in done.stderr
    again = call_fastclf("import", "pets.tm", cwd=tmp_path)
    assert again.returncode == 2
    assert "nothing of it is overwritten" in again.stderr


@pytest.mark.parametrize(
    ("members", "manifest", "words"),
    [
        ({}, MANIFEST, "holds no photos with classes"),
        ({"samples.json": b"{}"}, {"type": "audio"}, "a project of the kind audio"),
        ({"loose.jpg": b"x"}, [], "holds no photos with classes"),
        ({f"c{n}-!-0.jpg": b"" for n in range(1001)}, MANIFEST, "1,001 classes"),
    ],
    ids=["nothing", "sounds", "without a class", "classes without end"],
)  # fmt: skip
def test_a_file_without_photos_of_classes_is_refused(
    members: dict[str, bytes], manifest: object, words: str, tmp_path: Path
) -> None:
    file = write_tm(tmp_path / "x.tm", members, manifest)
    with pytest.raises(FastclfError, match=words):
        import_teachable(file, tmp_path / "p")
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize("manifest", [b"", b"\xff", b"[" * 100_000, b"[]", b'{"type": {}}'])
def test_a_manifest_that_cannot_be_read_matters_to_nobody(manifest: bytes, tmp_path: Path) -> None:
    file = write_zip(tmp_path / "x.tm", {"manifest.json": manifest, **draw("a-!-0.jpg", "b-!-0.jpg")})
    assert import_teachable(file, tmp_path / "p").photos == 2
