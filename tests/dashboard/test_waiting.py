"""Choices that wait outlive the session, and do not overwrite what somebody else made of a photo meanwhile."""

from __future__ import annotations

import pytest

from fastclf.dashboard.clean import CleanPanel
from fastclf.dashboard.clean.model import ReviewModel
from fastclf.errors import CatalogError

from .memory import VOCAB, MemoryStore, build_item


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore([build_item(k, VOCAB[k % 3], 1 - k / 100) for k in range(60)])


def begin(store: MemoryStore) -> ReviewModel:
    model = ReviewModel(store)
    model.load()
    return model


def waits(model: ReviewModel) -> dict[int, str]:
    return {key: decision.label or decision.action for key, decision in model.pending.items()}


def test_what_waits_is_there_again_in_the_next_session_and_gone_when_applied(store: MemoryStore) -> None:
    model = begin(store)
    model.choose([0], "relabel", "red")
    model.choose([1, 2], "remove")
    model.choose([3], "relabel", "green")
    model.choose([3], "keep")
    model._waiting.wait()
    again = begin(store)
    assert waits(again) == waits(model) == {0: "red", 1: "remove", 2: "remove"}
    assert again.drafts == [0, 1, 2]
    assert again.can_undo
    assert again.apply()
    again._waiting.wait()
    assert store.drafts == {}
    assert begin(store).pending == {}


def test_what_an_earlier_session_left_can_be_dropped_and_that_undone(store: MemoryStore) -> None:
    first = begin(store)
    first.choose([0, 1], "relabel", "red")
    first._waiting.wait()
    panel = CleanPanel(store)
    assert panel.kept.layout.display == ""
    assert panel.kept_note.value.startswith("<p>2 changes from ")
    panel.model.choose([5], "remove")
    panel.drop.click()
    assert waits(panel.model) == {5: "remove"}
    assert panel.kept.layout.display == "none"
    panel.undo.click()
    assert waits(panel.model) == {0: "red", 1: "red", 5: "remove"}
    assert panel.kept.layout.display == ""


def test_a_choice_that_means_nothing_any_more_is_not_taken_up(store: MemoryStore) -> None:
    model = begin(store)
    model.choose([0], "relabel", "red")
    model.choose([1], "relabel", "red")
    model.choose([2], "remove")
    model._waiting.wait()
    store.meet(0, label="red")
    store.meet(1, name="another.jpg")
    store.meet(2, removed=True)
    again = begin(store)
    assert again.pending == {}
    again._waiting.wait()
    assert store.drafts == {}


def test_choices_that_cannot_be_kept_are_said_and_leaving_the_page_warns(store: MemoryStore) -> None:
    panel = CleanPanel(store)
    store.draft_fault = CatalogError("The disk is full.")
    assert not panel.grid.unkept
    panel.model.choose([0], "remove")
    panel.model._waiting.wait()
    assert panel.grid.unkept
    assert "cannot be kept. The disk is full." in panel.kept_note.value
    store.draft_fault = None
    panel.model.choose([1], "remove")
    panel.model._waiting.wait()
    assert not panel.grid.unkept
    assert set(store.drafts) == {0, 1}


def test_what_somebody_else_changed_is_asked_for_before_it_is_overwritten(store: MemoryStore) -> None:
    panel = CleanPanel(store)
    model = panel.model
    model.page = 1
    model.choose([0], "relabel", "red")
    model.choose([1], "remove")
    store.meet(0, label="green", reasons=())
    model.meet_others()
    assert model.page == 1
    assert model.message.startswith("Somebody else changed photos. 1 choice is about a photo")
    panel.apply.click()
    assert panel.changes.rows[0]["doubt"] == "was blue, somebody made it green meanwhile"
    assert panel.changes.rows[1]["doubt"] == ""
    assert panel.changes.summary.startswith("1 photo will be removed.")
    panel.confirm.click()
    assert [d.key for d in store.steps[-1]] == [1]
    assert waits(model) == {0: "red"}
    panel.apply.click()
    panel.changes._handle_custom_msg({"type": "confirm", "key": 0}, [])
    assert panel.changes.rows[0]["doubt"] == ""
    panel.confirm.click()
    assert [d.key for d in store.steps[-1]] == [0]
    assert model.pending == {}


def test_apply_looks_once_more_and_what_is_left_can_still_be_undone(store: MemoryStore) -> None:
    model = begin(store)
    model.choose([0, 1], "relabel", "red")
    store.meet(0, label="green")
    assert model.apply()
    assert [d.key for d in store.steps[-1]] == [1]
    assert "confirm it" in model.message
    model.undo()
    assert store.steps == []
    assert waits(model) == {0: "red"}
    assert list(model.conflicts) == [0]
    model.choose([0], "relabel", "red")
    assert model.conflicts == {}
    model.undo()
    assert model.pending == {}


def test_the_own_undo_is_nobody_elses_change(store: MemoryStore) -> None:
    model = begin(store)
    model.choose([0], "relabel", "red")
    model.apply()
    model.choose([0], "relabel", "green")
    model.undo()
    model.undo()
    model.choose([0], "relabel", "green")
    model.redo()
    assert model.conflicts == {}


def test_the_list_keeps_its_place_when_photos_before_it_come_or_leave(store: MemoryStore) -> None:
    model = begin(store)
    model.page = 1
    place = model.page_items[12].key
    for key in range(20):
        store.meet(key, reasons=())
    model.meet_others()
    assert model.page == 0
    assert place in {item.key for item in model.page_items}
    for key in range(20):
        store.meet(key, reasons=build_item(key, doubt=0.99).reasons)
    model.meet_others()
    assert model.page == 1
