"""Photos without a label in the Clean tab: a real folder, a real catalog, a toy model."""

from __future__ import annotations

import json
import os
import shutil
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from ipywidgets import Widget
from PIL import Image

from fastclf import Catalog, ModelBundle
from fastclf.catalog import find_digest, is_held_out, list_unlabelled, name_copy
from fastclf.dashboard.app import build_app
from fastclf.dashboard.clean import CatalogStore, CleanPanel
from fastclf.dashboard.clean.new_photos import is_new
from fastclf.dashboard.clean.new_ranking import BATCH
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


def open_store(folder: Path, model: Path, new: Path | None = None) -> CatalogStore:
    store = CatalogStore(folder, model, new=new)
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


def test_their_number_of_the_last_look_is_no_remark_beside_the_queue(store: CatalogStore) -> None:
    assert any("wait for a label" in note for note in store.catalog.remarks)
    for _ in range(2):
        assert not any("_new" in note for note in store.remarks)
        store.prepare(lambda words: None)


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
    monkeypatch.setattr("fastclf.dashboard.clean.new_ranking._FIRST_LOOK", 5)
    seen: list[int] = []

    def count() -> None:
        texts = [str(item.reasons[0].text) for item in new_of(store).values()]
        seen.append(sum(", or " in text for text in texts))

    store.rank_new(lambda words: None, count)
    count()
    assert seen == [5, 19]


def apply_one(store: CatalogStore, name: str, action: str = "relabel", to: str | None = "red") -> str:
    key = new_of(store)[name].key
    return store.apply([Decision(key, action, to if action == "relabel" else None)])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_a_device_and_a_name_that_is_no_text_are_failures_and_nothing_waits_for_them(
    folder: Path, model: Path
) -> None:
    os.mkfifo(folder / "_new" / "pipe.jpg")
    (folder / "_new" / "device.jpg").symlink_to("/dev/zero")
    shutil.copy(folder / "_new" / "red60.png", os.fsencode(folder / "_new") + b"/\xff.png")
    with Catalog(folder) as catalog:
        catalog.scan()
        found = list_unlabelled(catalog, folder / "_new")
    assert dict(found.failures) == {
        "pipe.jpg": "is a pipe or a device, not a photo",
        "device.jpg": "is a pipe or a device, not a photo",
        "\\udcff.png": "has a name that is no valid text; rename it",
    }
    store = open_store(folder, model)
    assert len(new_of(store)) == 19
    assert "3 files cannot be read." in map(str, store.new_remarks)
    assert store.apply([Decision(item.key, "relabel", "red") for item in new_of(store).values()]).startswith(
        "Applied: 19 added."
    )


