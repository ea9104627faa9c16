"""Collecting by search: every address is accounted for, whatever the web does."""

from __future__ import annotations

import csv
import io
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from fastclf import Catalog
from fastclf.collect import CollectSummary, Found
from fastclf.collect.services import LimitedError, UnreachableError
from fastclf.errors import CatalogError, SearchError

from ..conftest import ROOT
from ..drawing import draw_scene, encode
from . import web as behave
from .conftest import Collect, FakeService, jpeg
from .web import Web


def photos(web: Web, term: str, count: int, host: str | None = None) -> list[str]:
    urls = []
    for i in range(count):
        web.photo(f"/{term}/{i}.jpg", jpeg(f"{term}{i}"))
        urls.append(web.url(f"/{term}/{i}.jpg", host))
    return urls


def rows(report: CollectSummary) -> dict[str, dict[str, str]]:
    assert report.table
    return {row["url"]: row for row in csv.DictReader(report.table.open(encoding="utf-8"))}


def files(report: CollectSummary) -> dict[str, bytes]:
    found = [p for p in report.folder.rglob("*") if p.is_file() and ".fastclf" not in p.parts]
    return {p.relative_to(report.folder).as_posix(): p.read_bytes() for p in found}


def faults(web: Web) -> dict[str, str]:
    """{url: words of its reason} of everything that can go wrong."""
    data = jpeg("fault")
    found = {
        web.add("/drip", behave.slow_drip(data, 0.05)): "took longer than 2 s",
        web.add("/forbidden", behave.status(403)): "answered 403 (forbidden)",
        web.add("/later", behave.limited(9, 300, data)): "answered 429 (too many requests)",
        web.add("/inside", behave.redirect("http://10.0.0.1/a.jpg")): "no public address",
        web.add("/metadata", behave.redirect("http://169.254.169.254/latest")): "no public address",
        web.add("/loop", behave.redirect("/loop")): "redirected more than 5 times",
        web.add("/endless", behave.endless()): "larger than the 20 MB",
        web.add("/page", behave.html()): "is a web page",
        web.add("/drawing", behave.svg()): "is an SVG drawing",
        web.add("/cut", behave.truncated(data)): "cut off before its end",
        web.add("/huge", behave.huge_dimensions()): "pixels",
        web.add("/short", behave.wrong_length(data, 2 * len(data))): "was cut off on its way",
        web.add("/reset", behave.reset()): "was cut off on its way",
        web.add("/silent", behave.silent()): "took longer than 2 s",
        web.add("/packed", behave.gzipped(data)): "came compressed",
        web.add("/garbage", behave.garbage()): "no HTTP",
        "http://user:secret@127.0.0.1/a.jpg": "user name or a password",
        "ftp://127.0.0.1/a.jpg": "does not begin with http",
        "what is this": "does not begin with http",
        "http://192.168.0.1/a.jpg": "no public address",
        "http://127.0.0.1:22/a.jpg": "names port 22",
    }
    return found


@pytest.mark.slow
def test_every_address_ends_in_a_row_with_what_became_of_it(web: Web, run: Collect) -> None:
    bad = faults(web)
    cats, dogs = photos(web, "cat", 30), photos(web, "dog", 30)
    # a host of its own, whose one request to wait does not hold up the others
    later = next(url for url in bad if url.endswith("/later"))
    bad[web.url("/later", "b.example")] = bad.pop(later)
    report = run([FakeService({"cat": [*bad, *cats], "dog": dogs})], wanted=31)
    table = rows(report)
    assert set(table) == {*bad, *cats, *dogs}
    for url, words in bad.items():
        assert table[url]["status"] == "refused", url
        assert words in table[url]["reason"], (url, table[url]["reason"])
    assert {table[url]["status"] for url in (*cats, *dogs)} == {"stored"}
    assert {table[url]["licence"] for url in cats} == {"CC0 1.0"}
    assert table[cats[0]]["page"] == "http://page.example/cat"
    assert table[cats[0]]["query"] == "cat photo"
    assert {table[url]["path"] for url in (*cats, *dogs)} == set(files(report))
    assert report.classes["cat"].stored == report.classes["dog"].stored == 30
    assert report.classes["cat"].refused == len(bad)
    with Catalog(report.folder) as catalog:
        assert {row.url: row.status for row in catalog.fetches.rows()} == {
            url: row["status"] for url, row in table.items()
        }
    for words in ("60", "30", "answered 403 (forbidden)"):
        assert words in report.to_text()


