"""A web that misbehaves, a rule that lets it be reached, searches that find it, recipes to collect by."""

from __future__ import annotations

import csv
import functools
import io
import signal
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpcore2
import pytest

from fastclf.catalog import FetchLedger, Outcome
from fastclf.collect import CollectSummary, Found, Recipe, SearchService, collect_photos, photo_store, plan
from fastclf.collect.archives import Member
from fastclf.collect.progress import ProgressBars
from fastclf.collect.recipes import parse_recipe
from fastclf.collect.web import AddressRule, fetch, hosts

from ..drawing import draw_scene, encode
from .web import Web

RECIPE = """
name = "pair"
title = "Cat or dog?"
[classes]
cat = "cat"
dog = "dog"
[collect]
photos_per_class = {wanted}
largest_side = 200
variations = ["{{}} photo", "{{}}"]
"""
FOLDER = """
name = "mine"
title = "Mine"
[folder]
path = "{path}"
licence = "my own"
[collect]
largest_side = 100
"""

Collect = Callable[..., CollectSummary]


class FakeService:
    """Finds what it was given, twenty a page, for the first variation of a term.

    `before` is called with each question; `fails` comes instead of the first `times` answers.
    """

    def __init__(
        self,
        found: Mapping[str, Sequence[str | Found]],
        name: str = "duckduckgo",
        fails: BaseException | None = None,
        times: int = 10**9,
        before: Callable[[str, int], object] = lambda query, page: None,
    ) -> None:
        self.name, self.found, self.fails, self.times, self.before = name, found, fails, times, before
        self.asked: list[tuple[str, int]] = []

    def search(self, query: str, page: int) -> list[Found]:
        self.asked.append((query, page))
        self.before(query, page)
        if self.fails is not None and len(self.asked) <= self.times:
            raise self.fails
        term, _, rest = query.partition(" ")
        urls = self.found.get(term, ()) if rest == "photo" else ()
        known = {
            "page": f"http://page.example/{term}",
            "licence": "CC0 1.0",
            "creator": "Ann",
            "query": query,
        }
        found = [url if isinstance(url, Found) else Found(url, **known, source=self.name) for url in urls]
        return found[20 * (page - 1) : 20 * page]


class Endless(FakeService):
    """Always finds photos: `per_page` on each page, which nobody serves."""

    def __init__(self, per_page: int, name: str = "duckduckgo", same: bool = False) -> None:
        super().__init__({}, name)
        self.per_page, self.same = per_page, same

    def search(self, query: str, page: int) -> list[Found]:
        super().search(query, page)
        begin = 0 if self.same else page * self.per_page
        urls = (f"ftp://nobody.example/{query}/{begin + i}" for i in range(self.per_page))
        return [Found(url.replace(" ", "-"), source=self.name) for url in urls]


def jpeg(name: str, size: tuple[int, int] = (60, 40)) -> bytes:
    return encode(draw_scene(name, size), "JPEG")


def photos(web: Web, term: str, count: int, host: str | None = None) -> list[str]:
    """Serve so many photos; returns their addresses."""
    for i in range(count):
        web.photo(f"/{term}/{i}.jpg", jpeg(f"{term}{i}"))
    return [web.url(f"/{term}/{i}.jpg", host) for i in range(count)]


def pair(web: Web, cats: int, dogs: int | None = None) -> FakeService:
    """A service that finds so many cats and dogs."""
    return FakeService(
        {"cat": photos(web, "cat", cats), "dog": photos(web, "dog", cats if dogs is None else dogs)}
    )


def rows(summary: CollectSummary) -> dict[str, dict[str, str]]:
    """{url: row} of the table; of a file in an archive or a folder, its name stands for the address."""
    assert summary.table
    with summary.table.open(encoding="utf-8") as f:
        return {row["url"].rpartition("#")[2]: row for row in csv.DictReader(f)}


def files(summary: CollectSummary) -> dict[str, bytes]:
    found = [p for p in summary.folder.rglob("*") if p.is_file() and ".fastclf" not in p.parts]
    return {p.relative_to(summary.folder).as_posix(): p.read_bytes() for p in found}