def test_a_file_that_is_no_photo_is_dismissed_unread_and_a_huge_one_is_never_held(
    folder: Path, model: Path
) -> None:
    (folder / "_new" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    with (folder / "_new" / "huge.jpg").open("wb") as f:
        f.write(b"\xff\xd8\xff")
        f.truncate(2**28)
    store = open_store(folder, model)
    key = new_of(store)["huge.jpg"].key
    tracemalloc.start()
    try:
        with pytest.raises(FastclfError, match=r"huge\.jpg cannot be read"):
            store.apply([Decision(key, "relabel", "red")])
        assert tracemalloc.get_traced_memory()[1] < 2**28
    finally:
        tracemalloc.stop()
    for name in ("broken.jpg", "huge.jpg"):
        assert apply_one(store, name, "remove") == "Applied: 1 dismissed. No file was changed."
    assert {"broken.jpg", "huge.jpg"}.isdisjoint(new_of(store))


def test_a_file_beyond_what_is_hashed_is_a_failure(
    folder: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastclf.catalog.reading._MOST_HASHED", 2**27)
    with (folder / "_new" / "huge.jpg").open("wb") as f:
        f.write(b"\xff\xd8\xff")
        f.truncate(2**28)
    with Catalog(folder) as catalog:
        [(name, reason)] = list_unlabelled(catalog, folder / "_new").failures
    assert name == "huge.jpg"
    assert "bytes" in reason or "MB" in reason


@pytest.mark.parametrize("when", ["written", "held"])
@pytest.mark.parametrize("to", ["red", "blue"])
def test_of_two_who_decide_at_the_same_time_the_first_one_is_followed(
    folder: Path, model: Path, when: str, to: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = open_store(folder, model), open_store(folder, model)
    key = new_of(first)["mixed.png"].key
    new_of(second)
    scan, apply = first.catalog.scan, first.catalog.apply

    def overtake(call: Callable[..., Any]) -> Callable[..., Any]:
        def wait(*args: Any, **options: Any) -> Any:
            monkeypatch.undo()
            second.apply([Decision(key, "relabel", to)])
            return call(*args, **options)

        return wait

    if when == "written":
        monkeypatch.setattr(first.catalog, "scan", overtake(scan))
    else:
        monkeypatch.setattr(first.catalog, "apply", overtake(apply))
    with pytest.raises(FastclfError, match=r"mixed\.png was decided elsewhere meanwhile\. Reload the page"):
        first.apply([Decision(key, "relabel", "red")])
    assert list(in_set(folder).values()) == [to]
    with pytest.raises(FastclfError, match="was decided elsewhere"):
        first.apply([Decision(key, "remove")])


def test_a_photo_that_is_decided_twice_at_once_is_taken_once(store: CatalogStore, folder: Path) -> None:
    key = new_of(store)["mixed.png"].key
    words = store.apply([Decision(key, "relabel", "red"), Decision(key, "relabel", "blue")])
    assert words.startswith("Applied: 1 added.")
    assert list(in_set(folder).values()) == ["blue"]


@pytest.mark.parametrize("place", ["fastclf.catalog.arrivals.Arrivals.hold", "fastclf.catalog.Catalog.apply"])
def test_what_a_kill_leaves_is_mended_at_the_next_opening(
    store: CatalogStore, folder: Path, model: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(folder / "_new" / "blue60.png", folder / "blue" / "new-0123456789abcdef-own.png")
    with monkeypatch.context() as patch:
        # a killed process tidies nothing up
        patch.setattr(place, die)
        patch.setattr("fastclf.dashboard.clean.added_files._remove_files", lambda added: None)
        with pytest.raises(KeyboardInterrupt):
            label(store, red60="red", green60="green")
    assert len(copies_of(folder)) == 3
    later = open_store(folder, model)
    assert list(in_set(folder).values()) == ["blue"]
    assert {"red60.png", "green60.png"} <= set(new_of(later))
    label(later, red60="green")
    open_store(folder, model)
    assert sorted(in_set(folder).values()) == ["blue", "green"]


def die(_: object, asked: Sequence[object] = (), *__: object, **___: object) -> dict[str, int]:
    if asked:
        raise KeyboardInterrupt
    return {}


def test_copies_whose_catalog_is_lost_stay_in_the_set(store: CatalogStore, folder: Path, model: Path) -> None:
    label(store, red60="red")
    store.catalog.close()
    shutil.rmtree(folder / ".fastclf")
    open_store(folder, model)
    assert list(in_set(folder).values()) == ["red"]


@pytest.mark.parametrize(
    "forged",
    [
        b"no json",
        b"[]",
        b"7",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"MARK": 7}',
        b'{"MARK": "zz"}',
        b'{"MARK": null}',
    ],
)
def test_kept_hashes_that_fastclf_did_not_write_are_passed_over(
    store: CatalogStore, folder: Path, model: Path, forged: bytes
) -> None:
    kept = json.loads(store.catalog.read_result("unlabelled files", "1") or b"")
    mark = json.dumps(next(iter(kept))).encode()
    store.catalog.keep_result("unlabelled files", "1", forged.replace(b'"MARK"', mark))
    later = open_store(folder, model)
    assert len(new_of(later)) == 19
    assert label(later, red60="red").startswith("Applied: 1 added.")


@pytest.mark.parametrize(
    "name", ["😀" * 60 + ".png", "x" * 250 + ".png", "a.b c", "." + "y" * 200 + "." + "z" * 40]
)
def test_a_copy_of_any_name_fits_the_disk_and_is_found_again(name: str) -> None:
    copy = name_copy(name, "0123456789abcdef" + 48 * "0")
    assert len(f"{copy}-1000".encode()) <= 240
    assert find_digest(copy) == "0123456789abcdef"


@pytest.mark.parametrize("name", ["a\n..\nb.png", "a\n.\nb.png", "a\n\\b.png", "x\\..\\y.png", "t\tb.png"])
def test_a_copy_of_a_file_with_an_odd_name_leaves_the_catalog_in_use(
    folder: Path, model: Path, name: str
) -> None:
    (folder / "_new" / "red60.png").rename(folder / "_new" / name)
    store = open_store(folder, model)
    store.apply([Decision(new_of(store)[name].key, "relabel", "red")])
    assert len(new_of(open_store(folder, model))) == 18
    [copy] = copies_of(folder)
    assert find_digest(copy)
    assert not {*copy} & {"\n", "\t", "\\"}


def test_a_class_that_became_a_link_to_itself_lets_photos_wait(store: CatalogStore, folder: Path) -> None:
    shutil.rmtree(folder / "red")
    (folder / "red").symlink_to("red")
    assert len(new_of(store)) == 19


@pytest.mark.parametrize("place", ["red", "."])
def test_a_folder_that_meanwhile_leads_to_photos_with_a_label_gives_none(
    folder: Path, model: Path, tmp_path: Path, place: str
) -> None:
    new = tmp_path / "card"
    (folder / "_new").rename(new)
    store = open_store(folder, model, new)
    assert len(new_of(store)) == 19
    new.rename(tmp_path / "old")
    new.symlink_to(folder / place)
    assert new_of(store) == {}
    assert "have a label" in store.note
    new.unlink()
    (tmp_path / "old").rename(new)
    assert len(new_of(store)) == 19
    assert not store.note


def test_other_bytes_under_the_same_name_size_and_time_are_seen_at_the_next_look(
    store: CatalogStore, folder: Path
) -> None:
    file = folder / "_new" / "red60.png"
    before, data = file.stat(), bytearray(file.read_bytes())
    item = new_of(store)["red60.png"]
    file.write_bytes(bytes(reversed(data)))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(FastclfError, match="was replaced meanwhile"):
        store.apply([Decision(item.key, "relabel", "red")])
    assert new_of(store)["red60.png"].key != item.key


def test_a_later_edit_of_a_copy_is_no_news_about_photos_that_wait(store: CatalogStore, folder: Path) -> None:
    label(store, red60="red")
    [copy] = copies_of(folder)
    key = next(item.key for item in store.load_items() if item.name == copy)
    store.apply([Decision(key, "remove")])
    for words in (store.undo(), store.redo(), store.undo()):
        assert words
        assert "wait" not in words
        assert store._unlearned == 1
    assert "1 new photo waits for a label again" in (store.undo() or "")
    assert store._unlearned == 0


def test_where_a_copy_was_deleted_by_hand_its_original_waits_again(
    store: CatalogStore, folder: Path, model: Path
) -> None:
    label(store, red60="red")
    (folder / copies_of(folder)[0]).unlink()
    later = open_store(folder, model)
    assert "red60.png" in new_of(later)
    label(later, red60="red")
    assert "red60.png" not in new_of(later)
    assert list(in_set(folder).values()) == ["red"]
    later.undo()
    assert "red60.png" in new_of(later)
    assert in_set(folder) == {}
    later.redo()
    assert "red60.png" not in new_of(later)


def test_a_class_whose_folder_no_scan_looks_into_is_refused_and_nothing_stays(
    store: CatalogStore, folder: Path
) -> None:
    before = hash_folder(folder)
    with pytest.raises(PhotosError, match=r"no class has its photos there\. Choose another class"):
        label(store, red60="_new")
    assert hash_folder(folder) == before


@pytest.fixture
def card(folder: Path) -> Path:
    """A folder elsewhere with three photos that have no label, one of them a copy of one in `_new`."""
    card = folder.parent / "card"
    (card / "monday").mkdir(parents=True)
    for i, name in ((80, "a.png"), (81, "monday/b.png")):
        draw_photo("green", i).save(card / name)
    shutil.copy(folder / "_new" / "mixed.png", card / "half.png")
    return card


def test_the_photos_of_a_folder_that_is_named_wait_in_place_of_those_beside_the_classes(
    folder: Path, model: Path, card: Path
) -> None:
    before, there = hash_folder(card), hash_folder(folder)
    store = open_store(folder, model, card)
    rank(store)
    items = new_of(store)
    assert sorted(items) == ["a.png", "half.png", "monday/b.png"]
    assert items["monday/b.png"].reasons[0].suggested == "green"
    assert store.read_thumbnail(items["monday/b.png"].key)
    store.apply([Decision(items["monday/b.png"].key, "relabel", "green")])
    [copy] = copies_of(folder)
    assert (folder / copy).read_bytes() == (card / "monday" / "b.png").read_bytes()
    assert in_set(folder) == {copy: "green"}
    assert sorted(new_of(store)) == ["a.png", "half.png"]
    store.undo()
    assert in_set(folder) == {}
    assert sorted(new_of(store)) == ["a.png", "half.png", "monday/b.png"]
    # the originals stay, and nothing else came to the set's folder
    assert hash_folder(card) == before
    assert hash_folder(folder) == {**there, copy: before["monday/b.png"]}


def test_a_dismissal_keeps_to_its_photo_whatever_folder_is_named(
    folder: Path, model: Path, card: Path
) -> None:
    apply_one(open_store(folder, model), "mixed.png", "remove")
    store = open_store(folder, model, card)
    assert sorted(new_of(store)) == ["a.png", "monday/b.png"]
    apply_one(store, "a.png", "remove")
    assert len(new_of(open_store(folder, model))) == 18
    # each is taken back from either folder
    assert store.undo() == "1 dismissed photo is new again."
    assert sorted(new_of(store)) == ["a.png", "monday/b.png"]
    assert store.undo() == "1 dismissed photo is new again."
    assert sorted(new_of(store)) == ["a.png", "half.png", "monday/b.png"]
    assert "mixed.png" in new_of(open_store(folder, model))


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("nowhere", "There is no folder {}."),
        ("photos/red", "{} belongs to"),
        (".", "{} holds photos of"),
        ("link", "{} holds photos of"),
        ("photos/red/000.png", "{} is a file"),
    ],
)
def test_a_folder_that_cannot_be_one_is_said_and_the_photos_are_cleaned_all_the_same(
    folder: Path, model: Path, place: str, words: str
) -> None:
    (folder.parent / "link").symlink_to(".")
    new = folder.parent / place
    store = open_store(folder, model, new)
    assert store.note.startswith(words.format(new))
    assert not new_of(store)
    panel = CleanPanel(store)
    assert ("All photos (18)", "all") in panel.view.options
    assert "new" not in [value for _, value in panel.view.options]


def test_beside_the_classes_a_link_to_a_class_is_no_folder_of_new_photos(folder: Path, model: Path) -> None:
    shutil.rmtree(folder / "_new")
    (folder / "_new").symlink_to("red")
    store = open_store(folder, model)
    assert "_new holds photos of" in store.note or "_new belongs to" in store.note
    assert not new_of(store)
    # one to elsewhere is
    (folder / "_new").unlink()
    (folder.parent / "other").mkdir()
    draw_photo("red", 90).save(folder.parent / "other" / "90.png")
    (folder / "_new").symlink_to(folder.parent / "other")
    assert list(new_of(store)) == ["90.png"]
    assert store.note == ""


def test_a_folder_that_goes_away_and_comes_back_leaves_the_others_to_be_cleaned(
    folder: Path, model: Path, card: Path
) -> None:
    store = open_store(folder, model, card)
    assert len(new_of(store)) == 3
    card.rename(folder.parent / "away")
    assert not new_of(store)
    assert len(store.load_items()) == 18
    assert "There is no folder" in store.note
    (folder.parent / "away").rename(card)
    assert len(new_of(store)) == 3
    assert store.note == ""


def test_a_photo_of_a_class_that_is_a_link_into_the_new_ones_has_a_label(folder: Path, model: Path) -> None:
    (folder / "red" / "mine.png").symlink_to(folder / "_new" / "red60.png")
    store = open_store(folder, model)
    assert "red60.png" not in new_of(store)
    assert len(new_of(store)) == 18


def test_the_page_takes_the_folder_of_the_setting_and_a_visitor_hears_nothing_of_it(
    folder: Path, model: Path, card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FASTCLF_PHOTOS", str(folder))
    monkeypatch.setenv("FASTCLF_NEW", str(card))
    monkeypatch.setenv("FASTCLF_OWNER", "1")
    app = build_app(model)
    app.strip.selected = "clean"
    assert app.clean.done.wait(60)
    app.clean.stop()
    assert ("New photos (3)", "new") in app.clean.panel.view.options
    monkeypatch.delenv("FASTCLF_OWNER")
    app = build_app(model)
    app.strip.selected = "about"
    told = str([widget.get_state() for widget in walk(app)])
    assert "fastclf-panel-about" in told
    assert str(card) not in told
    assert "New photos" not in told


def walk(widget: Widget) -> Iterator[Widget]:
    yield widget
    for child in getattr(widget, "children", ()):
        yield from walk(child)