def test_no_more_photos_are_stored_than_were_asked_for(web: Web, run: Collect) -> None:
    service = FakeService({"cat": photos(web, "cat", 40), "dog": photos(web, "dog", 15)})
    report = run([service], wanted=20)
    assert report.classes["cat"].photos == 20
    assert report.classes["cat"].waiting == report.classes["cat"].found - 20
    assert report.classes["dog"].photos == 15
    assert "5 of dog are missing" in report.to_text()
    assert ("dog", 1) in service.asked  # the second variation was tried
    assert report.sheets.keys() == {"cat", "dog"}
    assert all(Image.open(sheet).width > 400 for sheet in report.sheets.values())


def test_a_second_run_fetches_nothing_twice_and_takes_up_what_is_missing(web: Web, run: Collect) -> None:
    flaky = web.add("/flaky.jpg", behave.flaky(3, jpeg("flaky"), code=503))
    gone = web.add("/gone.jpg", behave.status(404))
    found = {"cat": [flaky, gone, *photos(web, "cat", 8)], "dog": photos(web, "dog", 9)}
    first = run([FakeService(found)])
    assert rows(first)[flaky]["reason"] == "answered 503 (service unavailable)"
    before, hits = files(first), len(web.hits)
    second = run([FakeService(found)])
    assert {hit.path for hit in web.hits[hits:]} == {"/flaky.jpg"}
    assert rows(second)[flaky]["status"] == "stored"
    assert second.new == 1
    assert before.items() <= files(second).items()
    third = run([FakeService(found)])
    assert third.new == 0
    assert len(web.hits) == hits + 1


def test_a_photo_that_was_thrown_away_stays_away_until_it_is_asked_for(web: Web, run: Collect) -> None:
    service = FakeService({"cat": photos(web, "cat", 5), "dog": photos(web, "dog", 5)})
    first = run([service])
    thrown = next(name for name in files(first) if name.startswith("cat/"))
    (first.folder / thrown).unlink()
    second = run([service])
    assert thrown not in files(second)
    assert "1 photos that were stored once are no longer" in second.to_text()
    # nor does it come back under another address
    web.photo("/other.jpg", next(jpeg(f"cat{i}") for i in range(5) if thrown not in files(second)))
    third = run([FakeService({"cat": [*service.found["cat"], *photos(web, "cat", 5, "a.example")]})])
    assert thrown not in files(third)
    assert thrown in files(run([service], again=True))


def test_one_picture_is_stored_once_whatever_its_address_or_metadata(web: Web, run: Collect) -> None:
    data = jpeg("cat0")
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Camera"
    block = exif.tobytes()
    marked = data[:2] + b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block + data[2:]
    assert Image.open(io.BytesIO(marked)).getexif()[ExifTags.Base.Make] == "Camera"
    urls = [web.photo("/one.jpg", data), web.photo("/two.jpg", data), web.photo("/three.jpg", marked)]
    report = run([FakeService({"cat": urls, "dog": [urls[0], *photos(web, "dog", 3)]})])
    table = list(csv.DictReader(report.table.open(encoding="utf-8"))) if report.table else []
    cats = [row for row in table if row["label"] == "cat"]
    assert sorted(row["status"] for row in cats) == ["duplicate", "duplicate", "stored"]
    stored = next(row["path"] for row in cats if row["status"] == "stored")
    assert all(stored in row["reason"] for row in cats if row["status"] == "duplicate")
    again = next(row for row in table if row["label"] == "dog" and row["url"] == urls[0])
    assert (again["status"], again["reason"]) == ("duplicate", "was found for cat too")
    assert len(files(report)) == 4


def test_a_persons_own_photo_is_not_stored_again(web: Web, run: Collect, tmp_path: Path) -> None:
    own = tmp_path / "photos" / "pair" / "cat" / "mine.jpg"
    own.parent.mkdir(parents=True)
    own.write_bytes(jpeg("cat0"))
    report = run([FakeService({"cat": photos(web, "cat", 3), "dog": photos(web, "dog", 3)})])
    assert "same picture as cat/mine.jpg" in rows(report)[web.url("/cat/0.jpg")]["reason"]
    assert report.classes["cat"].photos == 3


