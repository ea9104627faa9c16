"""The Classify tab without a browser: messages of the page sent, uploads faked, what goes back read."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ipywidgets
import pytest
from PIL import Image

from fastclf import ModelBundle, Prediction, Predictor
from fastclf.dashboard import build_app
from fastclf.dashboard.classify import ClassifyModel, ClassifyPanel
from fastclf.dashboard.classify import model as classify_model
from fastclf.dashboard.classify.answers import (
    SURE,
    Answer,
    build_card,
    build_table,
    describe,
    find_sure,
)
from fastclf.dashboard.classify.model import MAX_ANSWERS, MAX_FILES
from fastclf.dashboard.classify.photo_drop import LONGEST_SIDE
from fastclf.dashboard.texts import language
from fastclf.dashboard.widgets import Status
from fastclf.errors import AddressError, BundleError, StoppedError
from fastclf.inbox import Inbox
from fastclf.model.model_source import ModelSource

from ..drawing import bad_files, draw_photo, encode
from ..toy import write_toy_bundle

RED = encode(draw_photo("red", 3), "PNG")
BLUE = encode(draw_photo("blue", 3), "JPEG")


class Page:
    """Stands for the browser: sends what the scripts send, and keeps what they would get."""

    def __init__(self, panel: ClassifyPanel) -> None:
        self.panel = panel
        self.heard: list[tuple[dict[str, Any], list[bytes]]] = []
        self.number = 0
        for widget in (panel.drop, panel.answers):
            widget.send = self._hear  # type: ignore[method-assign]

    def _hear(self, content: dict[str, Any], buffers: Any = None) -> None:
        json.dumps(content)  # it has to travel
        self.heard.append((content, [bytes(b) for b in buffers or []]))

    def say(self, widget: ipywidgets.Widget, content: Any, *buffers: bytes) -> None:
        widget._handle_custom_msg(content, [memoryview(b) for b in buffers])

    def photo(self, name: str, data: bytes, batch: int = 1) -> dict[str, Any]:
        self.number += 1
        message = {"type": "photo", "name": name, "id": self.number, "batch": batch}
        self.say(self.panel.drop, message, data)
        return self.last("done")

    def ask(self, kind: str, key: Any = None, **more: Any) -> None:
        self.say(self.panel.answers, {"type": kind, "key": key, **more})

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [content for content, _ in self.heard if content["type"] == kind]

    def last(self, kind: str) -> dict[str, Any]:
        return self.all(kind)[-1]

    def parcel(self, kind: str) -> bytes:
        return next(buffers[0] for content, buffers in reversed(self.heard) if content["type"] == kind)

    def wait(self, kind: str, seconds: float = 30) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while not self.all(kind):
            assert time.monotonic() < deadline, f"no message {kind!r} came"
            time.sleep(0.01)
        return self.last(kind)

    @property
    def cards(self) -> list[dict[str, Any]]:
        return [card for content in self.all("add") for card in content["cards"]]


@pytest.fixture
def model(toy_model: Path) -> ClassifyModel:
    predictor = Predictor(toy_model)
    return ClassifyModel(lambda: predictor)


@pytest.fixture
def panel(model: ClassifyModel, toy_model: Path) -> ClassifyPanel:
    return ClassifyPanel(model, sorted((toy_model / "examples").iterdir()), ["blue", "green", "red"])


@pytest.fixture
def page(panel: ClassifyPanel) -> Page:
    return Page(panel)


def open_page(folder: Path, inbox: Inbox, private: Sequence[str] = ()) -> Page:
    """Open the page of a model, with an inbox and what a visitor is not told."""
    predictor = Predictor(folder)
    return Page(ClassifyPanel(ClassifyModel(lambda: predictor, inbox, private), [], ["blue", "green", "red"]))


def upload(panel: ClassifyPanel, *files: tuple[str, bytes]) -> None:
    """What the plain upload sends: a tuple of dicts, the content as a memoryview."""
    rest = {"type": "image/png", "last_modified": datetime.now(UTC)}
    panel.plain.upload.value = tuple(
        {"name": name, "size": len(data), "content": memoryview(data), **rest} for name, data in files
    )


def test_photos_are_answered_around_the_broken_ones(page: Page) -> None:
    bad = {name: data for name, (data, _) in bad_files().items()}
    for name, data in {"red.png": RED, **bad, "blue.jpg": BLUE}.items():
        assert page.photo(name, data) == {"type": "done", "id": page.number, "fault": "", "stop": False}
    assert [card["label"] for card in page.cards] == ["red", *[None] * len(bad), "blue"]
    for name, card in zip(bad, page.cards[1:-1], strict=True):
        assert card["level"] == "failed"
        assert name in card["words"]
    assert len({card["batch"] for card in page.cards}) == 1


def test_a_card_has_the_picture_the_words_and_the_likeliest_classes(page: Page) -> None:
    page.photo("../<b>red</b>.png", RED)
    [card] = page.cards
    assert card["name"] == "../<b>red</b>.png"  # the script sets it as text
    assert next(label for label, _, _ in card["bars"]) == "red"
    assert sum(p for _, p, _ in card["bars"]) == pytest.approx(1, abs=0.01)
    assert page.parcel("add").startswith(b"\xff\xd8")
    # what would turn a sentence around is tidied
    page.photo("\u202egpj.nekorb", b"")
    assert page.cards[1]["name"] == "gpj.nekorb"


def test_the_same_photo_can_come_twice_one_is_removed_and_all_are_cleared(page: Page) -> None:
    for _ in range(3):
        page.photo("red.png", RED)
    keys = [card["key"] for card in page.cards]
    assert len(set(keys)) == 3
    page.ask("remove", keys[1])
    assert page.last("gone")["keys"] == [keys[1]]
    page.ask("clear")
    assert page.last("gone")["keys"] == [keys[0], keys[2]]
    assert page.panel.model.answers == ()
    assert page.panel.model.status is Status.EMPTY


@pytest.mark.parametrize(
    ("shares", "bars", "rest"),
    [
        # one class alone has its bar, likely or not
        ([0.5, 0.2, 0.1, 0.1, 0.06, 0.04], 6, ""),
        ([0.95, 0.04, 0.003], 3, ""),
        ([0.5, 0.2, 0.1, 0.1, 0.04, 0.03, 0.03], 5, "2 more classes are less likely."),
        ([0.97, 0.02, 0.004, 0.003, 0.003], 2, "3 more classes, each under 1 %."),
        ([1.0], 1, ""),
    ],
)
def test_bars_stand_where_they_tell_something(shares: list[float], bars: int, rest: str) -> None:
    probs = {f"class {i}": share for i, share in enumerate(shares)}
    card = build_card(Answer(1, "a.jpg", b"", Prediction("a.jpg", "class 0", shares[0], probs, False, 0.0)))
    assert (len(card["bars"]), card["more"]) == (bars, rest)


def test_answers_are_sure_from_where_the_card_says_so(toy_model: Path) -> None:
    manifest = Predictor(toy_model).bundle.manifest
    for valid, sure in (
        ({"sure": {"threshold": 0.77}}, 0.77), ({"sure": None}, SURE), ({"sure": "?"}, SURE), (None, SURE),
    ):  # fmt: skip
        metrics = dataclasses.replace(manifest.metrics, valid=valid)
        assert find_sure(dataclasses.replace(manifest, metrics=metrics)) == sure
    probs = {"hat": 0.8, "shoe": 0.2}
    doubtful = Answer(1, "a.jpg", b"", Prediction("a.jpg", "hat", 0.8, probs, False, 0.0))
    assert build_card(doubtful)["words"] == "probably hat, 80 %"
    assert build_card(doubtful)["among"].startswith("Chosen among hat, shoe. ")
    sure_card = build_card(dataclasses.replace(doubtful, sure=0.77))
    assert (sure_card["words"], sure_card["among"]) == ("hat, 80 %", "")


def test_what_was_removed_comes_back_until_something_else_is_done(page: Page) -> None:
    for name in ("a.png", "b.png", "c.png"):
        page.photo(name, RED)
    model = page.panel.model
    page.ask("remove", page.cards[1]["key"])
    page.ask("restore")
    assert [a.name for a in model.answers] == ["a.png", "b.png", "c.png"]
    page.ask("clear")
    page.ask("restore")
    assert [a.name for a in model.answers] == ["a.png", "b.png", "c.png"]
    page.ask("restore")
    assert len(model.answers) == 3
    for end in (lambda: page.ask("forget"), lambda: page.photo("new.png", RED, batch=2)):
        page.ask("clear")
        end()
        page.ask("restore")
        assert "a.png" not in [a.name for a in model.answers]


def test_an_example_has_one_name_and_a_photo_sent_again_keeps_its_place_and_its_mark(page: Page) -> None:
    message = {"type": "example", "index": 1, "id": 70, "batch": 500, "said": {"label": "green"}}
    page.say(page.panel.drop, message)
    [card] = page.cards
    assert (card["name"], card["example"], card["said"]["label"]) == ("Example photo 2", True, "green")
    assert (card["batch"], card["order"]) == (500, 70)
    page.say(page.panel.drop, {**message, "id": 71, "batch": 501, "said": {"label": "no class"}})
    assert (page.cards[1]["batch"], page.cards[1]["said"]) == (501, None)


def test_what_is_too_large_gets_a_card_that_says_so(page: Page) -> None:
    # the page does not send it, it is not even copied, and a small file may hold very many pixels
    page.say(page.panel.drop, {"type": "large", "name": "huge.tif", "size": 27_000_000, "id": 1, "batch": 1})
    page.photo("sent.tif", bytes(21 * 2**20), batch=2)
    bomb = encode(Image.new("L", (8000, 6000)), "PNG")
    assert len(bomb) < 300_000
    page.photo("bomb.png", bomb, batch=2)
    for card, words in zip(page.cards, (
        "huge.tif has 25.7 MB; at most 20 MB", "sent.tif has 21.0 MB",
        "bomb.png has 48 megapixels; at most 40 are read here",
    ), strict=True):  # fmt: skip
        assert words in card["words"]


def test_a_session_has_a_limit_and_says_it(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastclf.dashboard.classify.model.MAX_ANSWERS", 2)
    assert MAX_ANSWERS >= 100
    for _ in range(2):
        page.photo("red.png", RED)
    told = page.photo("red.png", RED)
    assert told["stop"]
    assert "2 photos are as many as one session keeps" in told["fault"]
    page.ask("clear")
    assert page.photo("red.png", RED)["fault"] == ""


def test_why_is_a_picture_as_large_as_the_card_and_progress_comes_before(page: Page) -> None:
    page.photo("red.png", RED)
    page.ask("why", page.cards[0]["key"])
    told = page.wait("why")
    assert "red" in told["words"]
    assert page.parcel("why").startswith(b"\x89PNG")
    # the toy pools no maps, so pieces are covered one after the other
    steps = [(m["done"], m["total"]) for m in page.all("progress")]
    assert steps[-1][0] == steps[-1][1] > 1


def test_why_can_be_stopped_and_ends_with_its_card(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    page.photo("red.png", RED)
    started, stopped = threading.Event(), threading.Event()

    def slow(key: int, progress: Any, stop: Any) -> Any:
        started.set()
        while not stop():
            time.sleep(0.005)
        stopped.set()
        raise StoppedError("The explanation was stopped.")

    monkeypatch.setattr(page.panel.model, "explain", slow)
    key = page.cards[0]["key"]
    for end in ("stop", "remove"):
        started.clear()
        stopped.clear()
        page.ask("why", key)
        assert started.wait(10)
        page.ask(end, key)
        assert stopped.wait(10)
    assert page.all("fault") == []


def test_a_wrong_answer_goes_to_the_inbox(toy_model: Path, tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "inbox.sqlite")
    page = open_page(toy_model, inbox)
    assert page.panel.answers.has_inbox
    page.photo("red.png", RED)
    key = page.cards[0]["key"]
    page.ask("wrong", key, label="no such class")
    assert page.all("acknowledged") == page.all("words") == []
    page.ask("wrong", key, label="green")
    assert page.last("words")["cards"][0]["said"] == {"label": "green", "words": "green"}
    # once for each photo
    page.ask("wrong", key, label=None)
    assert "said already" in page.last("fault")["words"]
    page.photo("red.png", RED)
    page.ask("wrong", page.cards[1]["key"], label=None)
    assert [(r.name, r.answer, r.label) for r in inbox.reports()] == [("red.png", "red", "green")]
    assert len(page.all("acknowledged")) == 1
    page.ask("table")
    rows = list(csv.DictReader(io.StringIO(page.parcel("table").decode("utf-8-sig"))))
    assert [row["correction"] for row in rows] == ["green", ""]


def test_one_session_sends_no_more_than_its_share_of_reports(
    toy_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classify_model, "MAX_REPORTS", 2)
    page = open_page(toy_model, inbox := Inbox(tmp_path / "inbox.sqlite"))
    for n in range(3):
        page.photo(f"{n}.png", encode(draw_photo("red", n), "PNG"))
        page.ask("wrong", page.cards[-1]["key"], label="green")
    assert len(inbox.reports()) == 2
    assert "as many as one session sends" in page.last("fault")["words"]


def test_the_table_has_a_row_a_photo_and_runs_no_formula(page: Page) -> None:
    page.photo('=HYPERLINK("x").png', RED)
    page.photo("broken.jpg", b"")
    page.ask("table")
    rows = list(csv.DictReader(io.StringIO(page.parcel("table").decode("utf-8-sig"))))
    assert [row["label"] for row in rows] == ["red", ""]
    assert rows[0]["file"] == '\'=HYPERLINK("x").png'
    assert float(rows[0]["red"]) == pytest.approx(float(rows[0]["probability"]))
    assert "empty" in rows[1]["error"]


def test_unknown_messages_are_ignored(page: Page, caplog: pytest.LogCaptureFixture) -> None:
    for message in (
        None,
        "x",
        {},
        {"type": "why", "key": 99},
        {"type": "remove", "key": "1"},
        {"type": "no"},
    ):
        page.say(page.panel.answers, message)
        page.say(page.panel.drop, message)
    page.say(page.panel.drop, {"type": "example", "index": -1})
    page.say(page.panel.drop, {"type": "photo"})
    assert page.panel.model.answers == ()
    assert [r for r in caplog.records if r.exc_info] == []


def test_another_language_says_the_cards_again(page: Page) -> None:
    page.photo("red.png", RED)
    page.photo("broken.jpg", b"")
    language.code = "es"
    again = page.last("words")["cards"]
    assert page.panel.drop.texts["Choose photos"] == "Elegir fotos"
    assert page.panel.plain.upload.description == "Elegir fotos"
    language.code = "en"
    assert again[1]["words"] != page.cards[1]["words"]
    # the pictures do not travel again
    assert not page.all("all")


def test_the_form_offers_classes_as_the_page_calls_them_and_the_files_keep_their_own(page: Page) -> None:
    language.maker = {"es": {"classes": {"green": "verde"}}}
    page.photo("red.png", RED)
    assert page.panel.answers.names == {}
    language.code = "es"
    assert page.panel.answers.names == {"green": "verde"}
    assert page.panel.answers.labels == ["blue", "green", "red"]
    page.ask("wrong", page.cards[0]["key"], label="green")
    assert page.last("words")["cards"][0]["said"] == {"label": "green", "words": "verde"}
    page.ask("table")
    [row] = csv.DictReader(io.StringIO(page.parcel("table").decode("utf-8-sig")))
    assert row["correction"] == "green"


def test_the_page_sends_several_times_what_the_network_sees(model: ClassifyModel) -> None:
    for side, longest in ((8, LONGEST_SIDE[0]), (224, 896), (600, LONGEST_SIDE[1])):
        assert ClassifyPanel(model, [], [], side).drop.limits["side"] == longest


def test_the_plain_upload_works_where_scripts_do_not(panel: ClassifyPanel) -> None:
    upload(panel, ("red.png", RED), ("<b>.jpg", b""))
    assert "1 of 2 photos answered" in panel.plain.note.value
    [answer, _] = panel.model.answers
    assert answer.prediction.label == "red"
    assert f"red.png: {answer.words}" in panel.plain.list.value
    assert "<b>" not in panel.plain.list.value
    assert panel.plain.upload.value == ()
    upload(panel, *[(f"{i}.png", RED) for i in range(MAX_FILES + 3)])
    assert "3 more were skipped" in panel.plain.note.value
    panel.plain.clear.click()
    assert panel.plain.list.value == ""
    assert panel.plain.clear.disabled


def test_the_plain_upload_is_disabled_while_busy(panel: ClassifyPanel) -> None:
    seen = []
    panel.model.observe(lambda _: seen.append((panel.model.status, panel.plain.upload.disabled)), "answers")
    upload(panel, ("red.png", RED))
    assert seen == [(Status.BUSY, True)]
    assert not panel.plain.upload.disabled


def test_a_fault_inside_is_a_sentence_without_a_traceback(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_: object) -> None:
        raise RuntimeError("secret detail at /home/me")

    monkeypatch.setattr(Predictor, "predict_images", explode)
    told = page.photo("red.png", RED)
    assert told["stop"]
    assert "Reload" in told["fault"]
    assert "secret" not in json.dumps(page.heard[0][0])


def test_a_model_that_does_not_open_says_why_at_the_first_photo() -> None:
    def refuse() -> Predictor:
        raise BundleError("The model m is not as it was written.")

    page = Page(ClassifyPanel(ClassifyModel(refuse), []))
    assert "not as it was written" in page.photo("red.png", RED)["fault"]
    assert page.cards == []


def test_a_visitor_is_not_told_where_things_lie(toy_model: Path, tmp_path: Path) -> None:
    folder = toy_model.rename(tmp_path / "secret-place")

    def refuse() -> Predictor:
        raise BundleError(f"There is no model in {folder}.")

    for private, said in (((), str(folder)), ((str(folder),), "Tell whoever runs this page")):
        page = Page(ClassifyPanel(ClassifyModel(refuse, None, private), []))
        assert said in page.photo("red.png", RED)["fault"]
    broken = tmp_path / "no-database.sqlite"
    broken.write_bytes(b"no database at all" * 1000)
    page = open_page(folder, Inbox(broken), [str(broken)])
    page.photo("red.png", RED)
    page.ask("wrong", page.cards[0]["key"], label="green")
    assert "Tell whoever runs this page" in page.last("fault")["words"]


def test_an_address_is_fetched_beside_the_others_and_cancelled_ones_leave_no_card(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, asked = threading.Event(), []

    def fetch(url: str) -> tuple[str, bytes]:
        asked.append(url)
        assert gate.wait(20)
        if "nothing" in url:
            raise AddressError(f"{url} answered 404.")
        return "red.png", RED

    monkeypatch.setattr("fastclf.collect.fetch_photo", fetch)
    drop = page.panel.drop
    urls = ["https://a.example/red.png", "https://a.example/nothing", "https://late.example"]
    for i, url in enumerate(urls, 1):
        page.say(drop, {"type": "address", "url": url, "id": i, "batch": i})
    page.say(drop, {"type": "address", "url": "https://too.many", "id": 4, "batch": 4})
    assert "still being fetched" in page.last("done")["fault"]
    page.photo("first.png", RED, batch=9)  # what is fetched holds nobody up
    page.say(drop, {"type": "cancel", "batch": 3})
    gate.set()
    deadline = time.monotonic() + 20
    while len(page.all("done")) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert sorted(asked) == sorted(urls)
    assert [m["fault"] for m in page.all("done") if m["id"] == 2] == [f"{urls[1]} answered 404."]
    assert [card["name"] for card in page.cards] == ["first.png", "red.png"]


def test_a_message_that_comes_twice_is_answered_once_and_its_answer_said_again(page: Page) -> None:
    message = {"type": "photo", "name": "red.png", "id": 7, "batch": 3}
    for _ in range(2):
        page.say(page.panel.drop, message, RED)
    assert len(page.panel.model.answers) == 1
    assert [m["id"] for m in page.all("done")] == [7, 7]
    assert [card["name"] for card in page.last("all")["cards"]] == ["red.png"]


def test_cards_come_and_go_from_several_threads(page: Page) -> None:
    model = page.panel.model
    adding = [
        threading.Thread(target=lambda: [model.add("r.png", RED, 1) for _ in range(20)]) for _ in range(3)
    ]
    for thread in adding:
        thread.start()
    removed: set[int] = set()
    while any(thread.is_alive() for thread in adding):
        for answer in model.answers[:1]:
            model.remove(answer.key)
            removed.add(answer.key)
    assert {a.key for a in model.answers} | removed == set(range(1, 61))
    assert not {a.key for a in model.answers} & removed


def test_a_page_that_comes_later_sees_todays_model(tmp_path: Path) -> None:
    app = build_app(tmp_path / "model")
    assert "There is no model yet" in find_texts(app)
    assert "fastclf train" in find_texts(app)
    write_toy_bundle(tmp_path / "model")
    app.frame.wanted = "en"
    assert "There is no model yet" not in find_texts(app)
    assert "<h1><bdi>Toy colours</bdi></h1>" in app.head.value
    assert app.strip.names == ["classify", "about"]
    before = app.children
    app.frame.wanted = "es"
    assert app.children == before
    language.code = "en"


def test_a_replaced_model_is_opened_anew_and_a_removed_one_goes_on_answering(tmp_path: Path) -> None:
    folder = write_toy_bundle(tmp_path / "model")
    source = ModelSource(folder)
    first = source.open()
    assert source.open() is first
    manifest = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps({**manifest, "vocab": ["b", "g", "r"]}))
    second = source.open()
    assert second.vocab == ["b", "g", "r"]
    folder.rename(tmp_path / "away")
    assert source.open() is second


@pytest.mark.parametrize(
    ("probability", "unfamiliar", "words"),
    [
        (0.94, False, "grizzly, 94 %"),
        (0.61, False, "probably grizzly, 61 %"),
        (0.4, False, "not sure; perhaps grizzly, 40 %"),
        (0.99, True, "Unlike the photos this model learned from (closest: grizzly, 99 %)"),
        (1.0, False, "grizzly, 100 %"),
        (0.9999, None, "grizzly, over 99 %"),
    ],
)
def test_answers_are_honest_about_doubt(probability: float, unfamiliar: bool | None, words: str) -> None:
    prediction = Prediction("a", "grizzly", probability, {"grizzly": probability}, unfamiliar, 0.0)
    assert describe(prediction) == words


@pytest.mark.parametrize(
    ("probability", "labels", "words"),
    [
        (0.61, ["grizzly"], "probably grizzly, 61 %"),
        (0.61, ["grizzly", "black"], "grizzly or black, 95 %"),
        (0.4, ["grizzly", "black", "teddy"], "grizzly, black or teddy, 95 %"),
        (0.3, ["grizzly", "black", "teddy", "polar"], "not sure; perhaps grizzly, 30 %"),
        (0.94, ["grizzly", "black"], "grizzly, 94 %"),
    ],
)
def test_several_classes_are_named_where_one_is_not_enough(
    probability: float, labels: list[str], words: str
) -> None:
    prediction = Prediction("a", "grizzly", probability, {"grizzly": probability}, False, 0.0)
    assert describe(dataclasses.replace(prediction, label_set=labels, set_coverage=0.95)) == words


def find_texts(widget: ipywidgets.Widget) -> str:
    """Return all HTML of a page."""
    children = getattr(widget, "children", ())
    return " ".join([getattr(widget, "value", "") or "", *map(find_texts, children)]) if widget else ""


def test_the_makers_title_words_and_colour_stand_on_the_page(
    toy_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "<h1><bdi>Toy colours</bdi></h1>" in build_app(toy_model).head.value
    monkeypatch.setenv("FASTCLF_TITLE", "Bears & co")
    monkeypatch.setenv("FASTCLF_INTRO", "<i>Which</i> bear?")
    monkeypatch.setenv("FASTCLF_COLOUR", "#ffcc00")
    app = build_app(toy_model)
    assert "<h1><bdi>Bears &amp; co</bdi></h1>" in app.head.value
    assert "&lt;i&gt;Which" in app.head.value
    assert set(app.frame.accents) == {"light", "dark"}


def test_the_makers_words_are_said_in_the_pages_language_and_files_keep_the_models_names(
    tmp_path: Path,
) -> None:
    model = write_toy_bundle(tmp_path / "model")
    manifest = ModelBundle.load(model).manifest
    words = {"title": "Colores", "classes": {"red": "rojo"}}
    dataclasses.replace(manifest, title="Colours", translations={"es": words}).write(model)
    app = build_app(model)
    answer = Answer(
        1, "a.png", None, Prediction("a.png", "red", 0.95, {"red": 0.95, "blue": 0.05}, False, 0.1)
    )
    assert "<bdi>Colours</bdi>" in app.head.value
    assert answer.words == "red, 95 %"
    language.code = "es"
    assert "<bdi>Colores</bdi>" in app.head.value
    assert "rojo" in app.head.value
    assert answer.words == "rojo, 95 %"
    assert build_card(answer)["bars"][0][0] == "rojo"
    assert build_card(answer)["label"] == "red"
    assert b"rojo" not in build_table([answer])
    language.code = "en"


def test_what_a_page_said_is_kept_for_a_thousand_messages(page: Page) -> None:
    drop = page.panel.drop
    for n in range(3000):
        page.say(drop, {"type": "cancel", "batch": n})
    assert (len(drop._cancelled), "2999" in drop._cancelled, "0" in drop._cancelled) == (1000, True, False)
