"""Visitors' reports in the Clean tab: a real folder, a real catalog, a real inbox."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastclf import Catalog
from fastclf.dashboard.clean import CatalogStore, CleanPanel
from fastclf.dashboard.clean.review import Decision, ReviewItem
from fastclf.dashboard.texts import language, translate
from fastclf.errors import FastclfError, PhotosError
from fastclf.inbox import Claim, Inbox
from fastclf.system import hash_bytes

from ..drawing import draw_photo, draw_photos


def add_report(inbox: Inbox, image: Image.Image, name: str, *, answer: str, label: str | None) -> int:
    """Report a photo as a visitor's page does."""
    return inbox.add(image, Claim(name=name, answer=answer, probability=0.61, label=label))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return draw_photos(tmp_path / "photos", per_class=6)


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path / "inbox.sqlite")


@pytest.fixture
def store(folder: Path, inbox: Inbox) -> CatalogStore:
    add_report(inbox, draw_photo("red", 500), "shirt <b>.jpg", answer="blue", label="red")
    add_report(inbox, draw_photo("green", 501), "b.jpg", answer="blue", label=None)
    add_report(inbox, draw_photo("blue", 502), "c.jpg", answer="red", label="blue")
    return open_store(folder, inbox)


def open_store(folder: Path, inbox: Inbox | None) -> CatalogStore:
    """Open the Clean tab's store as the page does, without a model."""
    store = CatalogStore(folder, folder.parent / "none", inbox)
    store.open(lambda words: None)
    store.load_items()
    return store


def reports_of(store: CatalogStore) -> list[ReviewItem]:
    return [item for item in store.load_items() if item.outside]


def find_item(store: CatalogStore, name: str) -> ReviewItem:
    return next(item for item in store.load_items() if item.name == name)


def names_of(inbox: Inbox) -> list[str]:
    return [report.name for report in inbox.reports()]


def hash_files(folder: Path) -> dict[str, str]:
    files = [p for p in folder.rglob("*") if p.is_file() and ".fastclf" not in p.parts]
    return {p.relative_to(folder).as_posix(): hash_bytes(p.read_bytes()) for p in files}


def find_added(folder: Path) -> list[str]:
    return sorted(name for name in hash_files(folder) if "reported" in name)


def in_set(folder: Path) -> dict[str, str]:
    with Catalog(folder) as catalog:
        return {photo.name: photo.label for photo in catalog.photos().photos if "reported" in photo.name}


def test_a_report_says_what_was_answered_and_what_the_visitor_says(store: CatalogStore) -> None:
    first, second, _ = reports_of(store)
    assert (first.name, first.answer, first.label, first.removed) == ("shirt <b>.jpg", "blue", "", False)
    [reason] = first.reasons
    assert (reason.kind, reason.text, reason.suggested) == ("report", "a visitor says: red", "red")
    assert [(r.text, r.suggested) for r in second.reasons] == [("a visitor says: none of these", None)]
    assert store.read_thumbnail(first.key).startswith(b"\xff\xd8")
    # the photos of the set are there as before
    assert sum(not item.outside for item in store.load_items()) == 18


def test_the_view_of_reports_is_there_with_its_count_even_when_it_is_empty(
    store: CatalogStore, folder: Path, tmp_path: Path
) -> None:
    panel = CleanPanel(store)
    assert ("Reported by visitors (3)", "report") in panel.view.options
    # above everything that a check says
    assert [tile["outside"] for tile in panel.grid.tiles[:4]] == ["report"] * 3 + [""]
    assert ("All photos (18)", "all") in panel.view.options
    panel.view.value = "all"
    assert not any(tile["outside"] for tile in panel.grid.tiles)
    panel.view.value, panel.label.value = "report", "red"
    assert {tile["name"] for tile in panel.grid.tiles} == {"shirt <b>.jpg", "c.jpg"}
    empty = CleanPanel(open_store(folder, Inbox(tmp_path / "empty.sqlite")))
    assert ("Reported by visitors (0)", "report") in empty.view.options
    assert "report" not in [value for _, value in CleanPanel(open_store(folder, None)).view.options]


