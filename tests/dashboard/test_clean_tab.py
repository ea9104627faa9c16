"""The grid's channel, the Clean panel and retraining, without a browser."""

from __future__ import annotations

import base64
import logging
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fastclf.dashboard.clean import CleanPanel, retrain_model
from fastclf.dashboard.clean.review import Reason
from fastclf.dashboard.texts import language
from fastclf.dashboard.widgets import Status
from fastclf.errors import FastclfError, PhotosError, UnreadablePhotoError
from fastclf.head import ChangedPhoto, EarlierModel, Refit, RefitProgress

from .memory import JPEG, VOCAB, MemoryStore, build_group, build_item

EVIL = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'


def build_refit(before: float, after: float, n: int, changed: tuple[ChangedPhoto, ...], note: str) -> Refit:
    return Refit(
        model=Path("model"), candidate=Path(".model-refitted"), before=before, after=after, n=n, n_train=100,
        changed=changed, computed=0, seconds=1.25, notes=(note,), stamp="",
    )  # fmt: skip


EVIL_RESULT = build_refit(0.5, 0.5, 2, (ChangedPhoto(0, EVIL, EVIL, EVIL, EVIL),), EVIL)


class FakeRetrainer:
    """Retrains when it is let, and remembers what was chosen."""

    def __init__(self, fault: BaseException | None = None) -> None:
        self.gate = threading.Event()
        self.fault = fault
        self.chosen: list[str] = []
        self.gained, self.lost = 1, 1
        self.earlier: list[EarlierModel] = []

    def retrain(self, progress: Callable[[RefitProgress], object]) -> Refit:
        progress(RefitProgress("features", 30, 60))
        while not self.gate.wait(0.01):
            progress(RefitProgress("features", 30, 60))
        if self.fault:
            raise self.fault
        changed = (
            *[ChangedPhoto(0, f"{EVIL}.jpg", "red", "blue", "red")] * self.gained,
            *[ChangedPhoto(1, "b.jpg", "red", "red", "blue")] * self.lost,
        )
        return build_refit(0.85, 0.925, 40, changed, f"Note {EVIL}")

    def use_new(self) -> str:
        self.chosen.append("new")
        return "The new model is in use."

    def keep_old(self) -> str:
        self.chosen.append("old")
        return "The old model stays."

    def list_earlier(self) -> list[EarlierModel]:
        return self.earlier

    def use_earlier(self, stamp: str) -> str:
        self.chosen.append(stamp)
        self.earlier = []
        return "The earlier model is in use."


@pytest.fixture
def store() -> MemoryStore:
    items = [build_item(k, VOCAB[k % 3], 1 - k / 100, split="valid" if k % 4 else "train") for k in range(60)]
    return MemoryStore([*items, *build_group("duplicate", 1, [60, 61, 62], best=61)])


@pytest.fixture
def panel(store: MemoryStore) -> CleanPanel:
    return CleanPanel(store, FakeRetrainer())


def send(panel: CleanPanel, **message: object) -> None:
    """What the page sends over the widget's channel."""
    panel.grid._handle_custom_msg(message, [])


def act(panel: CleanPanel, *keys: int, action: str = "remove", label: str | None = None) -> None:
    send(panel, type="act", keys=list(keys), action=action, label=label)


def tile(panel: CleanPanel, key: int) -> dict[str, Any]:
    return next(t for t in panel.grid.tiles if t["key"] == key)


def all_html(panel: CleanPanel) -> str:
    """Return every HTML value on the panel."""
    found, stack = [], [panel]
    while stack:
        widget = stack.pop()
        stack += getattr(widget, "children", ())
        found.append(str(getattr(widget, "value", "")))
    return "\n".join(found)


