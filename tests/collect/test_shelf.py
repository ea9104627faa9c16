"""The class folders: each picture once, no class over its limit, and what a killed run left behind."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from fastclf import Catalog
from fastclf.catalog import DUPLICATE, REFUSED, STORED, WAITING, Outcome
from fastclf.collect import photo_store as shelf_module
from fastclf.collect.photo_store import ENOUGH, PhotoStore, Placed, is_half_written
from fastclf.collect.prepare import Prepared, prepare_photo
from fastclf.system import hash_bytes

from ..drawing import draw_photo, encode
from .conftest import jpeg


def photo(name: str) -> Prepared:
    return prepare_photo(jpeg(name, (80, 60)), 200)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two photos of cats and one of a dog, as a person may have them."""
    for name in ("cat/one.jpg", "cat/two.jpg", "dog/three.jpg"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(path.stem, (80, 60)))
    return tmp_path / "photos"


@pytest.fixture
def catalog(folder: Path) -> Iterator[Catalog]:
    with Catalog(folder) as catalog:
        catalog.scan()
        yield catalog


def names(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.glob("*/*") if ".fastclf" not in p.parts}


def record(catalog: Catalog, label: str, url: str, **facts: object) -> int:
    """Put an address and its outcome on record."""
    catalog.fetches.add(label, [{"url": url}])
    number = catalog.fetches.find([url])[-1].id
    catalog.fetches.finish([Outcome(number, **{"status": STORED, **facts})])  # type: ignore[arg-type]
    return number


def test_a_photo_is_stored_under_its_name_in_a_folder_that_is_made_for_it(
    catalog: Catalog, folder: Path
) -> None:
    shelf, new = PhotoStore(catalog, {}), photo("new")
    assert shelf.put("bird", new) == Placed(STORED, f"bird/{new.name}", stored=new.stored)
    assert (folder / "bird" / new.name).read_bytes() == new.data
    assert shelf.count("bird") == 1
    assert names(folder) == {"cat/one.jpg", "cat/two.jpg", "dog/three.jpg", f"bird/{new.name}"}


def test_a_picture_is_stored_once_in_the_whole_folder(catalog: Catalog, folder: Path) -> None:
    shelf, new = PhotoStore(catalog, {}), photo("new")
    shelf.put("cat", new)
    for label in ("cat", "dog"):
        assert shelf.put(label, new) == Placed(DUPLICATE, "", f"is the same picture as cat/{new.name}")
    assert shelf.put("dog", photo("one")) == Placed(DUPLICATE, "", "is the same picture as cat/one.jpg")
    assert (shelf.count("cat"), shelf.count("dog")) == (3, 1)
    assert len(names(folder)) == 4


@pytest.mark.parametrize("same", ["received", "stored"])
def test_either_hash_makes_a_picture_known(same: str, catalog: Catalog) -> None:
    shelf = PhotoStore(catalog, {})
    first = Prepared(b"a", "a.jpg", "r1", "s1")
    shelf.put("cat", first)
    other = Prepared(b"b", "b.jpg", "r1" if same == "received" else "r2", "s1" if same == "stored" else "s2")
    assert shelf.put("cat", other).status == DUPLICATE
    assert shelf.put("cat", Prepared(b"c", "c.jpg", "r3", "s3")).status == STORED


def test_what_an_earlier_run_received_is_known_by_what_arrived_too(catalog: Catalog) -> None:
    record(
        catalog,
        "cat",
        "http://a/1",
        received="r1",
        stored=hash_bytes(jpeg("one", (80, 60))),
        path="cat/one.jpg",
    )
    placed = PhotoStore(catalog, {}).put("dog", Prepared(b"x", "x.jpg", "r1", "s1"))
    assert placed == Placed(DUPLICATE, "", "is the same picture as cat/one.jpg")


