"""The cleaner's state: a ranked queue behind filters, choices, and the way back; no widget is imported."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, TypeVar

import traitlets

from ...errors import Message, count_message, join_messages
from ...system import making_many, unify_name
from ..widgets import Status, say_fault
from .history import History, Moved
from .preview import Preview, build_preview
from .queue import (
    ALL,
    DOUBTS,
    REMOVED,
    VIEWS,
    Filter,
    GroupId,
    Rank,
    Shortlist,
    build_groups,
    count_views,
    find_best,
    find_queue,
    is_sure,
    rank_by_doubt,
)
from .review import ACTIONS, KEEP, KINDS, NEW, SKIP, Decision, ReviewItem, ReviewStore, Waiting
from .waiting import Basis, WaitingChoices
from .wording import say_choice, say_choices, say_copy_kept, say_group, say_kept, say_left, say_missing

_T = TypeVar("_T")

PAGE_SIZE = 24


class ReviewModel(traitlets.HasTraits):
    """A queue of photos page by page, and choices that survive every filter until `apply` or `undo`.

    Setting a filter or the page redraws: a view observes `revision` and asks for `page_items`. What is said
    in `message` is English, to be translated where it is shown.

    `rank` is the sort key of the queue, which holds at most `limit` photos, `page_size` of them on a page.
    """

    status = traitlets.UseEnum(Status, default_value=Status.EMPTY)
    message = traitlets.Unicode()
    view = traitlets.Enum(VIEWS, default_value=DOUBTS)
    label = traitlets.Unicode()
    split = traitlets.Unicode()
    show_removed = traitlets.Bool(False)
    part = traitlets.Unicode()
    # the photos that stand in place of the list, else None
    shortlist = traitlets.Any(None)
    page = traitlets.Int(0)
    can_undo = traitlets.Bool(False)
    can_redo = traitlets.Bool(False)
    revision = traitlets.Int(0)
    # counted, because the same words twice are two messages
    spoken = traitlets.Int(0)
    loads = traitlets.Int(0)
    # the photos that the last undo or redo was about
    moved = traitlets.Tuple(())
    # why choices that wait cannot be kept for another session; "" where they are
    unkept = traitlets.Unicode()

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
        self._history = History(store)
        self._waiting = WaitingChoices(store, self._on_keeping)
        # what an earlier session left waiting, and when that was; None before it was asked for
        self._drafts: dict[int, Decision] | None = None
        self.drafts_time = ""
        self._ranked: list[ReviewItem] = []
        self._by_key: dict[int, ReviewItem] = {}
        self._size = 0
        # what follows from photos and filter alone, and from the queue: not looked for at each click
        self._views: tuple[Filter, dict[str, int], list[ReviewItem]] | None = None
        self._queue: list[ReviewItem] | None = None
        self._of_queue: tuple[Sequence[ReviewItem], list[ReviewItem], list[GroupId]] | None = None
        self._splits: list[str] = []
        # where the list was left, and at which photo
        self._place_before: tuple[int, int | None] = (0, None)

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
        part = unify_name(self.part).casefold().strip()
        return Filter(self.view, self.label, self.split, self.show_removed, part)

    @property
    def queue(self) -> Sequence[ReviewItem]:
        """The photos of the current filter, or of the shortlist, over all pages."""
        if self._queue is None:
            if self.shortlist is not None:
                found = [self._by_key[key] for key in self.shortlist.keys]
            else:
                found, skipped = self._look_through()[2], self._history.skipped
                if skipped and self.view not in (ALL, REMOVED):
                    found = [item for item in found if item.key not in skipped]
            self._queue = found if self.limit is None else found[: self.limit]
        return self._queue

    def _look_through(self) -> tuple[Filter, dict[str, int], list[ReviewItem]]:
        """Return the filter of now, with what it counts and lets through, the skipped photos too."""
        wanted = self.filter
        if self._views is None or self._views[0] != wanted:
            self._views = wanted, count_views(self._ranked, wanted), find_queue(self._ranked, wanted)
        return self._views

    @property
    def group(self) -> GroupId | None:
        """The group of copies that is open."""
        return self.shortlist.group if self.shortlist else None

    @property
    def pages(self) -> int:
        """Number of pages, at least 1."""
        return max(1, -(-len(self.queue) // self.page_size))

    @property
    def page_items(self) -> Sequence[ReviewItem]:
        """The photos of the current page."""
        start = self.page * self.page_size
        return self.queue[start : start + self.page_size]

    @property
    def pending(self) -> Mapping[int, Decision]:
        """{key: decision} of all choices that wait to be applied, whatever is shown."""
        return MappingProxyType(self._history.pending)

    @property
    def is_labelling(self) -> bool:
        """Whether a choice about a photo without a label waits."""
        return any(self._by_key[key].outside == NEW for key in self.pending)

    @property
    def drafts(self) -> list[int]:
        """The photos of which what an earlier session chose still waits."""
        found = self._drafts or {}
        return [key for key, decision in self.pending.items() if found.get(key) == decision]

    @property
    def conflicts(self) -> dict[int, Basis]:
        """{key: what the photo was} of choices about photos that somebody else changed after them."""
        return self._waiting.find_conflicts(self._by_key, self.pending)

    def item(self, key: int) -> ReviewItem:
        """Return a photo."""
        return self._by_key[key]

    def choice_of(self, key: int) -> Decision | None:
        """Return what was said of a photo so far; "skip" is among that."""
        return self._history.choices.get(key)

    def count_views(self) -> dict[str, int]:
        """Return {view: number of photos} for the class and the split of now."""
        wanted, counts, _ = self._look_through()
        skipped = [self._by_key[key] for key in self._history.skipped if key in self._by_key]
        fewer = count_views(skipped, wanted)
        return {view: n - (fewer[view] if view not in (ALL, REMOVED) else 0) for view, n in counts.items()}

    def find_splits(self) -> list[str]:
        """Return the splits that photos are in, in the usual order."""
        return self._splits

    def load(self) -> bool:
        """Read all photos from the store; tell whether that worked."""
        items = self._ask(self.store.load_items, Message("The photos could not be read. Reload the page."))
        if items is None:
            return False
        with making_many():
            self._ranked = sorted(items, key=self._rank)
            self._by_key = {item.key: item for item in items}
        # what waits outside is not in the set
        self._size = sum(not item.outside for item in items)
        found = {item.split for item in items if not item.outside}
        self._splits = [split for split in ("train", "valid", "test", "") if split in found]
        self._views = None
        self.groups = build_groups(items)
        self._take_up_drafts()
        self._drop_overtaken()
        self._renew_shortlist()
        if self.status is Status.EMPTY and items:
            self.status = Status.READY
        self.loads += 1
        self._update_moves()
        self._redraw()
        return True

    def meet_others(self) -> None:
        """Take up what somebody else changed meanwhile, and say it; choices and place stay."""
        words = self._ask(self.store.find_news, Message("What others changed could not be read."))
        if not words:
            return
        # a photo in the middle, which a few that come or go before it leave on its page
        items = self.page_items
        place = items[len(items) // 2].key if items else None
        if self.load():
            self._return_to(place)
            self._tell(join_messages([words, *say_left(len(self.conflicts))]))

    def set_page_size(self, n: int) -> None:
        """Show so many photos on a page, and go on where the first of this page is."""
        first = self.page_items[0].key if self.page_items else None
        self.page_size = n
        self._return_to(first)
        self._redraw(stale=False)

    def count_sure(self) -> int:
        """Return how many suggestions of the list `accept_sure` would take."""
        return len(self._find_sure())

    def accept_sure(self) -> None:
        """Choose what is suggested where the model is sure: for every photo of the list, as one step."""
        items = self._find_sure()
        n = len(items)
        words = count_message(n, "1 suggestion is accepted.", "{n} suggestions are accepted.")
        self._do(words, {item.key: _decide(item, "relabel", item.answer) for item in items})

    def _find_sure(self) -> list[ReviewItem]:
        return [item for item in self._summarize()[0] if self.choice_of(item.key) is None]

    def _summarize(self) -> tuple[list[ReviewItem], list[GroupId]]:
        """Return the photos of the queue that the model is sure of, and its groups of copies."""
        queue = self.queue
        if self._of_queue is None or self._of_queue[0] is not queue:
            groups = {
                (reason.kind, reason.group): None
                for item in queue
                for reason in item.reasons
                if reason.group is not None and (self.view not in KINDS or reason.kind == self.view)
            }
            self._of_queue = queue, [item for item in queue if is_sure(item)], list(groups)
        return self._of_queue[1:]

    def _return_to(self, key: int | None) -> None:
        """Show the page that a photo stands on by now."""
        place = next((i for i, item in enumerate(self.queue) if item.key == key), None)
        if place is not None:
            self.page = place // self.page_size

    def drop_drafts(self) -> None:
        """Leave all photos as they are of which what an earlier session chose still waits."""
        keys = self.drafts
        n = len(keys)
        words = count_message(n, "1 change is dropped.", "{n} changes are dropped.")
        self._do(words, dict.fromkeys(keys))

    def confirm(self, keys: Iterable[int]) -> None:
        """Let choices stand although somebody else changed the photos after them."""
        self._waiting.note([self._by_key[key] for key in keys if key in self.pending])
        self._keep()
        self._redraw()

    def open_group(self, group: GroupId, key: int | None = None) -> None:
        """Show the copies of one group side by side; the list was left at photo `key`."""
        if group in self.groups and group != self.group:
            self._open(self._list_group(group), key)

    def show_similar(self, key: int) -> None:
        """Show the photos most like one, the nearest first, as many as one page holds."""
        fault = Message("The photos most like this one could not be looked for.")
        found = self._ask(lambda: self.store.find_similar(key, self.page_size - 1), fault)
        if found is not None:
            words = Message("The photos most like {name}, the nearest first.", name=self._by_key[key].name)
            self.show_photos([key, *found], words, key)

    def show_photos(self, keys: Sequence[int], words: str, key: int | None = None) -> None:
        """Show some photos in place of the list, which was left at photo `key`; `words` say what they are."""
        known = tuple(key for key in keys if key in self._by_key)
        if not known:
            self.refuse(Message("None of these photos is in the folder any more."))
            return
        self._open(Shortlist(words, known), key)
        if missing := say_missing(len(keys) - len(known)):
            self._tell(join_messages(missing))

    def close_shortlist(self) -> int | None:
        """Go back to the list, where it was left; returns the photo at which that was."""
        if self.shortlist is None:
            return None
        page, key = self._place_before
        self.shortlist = None
        self.page = page
        self._return_to(key)
        return key

    def _open(self, shortlist: Shortlist, key: int | None) -> None:
        if self.shortlist is None:
            self._place_before = self.page, key
        self.shortlist = shortlist

    def _list_group(self, group: GroupId) -> Shortlist:
        keys = tuple(item.key for item in self.groups[group])
        return Shortlist(say_group(group[0], len(keys)), keys, group)

    def _renew_shortlist(self) -> None:
        """Leave out what is no longer there; without any photo left, go back to the list."""
        before = self.shortlist
        if before is None:
            return
        keys = tuple(key for key in before.keys if key in self._by_key)
        if before.group is not None:
            self.shortlist = self._list_group(before.group) if before.group in self.groups else None
        else:
            self.shortlist = replace(before, keys=keys) if keys else None
        if self.shortlist is None:
            self.page = self._place_before[0]

    def shown_groups(self) -> list[GroupId]:
        """Return the open group, else those of which the list shows a photo, in its order."""
        if self.shortlist is not None:
            return [self.shortlist.group] if self.shortlist.group else []
        return self._summarize()[1]

    def choose(self, keys: Iterable[int], action: str, label: str | None = None) -> None:
        """Say what shall become of photos: one of `ACTIONS`, `SKIP` or `KEEP`; unknown photos are ignored.

        Nothing is stored before `apply`.
        """
        items = [self._by_key[key] for key in dict.fromkeys(keys) if key in self._by_key]
        able = [item for item in items if self._allows(item, action, label)]
        # whoever decides again has seen what somebody else made of the photos
        self._waiting.note(able)
        if able:
            self._do(say_choice(action, label, able), {i.key: _decide(i, action, label) for i in able})
        elif items:
            self._tell(Message("A removed photo has to come back before it gets another label."))

    def keep_best(self) -> None:
        """Mark all but the best copy for removal: in the open group, else in every group of the list."""
        groups = self.shown_groups()
        kept: set[int] = set()
        losers: dict[int, Decision] = {}
        left = 0
        for group in groups:
            best = find_best(group, self.groups[group])
            # the best of one group may be the worse copy of another: never lose both
            if best is None or best.key in losers or self._is_leaving(best.key):
                left += 1
                continue
            kept.add(best.key)
            for item in self.groups[group]:
                if item.key not in kept and not item.removed and item.key not in self._history.skipped:
                    losers[item.key] = Decision(item.key, "remove", why=_find_why(item, group))
        self._do(say_kept(len(losers), len(groups) - left, left), losers)

    def keep_copy(self, key: int) -> None:
        """Keep one copy of the open group, and mark all others for removal."""
        members = self.groups.get(self.group, ()) if self.group else ()
        best = next((item for item in members if item.key == key), None)
        if best is None:
            return
        choices: dict[int, Decision | None] = {
            item.key: Decision(item.key, "remove", why=_find_why(item, self.group))
            for item in members
            if item is not best and not item.removed
        }
        words = say_copy_kept(best.name, len(choices))
        if best.removed or self._is_leaving(key):
            choices[key] = _decide(best, "restore", None)
        self._do(words, choices)

    def build_preview(self) -> Preview:
        """Return what `apply` will change."""
        pairs = [(self._by_key[key], decision) for key, decision in self.pending.items()]
        return build_preview(sorted(pairs, key=lambda pair: pair[0].name), self.conflicts)

    def apply(self) -> bool:
        """Store all pending choices as one step; on a failure they stay pending.

        Those about photos that somebody else changed meanwhile wait until they are confirmed.
        """
        self.meet_others()
        left = self.conflicts
        decisions = [decision for key, decision in self.pending.items() if key not in left]
        if not decisions:
            nothing = Message("There is nothing to apply.")
            self._tell(join_messages(say_left(len(left)) or [nothing]))
            return False
        self.status = Status.BUSY
        failed = Message("The changes could not be stored; nothing was changed.")
        words = self._ask(lambda: self.store.apply(decisions), failed)
        if words is None:
            return False
        self._history.settle({decision.key for decision in decisions})
        if self.load():
            self._tell(join_messages([words, *say_left(len(left))]), Status.DONE)
        return True

    def undo(self) -> None:
        """Take the last step back: a choice, or what was applied."""
        moved = self._ask(self._history.undo, Message("This could not be undone."))
        if moved is not None and not self._arrive(moved):
            self._tell(Message("There is nothing left to undo."))

    def redo(self) -> None:
        """Take the last undone step again."""
        moved = self._ask(self._history.redo, Message("This could not be done again."))
        if moved is not None and not self._arrive(moved):
            self._tell(Message("There is nothing left to do again."))

    def refuse_action(self) -> None:
        """Show that an action did not work."""
        self.refuse(Message("That did not work, and nothing was changed. Try again or reload the page."))

    def refuse(self, reason: str) -> None:
        """Show that something did not work, and why."""
        self._tell(reason, Status.ERROR)

    @traitlets.observe("view", "label", "split", "show_removed", "part", "shortlist")
    def _on_filter_change(self, change: dict[str, Any]) -> None:
        if change["name"] != "shortlist" and self.shortlist is not None:
            self.shortlist = None
            return
        self._queue = None
        if self.page:
            self.page = 0
        else:
            self._redraw()

    @traitlets.observe("page")
    def _on_page_change(self, _: Any) -> None:
        self._redraw(stale=False)

    def _allows(self, item: ReviewItem, action: str, label: str | None) -> bool:
        if action == "relabel":
            return not item.removed and label in self.store.vocab
        if action == "restore":
            return not item.outside
        return action in (*ACTIONS, SKIP, KEEP)

    def _do(self, words: str, choices: Mapping[int, Decision | None]) -> None:
        self._waiting.note([self._by_key[key] for key in choices if key not in self.pending])
        if self._history.do(words, choices):
            self._keep()
            self._say(words)
            self._update_moves()
            self._redraw()
        else:
            self._tell(Message("That changes nothing.") if choices else words)

    def _arrive(self, moved: Moved) -> bool:
        """Show what undo or redo has done; tell whether it did anything."""
        ours = [] if not moved.stored else [key for key in self.pending if key not in self.conflicts]
        if moved.words and (not moved.stored or self.load()):
            self._waiting.note([self._by_key[key] for key in ours if key in self._by_key])
            self._drop_overtaken()
            self._say(moved.words)
            self.moved = moved.keys
            self._redraw()
        self._update_moves()
        return bool(moved.words)

    def _update_moves(self) -> None:
        fault = Message("What can be undone is not known.")
        self.can_undo = bool(self._ask(lambda: self._history.can_undo, fault))
        self.can_redo = bool(self._ask(lambda: self._history.can_redo, fault))

    def _is_leaving(self, key: int) -> bool:
        decision = self.choice_of(key)
        return decision is not None and decision.action == "remove"

    def _drop_overtaken(self) -> None:
        """Drop choices that a reload or a step back has made meaningless."""
        known = self._by_key
        self._history.drop(
            [k for k, decision in self.pending.items() if k not in known or not _matters(known[k], decision)]
        )
        self._keep()

    def _keep(self) -> None:
        self._waiting.keep(self._by_key, self.pending)

    def _on_keeping(self, fault: str) -> None:
        if fault != self.unkept:
            self.unkept = fault
            self.revision += 1

    def _take_up_drafts(self) -> None:
        """Choose once more what an earlier session left waiting: what was chosen at once is one step."""
        if self._drafts is not None:
            return
        found = self._ask(self._waiting.read, Message("What waited for Apply could not be read.")) or []
        able = [one for one in found if self._still_means(one)]
        self._drafts = {one.decision.key: one.decision for one in able}
        self.drafts_time = max((one.time for one in able), default="")
        for time in sorted({one.time for one in able}):
            step = {one.decision.key: one.decision for one in able if one.time == time}
            self._history.do(say_choices([(self._by_key[k], d) for k, d in step.items()]), step)

    def _still_means(self, one: Waiting) -> bool:
        item, decision = self._by_key.get(one.decision.key), one.decision
        if item is None or item.name != one.name or decision.action not in ACTIONS:
            return False
        return self._allows(item, decision.action, decision.label) and _matters(item, decision)

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
        self.message, self.status, self.moved = words, status, ()
        self.spoken += 1

    def _ask(self, call: Callable[[], _T], sentence: str) -> _T | None:
        """Call the store; a failure becomes a sentence and None."""
        try:
            return call()
        except Exception as e:
            self.refuse(say_fault(e, sentence))
            return None


def _decide(item: ReviewItem, action: str, label: str | None) -> Decision | None:
    """Return the decision that an action means for a photo; None where it leaves it as it is."""
    if action == KEEP:
        return None
    if action == SKIP:
        return Decision(item.key, SKIP)
    decision = Decision(item.key, action, label if action == "relabel" else None, _find_why(item))
    return decision if _matters(item, decision) else None


def _matters(item: ReviewItem, decision: Decision) -> bool:
    if item.outside:
        return True
    if decision.action == "relabel":
        return not item.removed and decision.label != item.label
    return item.removed == (decision.action == "restore")


def _find_why(item: ReviewItem, group: GroupId | None = None) -> str:
    reasons = [r for r in item.reasons if group is None or (r.kind, r.group) == group]
    return max(reasons, key=lambda reason: reason.doubt).text if reasons else ""