def test_photos_are_stored_upright_small_and_without_gps(web: Web, run: Collect) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    exif[ExifTags.Base.Make] = "SecretCamera"
    turned = encode(draw_scene("turned", (800, 400)), "JPEG", exif=exif)
    small = draw_scene("small", (120, 90))
    plain = Image.Exif()
    plain[ExifTags.Base.Make] = "SecretCamera"
    kept = encode(small, "JPEG", exif=plain)
    urls = [
        web.photo("/turned.jpg", turned),
        web.photo("/kept.jpg", kept),
        web.photo("/animation.jpg", encode(small.rotate(90), "GIF"), "image/jpeg"),
        web.photo("/noname", encode(small.rotate(180), "WEBP", lossless=True)),
    ]
    report = run([FakeService({"cat": urls, "dog": photos(web, "dog", 2)})])
    table, folder = rows(report), report.folder
    assert b"SecretCamera" in turned
    assert b"SecretCamera" in kept
    for name, data in files(report).items():
        assert b"SecretCamera" not in data, name
        assert b"Exif" not in data, name
    with Image.open(folder / table[urls[0]]["path"]) as image:
        assert image.size == (100, 200)
    with Image.open(folder / table[urls[1]]["path"]) as image:
        assert image.format == "JPEG"
        # not encoded anew: the very same pixels
        assert (np.asarray(image) == np.asarray(Image.open(io.BytesIO(kept)))).all()
    assert [Path(table[url]["path"]).suffix for url in urls[2:]] == [".png", ".webp"]


def test_a_host_is_not_asked_by_more_than_its_share_at_once(web: Web, run: Collect) -> None:
    web.delay = 0.05
    found = {"cat": photos(web, "cat", 20, "a.example"), "dog": photos(web, "dog", 20, "b.example")}
    report = run([FakeService(found)], wanted=20, per_host=3)
    assert report.photos == 40
    assert web.most_at_once("a.example") == 3
    assert web.most_at_once("b.example") == 3
    assert web.most_at_once() > 3


def test_a_host_that_asks_for_patience_is_left_in_peace_and_asked_again(web: Web, run: Collect) -> None:
    slow = web.add("/limited.jpg", behave.limited(1, 1, jpeg("limited")))
    report = run(
        [FakeService({"cat": [slow, *photos(web, "cat", 2, "a.example")], "dog": photos(web, "dog", 2)})]
    )
    assert rows(report)[slow]["status"] == "stored"
    times = [hit.time for hit in web.hits if hit.path == "/limited.jpg"]
    assert times[1] - times[0] >= 1


def test_a_dead_host_does_not_hold_up_the_run(web: Web, run: Collect) -> None:
    dead = [web.add(f"/dead{i}", behave.silent()) for i in range(30)]
    dead = [web.url(f"/dead{i}", "c.example") for i in range(30)]
    started = time.monotonic()
    report = run(
        [FakeService({"cat": [*dead, *photos(web, "cat", 5)], "dog": photos(web, "dog", 5)})], seconds=1.0
    )
    assert report.photos == 10
    assert time.monotonic() - started < 10
    reasons = [rows(report)[url]["reason"] for url in dead]
    assert sum(reason == "took longer than 1 s, like others of its host" for reason in reasons) >= 20


class Limited(FakeService):
    """Asks for patience once."""

    def search(self, query: str, page: int) -> list[Found]:
        if not self.asked:
            self.asked.append((query, page))
            raise LimitedError(self.name, 0.3)
        return super().search(query, page)


class Offline(FakeService):
    """Is never there."""

    def search(self, query: str, page: int) -> list[Found]:
        raise UnreachableError(self.name, "could not be reached")


def test_a_limited_service_is_waited_for_and_the_next_one_is_asked_meanwhile(web: Web, run: Collect) -> None:
    said: list[str] = []
    first = Limited({"cat": photos(web, "cat", 4), "dog": photos(web, "dog", 4)})
    second = FakeService({"cat": [*photos(web, "tiger", 3)]}, "openverse")
    report = run([first, second], say=said.append)
    assert report.classes["cat"].photos == 7
    assert report.classes["dog"].photos == 4
    assert "duckduckgo asks for patience: waiting 1 s." in said
    assert {row["source"] for row in rows(report).values()} == {"duckduckgo", "openverse"}


def test_without_a_network_a_sentence_says_what_to_do_instead(run: Collect) -> None:
    with pytest.raises(SearchError, match=r"duckduckgo: could not be reached.*urls.*folder.*demo"):
        run([Offline({}), Offline({}, "openverse")])