def test_the_preview_says_what_becomes_of_reports_and_photos(store: CatalogStore) -> None:
    panel = CleanPanel(store)
    first, second, third = reports_of(store)
    photo = find_item(store, "red/000.png")
    panel.model.choose([first.key, photo.key], "relabel", "green")
    assert panel.model.message == "red/000.png will become green. shirt <b>.jpg will be added to green."
    panel.model.choose([second.key, third.key], "remove")
    assert panel.model.message == "2 reports will be dismissed."
    assert panel.model.build_preview().words == (
        "1 photo will get another label (1 to green); 1 photo will be added to green; 2 reports will be dismissed."
    )
    panel.apply.click()
    assert "1 file is added, and no other is touched." in panel.changes.summary
    rows = {row["name"]: row for row in panel.changes.rows}
    assert rows["shirt <b>.jpg"]["before"] == "reported by a visitor"


def test_a_taken_report_is_a_new_file_in_the_class_folder_and_in_the_set(
    store: CatalogStore, folder: Path, inbox: Inbox
) -> None:
    before = hash_files(folder)
    first, second, _ = reports_of(store)
    photo = inbox.read_photo(inbox.reports()[0].id)
    words = store.apply(
        [Decision(first.key, "relabel", "red", first.reasons[0].text), Decision(second.key, "remove")]
    )
    assert words == "Applied: 1 added, 1 dismissed. 1 file was added, and no other was changed."
    [name] = find_added(folder)
    assert name.startswith("red/")
    assert (folder / name).read_bytes() == photo
    assert {n: h for n, h in hash_files(folder).items() if n != name} == before
    assert in_set(folder) == {name: "red"}
    assert names_of(inbox) == ["c.jpg"]
    with Catalog(folder) as catalog:
        assert [row.why for row in catalog.edits(log=True)][-1] == "a visitor says: red"
        assert catalog.edits() == []


def test_photos_and_reports_are_one_step_and_undo_and_redo_move_all_of_it(
    store: CatalogStore, folder: Path, inbox: Inbox
) -> None:
    first, second, third = reports_of(store)
    store.apply([Decision(third.key, "remove")])
    photo = find_item(store, "red/000.png")
    step = {photo: ("relabel", "green"), first: ("relabel", "blue"), second: ("remove", None)}
    store.apply([Decision(item.key, *said) for item, said in step.items()])
    [name] = find_added(folder)

    def state() -> tuple[str, dict[str, str], list[str]]:
        return find_item(store, "red/000.png").label, in_set(folder), sorted(names_of(inbox))

    states = [
        ("red", {}, ["b.jpg", "c.jpg", "shirt <b>.jpg"]),
        ("red", {}, ["b.jpg", "shirt <b>.jpg"]),
        ("green", {name: "blue"}, []),
    ]
    for _ in range(2):
        assert state() == states[2]
        words = store.undo() or ""
        assert words.startswith("Undone: 1 relabelled, 1 removed (blue/reported-")
        assert "1 report waits again; the file that was added for it stays, out of the set." in words
        assert "1 dismissed report waits again." in words
        assert state() == states[1]
        assert store.undo() == "1 dismissed report waits again."
        assert state() == states[0]
        assert store.undo() is None
        # no photo is ever deleted
        assert find_added(folder) == [name]
        assert store.redo() == "1 report is dismissed again."
        assert state() == states[1]
        assert (store.redo() or "").endswith("1 report is taken again. 1 report is dismissed again.")
        assert store.redo() is None
    assert find_added(folder) == [name]


def test_what_was_undone_is_not_done_again_after_another_decision(store: CatalogStore, inbox: Inbox) -> None:
    first, second, _ = reports_of(store)
    store.apply([Decision(first.key, "relabel", "red")])
    store.undo()
    store.apply([Decision(second.key, "remove")])
    assert store.redo() is None
    assert sorted(names_of(inbox)) == ["c.jpg", "shirt <b>.jpg"]