def test_a_page_of_tiles_goes_out_with_label_answer_reasons_and_pictures(store: MemoryStore) -> None:
    store.base[0] = build_item(0, "red", 0.99, answer="blue", probability=0.999, split="train")
    store.base[1] = build_item(1, "green", 0.98, answer="green", probability=0.999)
    panel = CleanPanel(store)
    assert len(panel.grid.tiles) == 24
    assert tile(panel, 1)["answer"] == "Looks like green, over 99 %"
    assert panel.grid.vocab == VOCAB
    first = tile(panel, 0)
    assert (first["name"], first["label"], first["split"]) == ("red/000.jpg", "red", "training")
    # a reason that suggests it has said it
    assert first["answer"] == ""
    [reason] = first["reasons"]
    assert (reason["text"], reason["suggested"]) == ("the model says blue (0)", "blue")
    assert panel.grid.pictures["0"] == JPEG
    assert len(panel.grid.pictures) == 24
    assert panel.grid.place["total"] == 63


def test_a_thumbnail_travels_once_and_only_for_the_page(panel: CleanPanel, store: MemoryStore) -> None:
    assert store.reads == list(range(24))
    act(panel, 3)
    act(panel, 3, action="keep")
    panel.label.value = "red"
    panel.label.value = ""
    before = len(store.reads)
    send(panel, type="page", step=1)
    assert len(store.reads) == len(set(store.reads))
    assert list(panel.grid.pictures) == [str(key) for key in store.reads[before:]]


def test_the_page_gets_the_pictures_that_it_lacks_and_no_others(
    panel: CleanPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[Any, Any]] = []
    monkeypatch.setattr(panel.grid, "send", lambda content, buffers=None: sent.append((content, buffers)))
    send(panel, type="need", keys=[2, 50])
    assert sent == [({"type": "pictures", "keys": [2], "none": []}, [JPEG])]


def test_a_choice_is_shown_in_words_on_its_tile(panel: CleanPanel) -> None:
    act(panel, 0, action="relabel", label="green")
    act(panel, 1)
    first, second = tile(panel, 0), tile(panel, 1)
    assert (first["words"], first["mark"], first["choice"]) == ("will become green", "relabel", "green")
    assert (second["words"], second["mark"]) == ("will be removed", "remove")
    assert panel.grid.said["text"] == "green/001.jpg will be removed."
    panel.view.value = "all"
    act(panel, 2, action="skip")
    assert tile(panel, 2)["words"] == "stays as it is"


@pytest.mark.parametrize(
    "message",
    [
        None, "undo", {}, {"type": "explode"}, {"type": "act"}, {"type": ["act"]},
        *[{"type": "act", "keys": keys, "action": "remove"}
          for keys in ([], "0", [0, 999], [True], [0.0], [[0]], [0] * 10_001)],
        *[{"type": "act", "keys": [0], "action": action} for action in ("unlink", ["remove"], "relabel")],
        *[{"type": "act", "keys": [0], "action": "relabel", "label": label} for label in ("purple", ["blue"])],
        {"type": "page", "step": 5}, {"type": "page", "step": "1"}, {"type": "need", "keys": [999]},
        {"type": "group", "kind": "duplicate", "group": 99}, {"type": "group", "kind": ["duplicate"], "group": {}},
    ],
)  # fmt: skip
def test_a_message_that_the_page_cannot_have_sent_is_ignored_with_a_warning(
    message: Any, panel: CleanPanel, caplog: pytest.LogCaptureFixture
) -> None:
    before = panel.grid.get_state()
    with caplog.at_level(logging.WARNING, logger="fastclf"):
        panel.grid._handle_custom_msg(message, [])
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert "ignored" in caplog.text
    assert panel.grid.get_state() == before
    assert not panel.model.pending


def test_a_fault_behind_a_message_is_a_sentence(panel: CleanPanel, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object) -> None:
        raise RuntimeError("secret at /home/me")

    monkeypatch.setattr(type(panel.model), "choose", explode)
    act(panel, 0)
    assert panel.grid.said["bad"]
    assert "secret" not in panel.grid.said["text"]
    assert panel.model.status is Status.ERROR


