"""Filters, pages and groups over a ranked set of photos; no widget is imported here."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import traitlets

from ...errors import FastclfError
from ..texts import phrase
from ..widgets import Status
from .history import Choices, Mark
from .queue import DOUBTS, VIEWS, Filter, GroupId, Rank, build_groups, count_views, find_queue, rank_by_doubt
from .review import KINDS, ReviewItem, ReviewStore

_logger = logging.getLogger(__name__)
_T = TypeVar("_T")

PAGE_SIZE = 24


class BrowseModel(traitlets.HasTraits):
    """A ranked queue of photos behind filters, page by page.

    What it says in `message` is English, to be translated where it is shown.

    Setting a filter or the page redraws: a view observes `revision` and asks for `page_items`.

    Parameters
    ----------
    store
        Keeps the photos and the edits.
    page_size
        Photos on one page.
    rank
        Sort key of the queue; by default the most doubtful photo comes first.
    limit
        Most photos in a queue; None for no limit.
    """

    status = traitlets.UseEnum(Status, default_value=Status.EMPTY)
    message = traitlets.Unicode()
    view = traitlets.Enum(VIEWS, default_value=DOUBTS)
    label = traitlets.Unicode()
    split = traitlets.Unicode()
    show_removed = traitlets.Bool(False)
    group = traitlets.Any(None)
    page = traitlets.Int(0)
    revision = traitlets.Int(0)
    spoken = traitlets.Int(0)
    loads = traitlets.Int(0)

    def __init__(
        self,
        store: ReviewStore,
        *,
        page_size: int = PAGE_SIZE,
        rank: Rank = rank_by_doubt,
        limit: int | None = None,
    ) -> None:
        super().__init__()
        self.store = store
        self.page_size = page_size
        self.limit = limit
        self.groups: dict[GroupId, tuple[ReviewItem, ...]] = {}
        self._rank = rank
        self._choices = Choices()
        self._ranked: list[ReviewItem] = []
        self._by_key: dict[int, ReviewItem] = {}
        self._size = 0
        self._queue: list[ReviewItem] | None = None
        self._page_before_group = 0

    def __contains__(self, key: object) -> bool:
        return key in self._by_key

    def __len__(self) -> int:
        return self._size

    @property
    def vocab(self) -> list[str]:
        """The classes, in the order of the number keys."""
        return list(self.store.vocab)

    @property
    def filter(self) -> Filter:
        """The filters of now."""
        return Filter(self.view, self.label, self.split, self.show_removed)

    @property
    def queue(self) -> Sequence[ReviewItem]:
        """The photos of the current filter, or of the open group, over all pages."""
        if self._queue is None:
            if self.group is not None:
                self._queue = list(self.groups.get(self.group, ()))
            else:
                self._queue = find_queue(self._ranked, self.filter, self._choices.skipped)[: self.limit]
        return self._queue

    @property
    def pages(self) -> int:
        """Number of pages, at least 1."""
        return max(1, -(-len(self.queue) // self.page_size))

    @property
    def page_items(self) -> Sequence[ReviewItem]:
        """The photos of the current page."""
        start = self.page * self.page_size
        return self.queue[start : start + self.page_size]

    def item(self, key: int) -> ReviewItem:
        """Return a photo."""
        return self._by_key[key]

    def mark_of(self, key: int) -> Mark:
        """Return what was said of a photo so far."""
        return self._choices.mark_of(key)

    def count_views(self) -> dict[str, int]:
        """Return {view: number of photos} for the class and the split of now."""
        return count_views(self._ranked, self.filter, self._choices.skipped)

    def find_splits(self) -> list[str]:
        """Return the splits that photos are in, in the usual order."""
        found = {item.split for item in self._ranked if not item.report}
        return [split for split in ("train", "valid", "test", "") if split in found]

    def load(self) -> bool:
        """Read all photos from the store; tell whether that worked."""
        items = self._ask(self.store.load_items, phrase("The photos could not be read. Reload the page."))
        if items is None:
            return False
        self._ranked = sorted(items, key=self._rank)
        self._by_key = {item.key: item for item in items}
        # reports are not in the set
        self._size = sum(not item.report for item in items)
        self.groups = build_groups(items)
        self._prune()
        if self.group is not None and self.group not in self.groups:
            self.close_group()
        if self.status is Status.EMPTY and items:
            self.status = Status.READY
        self.loads += 1
        self._redraw()
        return True

    def open_group(self, group: GroupId) -> None:
        """Show the copies of one group side by side."""
        if group in self.groups and group != self.group:
            if self.group is None:
                self._page_before_group = self.page
            self.group = group

    def close_group(self) -> None:
        """Go back to the list."""
        page, self.group = self._page_before_group, None
        self.page = page

    def shown_groups(self) -> list[GroupId]:
        """Return the open group, else those of which the list shows a photo, in its order."""
        if self.group is not None:
            return [self.group]
        found = {
            (reason.kind, reason.group): None
            for item in self.queue
            for reason in item.reasons
            if reason.group is not None and (self.view not in KINDS or reason.kind == self.view)
        }
        return list(found)

    def refuse(self, reason: str) -> None:
        """Show that something did not work, and why."""
        self._tell(reason, Status.ERROR)

    @traitlets.observe("view", "label", "split", "show_removed", "group")
    def _on_filter_change(self, change: dict[str, Any]) -> None:
        if change["name"] != "group" and self.group is not None:
            self.group = None
            return
        self._queue = None
        if self.page:
            self.page = 0
        else:
            self._redraw()

    @traitlets.observe("page")
    def _on_page_change(self, _: Any) -> None:
        self._redraw(stale=False)

    def _prune(self) -> None:
        """Drop what a reload has overtaken; there is nothing of that kind here."""

    def _redraw(self, *, stale: bool = True) -> None:
        if stale:
            self._queue = None
        clamped = min(max(0, self.page), self.pages - 1)
        if clamped != self.page:
            self.page = clamped
        else:
            self.revision += 1

    def _tell(self, words: str, status: Status = Status.READY) -> None:
        self._say(words, status)
        self.revision += 1

    def _say(self, words: str, status: Status = Status.READY) -> None:
        # counted, because the same words twice are two messages
        self.message, self.status = words, status
        self.spoken += 1

    def _ask(self, call: Callable[[], _T], sentence: str) -> _T | None:
        """Call the store; a failure becomes a sentence and None."""
        try:
            return call()
        except FastclfError as e:
            self.refuse(e.message)
        except Exception:
            _logger.exception("the store failed")
            self.refuse(sentence)
        return None