def test_a_report_taken_in_an_earlier_session_can_be_undone(
    store: CatalogStore, folder: Path, inbox: Inbox, tmp_path: Path
) -> None:
    store.apply([Decision(reports_of(store)[0].key, "relabel", "red")])
    later = open_store(folder, inbox)
    assert "1 report waits again" in (later.undo() or "")
    assert in_set(folder) == {}
    assert "shirt <b>.jpg" in names_of(inbox)
    # a report that was dismissed, too
    store.load_items()
    store.apply([Decision(reports_of(store)[1].key, "remove")])
    assert open_store(folder, inbox).undo() == "1 dismissed report waits again."
    assert len(inbox.reports()) == 3
    later = open_store(folder, inbox)
    later.apply([Decision(reports_of(later)[0].key, "relabel", "red")])
    later.undo()
    # of another inbox nothing is opened again
    other = Inbox(tmp_path / "other.sqlite")
    add_report(other, draw_photo("blue", 900), "other.jpg", answer="red", label="blue")
    other.settle({other.reports()[0].id: "taken"})
    later.redo()
    stranger = open_store(folder, other)
    assert "waits again" not in (stranger.undo() or "")
    assert other.reports() == []


def test_an_undone_report_that_is_taken_anew_needs_no_second_file(
    store: CatalogStore, folder: Path, inbox: Inbox
) -> None:
    store.apply([Decision(reports_of(store)[0].key, "relabel", "red")])
    store.undo()
    [again, *_] = reports_of(store)
    store.apply([Decision(again.key, "relabel", "red")])
    assert len(find_added(folder)) == 1
    assert list(in_set(folder).values()) == ["red"]
    store.undo()
    store.apply([Decision(again.key, "remove")])
    store.undo()
    store.apply([Decision(again.key, "relabel", "red")])
    # it is taken, whatever was undone of it
    assert "shirt <b>.jpg" not in [item.name for item in reports_of(open_store(folder, inbox))]
    store.undo()
    store.apply([Decision(again.key, "relabel", "blue")])
    assert list(in_set(folder).values()) == ["blue"]


def test_a_step_about_a_photo_that_a_report_became_leaves_the_report_alone(
    store: CatalogStore, folder: Path, inbox: Inbox
) -> None:
    store.apply([Decision(reports_of(store)[0].key, "relabel", "red")])
    waits = names_of(inbox)
    [photo] = [item for item in store.load_items() if "reported" in item.name]
    for action in ("remove", "restore"):
        assert store.apply([Decision(photo.key, action)]).startswith(f"Applied: 1 {action}d.")
    for _ in range(2):
        assert "report waits" not in (store.undo() or "")
        assert names_of(inbox) == waits
    assert "1 report waits again" in (store.undo() or "")
    # whoever restores its file by hand takes the report as well
    assert store.apply([Decision(photo.key, "restore")]) == "Applied: 1 restored. No file was changed."
    assert names_of(inbox) == waits


def test_the_picture_of_a_dismissed_report_that_comes_as_a_file_is_a_photo_like_any_other(
    store: CatalogStore, folder: Path, inbox: Inbox
) -> None:
    first, *_ = reports_of(store)
    photo = inbox.read_photo(-first.key)
    store.apply([Decision(first.key, "remove")])
    assert find_added(folder) == []
    (folder / "red" / "reported by mail.jpg").write_bytes(photo)
    store.catalog.scan()
    assert in_set(folder) == {"red/reported by mail.jpg": "red"}
    for step in (store.undo, store.redo):
        step()
        assert in_set(folder) == {"red/reported by mail.jpg": "red"}


def test_two_reports_of_one_picture_and_a_file_in_the_way_collide_with_nothing(
    store: CatalogStore, folder: Path, inbox: Inbox
) -> None:
    add_report(inbox, draw_photo("red", 500), "twin.jpg", answer="blue", label="red")
    first, *_, twin = reports_of(store)
    store.apply([Decision(first.key, "relabel", "red")])
    [name] = find_added(folder)
    store.undo()
    (folder / name).write_bytes(b"somebody else's")
    store.apply([Decision(first.key, "relabel", "red"), Decision(twin.key, "relabel", "red")])
    assert len(find_added(folder)) == 3
    assert (folder / name).read_bytes() == b"somebody else's"
    assert len(in_set(folder)) == 2