def test_a_photo_without_a_picture_says_why(store: MemoryStore) -> None:
    cut = UnreadablePhotoError("a.jpg", "is cut off before its end")
    store.no_pictures = {0: cut, 1: RuntimeError("secret"), 2: None}
    panel = CleanPanel(store)
    assert tile(panel, 0)["fault"] == "a.jpg is cut off before its end."
    assert "could not be read" in tile(panel, 1)["fault"]
    assert "could not be read" in tile(panel, 2)["fault"]
    assert tile(panel, 3)["fault"] == ""
    assert "0" not in panel.grid.pictures


def test_the_answer_on_a_sealed_photo_is_not_told(store: MemoryStore) -> None:
    store.base[0] = build_item(0, "red", 0.99, split="test")
    assert "secret" in tile(CleanPanel(store), 0)["answer"]


def test_filters_count_and_keep_what_is_chosen(panel: CleanPanel) -> None:
    assert ("All doubts (63)", "doubts") in panel.view.options
    assert [value for _, value in panel.view.options] == ["doubts", "label", "duplicate", "all"]
    act(panel, 1, 4)
    panel.label.value = "red"
    assert {t["label"] for t in panel.grid.tiles} == {"red"}
    panel.split.value = "train"
    assert {t["split"] for t in panel.grid.tiles} == {"training"}
    assert ("All doubts (8)", "doubts") in panel.view.options
    panel.label.value = panel.split.value = ""
    # a reading of the photos keeps it, too
    panel.refresh()
    assert [k for k in (1, 4) if tile(panel, k)["mark"] == "remove"] == [1, 4]
    assert panel.apply.description == "Apply 2 changes ..."


def test_apply_shows_first_what_will_change(panel: CleanPanel, store: MemoryStore) -> None:
    assert panel.apply.disabled
    assert "Nothing to apply" in panel.reason.value
    act(panel, 0, action="relabel", label="green")
    act(panel, 4)
    panel.apply.click()
    assert panel.is_previewing
    assert not store.steps
    changes = panel.changes
    assert "1 photo will get another label (1 to green); 1 photo will be removed." in changes.summary
    row = {"key": 4, "name": "green/004.jpg", "before": "green", "after": "removed", "doubt": ""}
    assert row in changes.rows
    act(panel, 7)
    assert "2 photos will be removed" in changes.summary
    panel.cancel.click()
    assert not panel.is_previewing
    assert len(panel.model.pending) == 3
    panel.apply.click()
    for _ in range(3):
        panel.undo.click()
    assert not panel.is_previewing
    for _ in range(3):
        panel.redo.click()
    panel.apply.click()
    panel.confirm.click()
    assert not panel.is_previewing
    assert [len(step) for step in store.steps] == [3]
    assert panel.apply.disabled
    assert panel.grid.said["text"] == "3 changes are stored."


