"""The Classify panel without a browser: traits set, buttons clicked, uploads faked."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fastclf import Prediction, Predictor
from fastclf.errors import BundleError
from fastclf.serving import MAX_FILES
from fastclf.ui import build_app
from fastclf.ui.cards import render_card
from fastclf.ui.classify import ClassifyPanel
from fastclf.ui.models import Answer, ClassifyPanelModel, ModelSource, Status, describe

from ..drawing import bad_files, draw_photo, encode
from ..toy import write_toy_bundle

RED = encode(draw_photo("red", 3), "PNG")
BLUE = encode(draw_photo("blue", 3), "JPEG")


@pytest.fixture
def model(toy_model: Path) -> ClassifyPanelModel:
    predictor = Predictor(toy_model)
    return ClassifyPanelModel(lambda: predictor)


@pytest.fixture
def panel(model: ClassifyPanelModel, toy_model: Path) -> ClassifyPanel:
    return ClassifyPanel(model, sorted((toy_model / "examples").iterdir()))


def upload(panel: ClassifyPanel, *files: tuple[str, bytes]) -> None:
    """What the browser sends: a tuple of dicts, the content as a memoryview."""
    panel.upload.value = tuple(
        {
            "name": name,
            "type": "image/png",
            "size": len(data),
            "content": memoryview(data),
            "last_modified": datetime.now(UTC),
        }
        for name, data in files
    )


def cards(panel: ClassifyPanel) -> list[str]:
    return [output["data"]["text/html"] for output in panel.output.outputs]


def test_an_upload_of_several_is_answered_around_the_broken_ones(panel: ClassifyPanel) -> None:
    bad = {name: data for name, (data, _) in bad_files().items()}
    upload(panel, ("red.png", RED), *bad.items(), ("blue.jpg", BLUE))
    assert len(cards(panel)) == len(bad) + 2
    assert "red" in cards(panel)[0]
    assert "blue" in cards(panel)[-1]
    for name, card in zip(bad, cards(panel)[1:-1], strict=True):
        assert "No answer" in card
        assert name in card
    assert panel.model.status is Status.DONE
    assert f"2 of {len(bad) + 2} photos answered" in panel.note.value
    assert panel.upload.value == ()


def test_the_same_file_can_come_twice_and_answers_add_up(panel: ClassifyPanel) -> None:
    upload(panel, ("red.png", RED))
    upload(panel, ("red.png", RED))
    assert len(cards(panel)) == 2
    panel.clear.click()
    assert cards(panel) == []
    assert panel.clear.disabled
    assert panel.model.status is Status.EMPTY


def test_too_many_photos_are_answered_up_to_the_limit_and_the_rest_is_said(panel: ClassifyPanel) -> None:
    upload(panel, *[(f"{i}.png", RED) for i in range(MAX_FILES + 3)])
    assert len(cards(panel)) == MAX_FILES
    assert "3 more were left out" in panel.note.value


def test_example_photos_are_one_click_away(panel: ClassifyPanel) -> None:
    panel.try_examples.click()
    assert [a.prediction.label for a in panel.model.answers] == ["blue", "green", "red"]


def test_names_and_labels_are_escaped_wherever_they_reach_html(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    toy = write_toy_bundle(tmp_path / "evil", vocab=["blue", "green", evil])
    predictor = Predictor(toy)
    panel = ClassifyPanel(ClassifyPanelModel(lambda: predictor), [])
    upload(panel, (f'"><img src=x onerror=alert(1)>{evil}.png', RED), (f"../{evil}.jpg", b""))
    html = "".join(cards(panel))
    assert evil not in html
    assert "<img src=x" not in html
    assert "&lt;script&gt;" in html
    head = build_app(toy).children[1].value
    assert evil not in head


def test_a_fault_inside_is_a_sentence_without_a_traceback(
    panel: ClassifyPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_: object) -> None:
        raise RuntimeError("secret detail at /home/me")

    monkeypatch.setattr(Predictor, "predict_images", explode)
    upload(panel, ("red.png", RED))
    assert panel.model.status is Status.ERROR
    assert "secret" not in panel.note.value
    assert "Reload" in panel.note.value
    assert 'role="alert"' in panel.note.value
    assert not panel.upload.disabled


def test_a_model_that_does_not_open_says_why_at_the_first_photo() -> None:
    def refuse() -> Predictor:
        raise BundleError("The model m is not as it was written.")

    panel = ClassifyPanel(ClassifyPanelModel(refuse), [])
    upload(panel, ("red.png", RED))
    assert "not as it was written" in panel.note.value
    assert cards(panel) == []


def test_controls_are_disabled_while_busy(panel: ClassifyPanel) -> None:
    seen = []
    panel.model.observe(
        lambda _: seen.append((panel.model.status, panel.upload.disabled, panel.note.value)), "answers"
    )
    upload(panel, ("red.png", RED), ("blue.jpg", BLUE))
    assert [(status, disabled) for status, disabled, _ in seen] == [(Status.BUSY, True)] * 2
    assert "photo 2 of 2" in seen[1][2]
    assert not panel.upload.disabled


def test_a_replaced_model_is_opened_anew(tmp_path: Path) -> None:
    folder = write_toy_bundle(tmp_path / "model")
    source = ModelSource(folder)
    first = source.open()
    assert source.open() is first
    manifest = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps({**manifest, "vocab": ["b", "g", "r"]}))
    assert source.open().vocab == ["b", "g", "r"]


def test_no_model_is_a_page_that_says_what_to_run(tmp_path: Path) -> None:
    app = build_app(tmp_path / "nothing")
    text = " ".join(child.value for child in app.children if hasattr(child, "value"))
    assert "fastclf train" in text
    assert not any(isinstance(child, ClassifyPanel) for child in app.children)


def test_the_makers_title_stands_on_the_page(toy_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "<h1>Toy colours</h1>" in build_app(toy_model).children[1].value
    monkeypatch.setenv("FASTCLF_TITLE", "Bears & co")
    assert "<h1>Bears &amp; co</h1>" in build_app(toy_model).children[1].value


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


def test_a_card_names_its_picture_and_hides_the_bars_from_screen_readers(model: ClassifyPanelModel) -> None:
    model.classify([("red.png", RED)])
    card = render_card(model.answers[0])
    assert 'alt="Your photo red.png"' in card
    assert card.count('aria-hidden="true"') == 3
    assert render_card(Answer("x", None, Prediction("x", error="x is empty."))).count("<img") == 0