def test_no_class_gets_more_than_was_asked_for(catalog: Catalog, folder: Path) -> None:
    shelf = PhotoStore(catalog, {"cat": 3, "dog": 1})
    assert (shelf.missing("cat"), shelf.missing("dog"), shelf.missing("bird")) == (1, 0, None)
    assert shelf.full() == {"dog"}
    assert [shelf.put("cat", photo(str(i))).status for i in range(3)] == [STORED, WAITING, WAITING]
    assert shelf.put("dog", photo("x")) == Placed(WAITING, "", ENOUGH)
    assert shelf.put("bird", photo("y")).status == STORED
    assert shelf.full() == {"cat", "dog"}
    assert (shelf.is_full("cat"), shelf.is_full("bird")) == (True, False)
    assert len(names(folder)) == 5
    # what had no room is not known as a picture of the folder
    assert PhotoStore(catalog, {}).put("dog", photo("x")).status == STORED


def test_more_photos_than_were_asked_for_are_a_full_class_and_no_debt(catalog: Catalog) -> None:
    shelf = PhotoStore(catalog, {"cat": 1})
    assert shelf.missing("cat") == 0
    assert shelf.full() == {"cat"}


def test_one_number_is_the_limit_of_every_class_without_its_own(catalog: Catalog) -> None:
    shelf = PhotoStore(catalog, {"cat": 5}, most=1)
    assert (shelf.missing("cat"), shelf.missing("dog"), shelf.missing("bird")) == (3, 0, 1)
    assert shelf.put("bird", photo("a")).status == STORED
    assert shelf.put("bird", photo("b")).status == WAITING
    assert shelf.full() == {"dog", "bird"}


def test_a_photo_counts_for_the_class_that_it_was_given(catalog: Catalog, folder: Path) -> None:
    catalog.relabel(["cat/one.jpg"], "dog")
    catalog.remove(["cat/two.jpg"])
    shelf = PhotoStore(catalog, {"cat": 1})
    assert (shelf.count("cat"), shelf.count("dog")) == (0, 2)
    # one that was taken out makes room, and does not come back
    assert shelf.put("cat", photo("two")).reason == "is the same picture as cat/two.jpg"
    assert shelf.put("cat", photo("new")).status == STORED


def test_a_photo_that_was_thrown_away_does_not_come_back(catalog: Catalog, folder: Path) -> None:
    gone = photo("gone")
    record(catalog, "cat", "http://a/1", received=gone.received, stored=gone.stored, path="cat/gone.jpg")
    placed = PhotoStore(catalog, {}).put("cat", gone)
    assert placed == Placed(DUPLICATE, "", "is the same picture as cat/gone.jpg, which is no longer there")
    assert not (folder / "cat" / gone.name).exists()


def test_a_twin_that_is_there_is_named_before_one_that_is_gone(catalog: Catalog) -> None:
    there = hash_bytes(jpeg("one", (80, 60)))
    record(catalog, "cat", "http://a/1", received=there, stored="gone", path="cat/gone.jpg")
    assert PhotoStore(catalog, {}).put("cat", photo("one")).reason == "is the same picture as cat/one.jpg"


def test_of_what_was_refused_or_waits_nothing_is_known(catalog: Catalog) -> None:
    new = photo("new")
    record(catalog, "cat", "http://a/1", status=REFUSED, received=new.received, stored=new.stored)
    record(catalog, "cat", "http://a/2", status=WAITING, received=new.received, stored=new.stored)
    assert PhotoStore(catalog, {}).put("cat", new).status == STORED


def test_a_file_that_a_killed_run_wrote_and_did_not_record_is_taken_over_once(
    catalog: Catalog, folder: Path
) -> None:
    left = photo("left")
    (folder / "cat" / left.name).write_bytes(left.data)
    catalog.scan()
    shelf = PhotoStore(catalog, {"cat": 3})
    assert shelf.is_full("cat")
    assert shelf.put("cat", left) == Placed(STORED, f"cat/{left.name}", stored=left.stored)
    assert shelf.put("cat", left).status == DUPLICATE
    assert shelf.count("cat") == 3


def test_a_file_is_taken_over_only_in_the_class_where_it_lies(catalog: Catalog, folder: Path) -> None:
    left = photo("left")
    (folder / "cat" / left.name).write_bytes(left.data)
    catalog.scan()
    assert PhotoStore(catalog, {}).put("dog", left).status == DUPLICATE


