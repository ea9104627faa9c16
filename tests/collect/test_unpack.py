"""Archives and folders as sources: fetched whole, checked, labelled by their names, stored once."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from fastclf import Catalog
from fastclf.collect import CollectSummary, collect_photos, photo_store
from fastclf.collect.archives import Member, download_archive
from fastclf.collect.archives.download import name_archive
from fastclf.collect.photo_store import ENOUGH, PhotoStore
from fastclf.collect.progress import ProgressBars
from fastclf.collect.recipes import parse_recipe
from fastclf.collect.unpack import Unpacker
from fastclf.collect.web import AddressRule, Fetcher
from fastclf.errors import ArchiveError, PhotosError
from fastclf.system import hash_bytes

from . import web as behave
from .conftest import counts, files, folder_recipe, jpeg, rows, write_files, write_tar, write_zip
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
PATTERN = '[folder.label]\nby = "pattern"\npattern = "{pattern}"\n'
Unpack = Callable[..., CollectSummary]


@pytest.fixture(autouse=True)
def archive_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """fastdownload keeps its folder in a home of the test's own."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home" / ".fastdownload" / "archive"


@pytest.fixture
def data(tmp_path: Path) -> bytes:
    """The archive of pets, with what else lies in it."""
    members = {name: jpeg(name) for name in NAMES} | {
        "annotations/list.txt": b"no photo",
        "annotations/trimaps/Bengal_2.png": jpeg("trimap"),
        "images/Abyssinian_9.mat": b"no photo",
        "images/broken_1.jpg": jpeg("broken", (320, 240))[:1500],
        "images/Copy_1.jpg": jpeg(NAMES[0]),
        "images/12.jpg": jpeg("no letter"),
        "../../outside_1.jpg": jpeg("outside"),
    }
    return write_tar(tmp_path / "pets.tgz", members, "w:gz").read_bytes()


@pytest.fixture
def run(tmp_path: Path, rule: AddressRule) -> Unpack:
    def run(url: str, more: str = "", **changes: Any) -> CollectSummary:
        recipe = parse_recipe(PETS.format(url=url, more=more), "pets.toml")
        return collect_photos(recipe, tmp_path / "photos" / "pets", rule=rule, bars=False, **changes)

    return run


def test_an_archive_goes_to_folders_by_its_names(web: Web, run: Unpack, data: bytes, tmp_path: Path) -> None:
    summary = run(web.photo("/pets.tgz", data), f'sha256 = "{hash_bytes(data)}"')
    assert counts(summary) == {"cat": 2, "dog": 2, "": 0}
    table = rows(summary)
    assert [table[name]["label"] for name in NAMES] == ["cat", "cat", "dog", "dog"]
    # of two equal files whichever is decoded first is stored
    second, first = sorted((NAMES[0], "images/Copy_1.jpg"), key=lambda name: table[name]["status"])
    assert (table[first]["status"], table[second]["status"]) == ("stored", "duplicate")
    assert table[first]["path"].startswith("cat/")
    assert (table[NAMES[0]]["licence"], table[NAMES[0]]["page"]) == ("CC BY-SA 4.0", "https://pets.example/")
    assert "cut off" in table["images/broken_1.jpg"]["reason"]
    assert "gives no class" in table["images/12.jpg"]["reason"]
    assert not [name for name in table if name.startswith("annotations") or name.endswith(".mat")]
    assert not list(tmp_path.rglob("*outside*"))
    assert "other files" in summary.to_text()


def test_an_archive_is_fetched_once_and_its_photos_are_stored_once(
    web: Web, run: Unpack, data: bytes, archive_folder: Path
) -> None:
    said: list[str] = []
    url = web.photo("/pets.tgz", data)
    first, second = run(url, say=said.append), run(url)
    assert (web.count("/pets.tgz"), first.new, second.new) == (1, 4, 0)
    assert rows(first) == rows(second)
    # without a hash the recipe's maker is told it
    assert any(hash_bytes(data) in text for text in said)
    # with another one it is refused and deleted
    with pytest.raises(ArchiveError, match="is not the archive that the recipe means"):
        run(url, f'sha256 = "{"0" * 64}"')
    assert not list(archive_folder.glob("*pets.tgz"))


