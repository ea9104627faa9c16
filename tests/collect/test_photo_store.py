"""The class folders: each picture once, no class over its limit, and what a killed run left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fastclf import Catalog
from fastclf.catalog import DUPLICATE, REFUSED, STORED, WAITING, Outcome
from fastclf.collect import photo_store
from fastclf.collect.photo_store import ENOUGH, PhotoStore, is_half_written
from fastclf.collect.prepare import Prepared, prepare_photo
from fastclf.system import hash_bytes

from ..drawing import draw_photo, encode
from .conftest import jpeg, write_files

HEX = "0123456789abcdef0123"


def photo(name: str) -> Prepared:
    return prepare_photo(jpeg(name), 200)


def made(number: int | str, received: str = "", stored: str = "") -> Prepared:
    """A photo with hashes of its own, or these."""
    return Prepared(b"%d" % hash(number), f"{number}.jpg", received or f"r{number}", stored or f"s{number}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two photos of cats and one of a dog, as a person may have them."""
    files = {f"{name}.jpg": jpeg(name.partition("/")[2]) for name in ("cat/one", "cat/two", "dog/three")}
    return write_files(tmp_path / "photos", files)


@pytest.fixture
def catalog(folder: Path) -> Iterator[Catalog]:
    with Catalog(folder) as catalog:
        catalog.scan()
        yield catalog


def names(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.glob("*/*") if ".fastclf" not in p.parts}


def record(catalog: Catalog, url: str, path: str = "", **facts: object) -> None:
    """Put an address and its outcome on record."""
    catalog.fetches.add("cat", [{"url": url}])
    number = catalog.fetches.find([url])[-1].id
    catalog.fetches.finish([Outcome(number, **{"status": STORED, "path": path, **facts})])  # type: ignore[arg-type]


def same_as(name: str) -> Outcome:
    return Outcome(0, DUPLICATE, f"is the same picture as {name}", lasting=True)


def stored_as(name: str, photo: Prepared) -> Outcome:
    return Outcome(0, STORED, lasting=True, stored=photo.stored, path=name)


def test_a_picture_is_stored_once_under_a_name_of_its_own(catalog: Catalog, folder: Path) -> None:
    store, new = PhotoStore(catalog, {}), photo("new")
    assert store.put("bird", new) == stored_as(f"bird/{new.name}", new)
    assert (folder / "bird" / new.name).read_bytes() == new.data
    for label in ("bird", "cat"):
        assert store.put(label, new) == same_as(f"bird/{new.name}")
    assert store.put("dog", photo("one")) == same_as("cat/one.jpg")
    assert [store.count(label) for label in ("bird", "cat", "dog")] == [1, 2, 1]
    assert names(folder) == {"cat/one.jpg", "cat/two.jpg", "dog/three.jpg", f"bird/{new.name}"}


@pytest.mark.parametrize("same", ["received", "stored"])
def test_either_hash_makes_a_picture_known(same: str, catalog: Catalog) -> None:
    store = PhotoStore(catalog, {})
    store.put("cat", made("a"))
    assert store.put("cat", made("b", **{same: f"{same[0]}a"})).status == DUPLICATE
    assert store.put("cat", made("c")).status == STORED
    # what an earlier run received is known by what arrived too
    record(catalog, "http://a/1", "cat/one.jpg", received="r1", stored=hash_bytes(jpeg("one")))
    assert PhotoStore(catalog, {}).put("dog", made(1)) == same_as("cat/one.jpg")


def test_a_photo_that_was_thrown_away_does_not_come_back(catalog: Catalog, folder: Path) -> None:
    gone, there = photo("gone"), hash_bytes(jpeg("one"))
    record(catalog, "http://a/1", "cat/gone.jpg", received=gone.received, stored=gone.stored)
    store = PhotoStore(catalog, {})
    assert store.put("cat", gone) == same_as("cat/gone.jpg, which is no longer there")
    assert not (folder / "cat" / gone.name).exists()
    # but a twin that is there is named before one that is gone
    record(catalog, "http://a/2", "cat/gone.jpg", received=there, stored="gone")
    assert PhotoStore(catalog, {}).put("cat", photo("one")) == same_as("cat/one.jpg")