def test_a_change_can_be_left_out_before_it_is_applied(
    panel: CleanPanel, store: MemoryStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for key in (0, 4):
        act(panel, key)
    panel.apply.click()
    sent: list[Any] = []
    monkeypatch.setattr(panel.changes, "send", lambda content, buffers=None: sent.append((content, buffers)))
    store.no_pictures = {4: RuntimeError("secret")}
    panel.changes._handle_custom_msg({"type": "need", "keys": [0, 4]}, [])
    assert sent == [({"type": "pictures", "keys": [0], "none": [4]}, [JPEG])]
    for message in (
        {"type": "need", "keys": [7]}, {"type": "need"}, {"type": "drop", "key": 7}, {"type": "drop"}, {},
    ):  # fmt: skip
        caplog.clear()
        panel.changes._handle_custom_msg(message, [])
        assert "ignored" in caplog.text
    panel.changes._handle_custom_msg({"type": "drop", "key": 0}, [])
    assert [row["key"] for row in panel.changes.rows] == [4]
    assert panel.is_previewing
    panel.changes._handle_custom_msg({"type": "close"}, [])
    assert not panel.is_previewing
    assert list(panel.model.pending) == [4]
    assert panel.changes.rows == []


def test_whoever_applied_is_led_on_and_has_nothing_selected_any_more(
    panel: CleanPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(panel.grid, "send", lambda content, buffers=None: sent.append(content))
    act(panel, 0)
    panel.apply.click()
    panel.confirm.click()
    assert sent == [{"type": "settled"}]


def test_undo_names_the_photos_that_it_moved(panel: CleanPanel) -> None:
    for key in (3, 5):
        act(panel, key, action="skip")
    panel.undo.click()
    assert panel.grid.said["keys"] == [5]
    act(panel, 1)
    assert panel.grid.said["keys"] == []


def test_a_failed_apply_is_said_and_loses_nothing(panel: CleanPanel, store: MemoryStore) -> None:
    act(panel, 0)
    store.fault = PhotosError("The disk is full; free some space.")
    panel.apply.click()
    panel.confirm.click()
    assert panel.grid.said == {**panel.grid.said, "text": "The disk is full; free some space.", "bad": True}
    assert panel.is_previewing
    assert len(panel.model.pending) == 1
    assert not panel.confirm.disabled


def test_undo_and_redo_buttons_follow_what_can_be_done(panel: CleanPanel, store: MemoryStore) -> None:
    assert panel.redo.disabled
    act(panel, 0, action="relabel", label="green")
    panel.apply.click()
    panel.confirm.click()
    assert panel.model.item(0).label == "green"
    panel.undo.click()
    assert panel.model.item(0).label == "blue"
    assert not panel.redo.disabled
    panel.undo.click()
    assert panel.undo.disabled
    assert "nothing left" in panel.grid.said["text"]
    panel.redo.click()
    assert panel.model.item(0).label == "green"
    assert not panel.undo.disabled
    send(panel, type="undo")
    send(panel, type="redo")
    assert len(store.steps) == 1


def test_the_download_holds_the_stored_edits_of_now(panel: CleanPanel) -> None:
    def edits() -> str:
        [data] = re.findall(
            r'download="edits.csv" href="data:text/csv;charset=utf-8;base64,([^"]*)"', panel.download.value
        )
        return base64.b64decode(data).decode()

    assert edits() == "key,action,to,why\n"
    act(panel, 5)
    assert edits() == "key,action,to,why\n"
    panel.apply.click()
    panel.confirm.click()
    assert edits() == "key,action,to,why\n5,remove,,the model says blue (5)\n"
    panel.undo.click()
    assert edits() == "key,action,to,why\n"


def test_a_group_side_by_side_and_keep_best(panel: CleanPanel) -> None:
    panel.view.value = "duplicate"
    assert "1 group of copies" in panel.group_note.value
    assert panel.back.layout.display == "none"
    assert tile(panel, 60)["reasons"][0]["size"] == 3
    send(panel, type="group", kind="duplicate", group=1, key=60)
    assert [t["key"] for t in panel.grid.tiles] == [61, 60, 62]
    assert "3 photos side by side" in panel.group_note.value
    panel.keep_best.click()
    assert [tile(panel, k)["mark"] for k in (61, 60, 62)] == ["", "remove", "remove"]
    panel.back.click()
    assert panel.model.group is None
    panel.view.value = "label"
    assert panel.groups.layout.display == "none"


def test_photos_like_one_are_asked_for_and_left_by_messages(panel: CleanPanel, store: MemoryStore) -> None:
    assert panel.grid.finds_similar
    send(panel, type="like", key=20)
    assert [t["key"] for t in panel.grid.tiles[:3]] == [20, 19, 21]
    assert len(panel.grid.tiles) == panel.model.page_size
    assert "The photos most like" in panel.group_note.value
    assert panel.groups.layout.display == panel.back.layout.display == ""
    assert panel.keep_best.layout.display == "none"
    assert panel.summary.layout.display == "none"
    assert panel.grid.place["sure"] == 0
    send(panel, type="back")
    assert panel.grid.place["lead"] == [1, 20]
    assert panel.back.layout.display == "none"
    assert panel.summary.layout.display == ""
    store.similar_fault = FastclfError("Nobody has looked at it yet.")
    send(panel, type="like", key=20)
    assert (panel.grid.said["text"], panel.grid.said["bad"]) == ("Nobody has looked at it yet.", True)


def test_what_the_list_was_made_for_is_the_first_reason_of_a_photo() -> None:
    doubts = (Reason("odd", "far from all", 0.9), Reason("duplicate", "a copy (0)", 0.5, group=1))
    items = [build_item(0, reasons=doubts), *build_group("duplicate", 1, [1], best=1)]
    panel = CleanPanel(MemoryStore(items))

    def first() -> str:
        return tile(panel, 0)["reasons"][0]["kind"]

    assert first() == "odd"
    panel.view.value = "duplicate"
    assert first() == "duplicate"
    panel.view.value = "doubts"
    send(panel, type="group", kind="duplicate", group=1, key=0)
    assert first() == "duplicate"


def test_classes_are_called_as_the_page_calls_them_and_stay_what_they_are(
    panel: CleanPanel, store: MemoryStore
) -> None:
    language.maker = {"es": {"classes": {"red": "rojo", "blue": "azul"}}}
    language.code = "es"
    assert panel.grid.names == {"blue": "azul", "red": "rojo"}
    assert ("rojo", "red") in panel.label.options
    key = next(t["key"] for t in panel.grid.tiles if t["label"] == "red")
    send(panel, type="act", keys=[key], action="relabel", label="blue")
    assert tile(panel, key)["choice"] == "blue"
    assert tile(panel, key)["words"] == "pasará a azul"
    panel.apply.click()
    row = next(row for row in panel.changes.rows if row["key"] == key)
    assert (row["before"], row["after"]) == ("rojo", "azul")
    panel.confirm.click()
    [[decision]] = store.steps
    assert decision.label == "blue"


def test_keep_best_is_disabled_with_the_reason_where_no_copy_is_named() -> None:
    panel = CleanPanel(MemoryStore(build_group("conflict", 1, [1, 2], best=None)))
    assert panel.keep_best.disabled
    assert "No copy to keep is named" in panel.group_note.value


def test_names_labels_and_notes_are_escaped_wherever_they_reach_html(store: MemoryStore) -> None:
    store.vocab = [*VOCAB, EVIL]
    store.base[0] = build_item(0, EVIL, 0.99)
    panel = CleanPanel(store, FakeRetrainer())
    act(panel, 0, 1)
    act(panel, 2, action="relabel", label=EVIL)
    panel.apply.click()
    panel.retrain_model.result = EVIL_RESULT
    html = all_html(panel)
    assert "<script" not in html
    assert "<img src=x" not in html
    assert "&lt;script&gt;" in panel.retrain.comparison.value


def test_a_page_without_photos_says_so() -> None:
    panel = CleanPanel(MemoryStore([]))
    assert panel.grid.tiles == []
    assert panel.grid.place["empty"] == "There are no photos yet."
    panel = CleanPanel(MemoryStore([build_item(0)]))
    assert panel.grid.place["empty"] == "No photo fits these filters."


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (PhotosError("The photos folder is gone."), "The photos folder is gone."),
        (OSError("secret"), "The photos could not be read. Reload the page."),
    ],
)
def test_a_store_that_fails_from_the_start_is_a_sentence(fault: Exception, words: str) -> None:
    store = MemoryStore([])
    store.read_fault = fault
    panel = CleanPanel(store)
    assert (panel.grid.said["text"], panel.grid.said["bad"]) == (words, True)