def test_a_file_that_is_on_record_is_not_taken_over_by_another_address(
    catalog: Catalog, folder: Path
) -> None:
    known = photo("known")
    (folder / "cat" / known.name).write_bytes(known.data)
    catalog.scan()
    record(
        catalog, "cat", "http://a/1", received=known.received, stored=known.stored, path=f"cat/{known.name}"
    )
    assert PhotoStore(catalog, {}).put("cat", known).status == DUPLICATE


HEX = "0123456789abcdef0123"


@pytest.mark.parametrize(
    ("name", "is_ours"),
    [
        (f".{HEX}.jpg.tmpa1b2c3", True),
        (f".{HEX}.png.x", True),
        (f".{HEX}.webp._1", True),
        (f".{HEX}.jpg", False),
        (f".{HEX[:-1]}.jpg.tmp", False),
        (f".{HEX}0.jpg.tmp", False),
        (f".{HEX.upper()}.jpg.tmp", False),
        (f".{HEX[:-1]}g.jpg.tmp", False),
        (".DS_Store", False),
        ("._one.jpg.tmp", False),
        (f"._{HEX}.jpg.tmp", False),
        (".hidden.photo.jpg.bak", False),
        (".one.jpg.swp", False),
    ],
)
def test_half_written_files_go_and_a_makers_own_hidden_files_stay(
    name: str, is_ours: bool, catalog: Catalog, folder: Path
) -> None:
    (folder / "cat" / name).write_bytes(b"half")
    assert is_half_written(folder / "cat" / name) == is_ours
    PhotoStore(catalog, {})
    assert (folder / "cat" / name).exists() != is_ours
    assert {"cat/one.jpg", "cat/two.jpg", "dog/three.jpg"} <= names(folder)


def test_only_class_folders_are_swept(catalog: Catalog, folder: Path) -> None:
    deep = folder / "cat" / "deep" / f".{HEX}.jpg.tmp"
    deep.parent.mkdir()
    above = folder / f".{HEX}.jpg.tmp"
    for path in (deep, above):
        path.write_bytes(b"")
    PhotoStore(catalog, {})
    assert deep.exists()
    assert above.exists()


def test_what_the_shelf_begins_to_write_is_known_as_half_written(
    catalog: Catalog, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the middle of a write, as far as a test can be."""

    class KilledError(BaseException):
        pass

    new, seen = photo("new"), []

    def die(path: Path, write: object, *, sync: bool) -> None:
        seen.extend(p for p in path.parent.iterdir() if p.name.startswith("."))
        raise KilledError

    def half(path: Path, write: object, *, sync: bool) -> None:
        real(path, lambda f: die(path, f, sync=sync), sync=sync)

    real = shelf_module.write_atomic_with
    monkeypatch.setattr(shelf_module, "write_atomic_with", half)
    with pytest.raises(KilledError):
        PhotoStore(catalog, {}).put("cat", new)
    assert len(seen) == 1
    assert is_half_written(seen[0])


def test_many_threads_store_no_picture_twice_and_none_too_many(catalog: Catalog, folder: Path) -> None:
    rng = np.random.default_rng(0)
    unique = [Prepared(rng.bytes(50), f"{i:020x}.jpg", f"r{i}", f"s{i}") for i in range(120)]
    offers = [(label, one) for one in unique for label in ("ant", "bee", "ant", "cow")]
    rng.shuffle(offers)
    shelf = PhotoStore(catalog, {"ant": 20, "bee": 30})
    threads = 16
    barrier = threading.Barrier(threads)

    def work(number: int) -> list[tuple[str, Prepared, Placed]]:
        barrier.wait()
        mine = offers[number::threads] + offers[:: threads + 1]
        return [(label, one, shelf.put(label, one)) for label, one in mine]

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(threads) as pool:
            done = [placed for lot in pool.map(work, range(threads)) for placed in lot]
    finally:
        sys.setswitchinterval(before)
    stored = [(label, one, placed) for label, one, placed in done if placed.status == STORED]
    assert len({one.received for _, one, _ in stored}) == len(stored) == len({p.path for *_, p in stored})
    counts = Counter(label for label, _, _ in stored)
    assert counts["ant"] == 20 == shelf.count("ant")
    assert counts["bee"] == 30 == shelf.count("bee")
    assert counts["cow"] == shelf.count("cow") > 0
    for _, one, placed in stored:
        assert (folder / placed.path).read_bytes() == one.data
    assert sum(len(list((folder / label).iterdir())) for label in ("ant", "bee", "cow")) == len(stored)


def test_one_picture_that_many_threads_offer_at_once_is_stored_once(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look and the note are one step: a thread that looks while another one writes sees the note."""
    inside, real = threading.Event(), shelf_module.write_atomic_with

    def slow(path: Path, write: object, *, sync: bool) -> None:
        inside.wait(5)
        real(path, write, sync=sync)  # type: ignore[arg-type]

    monkeypatch.setattr(shelf_module, "write_atomic_with", slow)
    shelf, new = PhotoStore(catalog, {}), photo("new")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(shelf.put, "cat", new)
        while shelf.count("cat") < 3:
            assert not first.done()
        second = shelf.put("cat", new)
        inside.set()
        assert (first.result().status, second.status) == (STORED, DUPLICATE)


class Slow(Prepared):
    """Takes its time to say what it is, so that another thread may come in between."""

    def __getattribute__(self, name: str) -> object:
        if name == "stored":
            time.sleep(0.003)
        return super().__getattribute__(name)


def test_the_look_and_the_note_are_one_step(catalog: Catalog) -> None:
    shelf, barrier = PhotoStore(catalog, {"bee": 1}), threading.Barrier(8)

    def work(number: int) -> tuple[str, str]:
        barrier.wait()
        same = shelf.put("ant", Slow(b"a", "a.jpg", "r", "s"))
        other = shelf.put("bee", Slow(b"b", f"{number}.jpg", f"r{number}", f"s{number}"))
        return same.status, other.status

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(work, range(8)))
    assert sorted(same for same, _ in done) == [DUPLICATE] * 7 + [STORED]
    assert sorted(other for _, other in done) == [STORED] + [WAITING] * 7