def test_a_broken_download_is_continued_and_told_of(web: Web, rule: AddressRule, data: bytes) -> None:
    told: list[tuple[int, int | None]] = []
    url = web.add("/pets.tgz", behave.ranged(data, break_after=len(data) // 2))
    source = parse_recipe(PETS.format(url=url, more=f'sha256 = "{hash_bytes(data)}"'), "x").archive
    assert source
    with Fetcher(rule) as fetcher:
        file = download_archive(fetcher, source, lambda text: None, lambda *at: told.append(at))
    assert file.read_bytes() == data
    assert [hit.headers.get("range", "")[:6] for hit in web.hits] == ["", "bytes="]
    assert (told[-1], told) == ((len(data), len(data)), sorted(told))


def test_an_archive_that_was_cut_off_can_be_gone_on_with_and_a_missing_one_not(web: Web, run: Unpack) -> None:
    cut = web.add("/cut.tgz", behave.wrong_length(b"x" * 10, 100))
    with pytest.raises(
        ArchiveError, match=r"cut off on its way\. The same command goes on where it stopped\."
    ):
        run(cut)
    with pytest.raises(ArchiveError, match=r"answered 404 \(not found\)\.$"):
        run(web.url("/none.tgz"))


@pytest.mark.slow
def test_at_most_so_many_of_each_class_are_taken_and_the_rest_is_in_the_record(unpack: Unpack) -> None:
    found = members("{}/{}.jpg", 40)
    summary = unpack(found, most=3)
    statuses = [(row["status"], row["reason"]) for row in rows(summary).values()]
    assert statuses.count(("waiting", ENOUGH)) == summary.classes["ant"].waiting * 2 == 74
    assert counts(summary) == {"ant": 3, "bee": 3}
    assert unpack(found).photos == 80


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/images.tar.gz?x=/../y", "images.tar.gz"),
        ("/", "archive"),
        ("/my%20pets.tgz", "mypets.tgz"),
        ("/a/" + "x" * 500 + ".tar.gz", "x" * 73 + ".tar.gz"),
        ("/..", "archive"),
        ("/.hidden.zip", "hidden.zip"),
        ("/a%2F..%2Fb.zip", "b.zip"),
        ("/b*d:n|me.zip", "bdnme.zip"),
    ],
)
def test_the_file_of_an_archive_has_a_plain_name_of_its_own(path: str, name: str) -> None:
    found, other = (name_archive(f"https://{host}.example{path}") for host in "ab")
    assert found[12:] == other[12:] == f"-{name}"
    assert found[:12] != other[:12]
    assert set(found[:12]) <= set("0123456789abcdef")


@pytest.fixture
def unpack(tmp_path: Path) -> Unpack:
    """Collect from a zip file of these members into ``photos/mine``."""

    def unpack(members: dict[str, bytes], more: str = "", **changes: Any) -> CollectSummary:
        recipe = folder_recipe(write_zip(tmp_path / "mine.zip", members), more)
        return collect_photos(recipe, tmp_path / "photos" / "mine", bars=False, **changes)

    return unpack


def members(form: str, count: int = 3) -> dict[str, bytes]:
    """Ants and bees, named as the form says."""
    return {form.format(label, i): jpeg(f"{label}{i}") for label in ("ant", "bee") for i in range(count)}