def finish(panel: CleanPanel) -> None:
    panel.retrain_model.retrainer.gate.set()
    panel.retrain_model.wait(10)


def test_retraining_runs_beside_a_living_page(panel: CleanPanel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrain_model, "TICK", 0.01)
    said = []
    panel.retrain_model.observe(lambda change: said.append(change["new"]), "message")
    seconds = []
    panel.retrain_model.observe(lambda change: seconds.append(change["new"]), "seconds")
    retrain = panel.retrain
    retrain.button.click()
    assert retrain.button.disabled
    act(panel, 0)
    assert tile(panel, 0)["mark"] == "remove"
    panel.undo.click()
    while not seconds:
        threading.Event().wait(0.01)
    # what is said aloud does not change with every second
    assert len(said) == 1
    assert retrain.status.work["percent"] == 38
    assert retrain.status.work["text"].startswith("Looking at photo 30 of 60 ...")
    finish(panel)
    assert retrain.status.work == {}
    assert said[0].startswith("Retraining on the current labels")
    for words in ("85.0 %", "92.5 %", "34 of 40", "37 of 40"):
        assert words in retrain.comparison.value
    right, wrong = retrain.comparison.value.split("Now wrong (1)")
    assert "Now right (1)" in right
    assert "answered blue, now red" in right
    assert "answered red, now blue" in wrong
    assert retrain.comparison.value.count("<img alt=") == 2
    assert retrain.button.disabled
    assert "Choose first" in retrain.reason.value