def test_one_service_that_fails_does_not_end_the_run(web: Web, run: Collect) -> None:
    class Broken(FakeService):
        def search(self, query: str, page: int) -> list[Found]:
            raise KeyError("image")

    found = {"cat": photos(web, "cat", 2), "dog": photos(web, "dog", 2)}
    report = run([Broken({}), FakeService(found, "wikimedia")])
    assert report.photos == 4
    assert "duckduckgo: failed (KeyError)" in report.to_text()


def test_searches_of_an_earlier_run_are_not_repeated(web: Web, run: Collect) -> None:
    service = FakeService({"cat": photos(web, "cat", 3), "dog": photos(web, "dog", 3)})
    run([service])
    asked = len(service.asked)
    run([service])
    assert len(service.asked) == asked


def test_a_second_process_is_kept_out(web: Web, run: Collect, tmp_path: Path) -> None:
    from filelock import FileLock

    service = FakeService({"cat": photos(web, "cat", 2), "dog": photos(web, "dog", 2)})
    folder = run([service]).folder
    with FileLock(folder / ".fastclf" / "collect.lock"), pytest.raises(CatalogError, match="Another process"):
        run([service])


CHILD = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from tests.collect.conftest import FakeService, RECIPE
from fastclf.collect import collect_photos, plan
from fastclf.collect.web.addresses import AddressRule
from fastclf.collect.recipes.recipe_file import parse_recipe
port, count, out = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
plan._PAUSE = 0
found = {t: [f"http://127.0.0.1:{port}/{t}/{i}.jpg" for i in range(count)] for t in ("cat", "dog")}
rule = AddressRule(allow=frozenset({("127.0.0.1", port)}))
try:
    collect_photos(parse_recipe(RECIPE.format(wanted=count), "r"), out, services=[FakeService(found)], rule=rule, bars=False)
except KeyboardInterrupt:
    sys.exit(130)
"""


def start(web: Web, count: int, out: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(web.address[1]), str(count), str(out)], cwd=ROOT
    )


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_broken_off_and_repeated_stores_nothing_twice_and_loses_nothing(
    web: Web, tmp_path: Path, end: signal.Signals
) -> None:
    count, out = 60, tmp_path / "photos" / "pair"
    for term in ("cat", "dog"):
        photos(web, term, count)
    web.delay = 0.02
    for number in range(4):
        child = start(web, count, out)
        hits = len(web.hits)
        deadline = time.monotonic() + 60
        while len(web.hits) < hits + 12 + 5 * number and child.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        os.kill(child.pid, end)
        status = child.wait(60)
        assert status == (130 if end == signal.SIGINT else -signal.SIGKILL)
    web.delay = 0.0
    assert start(web, count, out).wait(120) == 0
    stored = [p for p in out.rglob("*") if p.is_file() and ".fastclf" not in p.parts]
    assert len(stored) == 2 * count
    assert len({p.read_bytes() for p in stored}) == 2 * count
    assert not [p for p in stored if p.name.startswith(".")]
    with Catalog(out) as catalog:
        fetched = catalog.fetches.rows()
        assert {row.status for row in fetched} == {"stored"}
        assert len(fetched) == 2 * count
        assert len({row.path for row in fetched}) == 2 * count
        assert len(catalog.photos().photos) == 2 * count
    if end == signal.SIGINT:  # what had been fetched was recorded, so it is not fetched again
        assert all(web.count(f"/cat/{i}.jpg") == 1 for i in range(3))


def test_ctrl_c_ends_a_run_within_a_second_and_keeps_what_came(
    web: Web, run: Collect, tmp_path: Path
) -> None:
    slow = [web.add(f"/slow{i}", behave.slow_drip(jpeg("slow"), 0.01)) for i in range(20)]
    slow = [url.replace("127.0.0.1", "c.example") for url in slow]
    found = {"cat": [*photos(web, "cat", 5), *slow], "dog": photos(web, "dog", 5)}
    ended = threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGINT))
    ended.start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run([FakeService(found)], wanted=25, seconds=30.0)
    assert time.monotonic() - started < 3.5
    with Catalog(tmp_path / "photos" / "pair") as catalog:
        states = {row.url: row.status for row in catalog.fetches.rows()}
    assert {states[url] for url in (*found["cat"][:5], *found["dog"])} == {"stored"}
    assert {states[url] for url in slow} == {"waiting"}