@pytest.mark.parametrize("place", ["mine", "mine.zip", "memory://bucket"])
def test_a_folder_a_zip_file_or_a_cloud_path_is_a_source_and_stays(place: str, tmp_path: Path) -> None:
    found = {**members("{}/{}.jpg"), "ant/notes.txt": b"no photo"}
    memory = fsspec.filesystem("memory")
    memory.pipe({f"/bucket/{name}": data for name, data in found.items()})
    write_files(tmp_path / "mine", found)
    write_zip(tmp_path / "mine.zip", {f"mine/{name}": data for name, data in found.items()})
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    try:
        summary = collect_photos(folder_recipe(place, base=tmp_path), tmp_path / "photos", bars=False)
        assert set(memory.find("/bucket")) == {f"/bucket/{name}" for name in found}
    finally:
        memory.rm("/bucket", recursive=True)
    assert counts(summary) == {"ant": 3, "bee": 3}
    assert {row["licence"] for row in rows(summary).values()} == {"my own"}
    assert {p: p.read_bytes() for p in before} == before


@pytest.mark.parametrize(("place", "out"), [(".", "photos/mine"), ("big/raw", "big"), ("big", "big")])
def test_source_and_collection_may_not_lie_in_each_other(place: str, out: str, tmp_path: Path) -> None:
    (tmp_path / "big" / "raw").mkdir(parents=True)
    with pytest.raises(PhotosError, match="one of these lies in the other"):
        collect_photos(folder_recipe(place, base=tmp_path), tmp_path / out, bars=False)


def test_a_folder_that_is_not_there_or_without_photos_is_a_sentence(tmp_path: Path) -> None:
    recipe = folder_recipe("mine", base=tmp_path)
    with pytest.raises(PhotosError, match="mine"):
        collect_photos(recipe, tmp_path / "photos", bars=False)
    (tmp_path / "mine").mkdir()
    assert "No photos were found." in collect_photos(recipe, tmp_path / "photos", bars=False).to_text()


