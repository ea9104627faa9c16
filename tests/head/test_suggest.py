"""Photos without a label beside the classes: which to label next, by the function and by the command."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from fastclf import Catalog, ModelBundle
from fastclf.catalog import list_unlabelled
from fastclf.errors import PhotosError, UsageError
from fastclf.head import suggest_photos

from ..conftest import call_fastclf
from ..drawing import draw_photo
from ..scanned import hash_folder
from ..toy import write_toy_bundle


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_toy_bundle(tmp_path / "m")


def draw_new(folder: Path) -> Path:
    """Photos of the classes, and some half red and half green, of which the head is in doubt."""
    folder.mkdir(parents=True)
    for i in range(60, 64):
        for label in ("red", "green", "blue"):
            draw_photo(label, i).save(folder / f"{label}{i}.png")
        red, green = draw_photo("red", i).convert("RGB"), draw_photo("green", i).convert("RGB")
        red.paste(green.crop((0, 0, red.width // 2, red.height)), (0, 0))
        red.save(folder / f"mixed{i}.png")
    return folder


@pytest.mark.parametrize("place", ["_new", "later", "red/later", "../elsewhere"])
def test_doubtful_photos_come_first_wherever_the_new_ones_lie(
    place: str, photo_folder: Path, model: Path
) -> None:
    new = draw_new(photo_folder / place)
    shutil.copy(photo_folder / "red" / "000.png", new / "known.png")
    (new / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    before = hash_folder(photo_folder)
    found = suggest_photos(photo_folder, new, 4, bundle=ModelBundle.load(model, verify=False))
    assert found.photos[0].file.startswith("mixed")
    assert {found.photos[0].guess, found.photos[0].other} == {"red", "green"}
    sure = [s.probability - s.other_probability for s in found.photos]
    assert sure == sorted(sure)
    assert (found.new, found.known, found.labelled) == (16, 1, 30)
    assert [file for file, _ in found.failures] == ["broken.jpg"]
    assert hash_folder(photo_folder) == before


def test_photos_in_the_folder_new_are_no_class_and_are_said_to_wait_rather_than_to_be_passed_over(
    photo_folder: Path,
) -> None:
    new = draw_new(photo_folder / "_new")
    (photo_folder / ".secret").touch()
    (photo_folder / "red" / "_new").mkdir()
    with Catalog(photo_folder) as catalog:
        assert catalog.remarks == ()
        catalog.scan()
        assert {p.label for p in catalog.photos().photos} == {"red", "green", "blue"}
        hidden, waiting = catalog.remarks
        assert hidden == "2 hidden files and folders were passed over, for example red/_new."
        assert waiting == (
            "16 photos in _new wait for a label: the Clean tab shows them as New photos, and `fastclf suggest` "
            "names those to label first."
        )
        # what has a label, or is a copy of another one, does not wait once that is known
        shutil.copy(photo_folder / "red" / "000.png", new / "known.png")
        shutil.copy(new / "red60.png", new / "again.png")
        assert catalog.remarks[1].startswith("18 photos")
        list_unlabelled(catalog, new)
        assert catalog.remarks[1].startswith("16 photos")
        with Catalog(photo_folder) as other:
            other.scan()
        assert other.remarks == (hidden,)  # a catalog that was closed knows of no hashes
        for file in sorted(new.iterdir())[1:]:
            file.unlink()
        assert catalog.remarks[1].startswith("1 photo in _new waits for a label")
        shutil.rmtree(new)
        assert catalog.remarks == (hidden,)


def test_what_cannot_be_chosen_is_refused(photo_folder: Path, tmp_path: Path, model: Path) -> None:
    bundle = ModelBundle.load(model, verify=False)
    new = draw_new(tmp_path / "new")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="--n is 0"):
        suggest_photos(photo_folder, new, 0, bundle=bundle)
    with pytest.raises(PhotosError, match="no photo without a label"):
        suggest_photos(photo_folder, tmp_path / "empty", bundle=bundle)
    one = tmp_path / "one"
    shutil.copytree(photo_folder / "red", one / "red")
    with pytest.raises(PhotosError, match="two are the least"):
        suggest_photos(one, new, bundle=bundle)


def test_the_command_names_the_photos_with_the_guess(photo_folder: Path, model: Path, tmp_path: Path) -> None:
    new = draw_new(tmp_path / "new")
    done = call_fastclf("suggest", photo_folder, "--new", new, "--n", "3", "--model", model, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 3
    assert "mixed" in done.stdout.splitlines()[0]
    assert "3 of 16 photos to label next" in done.stderr
    done = call_fastclf("suggest", photo_folder, "--new", new, "--model", model, "--json", cwd=tmp_path)
    found = json.loads(done.stdout)
    assert len(found["photos"]) == found["new"] == 16
