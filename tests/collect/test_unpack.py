"""Archives and folders as sources: fetched whole, checked, labelled by their names, stored once."""

from __future__ import annotations

import csv
import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from fastclf import Catalog
from fastclf.collect import CollectSummary, collect_photos
from fastclf.collect.archives.download import name_archive
from fastclf.collect.recipes.recipe_file import parse_recipe
from fastclf.collect.web import AddressRule
from fastclf.errors import ArchiveError, PhotosError
from fastclf.system import hash_bytes

from . import web as behave
from .conftest import jpeg
from .web import Web

PETS = """
name = "pets"
title = "Cat or dog?"
photo_licence = "CC BY-SA 4.0"
[archive]
url = "{url}"
{more}
only = "images/*.jpg"
page = "https://pets.example/"
[archive.label]
by = "case"
upper = "cat"
lower = "dog"
[collect]
largest_side = 200
"""
NAMES = ["images/Abyssinian_1.jpg", "images/Bengal_2.jpg", "images/beagle_1.jpg", "images/pug_7.jpg"]


@pytest.fixture(autouse=True)
def archive_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """fastdownload keeps its folder in a home of the test's own."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home" / ".fastdownload" / "archive"


def tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def pets() -> bytes:
    files = {name: jpeg(name) for name in NAMES}
    files |= {
        "annotations/list.txt": b"no photo",
        "annotations/trimaps/Bengal_2.png": jpeg("trimap"),
        "images/Abyssinian_9.mat": b"no photo",
        "images/broken_1.jpg": jpeg("broken")[:1500],
        "images/Copy_1.jpg": jpeg(NAMES[0]),
        "images/12.jpg": jpeg("no letter"),
        "../../outside_1.jpg": jpeg("outside"),
    }
    return tar(files)


@pytest.fixture
def run(tmp_path: Path, rule: AddressRule) -> Any:
    def run(url: str, more: str = "", **changes: Any) -> CollectSummary:
        recipe = parse_recipe(PETS.format(url=url, more=more), "pets.toml")
        return collect_photos(recipe, tmp_path / "photos" / "pets", rule=rule, bars=False, **changes)

    return run


def rows(report: CollectSummary) -> dict[str, dict[str, str]]:
    assert report.table
    with report.table.open(encoding="utf-8") as f:
        return {row["url"].partition("#")[2]: row for row in csv.DictReader(f)}


def test_an_archive_goes_to_class_folders_by_its_original_names(web: Web, run: Any, tmp_path: Path) -> None:
    data = pets()
    report = run(web.photo("/pets.tgz", data), f'sha256 = "{hash_bytes(data)}"')
    assert {label: report.classes[label].photos for label in ("cat", "dog")} == {"cat": 2, "dog": 2}
    table = rows(report)
    assert {name: table[name]["label"] for name in NAMES} == dict(
        zip(NAMES, ["cat", "cat", "dog", "dog"], strict=True)
    )
    # of two equal files whichever is decoded first is stored
    first, second = sorted(
        (NAMES[0], "images/Copy_1.jpg"), key=lambda name: table[name]["status"], reverse=True
    )
    assert (table[first]["status"], table[second]["status"]) == ("stored", "duplicate")
    assert table[first]["path"].startswith("cat/")
    assert table[NAMES[0]]["licence"] == "CC BY-SA 4.0"
    assert table[NAMES[0]]["page"] == "https://pets.example/"
    assert "cut off" in table["images/broken_1.jpg"]["reason"]
    assert "gives no class" in table["images/12.jpg"]["reason"]
    assert not [name for name in table if name.startswith("annotations") or name.endswith(".mat")]
    assert not list(tmp_path.rglob("*outside*"))
    assert "other files" in report.to_text()
    with Catalog(report.folder) as catalog:
        assert len(catalog.photos().photos) == 4


def test_an_archive_is_fetched_once_and_its_photos_are_stored_once(web: Web, run: Any) -> None:
    url = web.photo("/pets.tgz", pets())
    first = run(url)
    second = run(url)
    assert web.count("/pets.tgz") == 1
    assert (first.new, second.new) == (4, 0)
    assert rows(first) == rows(second)


def test_an_archive_with_another_hash_is_refused_and_deleted(
    web: Web, run: Any, archive_folder: Path
) -> None:
    url = web.photo("/pets.tgz", pets())
    with pytest.raises(ArchiveError, match="is not the archive that the recipe means"):
        run(url, f'sha256 = "{"0" * 64}"')
    assert not [p for p in archive_folder.iterdir() if p.name.endswith("pets.tgz")]


def test_without_a_hash_the_recipes_maker_is_told_it(web: Web, run: Any) -> None:
    data, said = pets(), []
    run(web.photo("/pets.tgz", data), say=said.append)
    assert any(hash_bytes(data) in text for text in said)


def test_a_broken_download_is_continued(web: Web, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from fastclf.collect.web import fetch

    monkeypatch.setattr(fetch, "_PAUSES", (0.01,) * 4)
    data = pets()
    url = web.add("/pets.tgz", behave.ranged(data, break_after=len(data) // 2))
    assert run(url, f'sha256 = "{hash_bytes(data)}"').photos == 4
    asked = [hit.headers.get("range") for hit in web.hits]
    assert len(asked) == 2
    assert str(asked[1]).startswith("bytes=")


def test_an_archive_that_is_not_there_is_a_sentence(web: Web, run: Any) -> None:
    with pytest.raises(ArchiveError, match=r"answered 404 \(not found\)"):
        run(web.url("/none.tgz"))


def test_at_most_so_many_of_each_class_are_taken_and_the_rest_is_in_the_record(web: Web, run: Any) -> None:
    url = web.photo("/pets.tgz", pets())
    first = run(url, most=1)
    assert {label: first.classes[label].photos for label in ("cat", "dog")} == {"cat": 1, "dog": 1}
    assert first.classes["cat"].waiting >= 1
    more = run(url)
    assert more.photos == 4


def test_archives_of_one_name_do_not_get_mixed_up() -> None:
    names = {name_archive(f"https://{host}.example/images.tar.gz?x=/../y") for host in "ab"}
    assert len(names) == 2
    assert all(name.endswith("-images.tar.gz") for name in names)
    assert name_archive("https://a.example/").endswith("-archive")


FOLDER = """
name = "mine"
title = "Mine"
[folder]
path = "{path}"
licence = "my own"
[collect]
largest_side = 200
"""


def build_source(folder: Path, kind: str) -> Path:
    files = {f"{label}/{i}.jpg": jpeg(f"{label}{i}") for label in ("ant", "bee") for i in range(3)}
    files["ant/notes.txt"] = b"no photo"
    if kind == "zip":
        with zipfile.ZipFile(folder / "mine.zip", "w") as archive:
            for name, data in files.items():
                archive.writestr(f"mine/{name}", data)
        return folder / "mine.zip"
    for name, data in files.items():
        (folder / "mine" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "mine" / name).write_bytes(data)
    return folder / "mine"


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_a_folder_or_a_zip_file_is_a_source_and_stays_as_it_is(kind: str, tmp_path: Path) -> None:
    source = build_source(tmp_path, kind)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    recipe = parse_recipe(FOLDER.format(path=source.name), "mine.toml", base=tmp_path)
    report = collect_photos(recipe, tmp_path / "photos" / "mine", bars=False)
    assert {label: c.photos for label, c in report.classes.items()} == {"ant": 3, "bee": 3}
    assert {row["licence"] for row in rows(report).values()} == {"my own"}
    assert {p: p.read_bytes() for p in before} == before


def test_a_folder_that_holds_the_collection_is_refused(tmp_path: Path) -> None:
    build_source(tmp_path, "folder")
    recipe = parse_recipe(FOLDER.format(path="."), "mine.toml", base=tmp_path)
    with pytest.raises(PhotosError, match="one of these lies in the other"):
        collect_photos(recipe, tmp_path / "photos" / "mine", bars=False)


def test_a_cloud_path_is_a_source(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    for label in ("ant", "bee"):
        for i in range(2):
            memory.pipe(f"/bucket/{label}/{i}.jpg", jpeg(f"{label}{i}"))
    recipe = parse_recipe(FOLDER.format(path="memory://bucket"), "mine.toml", base=tmp_path)
    report = collect_photos(recipe, tmp_path / "photos" / "mine", bars=False)
    memory.rm("/bucket", recursive=True)
    assert {label: c.photos for label, c in report.classes.items()} == {"ant": 2, "bee": 2}


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    recipe = parse_recipe(FOLDER.format(path="nowhere"), "mine.toml", base=tmp_path)
    with pytest.raises(PhotosError, match="nowhere"):
        collect_photos(recipe, tmp_path / "photos" / "mine", bars=False)
