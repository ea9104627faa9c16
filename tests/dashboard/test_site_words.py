"""A page without a server says of every answer what the dashboard says, in every language."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any

import pytest

from fastclf import Prediction
from fastclf.dashboard.classify.answers import Answer, Said, build_card, build_table
from fastclf.dashboard.texts import LANGUAGES, load_catalogue, speaking, translate
from fastclf.dashboard.widgets import say_share
from fastclf.errors import Message
from fastclf.inbox import clean_name

from ..node import run_node

NAMES = [
    "cat", "t-shirt", "7", "10", "2", "a, b", '"quoted"', "=SUM(A1)", "قطة", "🐈‍⬛ cat", "line\nbreak", "{label}",
    "x" * 300, "\u202eturned", "  spaces  ", "Ünïcode", "\U00010348 gothic", "\uffee half", "constructor", "-1",
]  # fmt: skip
MAKER = {
    "es": {"classes": {"cat": "gato", "7": "siete", "a, b": " "}, "title": "Gatos"},
    "ar": {"classes": {"cat": "قط", "t-shirt": 5}},
    "en": {"classes": {"2": "two"}},
}
EDGES = [
    0.0,
    0.0049999,
    0.005,
    0.0078125,
    0.125,
    0.25,
    0.5,
    0.595,
    0.6,
    0.625,
    0.9,
    0.985,
    0.995,
    0.9999,
    1.0,
]
ERRORS = [
    Message("{name} {reason}.", name="a{n}.jpg", reason=Message("is not an image")),
    Message("{name} {reason}.", name="قطة.jpg", reason=Message("has {n:.0f} megapixels; at most {most:.0f} are read here, so scale it down", n=1234.5, most=40.0)),
    Message("{n} photos are as many as one session keeps. Clear some first.", n=1200),
]  # fmt: skip


def draw_answers(seed: int) -> list[Answer]:
    rng = random.Random(seed)
    answers = []
    for key in range(40):
        labels = rng.sample(NAMES, rng.choice([2, 2, 3, 6, 7, 14, 20]))
        given = {"key": key, "name": rng.choice(NAMES), "thumbnail": b"", "batch": 1, "order": key}
        given |= {"sure": rng.choice([0.5, 0.9, 0.97]), "example": rng.choice([0, 0, 3, 1200])}
        if rng.random() < 0.15:
            answers.append(Answer(**given, prediction=Prediction("a", error=rng.choice(ERRORS))))
            continue
        said = rng.choice([None, Said(None), Said(rng.choice(labels))])
        answers.append(Answer(**given, prediction=draw_prediction(rng, labels), said=said))
    return answers


def draw_prediction(rng: random.Random, labels: list[str]) -> Prediction:
    top = rng.choice([*EDGES, rng.random(), rng.random()])
    rest = [rng.choice([rng.random() ** 6, 0.0, 2.0**-7]) * (1 - top) for _ in labels[1:]]
    probs = dict(zip(labels, sorted([top, *rest], reverse=True), strict=True))
    unfamiliar = rng.choice([None, False, False, True])
    named = labels[: rng.choice([0, 1, 2, 3, 4])] if not unfamiliar else []
    return Prediction(
        "a", labels[0], next(iter(probs.values())), probs, unfamiliar, 0.5, None, named or None, rng.choice([0.9, 0.95]) if named else None
    )  # fmt: skip


def pack(value: Any) -> Any:
    """Return a message as the page has it."""
    if isinstance(value, Message):
        return {"text": value.template, "fields": {name: pack(field) for name, field in value.fields.items()}}
    return value


def pack_answer(answer: Answer) -> dict[str, Any]:
    p = answer.prediction.to_dict() | {"error": pack(answer.prediction.error)}
    p["probs"] = None if p["probs"] is None else list(p["probs"].items())
    names = ("key", "name", "batch", "order", "example", "sure")
    said = None if answer.said is None else {"label": answer.said.label}
    return {**{name: getattr(answer, name) for name in names}, "prediction": p, "said": said}


def other_texts() -> dict[str, dict[str, str]]:
    return {
        code: {t: found[code] for t, found in load_catalogue().items()} for code in LANGUAGES if code != "en"
    }


def ask_page(script: str, given: Mapping[str, Any]) -> Any:
    start = (
        'import { Words, sayShare } from "./words.js"; import { buildCard, buildTable } from "./answers.js";'
    )
    words = "const words = new Words(given); words.speak(given.code);"
    return run_node(f"{start} {words} {script}", {"texts": other_texts(), **given})


@pytest.mark.slow
@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("maker", [{}, MAKER], ids=["own names", "translated"])
def test_cards_and_tables_are_those_of_the_dashboard(code: str, maker: dict[str, Any]) -> None:
    drawn = [draw_answers(seed) for seed in range(6)]
    script = """
        const fill = (a) => ({ ...a, prediction: { ...a.prediction, probs: a.prediction.probs && new Map(a.prediction.probs) } });
        const told = given.drawn.map((answers) => answers.map(fill)).map((answers) => ({
            cards: answers.map((answer) => buildCard(words, answer, answer.sure)),
            table: new TextDecoder("utf-8", { ignoreBOM: true }).decode(buildTable(words, answers)),
        }));
        console.log(JSON.stringify(told));"""
    given = {"code": code, "translations": maker, "drawn": [[*map(pack_answer, a)] for a in drawn]}
    said = ask_page(script, given)
    with speaking(code, maker):
        for answers, page in zip(drawn, said, strict=True):
            assert page["cards"] == json.loads(json.dumps([build_card(answer) for answer in answers]))
            assert page["table"] == build_table(answers).decode()


@pytest.mark.parametrize("code", LANGUAGES)
def test_shares_are_rounded_alike(code: str) -> None:
    shares = [*EDGES, *(k / 1000 for k in range(1001)), *(k / 256 for k in range(257))]
    said = ask_page(
        "console.log(JSON.stringify(given.shares.map((p) => words.translate(sayShare(p)))))",
        {"code": code, "translations": {}, "shares": shares},
    )
    with speaking(code, {}):
        assert said == [translate(say_share(p)) for p in shares]


REPORTED = [
    "bear.jpg",
    "../../etc/bear\n.jpg",
    "C:\\photos\\bear.jpg",
    "/",
    "..",
    "a" * 200,
    "\u202ebear.jpg",
    "قطة.png",
]


@pytest.fixture(scope="module")
def called() -> dict[str, str]:
    """What the page calls each reported photo."""
    script = 'import { cleanName } from "./report.js"; console.log(JSON.stringify(given.map(cleanName)))'
    return dict(zip(REPORTED, run_node(script, REPORTED), strict=True))


@pytest.mark.parametrize("name", REPORTED)
def test_a_reported_photo_is_called_as_the_inbox_calls_it(name: str, called: dict[str, str]) -> None:
    assert called[name] == clean_name(name)


def test_a_zip_file_of_the_page_opens(tmp_path: Any) -> None:
    import zipfile

    script = """import { buildZip } from "./zip.js";
        const bytes = buildZip({ "photo.jpg": new Uint8Array(70000).fill(7), "a/قطة.json": new TextEncoder().encode("{}") });
        console.log(JSON.stringify([...bytes]));"""
    (tmp_path / "a.zip").write_bytes(bytes(run_node(script)))
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None
        assert {i.filename: i.file_size for i in archive.infolist()} == {"photo.jpg": 70000, "a/قطة.json": 2}
