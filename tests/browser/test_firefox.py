"""A page without a server in a real Firefox: from a disk and from a host of files, answers, reasons, no way out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from fastclf import Predictor
from fastclf.dashboard.classify.answers import describe

from ..drawing import COLOURS, draw_photo
from .firefox import Firefox, find_firefox, running
from .sites import hosting
from .test_site_page import ESCAPES, made

__all__ = ["made"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.thorough,
    pytest.mark.skipif(
        find_firefox() is None, reason="Firefox is not installed (Debian's package is firefox-esr)."
    ),
]
CARDS = "[...document.querySelectorAll('.fastclf-card')].map(({ fastclfCard: { card } }) => [card.name, card.words])"


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    program = find_firefox()
    assert program
    with running(program, tmp_path_factory.mktemp("firefox") / "profile") as found:
        yield found


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    for n, label in enumerate(COLOURS):
        draw_photo(label, 800 + n, (90, 60)).save(tmp_path / f"{label}.png")
    return sorted(tmp_path.glob("*.png"))


def answer(firefox: Firefox, photos: list[Path]) -> dict[str, str]:
    firefox.wait("document.querySelector('[data-parity=same]')?.hidden")
    firefox.ask(
        "document.querySelector('.fastclf-answers-head:not([hidden]) button:last-child')?.click() ?? 0"
    )
    firefox.wait("!document.querySelector('.fastclf-card')")
    firefox.choose(photos)
    firefox.wait(f"document.querySelectorAll('.fastclf-card').length === {len(photos)}")
    return dict(firefox.ask(CARDS))


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_it_answers_from_a_disk_as_the_model_does(
    made: dict[str, Path], firefox: Firefox, photos: list[Path], kind: str
) -> None:
    firefox.open(made[kind].as_uri())
    found = Predictor(made["model"]).predict_many(photos)
    wanted = {photo.name: describe(one) for photo, one in zip(photos, found, strict=True)}
    assert answer(firefox, photos) == wanted
    firefox.ask("document.querySelector('.fastclf-actions button').click()")
    firefox.wait("document.querySelector('.fastclf-heat')?.offsetWidth > 0")


def test_it_answers_from_a_host_and_is_kept_without_it(
    made: dict[str, Path], firefox: Firefox, photos: list[Path]
) -> None:
    top = made["folder"].parents[3]
    with hosting(top) as host:
        url = f"{host.url}/{quote(made['folder'].parent.relative_to(top).as_posix())}/"
        firefox.open(url)
        assert len(answer(firefox, photos)) == len(photos)
        kept = "caches.keys().then((names) => names.length === 1 && caches.open(names[0])).then((all) => all && all.keys()).then((all) => all.length > 15)"
        firefox.wait(kept)
    firefox.open(url)
    assert len(answer(firefox, photos[:2])) == 2


def test_nothing_gets_out(made: dict[str, Path], firefox: Firefox, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with hosting(tmp_path / "other") as other:
        firefox.open(made["folder"].as_uri())
        firefox.wait("Boolean(document.querySelector('.fastclf-example'))")
        for name, act in ESCAPES.items():
            url = json.dumps(f"{other.url}/{quote(name)}-")
            firefox.ask(f"((URL) => {{ try {{ {act}; }} catch {{}} }})({url})")
        firefox.ask("new Promise((done) => setTimeout(done, 1000))")
        assert other.asked == []
        firefox.open(f"{other.url}/")
        for act in [act for name, act in ESCAPES.items() if name != "form"]:
            firefox.ask(f"((URL) => {{ try {{ {act}; }} catch {{}} }})({json.dumps(other.url + '/free-')})")
        firefox.ask("new Promise((done) => setTimeout(done, 1000))")
        assert len({line.split()[1] for line in other.asked if "free-" in line}) > 10
