"""Photos without a label in the Clean tab: a real folder, a real catalog, a toy model."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from fastclf import Catalog, ModelBundle
from fastclf.catalog import find_digest, is_held_out
from fastclf.dashboard.clean import CatalogStore, CleanPanel
from fastclf.dashboard.clean.new_photos import BATCH, is_new
from fastclf.dashboard.clean.review import NEW, Decision, ReviewItem
from fastclf.errors import FastclfError, PhotosError
from fastclf.head import ChangedPhoto, Refit
from fastclf.system import hash_file

from ..drawing import draw_photo, draw_photos
from ..scanned import hash_folder
from ..toy import write_toy_bundle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = draw_photos(tmp_path / "photos", per_class=6)
    (folder / "_new").mkdir()
    for i in range(60, 66):
        for label in ("red", "green", "blue"):
            draw_photo(label, i).save(folder / "_new" / f"{label}{i}.png")
    draw_mixed(60).save(folder / "_new" / "mixed.png")
    return folder


def draw_mixed(i: int) -> Image.Image:
    """Half red and half green: no head is sure of it."""
    red, green = draw_photo("red", i).convert("RGB"), draw_photo("green", i).convert("RGB")
    red.paste(green.crop((0, 0, red.width // 2, red.height)), (0, 0))
    return red


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_toy_bundle(tmp_path / "m")


def open_store(folder: Path, model: Path) -> CatalogStore:
    store = CatalogStore(folder, model)
    store.open(lambda words: None)
    store.load_items()
    return store


@pytest.fixture
def store(folder: Path, model: Path) -> CatalogStore:
    return open_store(folder, model)


def new_of(store: CatalogStore) -> dict[str, ReviewItem]:
    return {item.name: item for item in store.load_items() if item.outside == NEW}


def label(store: CatalogStore, **labels: str) -> str:
    items = new_of(store)
    return store.apply([Decision(items[f"{name}.png"].key, "relabel", to) for name, to in labels.items()])


def copies_of(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.glob("*/new-*"))


def in_set(folder: Path) -> dict[str, str]:
    with Catalog(folder) as catalog:
        return {p.name: p.label for p in catalog.photos().photos if find_digest(p.name)}


def rank(store: CatalogStore) -> None:
    assert store.rank_new(lambda words: None, lambda: None)


def test_the_view_is_there_only_where_photos_wait_and_they_stand_in_no_other(
    store: CatalogStore, tmp_path: Path, model: Path
) -> None:
    panel = CleanPanel(store)
    assert ("New photos (19)", "new") in panel.view.options
    assert ("All photos (18)", "all") in panel.view.options
    assert not any(is_new(tile["key"]) for tile in panel.grid.tiles)
    panel.view.value = "new"
    tiles = panel.grid.tiles
    assert len(tiles) == 19
    assert {tile["reasons"][0]["text"] for tile in tiles} == {"not looked at yet"}
    assert "19 new photos wait for a label." in panel.summary.value
    other = draw_photos(tmp_path / "other", per_class=2)
    assert "new" not in [value for _, value in CleanPanel(open_store(other, model)).view.options]


def test_they_are_ranked_with_guess_and_second_and_every_fifth_is_there_by_chance(
    store: CatalogStore, folder: Path
) -> None:
    rank(store)
    panel = CleanPanel(store)
    panel.view.value = "new"
    items = panel.model.queue
    judges = [hash_file(folder / "_new" / item.name) for item in items]
    judges = [sha for sha in judges if is_held_out(sha)]
    assert judges == sorted(judges)
    teaching = [i.name for i in items if not is_held_out(hash_file(folder / "_new" / i.name))]
    assert len(judges) + len(teaching) == 19 <= BATCH
    places = [is_held_out(hash_file(folder / "_new" / item.name)) for item in items]
    assert not any(places[:4])
    assert places[4] or not judges
    if "mixed.png" in teaching:
        assert teaching[0] == "mixed.png"
    [reason] = new_of(store)["red61.png"].reasons
    assert reason.suggested == "red"
    assert reason.text.startswith("red, ")
    assert ", or " in reason.text
    # and nothing about the ranking writes into the folder
    assert copies_of(folder) == []
    # the second call has nothing to do
    assert not store.rank_new(lambda words: None, lambda: None)


def test_a_label_makes_a_copy_in_the_class_folder_and_undo_and_redo_move_it(
    store: CatalogStore, folder: Path
) -> None:
    before = hash_folder(folder)
    words = label(store, red60="red", green60="blue")
    assert words == "Applied: 2 added. 2 files were added, and no other was changed."
    blue, red = copies_of(folder)
    assert (Path(blue).parent.name, Path(red).parent.name) == ("blue", "red")
    assert (folder / red).read_bytes() == (folder / "_new" / "red60.png").read_bytes()
    assert in_set(folder) == {blue: "blue", red: "red"}
    assert {"red60.png", "green60.png"}.isdisjoint(new_of(store))
    with Catalog(folder) as catalog:
        who = {row.who for row in catalog.edits(log=True)}
        assert len(who - {"scan"}) == 1
    for _ in range(2):
        undone = store.undo() or ""
        assert "2 new photos wait for a label again; their copies stay, out of the set." in undone
        assert in_set(folder) == {}
        assert {"red60.png", "green60.png"} <= set(new_of(store))
        assert store.undo() is None
        assert (store.redo() or "").startswith("Done again: 2 restored (")
        assert in_set(folder) == {blue: "blue", red: "red"}
        assert len(new_of(store)) == 17
    assert {name: sha for name, sha in hash_folder(folder).items() if name not in (blue, red)} == before
    # another label after an undo: the first copy stays out of the set
    store.undo()
    label(store, red60="green")
    assert list(in_set(folder).values()) == ["green"]


def test_a_dismissed_photo_waits_no_longer_in_any_session_until_that_is_undone(
    store: CatalogStore, folder: Path, model: Path
) -> None:
    before = hash_folder(folder)
    words = store.apply([Decision(new_of(store)["blue60.png"].key, "remove")])
    assert words == "Applied: 1 dismissed. No file was changed."
    later = open_store(folder, model)
    assert "blue60.png" not in new_of(later)
    assert "1 other has a label already." in [str(words) for words in later.new_remarks]
    assert later.undo() == "1 dismissed photo is new again."
    assert "blue60.png" in new_of(later)
    assert later.redo() == "1 new photo is dismissed again."
    assert "blue60.png" not in new_of(later)
    assert hash_folder(folder) == before


def test_a_photo_that_changed_meanwhile_is_left_out_and_the_others_are_taken(
    store: CatalogStore, folder: Path
) -> None:
    items = new_of(store)
    (folder / "_new" / "red60.png").unlink()
    draw_photo("blue", 99).save(folder / "_new" / "green60.png")
    (folder / "_new" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    items |= {name: item for name, item in new_of(store).items() if name == "broken.jpg"}
    (folder / "_new" / "red61.png").unlink()
    chosen = ["red61.png", "broken.jpg", "blue60.png"]
    words = store.apply([Decision(items[name].key, "relabel", "red") for name in chosen])
    assert words.startswith("Applied: 1 added. 1 file was added, and no other was changed.")
    assert "Left out: red61.png was deleted meanwhile." in words
    assert "Left out: broken.jpg cannot be read." in words
    assert len(copies_of(folder)) == 1
    # of all of them: that is refused, so that nothing is taken for done
    with pytest.raises(FastclfError, match=r"broken\.jpg cannot be read\. Reload the page; nothing was"):
        store.apply([Decision(items["broken.jpg"].key, "relabel", "red")])
    (folder / "_new" / "blue61.png").write_bytes((folder / "_new" / "blue62.png").read_bytes())
    with pytest.raises(FastclfError, match="was replaced meanwhile"):
        store.apply([Decision(items["blue61.png"].key, "relabel", "red")])


def test_what_has_a_label_does_not_wait_and_a_near_copy_says_so(folder: Path, model: Path) -> None:
    shutil.copy(folder / "red" / "000.png", folder / "_new" / "again.png")
    shutil.copy(folder / "_new" / "mixed.png", folder / "_new" / "twice.png")
    store = open_store(folder, model)
    assert "again.png" not in new_of(store)
    assert len(new_of(store)) == 19
    assert [str(words) for words in store.new_remarks] == ["1 other has a label already."]


def test_a_folder_that_cannot_be_written_refuses_and_leaves_nothing(
    store: CatalogStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    before = hash_folder(folder)
    monkeypatch.setattr("fastclf.dashboard.clean.added_files.write_atomic", fail)
    with pytest.raises(PhotosError, match=r"cannot be added to .*nothing was changed"):
        label(store, red60="red")
    assert hash_folder(folder) == before
    assert len(new_of(store)) == 19


def test_what_cannot_be_ranked_is_shown_all_the_same_and_why(folder: Path, tmp_path: Path) -> None:
    store = open_store(folder, tmp_path / "none")
    rank(store)
    said = " ".join(map(str, store.new_remarks))
    assert said.startswith("They are not ranked. There is no network to see the photos with.")
    assert len(new_of(store)) == 19


def test_a_class_set_of_one_says_that_two_are_needed(folder: Path, model: Path) -> None:
    for name in ("green", "blue"):
        shutil.rmtree(folder / name)
    store = open_store(folder, model)
    rank(store)
    assert any("two are the least" in str(words) for words in store.new_remarks)


def test_choices_survive_a_reload_of_the_page(store: CatalogStore, folder: Path, model: Path) -> None:
    panel = CleanPanel(store)
    key = new_of(store)["red60.png"].key
    panel.model.choose([key], "relabel", "red")
    assert panel.model.message == "red60.png will be added to red."
    panel.model._waiting.wait()
    later = CleanPanel(open_store(folder, model))
    assert later.model.pending[key].label == "red"
    assert later.model.is_labelling
    words = later.model.build_preview()
    assert words.words == "1 photo will be added to red."
    assert words.changes[0].before == "without a label"


def test_ten_labels_ask_for_a_retraining_which_says_what_they_brought(
    store: CatalogStore, folder: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {f"{name}{i}": name for i in (60, 61, 62) for name in ("red", "green", "blue")}
    label(store, **said)
    assert not store.wants_retraining
    label(store, red63="red")
    assert store.wants_retraining
    store.undo()
    assert not store.wants_retraining
    store.redo()

    changed = tuple(ChangedPhoto(i, f"{i}.png", "red", "blue", "red") for i in range(2))

    def refit(*_: object) -> Refit:
        return Refit(model, model, 0.5, 0.6, 20, 30, changed, 0, 1.0, (), "stamp")

    monkeypatch.setattr("fastclf.dashboard.clean.store.refit_head", refit)
    first, chance = store.retrain(lambda progress: None).notes
    assert first == "After 10 labels of new photos: 50.0 % → 60.0 % right on the same 20 validation photos."
    assert chance == "A difference like this may be chance."
    assert not store.wants_retraining


def test_of_those_that_are_labelled_every_fifth_judges_and_copies_stay_together(
    store: CatalogStore, folder: Path
) -> None:
    rows = {name: item for name, item in new_of(store).items() if name != "mixed.png"}
    label(store, **{name.removesuffix(".png"): name[:-6] for name in rows})
    with Catalog(folder) as catalog:
        catalog.scan()
        photos = catalog.photos().photos
        splits = catalog.assign_splits(photos).splits
        found = {p.sha256: s for p, s in zip(photos, splits, strict=True) if find_digest(p.name)}
    assert len(found) == 18
    assert {sha: s for sha, s in found.items() if s} == {
        sha: "valid" if is_held_out(sha) else "train" for sha, s in found.items() if s
    }
    assert set(found.values()) >= {"train"}


def test_the_model_is_left_alone(store: CatalogStore, model: Path) -> None:
    before = hash_folder(model)
    rank(store)
    label(store, red60="red")
    assert hash_folder(model) == before
    ModelBundle.load(model)


def test_the_page_starts_the_retraining_after_ten_and_not_before(
    store: CatalogStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Silent:
        def list_earlier(self) -> tuple[()]:
            return ()

    panel = CleanPanel(store, Silent())  # type: ignore[arg-type]
    started: list[int] = []
    monkeypatch.setattr(panel.retrain_model, "start", started.append)
    items = new_of(store)
    for n, names in ((4, range(60, 64)), (10, range(60, 66))):
        for colour in ("red",) if n == 4 else ("green",):
            panel.model.choose([items[f"{colour}{i}.png"].key for i in names], "relabel", colour)
        panel.apply.click()
        panel.confirm.click()
        assert started == ([] if n == 4 else [0])


def test_where_many_are_new_some_are_ranked_and_shown_first(
    store: CatalogStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastclf.dashboard.clean.new_photos._FIRST_LOOK", 5)
    seen: list[int] = []

    def count() -> None:
        texts = [str(item.reasons[0].text) for item in new_of(store).values()]
        seen.append(sum(", or " in text for text in texts))

    store.rank_new(lambda words: None, count)
    count()
    assert seen == [5, 19]