def test_what_was_refused_is_not_judged_again(unpack: Unpack, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {name: jpeg("1") for name in ("ant/1.jpg", "ant/2.jpg", "top.jpg")} | {"ant/page.jpg": b"<html>"}
    first = {name: (row["status"], row["time"]) for name, row in rows(unpack(found)).items()}
    statuses = {name: status for name, (status, _) in first.items()}
    # which of the twins is stored is a matter of chance
    assert sorted([statuses.pop("ant/1.jpg"), statuses.pop("ant/2.jpg")]) == ["duplicate", "stored"]
    assert statuses == {"ant/page.jpg": "refused", "top.jpg": "refused"}
    monkeypatch.setattr(photo_store, "prepare_photo", None)
    second = unpack(found)
    assert (second.new, second.photos) == (0, 1)
    assert {name: (row["status"], row["time"]) for name, row in rows(second).items()} == first


@pytest.mark.parametrize("first", ["^nothing-(.)", "^(.)[a-z]+_"])
@pytest.mark.parametrize("again", [False, True])
def test_a_mended_rule_labels_what_it_did_not(again: bool, first: str, unpack: Unpack) -> None:
    """What got no class, or was not needed of a wrong one, is taken into the right one."""
    found = members("{}_{}.jpg")
    assert unpack(found, PATTERN.format(pattern=first), most=0).photos == 0
    summary = unpack(found, PATTERN.format(pattern="^([a-z]+)_"), again=again)
    assert (summary.classes["ant"].photos, summary.classes["bee"].photos) == (3, 3)
    # and a class may be renamed later
    shutil.rmtree(summary.folder / "ant")
    names = 'names = { ant = "emmet" }\n'
    assert unpack(found, PATTERN.format(pattern="^([a-z]+)_") + names).classes["emmet"].photos == 3


def test_a_stored_photo_stays_on_record_where_its_label_of_today_is_full(unpack: Unpack) -> None:
    found = members("{}_{}.jpg", 2)
    unpack(found, PATTERN.format(pattern="^(.)[a-z]+_"))
    summary = unpack(found, PATTERN.format(pattern="^([a-z]+)_"), most=0)
    assert (summary.classes["a"].stored, summary.classes["a"].photos) == (2, 2)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(tmp_path) as catalog:
        yield catalog


Take = Callable[[Callable[..., Any]], None]


@pytest.fixture
def take(catalog: Catalog) -> Take:
    """Unpack what a reader yields; no bees are wanted."""
    source, progress = folder_recipe("x.zip").folder, ProgressBars(lambda text: None, False)
    assert source
    return lambda read: Unpacker(PhotoStore(catalog, {"bee": 0}), source, 100, progress).run(read)


def test_unpacked_photos_are_on_the_disk_before_the_record_says_so(unpack: Unpack, synced: set[str]) -> None:
    assert synced == set(files(unpack(members("{}/{}.jpg"))))
    assert len(synced) == 6


def test_what_was_read_before_an_archive_broke_is_stored_and_on_record(catalog: Catalog, take: Take) -> None:
    class BrokenError(Exception):
        pass

    def read(wanted: Callable[[str], bool]) -> Iterator[Member]:
        for i in range(100):  # more than are taken in at once, which are recorded as they are read
            if i == 99:
                assert len(catalog.fetches.rows(status="stored")) >= 32
                raise BrokenError
            if wanted(f"ant/{i}.jpg"):
                yield Member(f"ant/{i}.jpg", jpeg(str(i)))

    with pytest.raises(BrokenError):
        take(read)
    fetched = catalog.fetches.rows()
    assert [row.status for row in fetched] == ["stored"] * 96
    assert all((catalog.folder / row.path).is_file() for row in fetched)


def test_what_is_finished_or_not_needed_is_not_even_read(
    catalog: Catalog, take: Take, told: dict[str, tuple[int, int]]
) -> None:
    found = {name: jpeg(name) for name in ("ant/1.jpg", "ant/2.jpg", "bee/1.jpg")}
    asked: list[dict[str, bool]] = []

    def read(wanted: Callable[[str], bool]) -> Iterator[Member]:
        asked.append({name: wanted(name) for name in found})
        return (Member(name, found[name]) for name, yes in asked[-1].items() if yes)

    take(read)
    assert told == {"ant": (2, 0)}
    catalog.scan()
    found["ant/3.jpg"] = jpeg("3")
    take(read)
    first = {"ant/1.jpg": True, "ant/2.jpg": True, "bee/1.jpg": False}
    assert asked == [first, {**dict.fromkeys(first, False), "ant/3.jpg": True}]
    states = {(row.label, row.title): (row.status, row.reason) for row in catalog.fetches.rows()}
    stored = {("ant", f"{i}.jpg"): ("stored", "") for i in (1, 2, 3)}
    assert states == {**stored, ("bee", "1.jpg"): ("waiting", ENOUGH)}


@pytest.mark.parametrize("between", [0, 40])
def test_a_name_that_stands_twice_loses_no_photo(between: int, catalog: Catalog, take: Take) -> None:
    """``tar -r`` appends a file that changed, and leaves the old one where it is."""
    first = Member("ant/1.jpg", jpeg("one"))
    others = [Member(f"cow/{i}.jpg", jpeg(f"c{i}")) for i in range(between)]
    take(lambda wanted: [first, *others, first])
    (row,) = catalog.fetches.rows("ant")
    assert (row.status, row.reason) == ("stored", "")
    assert (catalog.folder / row.path).is_file()


def test_a_file_that_is_not_given_is_refused_for_its_reason(
    catalog: Catalog, take: Take, told: dict[str, tuple[int, int]]
) -> None:
    found = [Member("ant/1.jpg", None, "is encrypted"), Member("2.jpg", None, "is too large")]
    found.append(Member("3.jpg", b"no photo"))
    for _ in range(2):
        take(lambda wanted: [m for m in found if wanted(m.name)])
        catalog.fetches.reopen()
    fetched = catalog.fetches.rows()
    assert [(row.label, row.status, row.reason, row.lasting) for row in fetched] == [
        ("ant", "refused", "is encrypted", True),
        ("", "refused", "is too large", True),
        ("", "refused", "has a name that the labelling rule gives no class", True),
    ]
    assert (fetched[2].received, fetched[2].bytes) == (hash_bytes(b"no photo"), 8)
    assert told == {"ant": (0, 1)}
