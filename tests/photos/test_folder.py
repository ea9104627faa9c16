from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fastclf.errors import PhotosError
from fastclf.photos import find_photo_files
from fastclf.system import recover_folder, replaced_folder, write_atomic

from ..drawing import draw_photo
from ..scanned import scanned


def test_photos_below_a_class_folder_count_for_the_class(photo_folder: Path) -> None:
    (photo_folder / "red" / "2024").mkdir()
    draw_photo("red", 50).save(photo_folder / "red" / "2024" / "deep.JPG", "JPEG")
    [deep] = [f for f in find_photo_files(photo_folder) if f.name == "red/2024/deep.JPG"]
    assert (deep.path, deep.label) == (photo_folder / "red" / "2024" / "deep.JPG", "red")


def test_a_folder_without_photos_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(PhotosError, match="one sub-folder per class"):
        find_photo_files(tmp_path)
    with pytest.raises(PhotosError, match="no folder"):
        find_photo_files(tmp_path / "missing")


def test_equal_pixels_under_two_labels_are_found(photo_folder: Path) -> None:
    draw_photo("red", 0).save(photo_folder / "blue" / "same.bmp")
    with scanned(photo_folder) as catalog:
        [group] = catalog.photos().find_conflicts()
    assert {p.label for p in group} == {"red", "blue"}


def test_a_failed_replacement_leaves_the_old_folder(tmp_path: Path) -> None:
    target = tmp_path / "model"
    target.mkdir()
    (target / "old").write_text("old")

    def fail() -> None:
        with replaced_folder(target) as staging:
            (staging / "new").write_text("new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    assert (target / "old").read_text() == "old"
    with replaced_folder(target) as staging:
        (staging / "new").write_text("new")
    assert [p.name for p in target.iterdir()] == ["new"]
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


@pytest.mark.slow
def test_a_killed_writer_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    file = tmp_path / "bundle.json"
    file.write_bytes(b"0" * 300_000)
    script = (
        "import sys; from pathlib import Path; from fastclf.system.files import write_atomic; print(flush=True)\n"
        "while True:\n for c in b'123': write_atomic(Path(sys.argv[1]), bytes([c]) * 300_000)"
    )
    for _ in range(5):
        child = subprocess.Popen([sys.executable, "-c", script, str(file)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        try:
            child.wait(0.15)
        except subprocess.TimeoutExpired:
            child.kill()
        child.wait()
        data = file.read_bytes()
        assert len(data) == 300_000
        assert len(set(data)) == 1
    assert set(file.read_bytes()) != {ord("0")}


def test_links_that_lead_back_are_walked_once(photo_folder: Path) -> None:
    (photo_folder / "red" / "self").symlink_to(photo_folder / "red")
    (photo_folder / "red" / "up").symlink_to(photo_folder)
    found = [file.path for file in find_photo_files(photo_folder) if file.label == "red"]
    assert len(found) <= 30
    assert len({p.resolve() for p in found}) == len(found)


@pytest.mark.parametrize("file", ["bundle.json", "collected.csv"])
def test_what_fastclf_wrote_inside_the_photo_folder_is_no_class(photo_folder: Path, file: str) -> None:
    (photo_folder / "ours").mkdir()
    (photo_folder / "ours" / file).write_text("{}")
    draw_photo("red", 5).save(photo_folder / "ours" / "example.png")
    assert {file.label for file in find_photo_files(photo_folder)} == {"red", "green", "blue"}


def test_readers_during_replacements_never_cost_the_new_folder(tmp_path: Path) -> None:
    target = tmp_path / "model"
    target.mkdir()
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            recover_folder(target)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for i in range(50):
            with replaced_folder(target) as staging:
                (staging / "n").write_text(str(i))
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert (target / "n").read_text() == "49"


def test_a_link_as_target_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for text in ("a", "b"):
        with replaced_folder(tmp_path / "link") as staging:
            (staging / "n").write_text(text)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "n").read_text() == "b"


def test_an_atomic_write_is_as_readable_as_other_files(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a", b"")
    (tmp_path / "b").write_bytes(b"")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode
