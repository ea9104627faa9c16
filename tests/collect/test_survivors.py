"""Behaviour of whole runs that no other test would miss: each of these once was broken without a test failing."""

from __future__ import annotations

import csv
import itertools
import json
import os
import signal
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fastclf import Catalog
from fastclf.catalog import FetchLedger, Outcome
from fastclf.cli import main
from fastclf.cli import photos as cli_photos
from fastclf.collect import (
    CollectSummary,
    Found,
    collect_photos,
    download_images,
    load_recipe,
    plan,
    progress,
    search_images,
    verify_images,
)
from fastclf.collect import photo_store as shelf_module
from fastclf.collect.archives import Member, download_archive
from fastclf.collect.archives.download import name_archive
from fastclf.collect.photo_store import ENOUGH, PhotoStore
from fastclf.collect.recipes.recipe_file import parse_recipe
from fastclf.collect.services import LimitedError, UnreachableError
from fastclf.collect.unpack import Unpacker
from fastclf.collect.web import AddressRule, Fetcher, fetch
from fastclf.errors import ArchiveError, CheckError, MissingExtraError, SearchError
from fastclf.photos import MAX_BYTES
from fastclf.system import hash_bytes

from ..drawing import draw_scene, encode
from . import web as behave
from .conftest import Collect, FakeService, jpeg
from .web import Web


def photos(web: Web, term: str, count: int, host: str | None = None) -> list[str]:
    for i in range(count):
        web.photo(f"/{term}/{i}.jpg", jpeg(f"{term}{i}"))
    return [web.url(f"/{term}/{i}.jpg", host) for i in range(count)]


def rows(report: CollectSummary) -> dict[str, dict[str, str]]:
    assert report.table
    with report.table.open(encoding="utf-8") as f:
        return {row["url"]: row for row in csv.DictReader(f)}


# -- searching and downloading --


class Endless(FakeService):
    """Always finds photos: `per_page` on each page, which nobody serves."""

    def __init__(self, per_page: int, name: str = "duckduckgo", same: bool = False) -> None:
        super().__init__({}, name)
        self.per_page, self.same = per_page, same
        self.most, self._now = 0, 0

    def search(self, query: str, page: int) -> list[Found]:
        self.asked.append((query, page))
        self._now += 1
        self.most = max(self.most, self._now)
        time.sleep(0.01)
        self._now -= 1
        begin = 0 if self.same else page * self.per_page
        return [
            Found(f"ftp://nobody.example/{query}/{i}".replace(" ", "-"), source=self.name)
            for i in range(begin, begin + self.per_page)
        ]


def test_classes_take_turns_at_a_search_and_one_service_gets_one_question_at_once(
    run: Collect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "_MAX_PAGE", 5)
    service = Endless(3)
    run([service], wanted=200)
    terms = [query.split()[0] for query, _ in service.asked]
    assert {tuple(sorted(terms[i : i + 2])) for i in range(0, 20, 2)} == {("cat", "dog")}
    assert service.most == 1


def test_a_search_that_repeats_itself_is_not_followed(run: Collect) -> None:
    service = Endless(3, same=True)
    run([service], wanted=200)
    assert sorted(service.asked) == sorted(
        (query, page) for term in ("cat", "dog") for query in (f"{term} photo", term) for page in (1, 2)
    )


def test_no_more_is_searched_than_is_needed(web: Web, run: Collect) -> None:
    web.delay = 0.1
    service = FakeService({"cat": photos(web, "cat", 30), "dog": photos(web, "dog", 30)})
    report = run([service], wanted=10)
    assert sorted(service.asked) == [("cat photo", 1), ("dog photo", 1)]
    assert report.photos == 20


def test_little_more_is_fetched_than_is_needed(web: Web, run: Collect) -> None:
    web.delay = 0.05
    service = FakeService({"cat": photos(web, "cat", 20), "dog": photos(web, "dog", 20)})
    report = run([service], wanted=5, parallel=30, per_host=30)
    assert report.photos == 10
    # some of what comes may be of no use, so a few more are asked for
    assert len(web.hits) <= 2 * (5 * 1.3 + 3)


def test_what_was_found_and_not_needed_is_said_to_be_so(web: Web, run: Collect) -> None:
    report = run([FakeService({"cat": photos(web, "cat", 20), "dog": photos(web, "dog", 20)})], wanted=5)
    waiting = [row for row in rows(report).values() if row["status"] == "waiting"]
    assert len(waiting) == 30
    assert {row["reason"] for row in waiting} == {ENOUGH}


def test_what_waits_of_a_class_that_the_recipe_has_not_is_left_alone(
    web: Web, run: Collect, tmp_path: Path
) -> None:
    folder = tmp_path / "photos" / "pair"
    folder.mkdir(parents=True)
    (url,) = photos(web, "bird", 1)
    with Catalog(folder) as catalog:
        catalog.fetches.add("bird", [{"url": url}])
    report = run([FakeService({"cat": photos(web, "cat", 2), "dog": photos(web, "dog", 2)})])
    assert web.count("/bird/0.jpg") == 0
    assert (rows(report)[url]["status"], rows(report)[url]["reason"]) == ("waiting", "")
    assert report.photos == 4


