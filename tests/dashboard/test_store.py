"""The Clean tab's store: a real folder, a real catalog, a toy model; and who may see the tab at all."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from fastclf import Catalog, ModelBundle
from fastclf.check import read_report
from fastclf.dashboard import build_app
from fastclf.dashboard.clean import CatalogStore
from fastclf.dashboard.clean.model import ReviewModel
from fastclf.dashboard.clean.review import Decision, ReviewItem
from fastclf.dashboard.tabs import CleanTab
from fastclf.dashboard.texts import language, translate
from fastclf.errors import BundleError, FastclfError, Message, UsageError
from fastclf.model import PhotoRow
from fastclf.photos import TEST

from ..drawing import draw_photo, draw_photos
from ..toy import write_toy_bundle

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = draw_photos(tmp_path / "photos", per_class=20)
    shutil.copy(folder / "red" / "000.png", folder / "red" / "copy.png")
    shutil.copy(folder / "red" / "001.png", folder / "blue" / "conflict.png")
    shutil.move(folder / "green" / "002.png", folder / "red" / "wrong.png")
    (folder / "red" / "broken.png").write_bytes(b"")
    return folder


@pytest.fixture
def model(folder: Path, tmp_path: Path) -> Path:
    with Catalog(folder) as catalog:
        catalog.scan()
        photos = catalog.photos().photos
        given = catalog.assign_splits([p for p in photos if "conflict" not in p.name])
        with_split = {p.sha256: s for p, s in zip(photos, given.splits, strict=False)}
    rows = [PhotoRow(p.sha256, p.label, p.sha256, with_split.get(p.sha256, "train")) for p in photos]
    return write_toy_bundle(tmp_path / "model", rows=rows, judged=True)


def prepared(folder: Path, model: Path) -> tuple[CatalogStore, dict[str, ReviewItem]]:
    store = CatalogStore(folder, model)
    store.open(lambda words: None)
    early = {item.name for item in store.load_items() if item.reasons}
    store.prepare(lambda words: None)
    # what needs no network is there at once
    assert early >= {"red/copy.png", "blue/conflict.png", "red/broken.png"}
    return store, {item.name: item for item in store.load_items()}


def say_remarks(store: CatalogStore) -> str:
    return " ".join(translate(remark) for remark in store.remarks)


def kinds(item: ReviewItem) -> set[str]:
    return {reason.kind for reason in item.reasons}


def test_every_doubt_becomes_a_reason_in_words_and_no_sealed_photo_has_an_answer(
    folder: Path, model: Path
) -> None:
    store, items = prepared(folder, model)
    assert len(items) == 63
    assert store.vocab == ["blue", "green", "red"]
    assert "duplicate" in kinds(items["red/copy.png"])
    assert "conflict" in kinds(items["blue/conflict.png"])
    [unreadable] = items["red/broken.png"].reasons
    assert "0 bytes" in unreadable.text
    assert store.read_thumbnail(items["red/broken.png"].key) is None
    assert store.read_thumbnail(items["red/copy.png"].key).startswith(b"\xff\xd8")
    pair = [items["red/copy.png"], items["red/000.png"]]
    assert sum(r.best for i in pair for r in i.reasons if r.kind == "duplicate") == 1
    assert len({r.group for i in pair for r in i.reasons if r.kind == "duplicate"}) == 1
    # which of two labels is right, no bulk action decides
    torn = [items["blue/conflict.png"], items["red/001.png"]]
    assert not any(r.best for i in torn for r in i.reasons)
    sealed = [i for i in items.values() if i.split == "test"]
    assert sealed
    assert all(i.answer is None and i.probability is None for i in sealed)
    assert not any(kinds(i) & {"label", "odd"} for i in sealed)
    assert all(i.answer for i in items.values() if i.split == "valid")


def test_a_whole_class_is_said_in_the_pages_language_and_why_no_model_can_be_retrained(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "few").mkdir()
    for i in range(3):
        draw_photo("red", 900 + i).save(folder / "few" / f"{i}.png")
    store, items = prepared(folder, tmp_path / "none")
    assert "few has 3 photos; some dozens a class make a model. That is under a third" in say_remarks(store)
    language.code = "es"
    assert "few tiene 3 fotos" in say_remarks(store)
    assert not any("balance" in kinds(item) for item in items.values())
    assert "There is no model" in store.find_obstacle()
    assert "duplicate" in kinds(items["red/copy.png"])
    store = CatalogStore(folder, write_toy_bundle(tmp_path / "stranger"))
    assert "other photos" in store.find_obstacle()


def test_the_photos_most_like_one_are_found_by_cached_features_and_none_that_is_sealed(
    folder: Path, model: Path
) -> None:
    # whatever is known of sealed photos, as from a time when they were not
    with Catalog(folder) as catalog:
        known = [p.sha256 for p in catalog.photos().photos if p.split == TEST]
        catalog.feature_cache(ModelBundle.load(model).manifest.features_id).add(
            {sha256: np.array([0.9, 0.1, 0.1]) for sha256 in known}
        )
    store = CatalogStore(folder, model)
    store.open(lambda words: None)
    photo = store.load_items()[0]
    with pytest.raises(UsageError, match="when the check of all photos is done"):
        store.find_similar(photo.key, 5)
    store.prepare(lambda words: None)
    items = {item.key: item for item in store.load_items()}
    by_name = {item.name: item for item in items.values()}
    sealed = [item for item in items.values() if item.split == TEST]
    with pytest.raises(UsageError, match="is sealed"):
        store.find_similar(sealed[0].key, 5)
    with pytest.raises(UsageError, match="was not read"):
        store.find_similar(by_name["red/broken.png"].key, 5)
    # a photo's features are its mean colour; one of the red pictures lies among the blue ones
    red = next(item.key for item in items.values() if item.name.startswith("red/0") and item.answer)
    found = store.find_similar(red, 5)
    assert all(items[key].label == "red" or "conflict" in items[key].name for key in found)
    everything = store.find_similar(red, 1000)
    assert everything[:5] == found
    assert red not in everything
    assert not {item.key for item in sealed} & set(everything)
    # a removed photo is not found, but found for
    store.apply([Decision(found[0], "remove")])
    store.load_items()
    assert store.find_similar(red, 4) == found[1:]
    assert red in store.find_similar(found[0], 10)


def test_a_photo_that_is_sealed_after_it_was_judged_shows_nothing(folder: Path, model: Path) -> None:
    for i in range(30):
        draw_photo("red", 700 + i).save(folder / "blue" / f"late{i}.png")
    store, items = prepared(folder, model)
    assert items["blue/late0.png"].answer
    assert "label" in kinds(items["blue/late0.png"])
    with Catalog(folder) as catalog:
        catalog.assign_splits(catalog.photos().photos)
    after = [i for i in store.load_items() if "late" in i.name and i.split == "test"]
    assert after
    assert all(i.answer is None and not kinds(i) & {"label", "odd"} for i in after)


def test_many_known_photos_are_shown_as_they_were_left_before_the_folder_is_looked_at(
    folder: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, items = prepared(folder, model)
    before.apply([Decision(items["red/copy.png"].key, "remove", None, "")])
    left = before.load_items()
    monkeypatch.setattr("fastclf.dashboard.clean.store._KNOWN", 10)
    scans: list[Path] = []
    scan = Catalog.scan
    monkeypatch.setattr(
        Catalog, "scan", lambda self, *rest: (scans.append(self.folder), scan(self, *rest))[1]
    )
    store = CatalogStore(folder, model)
    store.open(lambda words: None)
    assert store.is_hurried
    assert store.load_items() == left
    assert not scans
    store.finish_opening(lambda words: None)
    assert scans == [folder]
    assert store.load_items() == left, "nothing has changed, so what was found stays"
    draw_photo("red", 900).save(folder / "red" / "later.png")
    again = CatalogStore(folder, model)
    again.open(lambda words: None)
    again.finish_opening(lambda words: None)
    assert "red/later.png" in {item.name for item in again.load_items()}


def test_what_was_left_is_not_told_of_other_photos_under_the_same_names(
    folder: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(folder, model)
    monkeypatch.setattr("fastclf.dashboard.clean.store._KNOWN", 10)
    swap(folder / "red" / "copy.png", folder / "red" / "003.png")
    with Catalog(folder) as another_process:
        another_process.scan()
    store = CatalogStore(folder, model)
    store.open(lambda words: None)
    assert store.is_hurried
    found = {item.name: item for item in store.load_items()}
    assert not {"duplicate"} & {*kinds(found["red/copy.png"]), *kinds(found["red/003.png"])}
    assert "conflict" in kinds(found["blue/conflict.png"])
    store.finish_opening(lambda words: None)
    found = {item.name: item for item in store.load_items()}
    assert "duplicate" in kinds(found["red/003.png"])
    assert "duplicate" not in kinds(found["red/copy.png"])
    # what this session sees change is not told of the old names either
    swap(folder / "red" / "000.png", folder / "green" / "000.png")
    before = read_answers(store)
    store.finish_opening(lambda words: None)
    assert not {"red/000.png", "green/000.png"} & read_answers(store).keys() & before.keys()


def test_a_small_folder_neither_reads_nor_keeps_a_check_while_it_opens(
    folder: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    read = Catalog.read_result
    monkeypatch.setattr(
        Catalog, "read_result", lambda self, name, key: (asked.append(name), read(self, name, key))[1]
    )
    store = CatalogStore(folder, model)
    store.open(lambda words: None)
    assert "last check" not in asked
    assert read_report(store.catalog) is None


def swap(one: Path, other: Path) -> None:
    data = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(data)


def read_answers(store: CatalogStore) -> dict[str, str]:
    return {item.name: item.answer for item in store.load_items() if item.answer}


def test_edits_touch_the_photos_that_they_are_about_and_their_copies(folder: Path, model: Path) -> None:
    store, items = prepared(folder, model)
    wrong = items["red/wrong.png"]
    store.apply([Decision(items["red/copy.png"].key, "remove"), Decision(wrong.key, "relabel", "green")])
    after = store.load_items()
    touched = {item.name for item in after if item is not items[item.name]}
    assert touched == {"red/copy.png", "red/000.png", "red/wrong.png"}
    store.undo()
    assert {item.name: item for item in store.load_items()} == items
    # whatever another process writes, all is read once more
    with Catalog(folder) as catalog:
        catalog.relabel(["blue/000.png"], "red")
    found = {item.name: item for item in store.load_items()}
    assert found["blue/000.png"].label == "red"
    fresh = CatalogStore(folder, model)
    fresh.open(lambda words: None)
    fresh.prepare(lambda words: None)
    store.prepare(lambda words: None)
    assert store.load_items() == fresh.load_items()


def test_reasons_that_no_longer_hold_are_gone_after_apply(folder: Path, model: Path) -> None:
    store, items = prepared(folder, model)
    step = {
        "red/copy.png": ("remove",), "blue/conflict.png": ("relabel", "red"), "red/broken.png": ("remove",),
        "red/wrong.png": ("relabel", "green", "it is green"),
    }  # fmt: skip
    words = store.apply([Decision(items[name].key, *said) for name, said in step.items()])
    assert words == "Applied: 2 relabelled, 2 removed. No file was changed."
    after = {item.name: item for item in store.load_items()}
    assert "duplicate" not in kinds(after["red/000.png"])
    assert "conflict" not in kinds(after["blue/conflict.png"]) | kinds(after["red/001.png"])
    assert "label" not in kinds(after["red/wrong.png"])
    assert after["red/broken.png"].removed
    assert not after["red/broken.png"].reasons
    assert b"it is green" in store.export_edits()
    assert store.undo().startswith("Undone: 2 relabelled, 2 restored (blue/conflict.png")
    assert {i.name: i.label for i in store.load_items()} == {i.name: i.label for i in items.values()}
    assert store.redo()
    assert store.undo()
    assert store.undo() is None


def test_retraining_goes_through_the_store(folder: Path, model: Path) -> None:
    store, _ = prepared(folder, model)
    assert store.find_obstacle() == ""
    old = (model / "bundle.json").read_bytes()
    steps = []
    result = store.retrain(steps.append)
    assert steps
    assert 0 < result.after <= 1
    assert result.n > 0
    assert (model / "bundle.json").read_bytes() == old
    store.keep_old()
    assert (model / "bundle.json").read_bytes() == old
    store.retrain(steps.append)
    assert "earlier models" in store.use_new()
    assert (model / "bundle.json").read_bytes() != old
    [earlier] = store.list_earlier()
    store.use_earlier(earlier.stamp)
    assert (model / "bundle.json").read_bytes() == old


def test_only_an_owner_has_the_tab(folder: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTCLF_PHOTOS", str(folder))
    assert build_app(model).strip.names == ["classify", "about"]
    for value in ("", "0", "true", "yes", "01"):
        monkeypatch.setenv("FASTCLF_OWNER", value)
        assert build_app(model).strip.names == ["classify", "about"]
    monkeypatch.setenv("FASTCLF_OWNER", "1")
    assert not build_app(model).clean.store.has_inbox
    monkeypatch.setenv("FASTCLF_INBOX", str(folder.parent / "inbox.sqlite"))
    app = build_app(model)
    assert app.clean.store.has_inbox
    assert app.strip.names == ["classify", "clean", "about"]
    # nothing is read before the tab is looked at
    clean = app.clean
    assert clean.panel is None
    app.strip.selected = "clean"
    assert clean.done.wait(60)
    assert len(clean.panel.model) == 63
    assert clean.panel.retrain.button.disabled is False


def test_where_things_lie_is_told_to_an_owner_alone(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = BundleError(f"The model {model} is damaged.")
    assert str(model) not in build_app(model).model.describe_fault(fault)
    monkeypatch.setenv("FASTCLF_OWNER", "1")
    assert str(model) in build_app(model).model.describe_fault(fault)


def test_photos_that_were_asked_for_before_the_tab_was_ready_are_shown_when_it_is(
    folder: Path, model: Path
) -> None:
    with Catalog(folder) as catalog:
        asked = [p.id for p in catalog.photos().photos if p.label == "red"][:3]
    words = Message("Photos of {label} that were called {answer}.", label="red", answer="blue")
    tab = CleanTab(CatalogStore(folder, model))
    tab.show_photos(asked, words)
    tab.start()
    assert tab.done.wait(60)
    tab.stop()
    grid = tab.panel.grid
    assert [tile["key"] for tile in grid.tiles] == asked
    assert grid.place["title"] == "Photos of red that were called blue."
    assert grid.place["lead"] == [1, None]
    # at once when it is ready; and the way back
    tab.show_photos(asked[:1], words)
    assert [tile["key"] for tile in grid.tiles] == asked[:1]
    tab.panel.back.click()
    assert not grid.place["title"]
    assert grid.place["lead"] == [3, None]


def test_a_tab_that_cannot_start_says_why_and_tries_again(folder: Path, model: Path, tmp_path: Path) -> None:
    store = CatalogStore(tmp_path / "later", model)
    tab = CleanTab(store)
    tab.start()
    assert tab.done.wait(30)
    assert "There is no folder" in tab.note.value
    with pytest.raises(FastclfError):
        store.open(lambda words: None)
    folder.rename(tmp_path / "later")
    tab.done.clear()
    tab.start()
    assert tab.done.wait(60)
    assert tab.panel is not None


def test_the_photos_folder_is_the_one_with_the_models_classes(
    folder: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FASTCLF_OWNER", "1")
    (tmp_path / "all").mkdir()
    folder.rename(tmp_path / "all" / "colours")
    (tmp_path / "all" / "bears" / "grizzly").mkdir(parents=True)
    (tmp_path / "all").rename(tmp_path / "photos")
    assert build_app(model).clean.store.folder == Path("photos/colours")


def test_a_photo_that_is_removed_while_the_check_runs_does_not_end_it(folder: Path, model: Path) -> None:
    store = CatalogStore(folder, model)
    store.open(lambda words: None)
    todo = ["green/005.png", "blue/003.png"]

    def tell(words: str) -> None:
        # what a person does while the features are still being computed
        if todo and words.startswith("Looking at photo"):
            store.catalog.remove([todo.pop()])

    store.prepare(tell)
    assert len(todo) < 2
    items = {item.name: item for item in store.load_items()}
    assert items["blue/003.png"].removed
    assert "duplicate" in kinds(items["red/copy.png"])
    assert all(i.answer for i in items.values() if i.split == "valid" and not i.removed)


def test_what_the_store_says_is_said_in_the_pages_language(folder: Path, model: Path) -> None:
    store, items = prepared(folder, model)
    reasons = [reason.text for item in items.values() for reason in item.reasons]
    said: list[str] = []
    for code in ("es", "ar"):
        language.code = code
        assert {translate(text) for text in reasons}.isdisjoint(reasons)
        assert "sealed for the test" not in say_remarks(store)
        store.open(said.append)
    assert said[0] == "Revisando las fotos ..."
    # what is stored is English
    store.apply([Decision(items["red/copy.png"].key, "remove", None, items["red/copy.png"].reasons[0].text)])
    assert b"the same file as red/000.png" in store.export_edits()


def test_two_owners_see_each_others_edits_and_the_one_who_waits_finds_it_again(
    folder: Path, model: Path
) -> None:
    one, other = CatalogStore(folder, model), CatalogStore(folder, model)
    for store in (one, other):
        store.open(lambda words: None)
    keys = {item.name: item.key for item in one.load_items()}
    before = one.look()
    assert other.find_news() == ""
    page = ReviewModel(one)
    page.load()
    page.choose([keys["red/wrong.png"]], "relabel", "green")
    page._waiting.wait()
    assert one.look() == before
    other.apply([Decision(keys["red/003.png"], "relabel", "blue", "")])
    assert other.find_news() == ""
    assert one.look() != before
    page.meet_others()
    assert page.message == "Somebody else changed photos: 1 relabelled (red/003.png)."
    assert page.item(keys["red/003.png"]).label == "blue"
    assert other.find_news() == ""
    again = ReviewModel(other)
    again.load()
    assert [decision.label for decision in again.pending.values()] == ["green"]


def test_many_new_photos_are_judged_by_the_model_before_they_are_read(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastclf.dashboard.clean.store._MANY", 10)
    # a model of other photos that knows these classes
    store = CatalogStore(folder, write_toy_bundle(tmp_path / "stranger", judged=True))
    store.open(lambda words: None)
    assert store.is_hurried
    items = {item.name: item for item in store.load_items()}
    assert store.catalog.measures() == {}
    assert items["red/wrong.png"].answer == "green"
    assert kinds(items["red/wrong.png"]) == {"label"}
    assert store.read_thumbnail(items["red/wrong.png"].key).startswith(b"\xff\xd8")
    store.finish_opening(lambda words: None)
    items = {item.name: item for item in store.load_items()}
    assert kinds(items["red/wrong.png"]) >= {"label"}
    assert "duplicate" in kinds(items["red/copy.png"])
    store.prepare(lambda words: None)
    assert store.summary == "Ranked by the model's doubt."
    assert "plain descriptor" not in say_remarks(store)
    assert "other photos" in store.find_obstacle()
    # the next session finds nothing new
    again = CatalogStore(folder, tmp_path / "stranger")
    again.open(lambda words: None)
    assert not again.is_hurried
