"""The Clean panel: find doubtful photos, correct them, apply, retrain."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import ipywidgets as widgets

from ...errors import Message
from ..texts import say, say_count, translate
from ..widgets import SpokenBox, Status, build_row, logged, render_download, render_paragraph
from .change_list import ChangeList
from .filters import FilterBar
from .grid import PhotoGrid
from .model import ReviewModel
from .queue import GroupId, find_best
from .retrain import RetrainPanel
from .retrain_model import RetrainModel
from .review import NEW, REPORT, Retrainer, ReviewStore
from .waiting import say_time
from .wording import count_photos


class CleanPanel(SpokenBox):
    """A queue of doubtful photos with filters, choices, undo, apply and retrain.

    Without a retrainer, `why_not` says why there is nothing to retrain.
    """

    def __init__(self, store: ReviewStore, retrainer: Retrainer | None = None, *, why_not: str = "") -> None:
        self.model = ReviewModel(store)
        self.retrain_model = RetrainModel(retrainer, why_not)
        self.head = widgets.HTML().add_class("fastclf-clean-head")
        self.filters = FilterBar(self.model, self.guard)
        self.view, self.label, self.split = self.filters.view, self.filters.label, self.filters.split
        self.summary = widgets.HTML().add_class("fastclf-clean-summary")
        self._build_kept()
        self._build_groups()
        self.grid = PhotoGrid(self.model, on_apply=self._on_apply_click, on_close=self._return_to_photos)
        self._build_footer()
        self.retrain = RetrainPanel(self.retrain_model, lambda: len(self.model.pending), store.read_thumbnail)
        parts = [
            self.head, self.kept, self.filters, self.summary, self.groups, self.grid, self.footer,
            self.download,
        ]  # fmt: skip
        super().__init__([widgets.VBox(parts).add_class("fastclf-clean-work"), self.retrain])
        self.add_class("fastclf-clean")
        self._link()
        self.say_words()
        self.refresh()

    def refresh(self) -> None:
        """Read the photos; choices that still mean something are kept."""
        self.guard(self.model.load)

    def show_photos(self, keys: Sequence[int], words: str) -> None:
        """Show some photos in place of the list, and lead whoever asked for them there."""
        self.model.show_photos(keys, words)
        self.grid.lead()

    def say_words(self) -> None:
        """Say everything in the page's language."""
        self._show_head()
        self.filters.say_words()
        self.drop.description = say("Drop them")
        self.back.description = say("Back to the list")
        self.confirm.description = say("Apply these changes")
        self.cancel.description = say("Not yet")
        self.undo.description, self.redo.description = say("Undo"), say("Redo")
        self._on_model_change(None)
        self._show_download()

    def show_failure(self) -> None:
        """Show that what was asked for did not work."""
        self.model.refuse(Message("That did not work. Try again or reload the page."))

    def _build_kept(self) -> None:
        self.kept_note, self.drop = widgets.HTML(), widgets.Button()
        self.kept = build_row(self.kept_note, self.drop).add_class("fastclf-clean-kept")

    def _build_groups(self) -> None:
        self.group_note = widgets.HTML()
        self.keep_best, self.back = widgets.Button(), widgets.Button()
        groups = build_row(self.group_note, self.keep_best, self.back)
        self.groups = groups.add_class("fastclf-clean-groups")

    def _build_footer(self) -> None:
        self.changes = ChangeList(self.model, self._on_cancel_click).add_class("fastclf-clean-preview")
        self.confirm, self.cancel = widgets.Button(button_style="primary"), widgets.Button()
        sheet = widgets.VBox([self.changes, build_row(self.confirm, self.cancel)])
        self.sheet = sheet.add_class("fastclf-clean-sheet")
        self.sheet.layout.display = "none"
        self.undo, self.redo = widgets.Button(), widgets.Button()
        self.apply = widgets.Button(button_style="primary")
        self.reason = widgets.HTML().add_class("fastclf-clean-reason")
        self.download = widgets.HTML().add_class("fastclf-clean-download")
        actions = build_row(self.undo, self.redo, self.apply, self.reason)
        self.footer = widgets.VBox([self.sheet, actions]).add_class("fastclf-clean-footer")

    def _link(self) -> None:
        model = self.model
        for button, act in (
            (self.undo, model.undo),
            (self.redo, model.redo),
            (self.drop, model.drop_drafts),
            (self.keep_best, model.keep_best),
            (self.back, self.grid.go_back),
            (self.apply, self._on_apply_click),
            (self.cancel, self._on_cancel_click),
            (self.confirm, self._on_confirm_click),
        ):
            button.on_click(lambda _, act=act: self.guard(act))
        model.observe(self._on_model_change, ["revision", "status", "can_undo", "can_redo"])
        model.observe(lambda _: self.guard(self._on_load), "loads")
        self.retrain_model.observe(lambda _: self.guard(self._show_summary), ["status", "result"])

    def _on_model_change(self, _: Any) -> None:
        with logged("the Clean panel could not be drawn"):
            self.filters.show()
            self._show_kept()
            self._show_summary()
            self._show_groups()
            self._show_actions()
            self.retrain.refresh()

    def _on_load(self) -> None:
        self._show_download()
        self._show_head()

    def _show_head(self) -> None:
        """Say what the order follows; how this works and what was noticed stand behind a click."""
        store = self.model.store
        words = [_say_hint(), *(translate(remark) for remark in store.remarks if remark)]
        more = f"<summary>{escape(say('More about this'))}</summary>{''.join(map(render_paragraph, words))}"
        summary = render_paragraph(translate(store.summary))
        value = f"<h2>{escape(say('Doubtful photos'))}</h2>{summary}<details>{more}</details>"
        if self.head.value != value:
            self.head.value = value

    def _show_kept(self) -> None:
        """Say what an earlier session left waiting, and that choices of now cannot be kept."""
        model, n = self.model, len(self.model.drafts)
        words = []
        if n:
            time = say_time(model.drafts_time)
            words.append(
                say_count(
                    n,
                    "1 change from {time} waits for Apply.",
                    "{n} changes from {time} wait for Apply.",
                    time=time,
                )
            )
        if model.unkept and model.pending:
            lost = say("Your choices are lost when this page is left before Apply: they cannot be kept.")
            words.append(f"{lost} {translate(model.unkept)}")
        self.kept.layout.display = "" if words else "none"
        self.drop.layout.display = "" if n else "none"
        self.kept_note.value = render_paragraph(" ".join(words))

    def _show_summary(self) -> None:
        model, n = self.model, len(self.model.queue)
        # on a phone the others are cut off where the line ends
        (self.summary.add_class if model.view == NEW else self.summary.remove_class)("fastclf-is-whole")
        # the line about it says what it is
        self.summary.layout.display = "" if model.shortlist is None else "none"
        if model.view == REPORT:
            words = say_count(n, "1 report waits.", "{n} reports wait.")
            words += " " + say("Give it a class to add the photo to the set, or dismiss it.")
        elif model.view == NEW:
            words = self._say_new(n)
        elif len(model):
            photos = count_photos(len(model))
            words = say("{n} shown of {photos}, the most doubtful first.", n=n, photos=photos)
        else:
            words = say("{n} shown, the most doubtful first.", n=n)
        self.summary.value = render_paragraph(words)

    def _say_new(self, n: int) -> str:
        """Say how many photos wait for a label, and what becomes of those that get one."""
        words = [
            say_count(n, "1 new photo waits for a label.", "{n} new photos wait for a label."),
            say(
                "First come those whose labels would teach the model most; every fifth is there by chance, "
                "to judge it."
            ),
            *map(translate, self.model.store.new_remarks),
        ]
        if self.retrain_model.status is Status.BUSY:
            words.append(say("The model is being retrained; what that brings will be said below the photos."))
        elif self.retrain_model.result is not None:
            words.append(say("A new model is ready below the photos: compare and choose."))
        return " ".join(words)

    def _show_groups(self) -> None:
        shortlist, groups = self.model.shortlist, self.model.shown_groups()
        self.groups.layout.display = "" if groups or shortlist else "none"
        self.back.layout.display = "" if shortlist else "none"
        self.keep_best.layout.display = "" if groups else "none"
        words = [translate(shortlist.words)] if shortlist else []
        if groups:
            words += self._offer_best(groups)
        self.group_note.value = render_paragraph(" ".join(words))

    def _offer_best(self, groups: list[GroupId]) -> list[str]:
        """Offer to keep the best copy of each group; return what has to be said about them."""
        model, n, words = self.model, len(groups), []
        able = any(find_best(group, model.groups[group]) is not None for group in groups)
        self.keep_best.disabled = not able
        if model.group is not None:
            self.keep_best.description = say("Keep the best, remove the others")
        else:
            words.append(
                say_count(n, "1 group of copies in this list.", "{n} groups of copies in this list.")
            )
            self.keep_best.description = say("Keep the best of each, remove the others")
        return words if able else [*words, say("No copy to keep is named: choose yourself.")]

    def _show_actions(self) -> None:
        model, n = self.model, len(self.model.pending)
        busy = model.status is Status.BUSY
        self.undo.disabled, self.redo.disabled = busy or not model.can_undo, busy or not model.can_redo
        self.undo.tooltip = "" if model.can_undo else say("There is nothing to undo.")
        self.redo.tooltip = "" if model.can_redo else say("There is nothing to do again.")
        self.apply.disabled = self.confirm.disabled = busy or not n
        many = say_count(n, "Apply 1 change ...", "Apply {n} changes ...")
        self.apply.description = many if n else say("Apply ...")
        self.reason.value = "" if n else render_paragraph(say("Nothing to apply."))
        if not n:
            self._close_preview()
        elif self.is_previewing:
            self._open_preview()

    @property
    def is_previewing(self) -> bool:
        """Whether the list of what will change is open."""
        return self.sheet.layout.display != "none"

    def _open_preview(self) -> None:
        self.changes.draw(is_open=True)
        self.sheet.layout.display, self.apply.layout.display = "", "none"
        self.grid.confirming = True

    def _close_preview(self) -> None:
        self.sheet.layout.display, self.apply.layout.display = "none", ""
        self.changes.draw(is_open=False)
        self.grid.confirming = False

    def _on_apply_click(self) -> None:
        if not self.model.pending:
            self.model.apply()  # says that there is nothing
            return
        self._open_preview()
        self.confirm.focus()

    def _on_cancel_click(self) -> None:
        if self.is_previewing:
            self._close_preview()
            self.apply.focus()

    def _return_to_photos(self) -> None:
        if self.is_previewing:
            self._close_preview()
            self.grid.lead()

    def _on_confirm_click(self) -> None:
        # what was pressed while Escape was on its way applies nothing
        if self.is_previewing and self.model.apply():
            self._close_preview()
            # the button that had the focus is gone, and Undo in its place would be pressed by a second Enter
            self.grid.settle()
            if self.model.store.wants_retraining:
                self.retrain_model.start(len(self.model.pending))

    def _show_download(self) -> None:
        edits = self.model.store.export_edits()
        self.download.value = render_download("edits.csv", "text/csv", edits, say("Download the edits"))


def _say_hint() -> str:
    return say(
        "Give each photo its class, remove it, or skip it. Nothing is stored before Apply, your files stay "
        "as they are, and Undo takes every step back."
    )
