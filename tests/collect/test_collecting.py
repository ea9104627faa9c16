"""Collecting by search: every address is accounted for, whatever the web does."""

from __future__ import annotations

import gzip
import itertools
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from PIL import Image

from fastclf import Catalog
from fastclf.collect import CollectSummary, Found, gather, photo_store, plan, progress
from fastclf.collect.photo_store import ENOUGH
from fastclf.collect.services import LimitedError, UnreachableError
from fastclf.errors import CatalogError, MissingExtraError, PhotosError, SearchError

from ..conftest import ROOT
from . import web as behave
from .conftest import RECIPE, Collect, Endless, FakeService, counts, files, jpeg, pair, photos, rows
from .web import Web

pytestmark = pytest.mark.slow

OFFLINE = UnreachableError("duckduckgo", "could not be reached")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where `run` collects to."""
    return tmp_path / "photos" / "pair"


def stored_in(folder: Path) -> list[str]:
    """What the record says is stored by now."""
    if not (folder / ".fastclf" / "catalog.sqlite").exists():
        return []
    with Catalog(folder) as catalog:
        return [row.path for row in catalog.fetches.rows(status="stored")]


def see_stored(folder: Path, wanted: int, work: Callable[[], object]) -> bool:
    """Return whether the record had so many photos while the work still went on; ends with the work."""
    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive() and len(stored_in(folder)) < wanted:
        time.sleep(0.02)
    was_running = thread.is_alive()
    thread.join()
    return was_running


def faults(web: Web) -> dict[str, str]:
    """{url: words of its reason} of everything that can go wrong."""
    data = jpeg("fault", (320, 240))
    served = {
        "silent": (behave.SILENT, "took longer than 1 s"),
        "forbidden": (behave.status(403), "answered 403 (forbidden)"),
        "inside": (behave.redirect("http://10.0.0.1/a.jpg"), "no public address"),
        "large": (behave.wrong_length(data, 21 * 2**20), "has 21.0 MB, more than the 20 MB"),
        "page": (behave.HTML, "is a web page"),
        "drawing": (behave.SVG, "is an SVG drawing"),
        "cut": (behave.called_jpeg(data[: len(data) // 2]), "cut off"),
        "huge": (behave.HUGE, "pixels"),
        "short": (behave.wrong_length(data, 2 * len(data)), "was cut off on its way"),
        "reset": (behave.reset(), "was cut off on its way"),
        "packed": (
            behave.called_jpeg(gzip.compress(data), **{"Content-Encoding": "gzip"}),
            "came compressed",
        ),
    }
    return {web.add(f"/{name}", how): words for name, (how, words) in served.items()} | {
        "http://user:secret@127.0.0.1/a.jpg": "user name or a password",
        "ftp://127.0.0.1/a.jpg": "does not begin with http",
        '=HYPERLINK("http://x")': "does not begin with http",
        "http://192.168.0.1/a.jpg": "no public address",
        "http://127.0.0.1:22/a.jpg": "names port 22",
    }


def test_every_address_ends_in_a_row_with_what_became_of_it(web: Web, run: Collect) -> None:
    bad = faults(web)
    cats, dogs = photos(web, "cat", 30), photos(web, "dog", 30)
    # a host of its own, whose one request to wait does not hold up the others
    web.add("/later", behave.limited(9, 300, b""))
    bad[web.url("/later", "b.example")] = "answered 429 (too many requests)"
    summary = run([FakeService({"cat": [*bad, *cats], "dog": dogs})], wanted=31, seconds=1.0)
    # what a spreadsheet would compute is defused
    table = {url.removeprefix("'"): row for url, row in rows(summary).items()}
    assert set(table) == {*bad, *cats, *dogs}
    for url, words in bad.items():
        assert (table[url]["status"], words in table[url]["reason"]) == ("refused", True), table[url]
    assert {(table[url]["status"], table[url]["licence"]) for url in (*cats, *dogs)} == {
        ("stored", "CC0 1.0")
    }
    assert (table[cats[0]]["page"], table[cats[0]]["query"]) == ("http://page.example/cat", "cat photo")
    assert {table[url]["path"] for url in (*cats, *dogs)} == set(files(summary))
    assert (summary.classes["cat"].stored, summary.classes["cat"].refused) == (30, len(bad))
    assert all(hit.headers["accept"].startswith("image/") for hit in web.hits)
    assert all(words in summary.to_text() for words in ("60", "30", "answered 403 (forbidden)"))


def test_an_address_is_counted_when_it_is_refused(
    web: Web, run: Collect, told: dict[str, tuple[int, int]]
) -> None:
    flaky, gone = web.add("/flaky.jpg", behave.flaky(1, jpeg("flaky"))), web.url("/gone.jpg")
    run([FakeService({"cat": [flaky, *photos(web, "cat", 2)], "dog": [gone, *photos(web, "dog", 2)]})])
    assert told == {"cat": (3, 0), "dog": (2, 1)}


def test_one_picture_is_stored_once_whatever_its_address_or_metadata(web: Web, run: Collect) -> None:
    data, exif = jpeg("cat0"), b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"
    marked = data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:]
    urls = [web.photo("/one.jpg", data), web.photo("/two.jpg", data), web.photo("/three.jpg", marked)]
    summary = run([FakeService({"cat": urls, "dog": [urls[0], *photos(web, "dog", 3)]})])
    with Catalog(summary.folder) as catalog:
        cats, dogs = (catalog.fetches.rows(label) for label in ("cat", "dog"))
    assert sorted(row.status for row in cats) == ["duplicate", "duplicate", "stored"]
    stored = next(row.path for row in cats if row.status == "stored")
    assert all(stored in row.reason for row in cats if row.status == "duplicate")
    [again] = [row for row in dogs if row.url == urls[0]]
    assert (again.status, again.reason) == ("duplicate", "was found for cat too")
    assert len(files(summary)) == 4


def test_no_more_is_stored_than_was_asked_for_and_of_the_rest_it_is_said(
    web: Web, run: Collect, tmp_path: Path
) -> None:
    service = pair(web, 40, 15)
    summary = run([service], wanted=20, sheets=True)
    assert (summary.classes["cat"].photos, summary.classes["dog"].photos) == (20, 15)
    waiting = [row["reason"] for row in rows(summary).values() if row["status"] == "waiting"]
    assert waiting == [ENOUGH] * summary.classes["cat"].waiting == [ENOUGH] * 20
    assert summary.notes == (
        "Fewer than were asked for: 5 of dog are missing. There are no more to be found; add search words or "
        "addresses to the recipe.",
    )
    assert ("dog", 1) in service.asked  # the second variation was tried
    assert summary.sheets.keys() == {"cat", "dog"}
    assert all(Image.open(sheet).width > 400 for sheet in summary.sheets.values())
    assert run([pair(web, 2)], wanted=2).notes == ()
    assert counts(run([pair(web, 8)], wanted=5, most=40)) == {"cat": 40, "dog": 15}


def test_little_more_is_searched_and_fetched_than_is_needed(web: Web, run: Collect) -> None:
    web.delay = 0.05
    service = pair(web, 30)
    summary = run([service], wanted=5, parallel=30, per_host=30)
    assert summary.photos == 10
    assert sorted(service.asked) == [("cat photo", 1), ("dog photo", 1)]
    # some of what comes may be of no use, so a few more are asked for
    assert len(web.hits) <= 2 * (5 * 1.3 + 3)


def test_searches_are_made_in_the_order_of_the_recipe_for_as_many_as_it_says(web: Web, run: Collect) -> None:
    service = FakeService({"cat": photos(web, "cat", 2), "kitten": photos(web, "kitten", 9)})
    recipe = RECIPE.replace('"cat"', '{{ search = ["cat", "kitten"], photos = 3 }}', 1)
    summary = run([service], recipe=recipe, wanted=2)
    assert counts(summary) == {"cat": 3, "dog": 0}
    asked = [query for query, _ in service.asked if "cat" in query or "kitten" in query]
    assert asked[:2] == ["cat photo", "kitten photo"]


def test_a_class_asks_once_at_a_time_and_services_have_pauses(
    run: Collect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "_PAUSE", 0.05)
    monkeypatch.setattr(plan, "_MAX_PAGE", 2)
    asked: list[tuple[str, str, float, float]] = []

    class Noted(Endless):
        def search(self, query: str, page: int) -> list[Found]:
            begin = time.monotonic()
            time.sleep(0.02)
            found = super().search(query, page)
            asked.append((self.name, query.split()[0], begin, time.monotonic()))
            return found

    run([Noted(3), Noted(3, "openverse"), Noted(3, "wikimedia")], wanted=200)
    assert len(asked) >= 12
    for place, pause in ((0, 0.05), (1, 0.0)):
        for who in {one[place] for one in asked}:
            times = sorted(one[2:] for one in asked if one[place] == who)
            assert all(later[0] >= earlier[1] + pause for earlier, later in itertools.pairwise(times)), who


def test_classes_take_turns_at_a_search(run: Collect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "_MAX_PAGE", 5)
    service = Endless(3)
    run([service], wanted=200)
    terms = [query.split()[0] for query, _ in service.asked]
    assert {tuple(sorted(terms[i : i + 2])) for i in range(0, 20, 2)} == {("cat", "dog")}


def test_a_search_that_repeats_itself_is_not_followed(run: Collect) -> None:
    service = Endless(3, same=True)
    run([service], wanted=200)
    assert sorted(service.asked) == sorted(
        (query, page) for term in ("cat", "dog") for query in (f"{term} photo", term) for page in (1, 2)
    )


def test_a_host_is_not_asked_by_more_than_its_share_at_once(web: Web, run: Collect) -> None:
    web.delay = 0.03
    found = {"cat": photos(web, "cat", 12, "a.example"), "dog": photos(web, "dog", 12, "b.example")}
    assert run([FakeService(found)], wanted=12, per_host=3).photos == 24
    assert (web.most_at_once("a.example"), web.most_at_once("b.example")) == (3, 3)
    assert web.most_at_once() > 3


def test_a_dead_host_does_not_hold_up_the_run_and_the_next_run_asks_it_again(web: Web, run: Collect) -> None:
    paths = [f"/dead{i}" for i in range(12)]
    for path in paths:
        web.add(path, behave.SILENT)
    dead = [web.url(path, "c.example") for path in paths]
    found = {"cat": [*dead, *photos(web, "cat", 3)], "dog": photos(web, "dog", 3)}
    started = time.monotonic()
    summary = run([FakeService(found)], wanted=20, seconds=0.4)
    assert (summary.photos, time.monotonic() - started < 4) == (6, True)
    reasons = [rows(summary)[url]["reason"] for url in dead]
    assert reasons.count("took longer than 0.4 s, like others of its host") >= 4
    for path in paths:
        web.photo(path, jpeg(path))
    assert run([FakeService(found)], wanted=20).photos == 18


@pytest.mark.parametrize(("large", "at_once"), [(16_000_000, 2), (100, 1)])
def test_no_more_photos_are_decoded_at_once_than_there_are_cores_and_of_large_ones_one(
    large: int, at_once: int, web: Web, run: Collect, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, most, lock, prepare = [0], [0], threading.Lock(), photo_store.prepare_photo

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

    monkeypatch.setattr(photo_store, "prepare_photo", counted)
    monkeypatch.setattr(gather, "_LARGE", large)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    run([pair(web, 8)], per_host=16)
    assert most == [at_once]


@pytest.mark.parametrize(("rest", "said"), [(0.2, "waiting 1 s"), (0.0, "waiting 0 s")])
def test_a_limited_service_is_waited_for_and_the_next_one_is_asked_meanwhile(
    rest: float, said: str, web: Web, run: Collect
) -> None:
    heard: list[str] = []
    first = FakeService(pair(web, 4).found, fails=LimitedError("duckduckgo", rest), times=1)
    second = FakeService({"cat": photos(web, "tiger", 3)}, "openverse")
    summary = run([first, second], say=heard.append)
    assert counts(summary) == {"cat": 7, "dog": 4}
    assert heard == [f"duckduckgo asks for fewer requests: {said}."]
    assert {row["source"] for row in rows(summary).values()} == {"duckduckgo", "openverse"}


class PanicException(BaseException):
    """What compiled code raises, of which ddgs's client is made; no Exception in Python."""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyError("image"), "is not used in this run: failed (KeyError)."),
        (MissingExtraError("Install ddgs."), "is not used in this run: Install ddgs."),
        (PanicException("unwrap"), "broke down (PanicException); this run goes without it."),
        (OFFLINE, "could not be reached; this run goes without it."),
        (None, "is not used in this run: failed (TypeError)."),  # it answers with no list
    ],
)
def test_one_service_that_fails_does_not_end_the_run(
    error: BaseException | None, said: str, web: Web, run: Collect, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = FakeService({}, fails=error)
    if error is None:
        monkeypatch.setattr(bad, "search", lambda query, page: None)
    heard: list[str] = []
    done: list[CollectSummary] = []
    services = [bad, FakeService(pair(web, 2).found, "openverse")]
    thread = threading.Thread(target=lambda: done.append(run(services, say=heard.append)), daemon=True)
    thread.start()
    thread.join(10)
    assert [summary.photos for summary in done] == [4]
    assert heard == [f"duckduckgo {said}"]
    assert "Left out of this run: duckduckgo: " in done[0].notes[0]


def test_without_a_network_a_sentence_says_what_to_do_instead(web: Web, run: Collect, tmp_path: Path) -> None:
    with pytest.raises(SearchError, match=r"duckduckgo: could not be reached.*urls.*folder.*demo"):
        run([FakeService({}, fails=OFFLINE), FakeService({}, "openverse", fails=OFFLINE)])
    # a search that finds nothing is no error, and a list of addresses needs none
    assert (
        "10 of cat, 10 of dog" in run([FakeService({}, fails=OFFLINE), FakeService({}, "openverse")]).notes[0]
    )
    (tmp_path / "dogs.txt").write_text("\n".join(photos(web, "dog", 2)))
    listed = RECIPE.replace('dog = "dog"', 'dog = {{ urls = "dogs.txt" }}')
    assert counts(run([FakeService({}, fails=OFFLINE)], recipe=listed)) == {"cat": 0, "dog": 2}


def test_odd_texts_of_a_service_do_not_end_the_run(web: Web, run: Collect) -> None:
    odd = [Found("http://a/\ud83d", title="Cat \ud83d"), Found("", title="none")]
    odd.append(Found("x\ny", licence=None))  # type: ignore[arg-type]
    summary = run([FakeService({"cat": [*odd, *photos(web, "cat", 3)], "dog": photos(web, "dog", 3)})])
    assert (summary.photos, rows(summary)["http://a/"]["status"]) == (6, "refused")


def test_a_second_run_fetches_nothing_twice_and_takes_up_what_is_missing(web: Web, run: Collect) -> None:
    flaky = web.add("/flaky.jpg", behave.flaky(3, jpeg("flaky"), code=503))
    gone = web.add("/gone.jpg", behave.status(404))
    found = {"cat": [flaky, gone, *photos(web, "cat", 4)], "dog": photos(web, "dog", 5)}
    services = [FakeService(found) for _ in range(3)]
    first = run(services[:1])
    assert rows(first)[flaky]["reason"] == "answered 503 (service unavailable)"
    before, hits = files(first), len(web.hits)
    second = run(services[1:2])
    assert {hit.path for hit in web.hits[hits:]} == {"/flaky.jpg"}
    assert rows(second)[flaky]["status"] == "stored"
    assert second.new == 1
    assert before.items() <= files(second).items()
    assert run(services[2:]).new == 0
    assert len(web.hits) == hits + 1
    # nor is a search of an earlier run repeated
    assert [bool(service.asked) for service in services] == [True, False, False]


def test_a_photo_that_was_thrown_away_stays_away_until_it_is_asked_for(web: Web, run: Collect) -> None:
    service = pair(web, 3)
    first = run([service])
    thrown = next(name for name in files(first) if name.startswith("cat/"))
    (first.folder / thrown).unlink()
    second = run([service])
    assert thrown not in files(second)
    assert "1 photos that were stored once are no longer" in second.to_text()
    # nor does it come back under another address
    third = run([FakeService({"cat": [*service.found["cat"], *photos(web, "cat", 3, "a.example")]})])
    assert thrown not in files(third)
    assert thrown in files(run([service], again=True))


def test_more_photos_later_even_after_everything_was_asked_for_again(web: Web, run: Collect) -> None:
    service = pair(web, 25)
    assert run([service], wanted=3).photos == 6
    assert run([service], wanted=23, again=True).photos == 46


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_misspelt_class_gives_its_addresses_up(by_hand: bool, web: Web, run: Collect, folder: Path) -> None:
    """The wrong folder is deleted, or renamed by hand."""
    service = pair(web, 8)
    run([service], wanted=4, recipe=RECIPE.replace('cat = "cat"', 'catt = "cat"'))
    (folder / "catt").rename(folder / "cat") if by_hand else shutil.rmtree(folder / "catt")
    summary = run([service], wanted=8)
    assert (summary.classes["cat"].photos, summary.classes["dog"].photos) == (8, 8)
    assert len({*files(summary).values()}) == 16


def test_what_waits_of_a_class_of_no_recipe_is_left_alone(web: Web, run: Collect, folder: Path) -> None:
    folder.mkdir(parents=True)
    (url,) = photos(web, "bird", 1)
    with Catalog(folder) as catalog:
        catalog.fetches.add("bird", [{"url": url}])
    summary = run([pair(web, 2)])
    assert (web.count("/bird/0.jpg"), summary.photos) == (0, 4)
    assert (rows(summary)[url]["status"], rows(summary)[url]["reason"]) == ("waiting", "")


def test_photos_without_a_record_are_not_overwritten_nor_counted_twice(
    web: Web, run: Collect, folder: Path
) -> None:
    service = pair(web, 8)
    before = files(run([service], wanted=4))
    shutil.rmtree(folder / ".fastclf")
    second = run([service], wanted=6, largest_side=50)
    assert before.items() <= files(second).items()
    assert counts(second) == {"cat": 6, "dog": 6}
    with Catalog(folder) as catalog:
        stored = {row.path: row.stored for row in catalog.fetches.rows(status="stored")}
        # of the first run's photos those are on record again that were fetched before the classes were full
        assert stored.items() <= {photo.name: photo.sha256 for photo in catalog.photos().photos}.items()
        assert len(stored) >= 4


def test_photos_are_on_the_disk_before_the_record_says_so(web: Web, run: Collect, synced: set[str]) -> None:
    assert synced == set(files(run([pair(web, 5)])))
    assert len(synced) == 10


def test_what_came_is_on_record_while_the_run_goes_on(web: Web, run: Collect, folder: Path) -> None:
    data = jpeg("slow")
    web.add("/slow.jpg", behave.slow_drip(data, 0.9 / len(data)))
    found = {"cat": [*photos(web, "cat", 3), web.url("/slow.jpg", "c.example")], "dog": photos(web, "dog", 3)}
    assert see_stored(folder, 6, lambda: run([FakeService(found)], seconds=10.0))
    assert len(stored_in(folder)) == 7


def test_what_came_is_on_record_before_a_long_wait(web: Web, run: Collect, folder: Path) -> None:
    def tire(query: str, page: int) -> None:
        if page == 2:
            time.sleep(1)  # what was found is fetched meanwhile, on a busy machine too
            raise LimitedError("duckduckgo", 3 if len(service.asked) < 4 else 999)

    service = FakeService({"cat": photos(web, "cat", 3)}, before=tire)
    assert see_stored(folder, 3, lambda: run([service]))


def test_what_was_decoded_when_the_run_was_broken_off_is_on_record(
    web: Web, run: Collect, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, prepare, said = threading.Event(), photo_store.prepare_photo, []

    def slow(data: bytes, side: int) -> Any:
        begun.set()
        time.sleep(0.3)
        return prepare(data, side)

    def tire(query: str, page: int) -> None:
        if query.startswith("dog"):
            begun.wait(5)
            raise LimitedError("duckduckgo", 60)

    def interrupt(self: progress.ProgressBars, text: str) -> None:
        said.append(text)
        if len(said) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(photo_store, "prepare_photo", slow)
    monkeypatch.setattr(progress.ProgressBars, "say", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run([FakeService({"cat": photos(web, "cat", 2)}, before=tire)])
    recorded = stored_in(folder)
    assert recorded
    assert sorted(recorded) == sorted(p.relative_to(folder).as_posix() for p in folder.glob("cat/*"))


@pytest.mark.parametrize("hangs", ["photos", "search"])
def test_ctrl_c_ends_a_run_and_keeps_what_came(hangs: str, web: Web, run: Collect, folder: Path) -> None:
    for i in range(20):
        web.add(f"/slow{i}", behave.slow_drip(jpeg("slow"), 0.01))
    slow = [web.url(f"/slow{i}", "c.example") for i in range(20)]
    found = {"cat": [*photos(web, "cat", 5), *slow], "dog": photos(web, "dog", 5)}
    service = FakeService(found, before=lambda *_: time.sleep(8 if hangs == "search" else 0))
    said: list[str] = []
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run([service], wanted=25, seconds=30.0, say=said.append)
    assert time.monotonic() - started < 3
    assert said == ["Stopping ..."]
    if hangs == "photos":
        with Catalog(folder) as catalog:
            states = {row.url: row.status for row in catalog.fetches.rows()}
        assert {states[url] for url in (*found["cat"][:5], *found["dog"])} == {"stored"}
        assert {states[url] for url in slow} == {"waiting"}


CHILD = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from fastclf.collect import Found, collect_photos, plan
from fastclf.collect.web import AddressRule
from fastclf.collect.recipes import parse_recipe
port, count, out, recipe = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
class Service:
    name = "duckduckgo"
    def search(self, query, page):
        term, _, rest = query.partition(" ")
        numbers = range(20 * page - 20, min(20 * page, count)) if rest else ()
        return [Found(f"http://127.0.0.1:{port}/{term}/{i}.jpg") for i in numbers]
plan._PAUSE = 0
rule = AddressRule(allow=frozenset({("127.0.0.1", port)}))
try:
    collect_photos(parse_recipe(recipe, "r"), out, services=[Service()], rule=rule, bars=False, sheets=False)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize(
    ("end", "count", "kills"),
    [
        (signal.SIGKILL, 30, 1),
        (signal.SIGINT, 30, 1),
        pytest.param(signal.SIGKILL, 60, 4, marks=pytest.mark.thorough),
        pytest.param(signal.SIGINT, 60, 4, marks=pytest.mark.thorough),
    ],
)
def test_a_run_that_is_broken_off_and_repeated_stores_nothing_twice_and_loses_nothing(
    end: signal.Signals, count: int, kills: int, web: Web, run: Collect, folder: Path
) -> None:
    service = pair(web, count)
    web.delay = 0.02
    command = [sys.executable, "-c", CHILD, str(web.address[1]), str(count), str(folder)]
    for number in range(kills):
        child, hits = subprocess.Popen([*command, RECIPE.format(wanted=count)], cwd=ROOT), len(web.hits)
        deadline = time.monotonic() + 60
        while len(web.hits) < hits + 12 + 5 * number and child.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        os.kill(child.pid, end)
        assert child.wait(60) == (130 if end == signal.SIGINT else -signal.SIGKILL)
    web.delay = 0.0
    run([service], wanted=count)
    stored = [p for p in folder.rglob("*") if p.is_file() and ".fastclf" not in p.parts]
    assert len({p.read_bytes() for p in stored}) == len(stored) == 2 * count
    assert not [p for p in stored if p.name.startswith(".")]
    with Catalog(folder) as catalog:
        fetched = catalog.fetches.rows()
        assert {row.status for row in fetched} == {"stored"}
        assert len({row.path for row in fetched}) == len(fetched) == 2 * count
        assert len(catalog.photos().photos) == 2 * count
    if end == signal.SIGINT:  # what had been fetched was recorded, so it is not fetched again
        assert all(web.count(f"/cat/{i}.jpg") == 1 for i in range(3))


def test_a_used_folder_a_file_and_a_maker_s_splits_are_left_alone(
    web: Web, run: Collect, folder: Path
) -> None:
    service = FakeService({"cat": photos(web, "cat", 2)})
    folder.parent.mkdir()
    folder.write_text("mine")
    with pytest.raises(PhotosError, match="is no folder"):
        run([service])
    folder.unlink()
    (folder / ".fastclf").mkdir(parents=True)
    with FileLock(folder / ".fastclf" / "collect.lock"), pytest.raises(CatalogError, match="Another process"):
        run([service])
    for name in ("train/cat", "train/dog", "valid/cat", "valid/dog"):
        (folder / name).mkdir(parents=True)
        (folder / name / "a.jpg").write_bytes(jpeg(name))
    with pytest.raises(PhotosError, match="train and valid"):
        run([service])
    assert not (folder / "cat").exists()


def test_a_report_that_cannot_be_written_loses_no_collection(web: Web, run: Collect, folder: Path) -> None:
    folder.parent.mkdir()
    folder.with_name("pair-report").write_text("in the way")
    summary = run([pair(web, 2)])
    assert summary.photos == 4
    assert "could not be written" in summary.to_text()
