"""The cleaner's rules: ranking, filters, pages, groups, pending choices, undo and redo without end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from fastclf.dashboard.clean import model as model_module
from fastclf.dashboard.clean import review
from fastclf.dashboard.clean.model import ReviewModel
from fastclf.dashboard.clean.review import Decision, Reason, ReviewItem
from fastclf.dashboard.widgets import Status
from fastclf.errors import PhotosError

from .memory import VOCAB, MemoryStore, build_group, build_item


def build_model(items: Sequence[ReviewItem], **options: object) -> tuple[ReviewModel, MemoryStore]:
    store = MemoryStore(items)
    model = ReviewModel(store, **options)
    model.load()
    return model, store


def keys(items: Sequence[ReviewItem]) -> list[int]:
    return [item.key for item in items]


def test_the_rules_load_no_widget_library() -> None:
    folder = Path(review.__file__).parent
    for name in ("review", "queue", "history", "wording", "preview", "model", "retrain_model"):
        text = (folder / f"{name}.py").read_text()
        assert "import ipywidgets" not in text
        assert "anywidget" not in text


def test_the_queue_is_ranked_over_all_kinds_by_the_largest_doubt_ties_by_name() -> None:
    two = (Reason("quality", "dark", 0.1), Reason("odd", "unlike all others", 0.95))
    items = [build_item(3, doubt=0.5), build_item(2, doubt=0.5), build_item(1, reasons=two), build_item(0)]
    model, _ = build_model(items)
    assert keys(model.queue) == [1, 2, 3]
    model.view = "all"
    assert keys(model.queue) == [1, 2, 3, 0]
    model.view = "quality"
    assert keys(model.queue) == [1]


def test_filters_by_class_split_and_removal() -> None:
    items = [
        build_item(0, "red", 0.9, split="valid"), build_item(1, "blue", 0.8), build_item(2, "red", 0.7),
        build_item(3, "red", 0.0, removed=True),
    ]  # fmt: skip
    model, _ = build_model(items)
    model.label = "red"
    assert keys(model.queue) == [0, 2]
    assert model.count_views()["doubts"] == 2
    model.split = "valid"
    assert keys(model.queue) == [0]
    model.split = model.label = ""
    model.show_removed = True
    assert keys(model.queue) == [0, 1, 2, 3]
    model.show_removed = False
    model.view = "removed"
    assert keys(model.queue) == [3]
    counts = {view: n for view, n in model.count_views().items() if n}
    assert counts == {"doubts": 3, "label": 3, "all": 3, "removed": 1}
    assert model.find_splits() == ["train", "valid"]


def test_copies_of_a_group_stand_side_by_side_the_best_first() -> None:
    items = [
        *build_group("near-duplicate", 7, [5, 1], best=5),
        *build_group("near-duplicate", 8, [4, 2], best=None),
    ]
    model, _ = build_model(items)
    model.view = "near-duplicate"
    assert keys(model.queue) == [5, 1, 2, 4]


def test_pages_cover_the_queue_and_never_lie_outside() -> None:
    model, _ = build_model([build_item(k, doubt=1 - k / 100) for k in range(50)], page_size=24)
    assert model.pages == 3
    seen = []
    for page in range(3):
        model.page = page
        seen += keys(model.page_items)
    assert seen == list(range(50))
    model.page = 99
    assert model.page == 2
    model.label = "blue"
    assert (model.page, model.pages, keys(model.page_items)) == (0, 1, [])


def test_clicks_go_through_all_photos_only_where_the_list_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    passes = []
    for name in ("find_queue", "count_views"):
        call = getattr(model_module, name)
        monkeypatch.setattr(
            model_module,
            name,
            lambda items, wanted, call=call: (passes.append(len(items)), call(items, wanted))[1],
        )
    model, _ = build_model([build_item(k, VOCAB[k % 3], 1 - k / 200) for k in range(100)])
    passes.clear()
    model.label = "blue"
    total = sum(len(model.queue) for _ in range(3)) + model.count_views()["doubts"] + model.count_sure()
    assert total
    assert passes.count(100) == 2, "the filter lets through, and the views are counted, once"
    passes.clear()
    model.page = 1
    model.choose([2], "relabel", "red")
    model.choose([model.queue[3].key], "skip")
    shown, counts = len(model.queue), model.count_views()
    model.undo()
    assert (shown + 1, counts["doubts"] + 1) == (len(model.queue), model.count_views()["doubts"])
    assert max(passes) <= 1, "what was skipped is counted alone"


def test_choices_survive_every_switch_and_count_from_everywhere() -> None:
    model, _ = build_model([build_item(k, VOCAB[k % 3], 1 - k / 100) for k in range(60)])
    model.choose([0], "relabel", "red")
    model.label = "green"
    model.choose([1], "remove")
    model.label, model.view, model.page = "", "all", 2
    model.choose([59], "relabel", "blue")
    pending = {k: (d.action, d.label) for k, d in model.pending.items()}
    assert pending == {0: ("relabel", "red"), 1: ("remove", None), 59: ("relabel", "blue")}
    assert model.pending[0].why == "the model says blue (0)"


def test_many_photos_are_one_step_and_the_own_label_means_keep() -> None:
    model, _ = build_model([build_item(k, label, 0.5) for k, label in enumerate(("red", "blue", "green"))])
    model.choose([0, 1, 2], "relabel", "blue")
    assert sorted(model.pending) == [0, 2]
    assert model.message == "3 photos will become blue."
    model.undo()
    assert not model.pending
    model.choose([1], "relabel", "blue")
    assert not model.pending
    assert model.message == "That changes nothing."
    # photos, labels and actions that nobody knows change nothing, either
    for keys_, action, label in (([99], "remove", None), ([0], "relabel", "purple"), ([0], "explode", None)):
        model.choose(keys_, action, label)
        assert not model.pending


def test_a_removed_photo_comes_back_before_it_gets_a_label() -> None:
    model, store = build_model([build_item(0, removed=True)])
    model.choose([0], "relabel", "blue")
    assert not model.pending
    assert "come back" in model.message
    model.choose([0], "restore")
    model.apply()
    assert [d.action for d in store.steps[0]] == ["restore"]
    assert not model.item(0).removed


def test_skip_leaves_the_doubts_for_this_session_and_can_be_undone() -> None:
    model, store = build_model([build_item(k, doubt=1 - k / 10) for k in range(3)])
    model.choose([0], "skip")
    assert keys(model.queue) == [1, 2]
    model.view = "all"
    assert keys(model.queue) == [0, 1, 2]
    model.view = "doubts"
    model.choose([1], "remove")
    model.apply()
    model.load()
    assert 0 not in keys(model.queue)
    model.undo()
    assert not store.steps
    model.undo()
    assert keys(model.queue) == [0, 1, 2]


def test_undo_and_redo_go_through_choices_and_applied_steps_without_end() -> None:
    model, store = build_model([build_item(k, doubt=0.5) for k in range(4)])
    model.choose([0], "relabel", "blue")
    model.apply()
    model.choose([1], "remove")
    model.apply()
    model.choose([2], "relabel", "green")
    model.choose([3], "remove")

    def state() -> tuple[list[str], list[bool], list[int]]:
        items = [model.item(k) for k in range(4)]
        return [i.label for i in items], [i.removed for i in items], sorted(model.pending)

    states = [state()]
    for _ in range(4):
        model.undo()
        states.append(state())
    assert states[1][2] == [2]
    assert states[2] == (["blue", "red", "red", "red"], [False, True, False, False], [])
    assert states[3][1] == [False] * 4
    assert states[4] == (["red"] * 4, [False] * 4, [])
    model.undo()
    assert not model.can_undo
    assert "nothing left" in model.message
    for expected in reversed(states[:-1]):
        model.redo()
        assert state() == expected
    model.redo()
    assert not model.can_redo
    assert len(store.steps) == 2


def test_a_new_choice_ends_redo() -> None:
    model, store = build_model([build_item(k, doubt=0.5) for k in range(2)])
    model.choose([0], "remove")
    model.apply()
    model.undo()
    model.choose([1], "remove")
    model.redo()
    assert not store.steps
    assert sorted(model.pending) == [1]
    # a step of an earlier session can be undone as well
    model.undo()
    store.steps.append([Decision(0, "relabel", "blue")])
    model.load()
    model.undo()
    assert model.item(0).label == "red"
    model.redo()
    assert model.item(0).label == "blue"


def test_the_preview_says_what_apply_will_do_and_apply_does_it_in_one_call() -> None:
    items = [build_item(0, "red", 0.9), build_item(1, "blue", 0.8), build_item(2, "green", removed=True)]
    model, store = build_model([*items, build_item(3)])
    model.choose([0], "relabel", "blue")
    model.choose([1], "remove")
    model.choose([2], "restore")
    preview = model.build_preview()
    assert preview.words == (
        "1 photo will get another label (1 to blue); 1 photo will be removed; 1 photo will come back."
    )
    assert [(c.name, c.before, c.after) for c in preview.changes] == [
        ("blue/001.jpg", "blue", "removed"),
        ("green/002.jpg", "removed", "green"),
        ("red/000.jpg", "red", "blue"),
    ]
    assert not store.steps
    assert model.apply()
    assert len(store.steps) == 1
    assert model.item(0).label == "blue"
    assert not model.pending
    assert (model.status, model.message) == (Status.DONE, "3 changes are stored.")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (PhotosError("The disk is full."), "The disk is full."),
        (RuntimeError("/secret"), "nothing was changed"),
    ],
)
def test_a_failed_apply_keeps_the_choices_and_says_a_sentence(fault: Exception, words: str) -> None:
    model, store = build_model([build_item(0, doubt=0.5)])
    model.choose([0], "remove")
    store.fault = fault
    assert not model.apply()
    assert model.status is Status.ERROR
    assert words in model.message
    assert "secret" not in model.message
    assert sorted(model.pending) == [0]
    store.fault = None
    assert model.apply()


def test_a_reload_drops_the_choices_that_it_has_overtaken() -> None:
    model, store = build_model([build_item(0, doubt=0.5), build_item(1, doubt=0.4)])
    model.choose([0], "relabel", "blue")
    model.choose([1], "remove")
    store.steps.append([Decision(0, "relabel", "blue")])
    del store.base[1]
    model.load()
    assert not model.pending
    assert model.build_preview().changes == ()


def test_a_group_is_shown_alone_and_the_way_back_leads_to_the_same_page() -> None:
    items = [build_item(k, doubt=0.9) for k in range(30)] + build_group("duplicate", 1, [30, 31, 32], best=31)
    model, _ = build_model(items)
    model.page = 1
    model.open_group(("duplicate", 1))
    assert keys(model.queue) == [31, 30, 32]
    model.keep_best()
    assert {k: d.action for k, d in model.pending.items()} == {30: "remove", 32: "remove"}
    assert model.pending[30].why == "a copy (30)"
    model.close_shortlist()
    assert model.page == 1
    assert len(model.queue) == 33
    model.open_group(("duplicate", 99))
    assert model.group is None


def test_photos_like_one_stand_alone_and_the_way_back_leads_to_where_the_list_was_left() -> None:
    model, store = build_model([build_item(k, doubt=0.9 if k < 20 else 0.0) for k in range(30)], page_size=4)
    model.page = 2
    model.show_similar(9)
    assert keys(model.queue) == [9, 8, 10, 7]
    assert model.shortlist.words == "The photos most like red/009.jpg, the nearest first."
    assert model.group is None
    assert model.shown_groups() == []
    # from one of them on to others; the way back is one step all the same
    model.show_similar(25)
    assert keys(model.queue) == [25, 24, 26, 23]
    model.choose([24, 25], "relabel", "blue")
    assert keys(model.queue) == [25, 24, 26, 23]
    assert model.close_shortlist() == 9
    assert model.page == 2
    assert 9 in keys(model.page_items)
    assert len(model.pending) == 2
    # photos that leave the list meanwhile do not lead past the place
    model.show_similar(9)
    model.choose([0, 1, 2, 3], "skip")
    model.close_shortlist()
    assert 9 in keys(model.page_items)
    assert model.page == 1
    # a filter leaves it too
    model.show_similar(9)
    model.view = "all"
    assert model.shortlist is None
    assert len(model.queue) == 30
    # what is gone meanwhile is left out, and a list of nothing is left
    model.show_similar(9)
    del store.base[8]
    model.load()
    assert keys(model.queue) == [9, 10, 7]
    store.base.clear()
    model.load()
    assert model.shortlist is None


def test_why_nothing_is_found_is_a_sentence_and_the_list_stays() -> None:
    model, store = build_model([build_item(k, doubt=0.9) for k in range(30)])
    store.similar_fault = PhotosError("Nobody has looked at it yet.")
    model.show_similar(3)
    assert (model.status, model.message) == (Status.ERROR, "Nobody has looked at it yet.")
    assert model.shortlist is None
    model.show_photos([98, 99], "Two photos.")
    assert model.message == "None of these photos is in the folder any more."
    assert model.shortlist is None
    model.show_photos([98, 3], "Two photos.")
    assert keys(model.queue) == [3]
    assert model.message == "1 photo is no longer in the folder."


def test_the_copy_that_is_chosen_is_kept_and_the_others_are_removed_in_one_step() -> None:
    items = build_group("near-duplicate", 1, [1, 2, 3, 4], best=1)
    items[3] = replace(items[3], removed=True)
    model, _ = build_model(items)
    model.keep_copy(2)
    assert not model.pending, "no group is open"
    model.open_group(("near-duplicate", 1))
    model.choose([2], "remove")
    model.keep_copy(2)
    assert {k: d.action for k, d in model.pending.items()} == {1: "remove", 3: "remove"}
    assert model.message == "red/002.jpg is kept; 2 photos will be removed."
    assert model.pending[1].why == "a copy (1)"
    # a copy that was removed before comes back when it is the one to keep
    model.keep_copy(4)
    assert {k: d.action for k, d in model.pending.items()} == {
        1: "remove",
        2: "remove",
        3: "remove",
        4: "restore",
    }
    model.undo()
    assert {k: d.action for k, d in model.pending.items()} == {1: "remove", 3: "remove"}


def test_keep_best_of_all_groups_never_loses_every_copy() -> None:
    near = Reason("near-duplicate", "as 3", 0.5, group=1, best=True)
    chain = build_item(2, reasons=(Reason("duplicate", "as 1", 1.0, group=1), near))
    items = [
        *build_group("duplicate", 1, [1], best=1),
        chain,
        *build_group("near-duplicate", 1, [3], best=None),
        *build_group("conflict", 5, [8, 9], best=None),
    ]
    model, store = build_model(items)
    model.keep_best()
    # 2 goes as a copy of 1, so 3, whose best it was, has to stay; the conflict names no best
    assert sorted(model.pending) == [2]
    assert "2 groups were left alone" in model.message
    assert not store.steps


def test_keep_best_obeys_the_filter() -> None:
    items = [*build_group("duplicate", 1, [1, 2], best=1), *build_group("near-duplicate", 2, [3, 4], best=3)]
    model, _ = build_model(items)
    model.view = "near-duplicate"
    model.keep_best()
    assert sorted(model.pending) == [4]


def test_what_was_applied_is_not_pending_even_if_the_photos_cannot_be_read_again() -> None:
    model, store = build_model([build_item(0, doubt=0.5)])
    model.choose([0], "remove")
    store.read_fault = PhotosError("The photos folder is gone.")
    assert model.apply()
    assert not model.pending
    assert model.status is Status.ERROR


def test_the_same_words_twice_are_said_twice() -> None:
    model, _ = build_model([build_item(0, doubt=0.5)])
    model.choose([0], "keep")
    first = model.spoken
    model.choose([0], "keep")
    assert model.spoken == first + 1
