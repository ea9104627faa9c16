"""A folder named for photos without a label: what is taken, and what could not be told from photos with one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fastclf.errors import PhotosError
from fastclf.photos import check_new_folder, find_new_folder

from ..drawing import draw_photos


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Photos of classes, one of which holds a folder and one is a link."""
    folder = draw_photos(tmp_path / "photos", per_class=2)
    for place in ("red/monday", "later", "_new/monday", ".hidden"):
        (folder / place).mkdir(parents=True)
    (tmp_path / "card" / "green").mkdir(parents=True)
    for path in (folder / "green").iterdir():
        path.rename(tmp_path / "card" / "green" / path.name)
    (folder / "green").rmdir()
    (folder / "green").symlink_to(tmp_path / "card" / "green")
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    (tmp_path / "to-red").symlink_to(folder / "red")
    (tmp_path / "to-elsewhere").symlink_to("elsewhere")
    (tmp_path / "inbox.sqlite").write_bytes(b"SQLite format 3")
    return folder


@pytest.mark.parametrize(
    "place",
    ["elsewhere", "to-elsewhere", "photos/_new", "photos/_new/monday", "photos/.hidden", "card/../elsewhere"],
)
def test_a_folder_that_is_no_part_of_the_classes_is_taken(place: str, photos: Path, tmp_path: Path) -> None:
    check_new_folder(tmp_path / place, photos, tmp_path / "kept" / "inbox.sqlite")


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("nowhere", "There is no folder {}. Make it, or name another with --new."),
        ("n" * 300, "The folder {} cannot be read (File name too long)."),
        ("elsewhere/a.txt", "{} is a file, not a folder with photos."),
        ("photos", "{} holds photos of {photos}, which have a label."),
        ("photos/../photos", "{} holds photos of"),
        (".", "{} holds photos of"),
        # a class that is a link lies elsewhere
        ("card", "{} holds photos of"),
        ("card/green", "{} holds photos of"),
        ("photos/red", "{} belongs to {photos}, where a folder is a class, so its photos have a label."),
        ("photos/red/monday", "{} belongs to"),
        # empty, it becomes a class with its first photo
        ("photos/later", "{} belongs to"),
        ("to-red", "{} belongs to"),
        ("to-red/monday", "{} belongs to"),
        ("inbox.sqlite", "{} is where the inbox of visitors' reports lies."),
        (".", "{} is where the inbox of visitors' reports lies."),
    ],
)
def test_a_folder_whose_photos_have_a_label_is_refused_in_a_sentence(
    place: str, words: str, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere" / "a.txt").touch()
    inbox = tmp_path / "inbox.sqlite" if "inbox" in words else None
    with pytest.raises(PhotosError) as e:
        check_new_folder(tmp_path / place, photos, inbox)
    assert e.value.message.startswith(words.format(tmp_path / place, photos=photos))
    assert "\n" not in e.value.message


def test_a_folder_that_a_class_leads_to_is_refused(photos: Path, tmp_path: Path) -> None:
    (photos / "red" / "more").symlink_to(tmp_path / "elsewhere")
    for place in ("elsewhere", "elsewhere/deep", "to-elsewhere"):
        with pytest.raises(PhotosError, match="have a label"):
            check_new_folder(tmp_path / place, photos)
    # what is new may well lead to photos with a label: these are known by their bytes
    (tmp_path / "fresh").mkdir()
    (tmp_path / "fresh" / "all").symlink_to(photos)
    check_new_folder(tmp_path / "fresh", photos)


def test_it_is_beside_the_classes_unless_the_host_names_another(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_new_folder(photos) == photos / "_new"
    for said, place in (("", photos / "_new"), (" ", photos / "_new"), ("~/card", Path.home() / "card")):
        monkeypatch.setenv("FASTCLF_NEW", said)
        assert find_new_folder(photos) == place
    assert os.environ["FASTCLF_NEW"]