def test_photos_are_on_the_disk_before_the_record_says_that_they_are(
    web: Web, run: Collect, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: set[str] = set()
    recorded: list[str] = []
    sync, finish = PhotoStore.sync, FetchLedger.finish

    def note_sync(self: PhotoStore, paths: Iterable[str]) -> None:
        known = list(paths)
        sync(self, known)
        synced.update(known)

    def note_finish(self: FetchLedger, outcomes: list[Outcome]) -> None:
        stored = [outcome.path for outcome in outcomes if outcome.status == "stored"]
        assert synced >= set(stored)
        recorded.extend(stored)
        finish(self, outcomes)

    monkeypatch.setattr(PhotoStore, "sync", note_sync)
    monkeypatch.setattr(FetchLedger, "finish", note_finish)
    run([FakeService({"cat": photos(web, "cat", 5), "dog": photos(web, "dog", 5)})])
    assert len(set(recorded)) == 10


def test_what_came_is_on_record_while_the_run_goes_on(web: Web, run: Collect, tmp_path: Path) -> None:
    data = jpeg("slow")
    slow = web.add("/slow.jpg", behave.slow_drip(data, 1.0 / len(data)))
    found = {
        "cat": [*photos(web, "cat", 3), slow.replace("127.0.0.1", "c.example")],
        "dog": photos(web, "dog", 3),
    }
    done: list[CollectSummary] = []
    thread = threading.Thread(target=lambda: done.append(run([FakeService(found)], seconds=10.0)))
    thread.start()
    folder, seen = tmp_path / "photos" / "pair", 0
    while thread.is_alive() and seen < 6:
        time.sleep(0.1)
        if (folder / ".fastclf" / "catalog.sqlite").exists():
            with Catalog(folder) as catalog:
                seen = len(catalog.fetches.rows(status="stored"))
    was_running = thread.is_alive()
    thread.join()
    assert (seen, was_running) == (6, True)
    assert done[0].photos == 7


def test_no_more_photos_are_decoded_at_once_than_there_are_cores(
    web: Web, run: Collect, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, most, lock, prepare = [0], [0], threading.Lock(), shelf_module.prepare_photo

    def counted(data: bytes, side: int) -> Any:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.01)
        try:
            return prepare(data, side)
        finally:
            with lock:
                now[0] -= 1

    monkeypatch.setattr(shelf_module, "prepare_photo", counted)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    run([FakeService({"cat": photos(web, "cat", 10), "dog": photos(web, "dog", 10)})], per_host=16)
    assert most[0] == 2


def test_photos_are_asked_for_and_nothing_over_twenty_megabytes(web: Web, run: Collect) -> None:
    large = web.add("/large.jpg", behave.wrong_length(jpeg("large"), 21 * 2**20))
    good = photos(web, "cat", 2)
    report = run([FakeService({"cat": [large, *good], "dog": photos(web, "dog", 2)})])
    assert rows(report)[large]["reason"] == "has 21.0 MB, more than the 20 MB that are fetched"
    assert all(hit.headers["accept"].startswith("image/") for hit in web.hits)


def test_a_service_that_wants_no_wait_is_not_said_to_be_left_out(web: Web, run: Collect) -> None:
    class Hasty(FakeService):
        def search(self, query: str, page: int) -> list[Found]:
            if not self.asked:
                self.asked.append((query, page))
                raise LimitedError(self.name, 0.0)
            return super().search(query, page)

    said: list[str] = []
    report = run([Hasty({"cat": photos(web, "cat", 2), "dog": photos(web, "dog", 2)})], say=said.append)
    assert report.photos == 4
    assert not [text for text in said if "left out" in text]


def test_what_the_host_of_others_failed_for_is_tried_again_by_the_next_run(web: Web, run: Collect) -> None:
    paths = [f"/busy{i}" for i in range(8)]
    busy = [web.add(path, behave.status(500)) for path in paths]
    dead = [url.replace("127.0.0.1", "c.example") for url in busy]
    found = {"cat": [*dead, *photos(web, "cat", 2)], "dog": photos(web, "dog", 2)}
    table = rows(run([FakeService(found)], per_host=1))
    assert any(
        table[url]["reason"] == "answered 500 (internal server error), like others of its host"
        for url in dead
    )
    for path in paths:
        web.photo(path, jpeg(path))
    assert run([FakeService(found)]).photos == 12


def test_what_was_decoded_when_the_run_was_broken_off_is_on_record(
    web: Web, run: Collect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, prepare, said = threading.Event(), shelf_module.prepare_photo, []

    def slow(data: bytes, side: int) -> Any:
        begun.set()
        time.sleep(0.3)
        return prepare(data, side)

    class Tired(FakeService):
        def search(self, query: str, page: int) -> list[Found]:
            if query.startswith("dog"):
                begun.wait(5)
                raise LimitedError(self.name, 60)
            return super().search(query, page)

    def interrupt(self: progress.ProgressBars, text: str) -> None:
        said.append(text)
        if len(said) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(shelf_module, "prepare_photo", slow)
    monkeypatch.setattr(progress.ProgressBars, "say", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run([Tired({"cat": photos(web, "cat", 2)})])
    folder = tmp_path / "photos" / "pair"
    with Catalog(folder) as catalog:
        recorded = {row.path for row in catalog.fetches.rows(status="stored")}
    assert recorded == {p.relative_to(folder).as_posix() for p in folder.glob("cat/*")}
    assert recorded


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_service_that_panics_does_not_hang_the_run(web: Web, run: Collect) -> None:
    """A panic in Rust, of which ddgs's client is made, is no Exception in Python."""

    class PanicException(BaseException):
        pass

    class Panicking(FakeService):
        def search(self, query: str, page: int) -> list[Found]:
            raise PanicException("called `Option::unwrap()` on a `None` value")

    found = {"cat": photos(web, "cat", 1), "dog": photos(web, "dog", 1)}
    done: list[CollectSummary] = []
    services = [Panicking({}), FakeService(found, "openverse")]
    thread = threading.Thread(target=lambda: done.append(run(services)), daemon=True)
    thread.start()
    thread.join(3)
    assert [report.photos for report in done] == [2]


def test_an_address_counts_as_refused_once_and_only_when_it_is(
    web: Web, run: Collect, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, tuple[int, int]] = {}
    monkeypatch.setattr(
        progress.ProgressBars,
        "counted",
        lambda self, label, stored, refused: told.update({label: (stored, refused)}),
    )
    flaky = web.add("/flaky.jpg", behave.flaky(1, jpeg("flaky")))
    gone = web.url("/gone.jpg")
    run([FakeService({"cat": [flaky, *photos(web, "cat", 2)], "dog": [gone, *photos(web, "dog", 2)]})])
    assert told == {"cat": (3, 0), "dog": (2, 1)}


def test_a_class_asks_one_question_at_once_and_a_service_has_its_pause(
    run: Collect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "_PAUSE", 0.1)
    monkeypatch.setattr(plan, "_MAX_PAGE", 2)
    asked: list[tuple[str, str, float, float]] = []

    class Noted(Endless):
        def search(self, query: str, page: int) -> list[Found]:
            begin = time.monotonic()
            time.sleep(0.04)
            found = super().search(query, page)
            asked.append((self.name, query.split()[0], begin, time.monotonic()))
            return found

    run([Noted(3), Noted(3, "openverse"), Noted(3, "wikimedia")], wanted=200)
    assert len(asked) >= 12
    for place, pause in ((0, 0.1), (1, 0.0)):
        for who in {one[place] for one in asked}:
            times = sorted(one[2:] for one in asked if one[place] == who)
            assert all(later[0] >= earlier[1] + pause for earlier, later in itertools.pairwise(times)), who


def test_what_came_is_on_record_before_a_long_wait(web: Web, run: Collect, tmp_path: Path) -> None:
    waits: list[float] = []

    class Tired(FakeService):
        def search(self, query: str, page: int) -> list[Found]:
            if query == "cat photo" and page == 2 and not waits:
                time.sleep(0.2)  # what was found is fetched meanwhile
                waits.append(time.monotonic())
                raise LimitedError(self.name, 1.2)
            return super().search(query, page)

    thread = threading.Thread(target=run, args=([Tired({"cat": photos(web, "cat", 3)})],))
    thread.start()
    folder, seen = tmp_path / "photos" / "pair", 0
    while thread.is_alive() and seen < 3:
        time.sleep(0.05)
        if (folder / ".fastclf" / "catalog.sqlite").exists():
            with Catalog(folder) as catalog:
                seen = len(catalog.fetches.rows(status="stored"))
    recorded = time.monotonic()
    thread.join()
    assert seen == 3
    assert recorded < waits[0] + 0.8


def test_a_service_that_is_not_installed_is_left_out_with_its_own_words(web: Web, run: Collect) -> None:
    class Missing(FakeService):
        def search(self, query: str, page: int) -> list[Found]:
            raise MissingExtraError("Install the extra search.")

    said: list[str] = []
    found = {"cat": photos(web, "cat", 1), "dog": photos(web, "dog", 1)}
    assert run([Missing({}), FakeService(found, "openverse")], say=said.append).photos == 2
    assert "duckduckgo is left out of this run: Install the extra search." in said


pytestmark = pytest.mark.slow

SEARCH = """
name = "pair"
title = "Cat or dog?"
[classes]
cat = {{ search = ["cat", "kitten"], photos = 3 }}
dog = {{ {dog} }}
[collect]
photos_per_class = 2
variations = ["{{}} photo", "{{}}"]
"""


def test_searches_are_made_in_the_order_of_the_recipe_for_as_many_as_it_says(
    web: Web, rule: AddressRule, tmp_path: Path
) -> None:
    service = FakeService({"cat": photos(web, "cat", 2), "kitten": photos(web, "kitten", 9)})
    recipe = parse_recipe(SEARCH.format(dog='search = "dog"'), "x.toml")
    report = collect_photos(recipe, tmp_path / "pair", services=[service], rule=rule, bars=False)
    assert {label: count.photos for label, count in report.classes.items()} == {"cat": 3, "dog": 0}
    assert [query for query, _ in service.asked if "cat" in query or "kitten" in query][:2] == [
        "cat photo",
        "kitten photo",
    ]
    assert report.notes == (
        "Fewer than were asked for: 2 of dog are missing. There are no more to be found; add search words or "
        "addresses to the recipe.",
    )


def test_a_list_of_addresses_serves_where_no_search_can_be_made(
    web: Web, rule: AddressRule, tmp_path: Path
) -> None:
    (tmp_path / "dogs.txt").write_text("\n".join(photos(web, "dog", 2)))
    recipe = parse_recipe(SEARCH.format(dog='urls = "dogs.txt"'), "x.toml", base=tmp_path)
    report = collect_photos(recipe, tmp_path / "pair", services=[Offline({})], rule=rule, bars=False)
    assert report.classes["dog"].photos == 2
    assert "3 of cat are missing. Left out of this run: duckduckgo: could not be reached." in report.notes[0]


def test_searches_that_find_nothing_are_no_error_though_one_could_not_be_made(run: Collect) -> None:
    report = run([Offline({}), FakeService({}, "openverse")])
    assert report.photos == 0
    assert "10 of cat, 10 of dog are missing" in report.notes[0]


def test_the_caller_s_number_comes_before_the_recipe_s(web: Web, run: Collect) -> None:
    service = FakeService({"cat": photos(web, "cat", 8), "dog": photos(web, "dog", 8)})
    assert {label: count.photos for label, count in run([service], wanted=5, most=2).classes.items()} == {
        "cat": 2,
        "dog": 2,
    }


def test_a_run_that_got_all_has_nothing_to_add(web: Web, run: Collect) -> None:
    report = run([FakeService({"cat": photos(web, "cat", 2), "dog": photos(web, "dog", 2)})], wanted=2)
    assert report.notes == ()


class Offline(FakeService):
    """Is never there."""

    def search(self, query: str, page: int) -> list[Found]:
        raise UnreachableError(self.name, "could not be reached")


# -- out of archives and folders --

ZIP = """
name = "mine"
title = "Mine"
[folder]
path = "{path}"
[collect]
largest_side = 100
"""


def write_zip(file: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file


@pytest.fixture
def unpack(tmp_path: Path) -> Callable[..., CollectSummary]:
    """Collect from a zip file into ``photos/mine``."""

    def unpack(files: dict[str, bytes], **changes: Any) -> CollectSummary:
        file = write_zip(tmp_path / "mine.zip", files)
        recipe = parse_recipe(ZIP.format(path=file), "mine.toml")
        return collect_photos(recipe, tmp_path / "photos" / "mine", bars=False, **changes)

    return unpack


def test_unpacked_photos_are_on_the_disk_before_the_record_says_so(
    unpack: Callable[..., CollectSummary], monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: set[str] = set()
    finish = FetchLedger.finish
    monkeypatch.setattr(PhotoStore, "sync", lambda self, paths: synced.update(paths))

    def note_finish(self: FetchLedger, outcomes: list[Outcome]) -> None:
        assert synced >= {outcome.path for outcome in outcomes if outcome.status == "stored"}
        finish(self, outcomes)

    monkeypatch.setattr(FetchLedger, "finish", note_finish)
    assert unpack({f"ant/{i}.jpg": jpeg(str(i)) for i in range(4)}).photos == 4
    assert len(synced) == 4


def test_what_is_refused_for_good_is_not_judged_again(
    unpack: Callable[..., CollectSummary], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "ant/1.jpg": jpeg("1"),
        "ant/page.jpg": b"<html>",
        "top.jpg": jpeg("top"),
        "ant/2.jpg": jpeg("1"),
    }
    first = unpack(files)
    statuses = {row["title"]: (row["status"], row["time"]) for row in rows(first).values()}
    found = {name: status for name, (status, _) in statuses.items()}
    # which of the twins is stored is a matter of chance
    assert sorted([found.pop("1.jpg"), found.pop("2.jpg")]) == ["duplicate", "stored"]
    assert found == {"page.jpg": "refused", "top.jpg": "refused"}
    monkeypatch.setattr(shelf_module, "prepare_photo", None)
    second = unpack(files)
    assert (second.new, second.photos) == (0, 1)
    assert {row["title"]: (row["status"], row["time"]) for row in rows(second).values()} == statuses


def test_of_photos_that_were_not_needed_the_record_says_so(unpack: Callable[..., CollectSummary]) -> None:
    report = unpack(
        {f"{label}/{i}.jpg": jpeg(f"{label}{i}") for label in ("ant", "bee") for i in range(40)}, most=3
    )
    statuses = [(row["status"], row["reason"]) for row in rows(report).values()]
    assert statuses.count(("waiting", ENOUGH)) == 74
    assert {label: count.photos for label, count in report.classes.items()} == {"ant": 3, "bee": 3}
    assert {row["title"] for row in rows(report).values()} == {f"{i}.jpg" for i in range(40)}


def test_what_was_read_before_an_archive_broke_is_stored_and_on_record(tmp_path: Path) -> None:
    recipe = parse_recipe(ZIP.format(path="x.zip"), "mine.toml")
    folder = tmp_path / "photos"
    folder.mkdir()

    class BrokenError(Exception):
        pass

    def read(wanted: Callable[[str], bool]) -> Iterator[Member]:
        for i in range(40):  # more than are taken in at once
            if wanted(f"ant/{i}.jpg"):
                yield Member(f"ant/{i}.jpg", jpeg(str(i), (60, 40)))
        raise BrokenError

    class Counts:
        def __init__(self) -> None:
            self.last: dict[str, tuple[int, int]] = {}

        def counted(self, label: str, stored: int, refused: int) -> None:
            self.last[label] = stored, refused

        def say(self, text: str) -> None:
            raise AssertionError(text)

    watcher = Counts()
    with Catalog(folder) as catalog:
        assert recipe.folder
        unpacker = Unpacker(catalog.fetches, PhotoStore(catalog, {}), recipe.folder, 100, watcher)
        with pytest.raises(BrokenError):
            unpacker.run(read)
        fetched = catalog.fetches.rows()
        assert [row.status for row in fetched] == ["stored"] * 32
        assert all((folder / row.path).is_file() for row in fetched)
        assert watcher.last == {"ant": (32, 0)}


class Silent:
    """Is told how it goes, and says nothing."""

    def counted(self, label: str, stored: int, refused: int) -> None:
        pass

    def say(self, text: str) -> None:
        pass


def test_what_is_finished_or_not_needed_is_not_even_read(tmp_path: Path) -> None:
    source = parse_recipe(ZIP.format(path="x.zip"), "mine.toml").folder
    assert source
    files = {name: jpeg(name, (60, 40)) for name in ("ant/1.jpg", "ant/2.jpg", "bee/1.jpg")}
    asked: list[dict[str, bool]] = []

    def read(wanted: Callable[[str], bool]) -> Iterator[Member]:
        asked.append({name: wanted(name) for name in files})
        return (Member(name, files[name]) for name, yes in asked[-1].items() if yes)

    with Catalog(tmp_path) as catalog:
        Unpacker(catalog.fetches, PhotoStore(catalog, {"bee": 0}), source, 100, Silent()).run(read)
        catalog.scan()
        files["ant/3.jpg"] = jpeg("3", (60, 40))
        Unpacker(catalog.fetches, PhotoStore(catalog, {"bee": 0}), source, 100, Silent()).run(read)
        found = {(row.label, row.title): (row.status, row.reason) for row in catalog.fetches.rows()}
    assert asked == [
        {"ant/1.jpg": True, "ant/2.jpg": True, "bee/1.jpg": False},
        {"ant/1.jpg": False, "ant/2.jpg": False, "bee/1.jpg": False, "ant/3.jpg": True},
    ]
    stored = {("ant", f"{i}.jpg"): ("stored", "") for i in (1, 2, 3)}
    assert found == {**stored, ("bee", "1.jpg"): ("waiting", ENOUGH)}


def test_a_long_archive_is_recorded_as_it_is_read(tmp_path: Path) -> None:
    source = parse_recipe(ZIP.format(path="x.zip"), "mine.toml").folder
    assert source
    with Catalog(tmp_path) as catalog:

        def read(wanted: Callable[[str], bool]) -> Iterator[Member]:
            data = jpeg("one", (60, 40))
            for i in range(130):
                if i == 100:
                    assert len([row for row in catalog.fetches.rows() if row.status != "waiting"]) >= 32
                yield Member(f"ant/{i}.jpg", data)

        Unpacker(catalog.fetches, PhotoStore(catalog, {}), source, 100, Silent()).run(read)
        assert len(catalog.fetches.rows(status="duplicate")) == 129


@pytest.mark.parametrize("between", [0, 40])
def test_a_name_that_an_archive_holds_twice_loses_no_photo(between: int, tmp_path: Path) -> None:
    """``tar -r`` appends a file that changed, and leaves the old one where it is."""
    source = parse_recipe(ZIP.format(path="x.zip"), "mine.toml").folder
    assert source
    members = [Member("ant/1.jpg", jpeg("one", (60, 40)))]
    members += [Member(f"bee/{i}.jpg", jpeg(f"b{i}", (60, 40))) for i in range(between)]
    members.append(members[0])
    with Catalog(tmp_path) as catalog:
        Unpacker(catalog.fetches, PhotoStore(catalog, {}), source, 100, Silent()).run(lambda wanted: members)
        (row,) = catalog.fetches.rows("ant")
        assert (row.status, row.reason) == ("stored", "")
        assert (tmp_path / row.path).is_file()


LABELLED = ZIP.replace("[collect]", '[folder.label]\nby = "pattern"\npattern = "{pattern}"\n[collect]')


@pytest.mark.parametrize("first", ["^nothing-(.)", "^(.)[a-z]+_"])
def test_a_labelling_rule_that_was_mended_labels_what_it_did_not(first: str, tmp_path: Path) -> None:
    """What got no class, or was not needed of a wrong one, is taken into the right one when asked again."""
    write_zip(
        tmp_path / "mine.zip",
        {f"{label}_{i}.jpg": jpeg(f"{label}{i}") for label in ("ant", "bee") for i in (1, 2)},
    )
    out = tmp_path / "photos"
    for pattern, most, again in ((first, 0, False), ("^([a-z]+)_", None, True)):
        text = LABELLED.format(path=tmp_path / "mine.zip", pattern=pattern)
        report = collect_photos(parse_recipe(text, "mine.toml"), out, most=most, again=again, bars=False)
    assert {label: report.classes[label].photos for label in ("ant", "bee")} == {"ant": 2, "bee": 2}


def test_a_stored_photo_stays_on_record_where_its_label_of_today_is_full(tmp_path: Path) -> None:
    write_zip(tmp_path / "mine.zip", {f"ant_{i}.jpg": jpeg(f"ant{i}") for i in (1, 2)})
    for pattern, most in (("^(.)[a-z]+_", None), ("^([a-z]+)_", 0)):
        recipe = parse_recipe(LABELLED.format(path=tmp_path / "mine.zip", pattern=pattern), "mine.toml")
        report = collect_photos(recipe, tmp_path / "photos", most=most, bars=False)
    assert report.classes["a"].stored == 2
    assert report.classes["a"].photos == 2


def test_a_file_that_an_archive_would_not_give_is_refused_for_its_reason(tmp_path: Path) -> None:
    source = parse_recipe(ZIP.format(path="x.zip"), "mine.toml").folder
    assert source
    members = [Member("ant/1.jpg", None, "is encrypted"), Member("2.jpg", None, "is too large")]
    members.append(Member("3.jpg", b"no photo"))
    with Catalog(tmp_path) as catalog:
        for _ in range(2):
            unpacker = Unpacker(catalog.fetches, PhotoStore(catalog, {}), source, 100, Silent())
            unpacker.run(lambda wanted: [m for m in members if wanted(m.name)])
            catalog.fetches.reopen()
        fetched = catalog.fetches.rows()
        assert [(row.label, row.status, row.reason, row.lasting) for row in fetched] == [
            ("ant", "refused", "is encrypted", True),
            ("", "refused", "is too large", True),
            ("", "refused", "has a name that the labelling rule gives no class", True),
        ]
        assert (fetched[2].received, fetched[2].bytes) == (hash_bytes(b"no photo"), 8)


def test_an_archive_without_a_photo_is_a_sentence_and_no_accident(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_zip(tmp_path / "mine.zip", {"notes.txt": b"no photo"})
    (tmp_path / "mine.toml").write_text(ZIP.format(path="mine.zip"))
    monkeypatch.chdir(tmp_path)
    status, _, err = fastclf("collect", "mine.toml", monkeypatch=monkeypatch, capsys=capsys)
    assert status == 1
    assert "No photo was stored." in err


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/my%20pets.tgz", "mypets.tgz"),
        ("/a/" + "x" * 500 + ".tar.gz", "x" * 73 + ".tar.gz"),
        ("/..", "archive"),
        ("/.hidden.zip", "hidden.zip"),
        ("/a%2F..%2Fb.zip", "b.zip"),
        ("/b*d:n|me.zip", "bdnme.zip"),
    ],
)
def test_the_file_of_an_archive_has_a_plain_name(path: str, name: str) -> None:
    found = name_archive(f"https://a.example{path}")
    assert found[12:] == f"-{name}"
    assert set(found[:12]) <= set("0123456789abcdef")


@pytest.fixture
def fetch_archive(tmp_path: Path, rule: AddressRule, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Download an archive into a home of the test's own."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    monkeypatch.setattr(fetch, "_PAUSES", ())

    def fetch_archive(url: str, progress: Callable[[int, int | None], None] | None = None) -> Path:
        source = parse_recipe(
            ZIP.replace("folder", "archive").replace("path", "url").format(url=url), "x"
        ).archive
        assert source
        with Fetcher(rule) as fetcher:
            return download_archive(fetcher, source, lambda text: None, progress)

    return fetch_archive


def test_an_archive_that_was_cut_off_is_gone_on_with_and_one_that_is_gone_is_not(
    web: Web, fetch_archive: Callable[..., Path]
) -> None:
    with pytest.raises(
        ArchiveError, match=r"was cut off on its way\. The same command goes on where it stopped\."
    ):
        fetch_archive(web.add("/cut.tgz", behave.wrong_length(b"x" * 10, 100)))
    with pytest.raises(ArchiveError, match=r"answered 404 \(not found\)\.$"):
        fetch_archive(web.url("/gone.tgz"))


def test_the_progress_of_an_archive_is_told(web: Web, fetch_archive: Callable[..., Path]) -> None:
    data, told = bytes(300_000), []
    file = fetch_archive(web.photo("/a.tgz", data), lambda done, total: told.append((done, total)))
    assert file.read_bytes() == data
    assert told[-1] == (300_000, 300_000)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


# -- the course's calls --


def test_a_search_asks_for_no_more_pages_than_it_needs() -> None:
    found = {"ant": [f"http://a/{i}" for i in range(50)]}
    first, second = FakeService(found), FakeService(found, "openverse")
    assert len(search_images("ant photo", 25, services=[first, second])) == 25
    assert (first.asked, second.asked) == ([("ant photo", 1), ("ant photo", 2)], [])
    first, second = FakeService(found), FakeService({}, "openverse")
    assert len(search_images("ant photo", 80, services=[first, second])) == 50
    assert [page for _, page in first.asked] == [1, 2, 3, 4]
    assert [page for _, page in second.asked] == [1]


def test_a_search_that_never_ends_or_repeats_itself_ends() -> None:
    endless, same = Endless(1), Endless(5, same=True)
    assert len(search_images("ant", 1000, services=[endless])) == 20
    assert len(search_images("ant", 1000, services=[same])) == 5
    assert len(same.asked) == 2


def test_a_service_whose_package_is_missing_is_passed_over() -> None:
    class Missing(FakeService):
        def search(self, query: str, page: int) -> list[Found]:
            raise MissingExtraError("Install ddgs.")

    other = FakeService({"ant": ["http://a/1"]}, "openverse")
    assert search_images("ant photo", services=[Missing({}), other]) == ["http://a/1"]
    with pytest.raises(SearchError, match=r"\(Install ddgs\)"):
        search_images("ant photo", services=[Missing({})])


def test_size_time_and_number_of_requests_are_what_the_caller_says(
    web: Web, rule: AddressRule, tmp_path: Path
) -> None:
    silent = web.add("/silent", behave.silent())
    web.delay = 0.03
    urls = [*photos(web, "ant", 8), silent]
    report = download_images(
        tmp_path / "p" / "ant", urls=urls, n_workers=2, timeout=0.5, max_size=50, rule=rule, bars=False
    )
    assert rows(report)[silent]["reason"] == "took longer than 0.5 s"
    assert report.photos == 8
    assert web.most_at_once() == 2
    with Catalog(tmp_path / "p") as catalog:
        assert {max(photo.width, photo.height) for photo in catalog.photos().photos} == {50}
    assert report.sheets == {}


def test_what_failed_for_now_is_tried_again_by_the_next_call(
    web: Web, rule: AddressRule, tmp_path: Path
) -> None:
    urls = [web.add("/busy.jpg", behave.flaky(3, jpeg("busy"), code=503)), web.url("/gone.jpg")]
    first = download_images(tmp_path / "p" / "ant", urls=urls, rule=rule, bars=False)
    second = download_images(tmp_path / "p" / "ant", urls=urls, rule=rule, bars=False)
    assert (first.photos, second.photos) == (0, 1)
    assert web.count("/gone.jpg") == 1


def test_ctrl_c_ends_downloads_at_once(web: Web, rule: AddressRule, tmp_path: Path) -> None:
    slow = web.add("/slow.jpg", behave.slow_drip(jpeg("slow"), 0.01))
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        download_images(tmp_path / "p" / "ant", urls=[slow], rule=rule, bars=False)
    assert time.monotonic() - started < 3


def test_the_class_folder_may_be_where_one_stands(
    web: Web, rule: AddressRule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "p" / "ant").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "p" / "ant")
    report = download_images(".", urls=photos(web, "ant", 1), rule=rule, bars=False)
    assert report.classes["ant"].photos == 1
    assert len(list(Path.cwd().iterdir())) == 1
    assert report.table == tmp_path / "p-report" / "collected.csv"


def test_a_photo_that_is_larger_than_an_upload_may_be_is_still_one(tmp_path: Path) -> None:
    (tmp_path / "large.bmp").write_bytes(encode(draw_scene("large"), "BMP") + bytes(MAX_BYTES))
    assert verify_images([tmp_path / "large.bmp"]) == []


# -- the command --


def fastclf(
    *args: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    """Run the command in this process; returns its status, stdout and stderr."""
    monkeypatch.setattr(sys, "argv", ["fastclf", *args])
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


Command = Callable[..., tuple[int, str, str]]


class FakeCheck:
    def to_text(self) -> str:
        return "the check's words"


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command in a folder with ``mine.toml``, a recipe of a zip file with three ants and three bees."""
    files = {f"{label}/{i}.jpg": jpeg(f"{label}{i}") for label in ("ant", "bee") for i in range(3)}
    write_zip(tmp_path / "mine.zip", files)
    (tmp_path / "mine.toml").write_text(ZIP.format(path="mine.zip"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli_photos, "run_check", lambda folder: FakeCheck())
    return lambda *args: fastclf(*args, monkeypatch=monkeypatch, capsys=capsys)


def test_the_command_collects_a_recipe_of_ones_own_and_says_what_comes_next(command: Command) -> None:
    status, out, err = command("collect", "mine.toml", "--no-check")
    assert status == 0
    assert len(list(Path("photos/mine").glob("*/*.jpg"))) == 6
    assert out.splitlines()[0].startswith("class")
    assert "the check's words" not in out + err
    assert err.splitlines()[-1] == "Next: fastclf train mine.toml"
    status, _, err = command("collect", "mine.toml", "--no-check", "--out", "elsewhere", "--max", "1")
    assert (status, len(list(Path("elsewhere").glob("*/*.jpg")))) == (0, 2)
    assert err.splitlines()[-1] == "Next: fastclf train elsewhere"


def test_a_run_that_has_nothing_to_add_is_no_failure_and_again_brings_back_what_was_deleted(
    command: Command,
) -> None:
    command("collect", "mine.toml", "--no-check")
    next(Path("photos/mine/ant").glob("*.jpg")).unlink()
    status, out, _ = command("collect", "mine.toml", "--no-check", "--json")
    assert (status, json.loads(out)["new"], json.loads(out)["photos"]) == (0, 0, 5)
    status, out, _ = command("collect", "mine.toml", "--no-check", "--json", "--again")
    assert (status, json.loads(out)["new"], json.loads(out)["photos"]) == (0, 1, 6)


def test_a_run_without_a_photo_is_a_failure_and_not_checked(command: Command) -> None:
    write_zip(Path("mine.zip"), {"ant/1.jpg": b"<html>"})
    status, out, err = command("collect", "mine.toml")
    assert status == 1
    assert "is a web page" in out
    assert err.splitlines() == ["No photo was stored."]


def test_the_check_follows_by_itself_and_json_stays_json(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[Path] = []
    monkeypatch.setattr(cli_photos, "run_check", lambda folder: checked.append(Path(folder)) or FakeCheck())
    status, out, _ = command("collect", "mine.toml")
    assert (status, out.splitlines()[-1]) == (0, "the check's words")
    status, out, err = command("collect", "mine.toml", "--json")
    assert json.loads(out)["photos"] == 6
    assert "the check's words" in err
    assert checked == [Path("photos/mine")] * 2


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MissingExtraError("Install it."), "The check was left out. Install it."),
        (CheckError("It broke."), "The check could not be made: It broke."),
    ],
)
def test_photos_are_collected_though_they_cannot_be_checked(
    error: Exception, words: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(folder: Path) -> None:
        raise error

    monkeypatch.setattr(cli_photos, "run_check", fail)
    status, out, err = command("collect", "mine.toml")
    assert (status, out.splitlines()[-1]) == (0, words)
    assert err.splitlines()[-1].startswith("Next:")


def test_ctrl_c_says_that_nothing_is_lost(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(self: Unpacker, read: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Unpacker, "run", stop)
    status, _, err = command("collect", "mine.toml")
    assert status == 130
    assert "the same command goes on" in err


def test_a_new_recipe_is_written_only_where_none_is_and_where_it_can_be(command: Command) -> None:
    status, _, err = command("recipes", "new", "my mugs.toml")
    assert (status, "fastclf collect 'my mugs.toml'" in err) == (0, True)
    before = Path("my mugs.toml").read_bytes()
    assert load_recipe("my mugs.toml").name == "my-mugs"
    for name, words in {
        "my mugs.toml": "is there already",
        "mugs.txt": "does not end with .toml",
        "nowhere/mugs.toml": "There is no folder nowhere",
    }.items():
        status, _, err = command("recipes", "new", name)
        assert (status, words in err) == (2, True), err
    assert Path("my mugs.toml").read_bytes() == before
    assert not Path("mugs.txt").exists()


@pytest.mark.parametrize(
    ("name", "becomes"), [("---.toml", "mine"), ("熊.toml", "mine"), ("-a b-.toml", "a-b")]
)
def test_the_name_of_a_new_recipe_is_one_that_can_be_used(name: str, becomes: str, command: Command) -> None:
    assert command("recipes", "new", "--", name)[0] == 0
    assert load_recipe(Path(name)).name == becomes
