"""The Clean panel: find doubtful photos, correct them, apply, retrain."""

from __future__ import annotations

import logging
from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets as widgets

from .grid import PhotoGrid
from .models import Status
from .previews import render_download, render_preview
from .queue import VIEWS, find_best
from .retrain import RetrainPanel
from .retrain_model import RetrainModel
from .review import Retrainer, ReviewStore
from .review_model import ReviewModel
from .wording import KIND_WORDS, SPLIT_WORDS, VIEW_WORDS, count_photos

_logger = logging.getLogger(__name__)


class CleanPanel(widgets.VBox):
    """A queue of doubtful photos with filters, choices, undo, apply and retrain.

    Parameters
    ----------
    store
        Keeps the photos and the edits.
    retrainer
        Makes a new model; None where there is nothing to retrain.
    why_not
        The sentence to show without a retrainer.
    load
        Whether to read the photos at once; else with the first `load`.
    """

    def __init__(
        self,
        store: ReviewStore,
        retrainer: Retrainer | None = None,
        *,
        why_not: str = "",
        load: bool = True,
    ) -> None:
        self.model = ReviewModel(store)
        self.retrain_model = RetrainModel(retrainer, why_not)
        self._loaded = False
        self._build_filters()
        self._build_groups()
        self.grid = PhotoGrid(self.model)
        self._build_footer()
        self.retrain = RetrainPanel(self.retrain_model, lambda: len(self.model.pending), store.read_thumbnail)
        work = widgets.VBox([self.filters, self.summary, self.groups, self.grid, self.footer])
        work.add_class("fastclf-clean-work")
        super().__init__([work, self.retrain])
        self.add_class("fastclf-clean")
        self._link()
        if load:
            self.load()

    def load(self) -> None:
        """Read the photos, if that was not done before."""
        if not self._loaded:
            self.refresh()

    def refresh(self) -> None:
        """Read the photos again; choices that still mean something are kept."""
        self._guard(self._refresh)

    def _refresh(self) -> None:
        self._loaded = self.model.load()

    def _build_filters(self) -> None:
        self.view = widgets.Dropdown(description="Show")
        self.label = widgets.Dropdown(description="Class")
        self.split = widgets.Dropdown(description="Split")
        self.show_removed = widgets.Checkbox(description="Removed ones too", indent=False)
        self.filters = widgets.HBox([self.view, self.label, self.split, self.show_removed])
        self.filters.add_class("fastclf-clean-filters")
        self.summary = widgets.HTML()
        self.summary.add_class("fastclf-clean-summary")
        self._filling = False

    def _build_groups(self) -> None:
        self.group_note = widgets.HTML()
        self.keep_best = widgets.Button(description="Keep the best, remove the others")
        self.close_group = widgets.Button(description="Back to the list")
        self.groups = _build_row([self.group_note, self.keep_best, self.close_group])
        self.groups.add_class("fastclf-clean-groups")

    def _build_footer(self) -> None:
        self.preview = widgets.HTML()
        self.preview.add_class("fastclf-clean-preview")
        self.confirm = widgets.Button(description="Apply these changes", button_style="primary")
        self.cancel = widgets.Button(description="Not yet")
        self.sheet = widgets.VBox([self.preview, _build_row([self.confirm, self.cancel])])
        self.sheet.add_class("fastclf-clean-sheet")
        self.sheet.layout.display = "none"
        self.undo = widgets.Button(description="Undo")
        self.redo = widgets.Button(description="Redo")
        self.apply = widgets.Button(description="Apply ...", button_style="primary")
        self.reason = widgets.HTML()
        self.reason.add_class("fastclf-clean-reason")
        self.download = widgets.HTML()
        self.actions = _build_row([self.undo, self.redo, self.apply, self.reason, self.download])
        self.footer = widgets.VBox([self.sheet, self.actions])
        self.footer.add_class("fastclf-clean-footer")

    def _link(self) -> None:
        for name in ("view", "label", "split", "show_removed"):
            getattr(self, name).observe(self._on_filter_change, "value")
        model = self.model
        for button, act in (
            (self.undo, model.undo),
            (self.redo, model.redo),
            (self.keep_best, model.keep_best),
            (self.close_group, model.close_group),
            (self.apply, self._on_apply_click),
            (self.cancel, self._on_cancel_click),
            (self.confirm, self._on_confirm_click),
        ):
            self._on_click(button, act)
        model.observe(self._on_model_change, ["revision", "status", "can_undo", "can_redo"])
        model.observe(self._on_load_change, "loads")
        self._on_model_change(None)

    def _on_click(self, button: widgets.Button, act: Callable[[], Any]) -> None:
        button.on_click(lambda _: self._guard(act))

    def _guard(self, act: Callable[[], Any]) -> None:
        try:
            act()
        except Exception:
            _logger.exception("an action of the Clean panel failed")
            self.model.refuse("That did not work. Try again or reload the page.")

    def _on_filter_change(self, change: dict[str, Any]) -> None:
        if not self._filling:
            names = ("view", "label", "split", "show_removed")
            name = next(name for name in names if getattr(self, name) is change["owner"])
            self._guard(lambda: setattr(self.model, name, change["new"]))

    def _on_model_change(self, _: Any) -> None:
        try:
            self._show_filters()
            self._show_groups()
            self._show_actions()
            self.retrain.refresh()
        except Exception:
            _logger.exception("the Clean panel could not be drawn")

    def _show_filters(self) -> None:
        model, counts = self.model, self.model.count_views()
        views = [view for view in VIEWS if counts[view] or view in ("doubts", "all", model.view)]
        self._filling = True
        try:
            _fill(self.view, [(f"{VIEW_WORDS[v]} ({counts[v]:,})", v) for v in views], model.view)
            _fill(self.label, [("all classes", ""), *((name, name) for name in model.vocab)], model.label)
            splits = [("all photos", ""), *((SPLIT_WORDS[s], s) for s in model.find_splits() if s)]
            _fill(self.split, splits, model.split)
            self.show_removed.value = model.show_removed
        finally:
            self._filling = False
        where = f" of {count_photos(len(model))}" if len(model) else ""
        self.summary.value = f"<p>{len(model.queue):,} shown{where}, the most doubtful first.</p>"

    def _show_groups(self) -> None:
        model, groups = self.model, self.model.shown_groups()
        self.groups.layout.display = "" if groups else "none"
        self.close_group.layout.display = "none" if model.group is None else ""
        if not groups:
            return
        able = sum(find_best(group, model.groups[group]) is not None for group in groups)
        self.keep_best.disabled = not able
        if model.group is not None:
            kind = KIND_WORDS.get(model.group[0], model.group[0])
            words = f"{kind}: {count_photos(len(model.queue))} side by side."
            self.keep_best.description = "Keep the best, remove the others"
        else:
            words = f"{len(groups):,} group{'' if len(groups) == 1 else 's'} of copies in this list."
            self.keep_best.description = "Keep the best of each, remove the others"
        if not able:
            words += " No copy to keep is named: choose yourself."
        self.group_note.value = f"<p>{escape(words)}</p>"

    def _show_actions(self) -> None:
        model, n = self.model, len(self.model.pending)
        busy = model.status is Status.BUSY
        self.undo.disabled, self.redo.disabled = busy or not model.can_undo, busy or not model.can_redo
        self.apply.disabled = self.confirm.disabled = busy or not n
        self.apply.description = f"Apply {n:,} change{'' if n == 1 else 's'} ..." if n else "Apply ..."
        self.reason.value = "" if n else "<p>Nothing to apply.</p>"
        if not n:
            self._close_preview()
        elif self.is_previewing:
            self._open_preview()

    @property
    def is_previewing(self) -> bool:
        """Whether the list of what will change is open."""
        return self.sheet.layout.display != "none"

    def _open_preview(self) -> None:
        self.preview.value = render_preview(self.model.build_preview())
        self.sheet.layout.display, self.apply.layout.display = "", "none"

    def _close_preview(self) -> None:
        self.sheet.layout.display, self.apply.layout.display = "none", ""
        self.preview.value = ""

    def _on_apply_click(self) -> None:
        self._open_preview()
        self.confirm.focus()

    def _on_cancel_click(self) -> None:
        self._close_preview()
        self.apply.focus()

    def _on_confirm_click(self) -> None:
        if self.model.apply():
            self._close_preview()
            # the button that had the focus is gone
            self.undo.focus()

    def _on_load_change(self, _: Any) -> None:
        self._guard(self._show_download)

    def _show_download(self) -> None:
        self.download.value = render_download(self.model.store.export_edits())


def _fill(dropdown: widgets.Dropdown, options: list[tuple[str, str]], value: str) -> None:
    if dropdown.options != tuple(options):
        dropdown.options = options
    if dropdown.value != value:
        dropdown.value = value


def _build_row(children: list[widgets.Widget]) -> widgets.HBox:
    row = widgets.HBox(children)
    row.add_class("fastclf-buttons")
    return row