def counts(summary: CollectSummary) -> dict[str, int]:
    """{class: photos}."""
    return {label: count.photos for label, count in summary.classes.items()}


def write_files(folder: Path, members: Mapping[str, bytes]) -> Path:
    for name, data in members.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def write_zip(file: Path, members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file


def write_tar(file: Path, members: Mapping[str, bytes], mode: str = "w", **options: Any) -> Path:
    with tarfile.open(file, mode, **options) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file


def as_dict(found: Iterable[Member]) -> dict[str, bytes | str]:
    """{name: bytes, or the reason for refusing it} of what was read."""
    members = list(found)
    assert len({m.name for m in members}) == len(members)
    assert all((m.data is None) == bool(m.reason) for m in members)
    return {m.name: m.reason if m.data is None else m.data for m in members}


def folder_recipe(path: str | Path, more: str = "", base: Path | None = None) -> Recipe:
    """A recipe of a folder, a zip file or a cloud path."""
    return parse_recipe(FOLDER.format(path=path) + more, "mine.toml", base=base)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, no_pauses: None) -> Clock:
    """The time of politeness, whose pauses are those outside of tests."""
    clock = Clock()
    for module in (plan, hosts):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=clock.monotonic))
    monkeypatch.setattr(plan, "_PAUSE", 1.5)
    monkeypatch.setattr(hosts, "_PAUSE_AT_LIMIT", 2.0)
    return clock


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The photos that reached the disk; the record may name no others."""
    synced: set[str] = set()
    finish = FetchLedger.finish

    def note_finish(self: FetchLedger, outcomes: Sequence[Outcome]) -> None:
        assert synced >= {outcome.path for outcome in outcomes if outcome.status == "stored"}
        finish(self, outcomes)

    monkeypatch.setattr(photo_store, "sync_file", lambda path: synced.add("/".join(path.parts[-2:])))
    monkeypatch.setattr(FetchLedger, "finish", note_finish)
    return synced


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[int, int]]:
    """{class: (stored, refused)} as the progress bars were told last."""
    told: dict[str, tuple[int, int]] = {}
    monkeypatch.setattr(ProgressBars, "counted", lambda self, label, *numbers: told.update({label: numbers}))
    return told


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as web:
        yield web


real_ssl_context = httpcore2.default_ssl_context
_one_ssl_context = functools.cache(real_ssl_context)


@pytest.fixture(autouse=True)
def one_ssl_context(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading the system's certificates takes 30 ms, which each of a thousand fetchers would do."""
    monkeypatch.setattr(httpcore2, "default_ssl_context", _one_ssl_context)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Questions follow each other at once, and hosts that name no time, or broke off, rest shortly."""
    monkeypatch.setattr(plan, "_PAUSE", 0.0)
    monkeypatch.setattr(hosts, "_PAUSE_AT_LIMIT", 0.05)
    monkeypatch.setattr(fetch, "_PAUSES", (0.01,) * 4)


@pytest.fixture(autouse=True)
def ctrl_c() -> Iterator[None]:
    """Ctrl-C interrupts, even where the tests were started in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def rule(web: Web) -> AddressRule:
    return AddressRule(
        allow=frozenset({web.address}), names={f"{name}.example": "127.0.0.1" for name in ("a", "b", "c")}
    )


@pytest.fixture
def run(tmp_path: Path, rule: AddressRule) -> Collect:
    """Collect two classes into ``photos/pair``."""

    def run(
        services: Sequence[SearchService], wanted: int = 10, recipe: str = RECIPE, **changes: Any
    ) -> CollectSummary:
        read = parse_recipe(recipe.format(wanted=wanted), "pair.toml", base=tmp_path)
        options: dict[str, Any] = {"seconds": 3.0, "rule": rule, "bars": False, "sheets": False, **changes}
        return collect_photos(read, tmp_path / "photos" / "pair", services=services, **options)

    return run