@pytest.mark.parametrize(
    ("button", "choice", "words"), [("use_new", "new", "new model"), ("keep_old", "old", "old model")]
)
def test_the_new_model_or_the_old_one(panel: CleanPanel, button: str, choice: str, words: str) -> None:
    panel.retrain.button.click()
    finish(panel)
    getattr(panel.retrain, button).click()
    assert panel.retrain_model.retrainer.chosen == [choice]
    assert words in panel.retrain.status.said["text"]
    assert panel.retrain.comparison.value == ""
    assert not panel.retrain.button.disabled


def test_escape_among_the_photos_closes_what_will_change_and_what_is_pressed_meanwhile_applies_nothing(
    panel: CleanPanel, store: MemoryStore
) -> None:
    act(panel, 4)
    led = panel.grid.place["lead"]
    send(panel, type="close")
    assert panel.grid.place["lead"] == led
    send(panel, type="apply")
    assert panel.is_previewing
    assert (panel.grid.confirming, panel.grid.asked) == (True, 1)
    send(panel, type="close")
    assert not panel.is_previewing
    assert not panel.grid.confirming
    assert panel.grid.place["lead"] != led
    panel.confirm.click()
    assert list(panel.model.pending) == [4]
    # what was asked for in vain is over, too
    panel.model.undo()
    send(panel, type="apply")
    assert (panel.grid.confirming, panel.grid.asked) == (False, 2)


def test_a_retraining_that_is_cancelled_leaves_nothing_to_choose(panel: CleanPanel) -> None:
    panel.retrain.button.click()
    panel.retrain.cancel.click()
    panel.retrain_model.wait(10)
    assert "Nothing has changed" in panel.retrain.status.said["text"]
    assert panel.retrain.comparison.value == ""
    assert not panel.retrain.button.disabled
    assert panel.retrain.cancel.layout.display == "none"
    assert panel.retrain_model.retrainer.chosen == []


@pytest.mark.parametrize(
    ("gained", "lost", "words", "first"),
    [
        (9, 0, "measurably better", "Use the new one"),
        (2, 1, "No measurable difference", "Keep the old one"),
        (0, 9, "measurably worse", "Keep the old one"),
    ],
)
def test_the_button_that_the_figures_speak_for_stands_first(
    panel: CleanPanel, gained: int, lost: int, words: str, first: str
) -> None:
    panel.retrain_model.retrainer.gained, panel.retrain_model.retrainer.lost = gained, lost
    panel.retrain.button.click()
    finish(panel)
    assert words in panel.retrain.comparison.value
    buttons = panel.retrain._choice.children
    assert buttons[0].description == first
    assert [b.button_style for b in buttons] == ["primary", ""]