@pytest.mark.parametrize("status", [REFUSED, WAITING])
def test_of_what_was_refused_or_waits_nothing_is_known(status: str, catalog: Catalog) -> None:
    new = photo("new")
    record(catalog, "http://a/1", status=status, received=new.received, stored=new.stored)
    assert PhotoStore(catalog, {}).put("cat", new).status == STORED


def test_no_class_gets_more_than_was_asked_for(catalog: Catalog, folder: Path) -> None:
    store = PhotoStore(catalog, {"cat": 3, "dog": 1})
    assert (store.missing("cat"), store.missing("dog"), store.missing("bird")) == (1, 0, None)
    assert store.full() == {"dog"}
    assert [store.put("cat", photo(str(i))).status for i in range(3)] == [STORED, WAITING, WAITING]
    assert store.put("dog", photo("x")) == Outcome(0, WAITING, ENOUGH)
    assert store.put("bird", photo("y")).status == STORED
    assert store.full() == {"cat", "dog"}
    assert (store.is_full("cat"), store.is_full("bird")) == (True, False)
    assert len(names(folder)) == 5
    # what had no room is not known as a picture of the folder
    assert PhotoStore(catalog, {}).put("dog", photo("x")).status == STORED


def test_one_number_is_the_limit_of_every_class_without_its_own(catalog: Catalog) -> None:
    store = PhotoStore(catalog, {"cat": 5}, most=1)
    assert (store.missing("cat"), store.missing("dog"), store.missing("bird")) == (3, 0, 1)
    assert [store.put("bird", photo(name)).status for name in "ab"] == [STORED, WAITING]
    assert store.full() == {"dog", "bird"}
    # more than were asked for are a full class and no debt
    store = PhotoStore(catalog, {"cat": 1})
    assert (store.missing("cat"), store.full()) == (0, {"cat"})


def test_a_photo_counts_for_the_class_that_it_was_given(catalog: Catalog) -> None:
    catalog.relabel(["cat/one.jpg"], "dog")
    catalog.remove(["cat/two.jpg"])
    store = PhotoStore(catalog, {"cat": 1})
    assert (store.count("cat"), store.count("dog")) == (0, 2)
    # one that was taken out makes room, and does not come back
    assert store.put("cat", photo("two")) == same_as("cat/two.jpg")
    assert store.put("cat", photo("new")).status == STORED


def test_what_a_killed_run_wrote_and_did_not_record_is_taken_over_once(
    catalog: Catalog, folder: Path
) -> None:
    left, known = photo("left"), photo("known")
    for one in (left, known):
        (folder / "cat" / one.name).write_bytes(one.data)
    catalog.scan()
    # one that is on record is not taken over by another address
    path = f"cat/{known.name}"
    record(catalog, "http://a/1", path, received=known.received, stored=known.stored)
    assert PhotoStore(catalog, {}).put("cat", known).status == DUPLICATE
    # nor is any in another class
    assert PhotoStore(catalog, {}).put("dog", left).status == DUPLICATE
    store = PhotoStore(catalog, {"cat": 4})
    assert store.is_full("cat")
    assert store.put("cat", left) == stored_as(f"cat/{left.name}", left)
    assert store.put("cat", left).status == DUPLICATE
    assert store.count("cat") == 4


OURS = [f".{HEX}.jpg.tmpa1b2c3", f".{HEX}.png.x", f".{HEX}.webp._1"]
NOT_OURS = [
    f".{HEX}.jpg", f".{HEX[:-1]}.jpg.tmp", f".{HEX}0.jpg.tmp", f".{HEX.upper()}.jpg.tmp", f".{HEX[:-1]}g.jpg.tmp",
    ".DS_Store", f"._{HEX}.jpg.tmp", ".hidden.photo.jpg.bak",
]  # fmt: skip


