"""A web that misbehaves, a rule that lets it be reached, and searches that find it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from fastclf.collect import CollectSummary, Found, SearchService, collect_photos, plan
from fastclf.collect.recipes.recipe_file import parse_recipe
from fastclf.collect.web import AddressRule, hosts

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

Collect = Callable[..., CollectSummary]


class FakeService:
    """Finds what it was given, twenty a page, for the first variation of a term."""

    def __init__(self, found: Mapping[str, Sequence[str]], name: str = "duckduckgo") -> None:
        self.name, self.found = name, found
        self.asked: list[tuple[str, int]] = []

    def search(self, query: str, page: int) -> list[Found]:
        self.asked.append((query, page))
        term, _, rest = query.partition(" ")
        urls = self.found.get(term, ()) if rest == "photo" else ()
        return [
            Found(url, f"http://page.example/{term}", "CC0 1.0", "Ann", query=query, source=self.name)
            for url in urls[20 * (page - 1) : 20 * page]
        ]


def jpeg(name: str, size: tuple[int, int] = (320, 240)) -> bytes:
    return encode(draw_scene(name, size), "JPEG")


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as web:
        yield web


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Questions to the fake services follow each other at once, and hosts that name no time rest shortly."""
    monkeypatch.setattr(plan, "_PAUSE", 0.0)
    monkeypatch.setattr(hosts, "_PAUSE_AT_LIMIT", 0.1)


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

    def run(services: Sequence[SearchService], wanted: int = 10, **changes: Any) -> CollectSummary:
        recipe = parse_recipe(RECIPE.format(wanted=wanted), "pair.toml")
        options: dict[str, Any] = {"seconds": 2.0, "rule": rule, "bars": False, **changes}
        return collect_photos(recipe, tmp_path / "photos" / "pair", services=services, **options)

    return run