def test_a_class_without_a_folder_gets_one_and_a_split_folder_its_training_part(
    inbox: Inbox, tmp_path: Path
) -> None:
    folder = tmp_path / "split"
    for part in ("train", "valid"):
        draw_photos(folder / part, per_class=2)
    add_report(inbox, draw_photo("red", 500), "a.jpg", answer="blue", label="red")
    store = open_store(folder, inbox)
    [report] = reports_of(store)
    with Catalog(folder) as catalog:
        catalog.relabel(["train/red/000.png"], "crimson")
    store.load_items()
    store.apply([Decision(report.key, "relabel", "crimson")])
    [name] = find_added(folder)
    assert name.startswith("train/crimson/")
    assert in_set(folder) == {name: "crimson"}


def test_a_copy_of_a_photo_in_the_set_is_said_to_be_one(
    store: CatalogStore, folder: Path, inbox: Inbox
) -> None:
    draw_large(7).save(folder / "green" / "large.png")
    add_report(inbox, draw_photo("red", 3), "exact.jpg", answer="blue", label="red")
    (folder / "red" / "same.jpg").write_bytes(inbox.read_photo(inbox.reports()[-1].id))
    store.catalog.scan()
    add_report(inbox, draw_large(7).resize((220, 220)), "near.jpg", answer="blue", label="red")
    add_report(inbox, draw_large(8), "another.jpg", answer="blue", label="red")
    words = {item.name: [r.text for r in item.reasons if r.kind == "copy"] for item in reports_of(store)}
    assert words["exact.jpg"] == ["the same picture as red/same.jpg, which is in the set as red"]
    assert words["near.jpg"] == ["the same picture as green/large.png, which is in the set as green"]
    assert words["another.jpg"] == words["b.jpg"] == []
    store.apply([Decision(find_item(store, "green/large.png").key, "remove")])
    assert not any(r.kind == "copy" for i in reports_of(store) if i.name == "near.jpg" for r in i.reasons)