def test_stored_photos_reach_the_disk_when_they_are_told_to(
    catalog: Catalog, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(shelf_module, "sync_file", synced.append)
    shelf, new = PhotoStore(catalog, {}), photo("new")
    path = shelf.put("cat", new).path
    shelf.sync([path, "cat/one.jpg"])
    assert synced == [folder / path, folder / "cat/one.jpg"]


def test_a_photo_that_is_gone_before_it_is_synced_is_no_accident(catalog: Catalog) -> None:
    PhotoStore(catalog, {}).sync(["cat/nothing.jpg"])


def test_what_became_of_bytes_is_an_outcome_with_all_that_is_known(catalog: Catalog, folder: Path) -> None:
    catalog.fetches.add("cat", [{"url": f"http://a/{i}"} for i in range(5)])
    rows = catalog.fetches.rows()
    shelf = PhotoStore(catalog, {"cat": 3})
    data = jpeg("new", (400, 300))
    stored = shelf.keep(rows[0], data, 200)
    prepared = prepare_photo(data, 200)
    assert stored == Outcome(
        rows[0].id, STORED, "", True, hash_bytes(data), prepared.stored, f"cat/{prepared.name}", len(data)
    )
    again = shelf.keep(rows[1], data, 200)
    same = f"is the same picture as cat/{prepared.name}"
    assert again == Outcome(rows[1].id, DUPLICATE, same, True, hash_bytes(data), "", "", len(data))
    more = jpeg("more")
    full = shelf.keep(rows[2], more, 200)
    assert full == Outcome(rows[2].id, WAITING, ENOUGH, False, hash_bytes(more), "", "", len(more))
    page = shelf.keep(rows[3], b"<!doctype html>", 200)
    assert page == Outcome(rows[3].id, REFUSED, "is a web page, not a photo", True, bytes=15)
    cut = encode(draw_photo("red", 1, (400, 300)), "JPEG")[:3000]
    refused = shelf.keep(rows[4], cut, 200)
    # what to do about it is for the owner of a file, not for who found it
    assert (refused.status, refused.reason, refused.bytes) == (REFUSED, "is cut off before its end", 3000)