def test_half_written_files_go_and_a_makers_own_hidden_files_stay(catalog: Catalog, folder: Path) -> None:
    # only class folders are swept
    stays = {f"cat/{name}" for name in NOT_OURS} | {OURS[0], f"cat/deep/{OURS[0]}"}
    (folder / "cat" / "deep").mkdir()
    for name in (*stays, *(f"cat/{name}" for name in OURS)):
        (folder / name).write_bytes(b"half")
    PhotoStore(catalog, {})
    assert all((folder / name).exists() for name in (*stays, "cat/one.jpg", "cat/two.jpg", "dog/three.jpg"))
    assert not [name for name in OURS if (folder / "cat" / name).exists()]


def test_what_the_store_begins_to_write_is_known_as_half_written(
    catalog: Catalog, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the middle of a write, as far as a test can be."""

    class KilledError(BaseException):
        pass

    seen: list[Path] = []
    real = photo_store.write_atomic_with

    def half(path: Path, write: object, *, sync: bool) -> None:
        def die(file: object) -> None:
            seen.extend(p for p in path.parent.iterdir() if p.name.startswith("."))
            raise KilledError

        real(path, die, sync=sync)

    monkeypatch.setattr(photo_store, "write_atomic_with", half)
    with pytest.raises(KilledError):
        PhotoStore(catalog, {}).put("cat", photo("new"))
    assert [is_half_written(path) for path in seen] == [True]


class Slow(Prepared):
    """Takes its time to say what it is, so that another thread may come in between."""

    def __getattribute__(self, name: str) -> object:
        if name == "stored":
            time.sleep(0.003)
        return super().__getattribute__(name)


def test_the_look_and_the_note_are_one_step(catalog: Catalog) -> None:
    """A thread that looks while another one writes sees the note."""
    store, barrier = PhotoStore(catalog, {"bee": 1}), threading.Barrier(8)

    def work(number: int) -> tuple[str, str]:
        barrier.wait()
        same = store.put("ant", Slow(b"a", "a.jpg", "r", "s"))
        other = store.put("bee", Slow(b"b", f"{number}.jpg", f"r{number}", f"s{number}"))
        return same.status, other.status

    with ThreadPoolExecutor(8) as pool:
        same, other = zip(*pool.map(work, range(8)), strict=True)
    assert sorted(same) == [DUPLICATE] * 7 + [STORED]
    assert sorted(other) == [STORED] + [WAITING] * 7


def test_what_became_of_bytes_is_an_outcome_with_all_that_is_known(catalog: Catalog) -> None:
    catalog.fetches.add("cat", [{"url": f"http://a/{i}"} for i in range(5)])
    numbers = [row.id for row in catalog.fetches.rows()]
    data, more = jpeg("new", (400, 300)), jpeg("more")
    cut = encode(draw_photo("red", 1, (400, 300)), "JPEG")[:3000]
    received, stored = hash_bytes(data), prepare_photo(data, 200)
    path = f"cat/{stored.name}"
    store = PhotoStore(catalog, {"cat": 3})
    rows = zip(catalog.fetches.rows(), (data, data, more, b"<!doctype html>", cut), strict=True)
    outcomes = [store.keep(row, bytes_, 200) for row, bytes_ in rows]
    here = {"lasting": True, "received": received, "bytes": len(data)}
    assert outcomes == [
        Outcome(numbers[0], STORED, stored=stored.stored, path=path, **here),
        Outcome(numbers[1], DUPLICATE, f"is the same picture as {path}", **here),
        Outcome(numbers[2], WAITING, ENOUGH, received=hash_bytes(more), bytes=len(more)),
        Outcome(numbers[3], REFUSED, "is a web page, not a photo", lasting=True, bytes=15),
        # what to do about it is for the owner of a file, not for who found it
        Outcome(
            numbers[4], REFUSED, "is cut off: about 268 of its 300 rows are missing", lasting=True, bytes=3000
        ),
    ]
    # one that is gone before it reaches the disk is no accident
    store.record([Outcome(numbers[0], STORED, path="cat/nothing.jpg")])
    assert catalog.fetches.rows()[0].status == STORED