def test_earlier_models_stand_in_a_list_and_can_be_used_again(store: MemoryStore) -> None:
    retrainer = FakeRetrainer()
    made = "2026-01-02T03:04:05+00:00"
    retrainer.earlier = [
        EarlierModel(Path("a"), "stamp", made, 0.925, 40),
        EarlierModel(Path("b"), "other", made, None, 0),
    ]
    panel = CleanPanel(store, retrainer)
    earlier = panel.retrain.earlier
    html = all_html(panel)
    assert "made 2026-01-02 03:04 UTC, 92.5 % of 40 validation photos right" in html
    assert "not measured" in html
    earlier.buttons[0].click()
    assert retrainer.chosen == ["stamp"]
    assert "earlier model is in use" in panel.retrain.status.said["text"]
    assert earlier.buttons == []


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (FastclfError("Ten photos have no features."), "Ten photos"),
        (RuntimeError("secret"), "still in use"),
        (SystemExit(1), "still in use"),
    ],
)
def test_a_failed_retraining_is_a_sentence_and_can_be_tried_again(
    store: MemoryStore, fault: BaseException, words: str
) -> None:
    panel = CleanPanel(store, FakeRetrainer(fault))
    panel.retrain.button.click()
    finish(panel)
    assert words in panel.retrain.status.said["text"]
    assert panel.retrain.status.said["kind"] == "error"
    assert "secret" not in panel.retrain.status.said["text"]
    assert not panel.retrain.button.disabled


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda store: CleanPanel(store), "no model here"),
        (lambda store: CleanPanel(store, why_not="This model keeps no features."), "keeps no features"),
        (lambda store: _with_pending(CleanPanel(store, FakeRetrainer())), "Apply or undo"),
    ],
)
def test_retrain_is_disabled_with_the_reason_beside_it(
    store: MemoryStore, prepare: Callable[[MemoryStore], CleanPanel], words: str
) -> None:
    panel = prepare(store)
    assert panel.retrain.button.disabled
    assert words in panel.retrain.reason.value


def _with_pending(panel: CleanPanel) -> CleanPanel:
    act(panel, 0)
    return panel


def test_a_choice_that_fails_keeps_both_models_to_choose_from(panel: CleanPanel) -> None:
    def explode() -> str:
        raise OSError("secret")

    panel.retrain.button.click()
    finish(panel)
    panel.retrain_model.retrainer.use_new = explode
    panel.retrain.use_new.click()
    assert panel.retrain.status.said["kind"] == "error"
    assert "secret" not in panel.retrain.status.said["text"]
    assert panel.retrain_model.result is not None


def test_a_reason_without_a_group_or_with_todays_label_offers_nothing(store: MemoryStore) -> None:
    reasons = (Reason("quality", "dark", 1.0), Reason("label", "as it is", 0.9, suggested="red"))
    store.base[0] = build_item(0, "red", reasons=reasons)
    shown = tile(CleanPanel(store), 0)["reasons"]
    assert [(r["suggested"], r["size"]) for r in shown] == [(None, 0), (None, 0)]


def test_another_language_says_all_of_it_again(panel: CleanPanel, store: MemoryStore) -> None:
    act(panel, 0, action="relabel", label="green")
    act(panel, 4)
    panel.apply.click()
    panel.retrain_model.result = EVIL_RESULT
    english = all_html(panel)
    for code, words in (
        ("es", ("Deshacer", "Fotos dudosas", "1 foto cambiará de etiqueta", "Reentrenar", "se quitará")),
        ("ar", ("تراجع", "صور مشكوك فيها", "ستتغير تسمية صورة واحدة", "إعادة التدريب", "ستُزال")),
    ):
        language.code = code
        shown = all_html(panel) + str(panel.grid.tiles) + str(panel.grid.said) + str(panel.view.options)
        shown += panel.changes.summary
        shown += " ".join(b.description for b in (panel.undo, panel.retrain.button))
        for word in words:
            assert word in shown, word
        for word in ["Undo", "will be", "Doubtful", "Right answers", "All doubts", "Looks like", "training"]:
            assert word not in shown, word
        assert panel.grid.texts["Remove"] in ("Quitar", "إزالة")
    language.code = "en"
    assert all_html(panel) == english
    # a closed one no longer listens
    panel.close()
    language.code = "es"
    assert panel.undo.description == "Undo"