@pytest.mark.parametrize("part", ["write", "scan", "settle"])
def test_a_step_that_fails_leaves_nothing_behind(
    store: CatalogStore, folder: Path, inbox: Inbox, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = hash_files(folder)
    first, second, _ = reports_of(store)
    photo = find_item(store, "red/000.png")

    def explode(*_: object, **__: object) -> None:
        raise PhotosError("The disk is full.")

    with monkeypatch.context() as patch:
        if part == "write":
            (folder / "blue").chmod(0o500)
            patch.setattr(
                "fastclf.dashboard.clean.added_files.write_atomic",
                lambda *_: (_ for _ in ()).throw(OSError(28, "No space")),
            )
        elif part == "scan":
            patch.setattr(store.catalog, "scan", explode)
        else:
            patch.setattr(inbox, "settle", explode)
        step = {photo: ("relabel", "green"), first: ("relabel", "blue"), second: ("remove", None)}
        with pytest.raises(FastclfError):
            store.apply([Decision(item.key, *said) for item, said in step.items()])
    (folder / "blue").chmod(0o700)
    assert hash_files(folder) == before
    assert len(inbox.reports()) == 3
    after = store.load_items()
    assert next(i.label for i in after if i.name == "red/000.png") == "red"
    assert sum(not i.outside for i in after) == 18
    store.apply([Decision(first.key, "relabel", "blue")])
    assert list(in_set(folder).values()) == ["blue"]


_KILLED = """
import os, sys
from pathlib import Path
from fastclf.catalog.arrivals import Arrivals
from fastclf.dashboard.clean import CatalogStore
from fastclf.dashboard.clean.review import Decision
from fastclf.inbox import Claim, Inbox
folder, inbox, owner, name = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]
store = CatalogStore(folder, folder.parent / "none", Inbox(inbox))
store.open(lambda words: None)
keys = [item.key for item in store.load_items() if item.outside]
setattr(globals()[owner], name, lambda *_, **__: os._exit(9))
store.apply([Decision(keys[0], "relabel", "red"), Decision(keys[1], "remove")])
store.undo()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("owner", "name", "waits", "is_taken"),
    [
        ("Arrivals", "hold", ["b.jpg", "c.jpg", "shirt <b>.jpg"], False),
        ("Inbox", "settle", ["c.jpg"], True),
        ("Inbox", "reopen", ["b.jpg", "c.jpg", "shirt <b>.jpg"], False),
    ],
)
def test_what_a_kill_leaves_is_mended_at_the_next_opening(
    store: CatalogStore, folder: Path, inbox: Inbox, owner: str, name: str, waits: list[str], is_taken: bool
) -> None:
    command = [sys.executable, "-c", _KILLED, str(folder), str(inbox.path), owner, name]
    assert subprocess.run(command, check=False).returncode == 9
    later = open_store(folder, inbox)
    assert sorted(names_of(inbox)) == waits
    assert len(in_set(folder)) == is_taken
    # what the killed process began can be done, or undone
    if not is_taken:
        [first, *_] = reports_of(later)
        later.apply([Decision(first.key, "relabel", "red")])
        assert list(in_set(folder).values()) == ["red"]
    assert "1 report waits again" in (later.undo() or "")
    assert in_set(folder) == {}
    assert len(find_added(folder)) == 1


def test_no_label_leads_out_of_the_folder_and_a_report_that_was_settled_elsewhere_is_refused(
    store: CatalogStore, folder: Path, inbox: Inbox
) -> None:
    first, *_ = reports_of(store)
    for label in ("../out", "a/b", ".fastclf", ""):
        with pytest.raises(FastclfError):
            store.apply([Decision(first.key, "relabel", label)])
    inbox.settle({inbox.reports()[0].id: "dismissed"})
    with pytest.raises(FastclfError, match="settled elsewhere"):
        store.apply([Decision(first.key, "relabel", "red")])
    assert find_added(folder.parent) == []


def test_an_inbox_that_cannot_be_read_is_said_and_the_photos_can_be_cleaned_without_it(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "inbox.sqlite").write_bytes(b"no database at all" * 1000)
    store = open_store(folder, Inbox(tmp_path / "inbox.sqlite"))
    assert not store.has_inbox
    assert "is damaged" in store.note
    items = store.load_items()
    assert len(items) == 18
    assert store.apply([Decision(items[0].key, "remove")]).startswith("Applied: 1 removed.")


def test_what_is_said_of_reports_is_said_in_the_pages_language(store: CatalogStore) -> None:
    panel = CleanPanel(store)
    panel.model.choose([reports_of(store)[0].key], "relabel", "red")
    language.code = "es"
    tile = next(t for t in panel.grid.tiles if t["name"] == "shirt <b>.jpg")
    assert tile["words"] == "se añadirá a red"
    assert tile["reasons"][0]["text"] == "un visitante dice: red"
    assert panel.grid.said["text"] == "shirt <b>.jpg: se añadirá a red."
    assert panel.view.options[1][0] == "Avisos de visitantes (3)"
    assert translate(panel.model.build_preview().words) == "1 foto se añadirá a red."
    # what is stored stays English: it has to replay
    assert panel.model.pending[tile["key"]].why == "a visitor says: red"


def draw_large(seed: int) -> Image.Image:
    """Return a photo with enough detail to be told from others."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8))
    return small.resize((320, 320), Image.Resampling.BICUBIC)


@pytest.mark.slow
def test_a_report_that_the_inbox_has_dropped_is_said_and_blocks_no_undo(
    store: CatalogStore, folder: Path, inbox: Inbox
) -> None:
    first, *_ = reports_of(store)
    store.apply([Decision(first.key, "relabel", "red")])
    photos = [draw_photo("red", 600 + i) for i in range(52)]
    many = [add_report(inbox, photo, "a.jpg", answer="blue", label=None) for photo in photos]
    store.load_items()
    store.apply([Decision(-report, "remove") for report in many])
    assert store.undo() == (
        "50 dismissed reports wait again. 2 reports are no longer in the inbox, so they do not wait again."
    )
    assert "1 report is no longer in the inbox" in (store.undo() or "")
    assert in_set(folder) == {}


def test_a_report_that_comes_while_the_list_is_open_is_shown_and_said(
    store: CatalogStore, inbox: Inbox
) -> None:
    panel = CleanPanel(store)
    before = store.look()
    panel.model.choose([panel.grid.tiles[3]["key"]], "remove")
    panel.model.meet_others()
    assert "report" not in panel.model.message
    add_report(inbox, draw_photo("blue", 503), "d.jpg", answer="red", label="blue")
    assert store.look() != before
    panel.model.meet_others()
    assert panel.model.message == "1 new report came in."
    assert ("Reported by visitors (4)", "report") in panel.view.options
    assert len(panel.model.pending) == 1
