"""The cleaner's choices: made, shown, applied, undone; no widget is imported here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import traitlets

from ..texts import phrase
from ..widgets import Status
from .browse import BrowseModel
from .history import Mark
from .queue import GroupId, find_best
from .review import ACTIONS, Decision, ReviewItem
from .wording import Preview, build_preview, say_kept, say_step


class ReviewModel(BrowseModel):
    """A queue of photos, the choices made on them, and the way back through all of them.

    Choices survive every filter and page until `apply` or `undo`. The parameters are those of
    `BrowseModel`.
    """

    can_undo = traitlets.Bool(True)
    can_redo = traitlets.Bool(False)

    @property
    def pending(self) -> Mapping[int, Decision]:
        """{key: decision} of all choices that wait to be applied, whatever is shown."""
        return MappingProxyType(self._choices.pending)

    def choose(self, keys: Iterable[int], action: str, label: str | None = None) -> None:
        """Say what shall become of photos; nothing is stored before `apply`.

        Parameters
        ----------
        keys
            The photos; unknown ones are ignored.
        action
            "relabel", "remove", "restore", "skip" (looked at, stays) or "keep" (takes the choice back).
        label
            The new label, for "relabel".
        """
        items = [self._by_key[key] for key in dict.fromkeys(keys) if key in self._by_key]
        marks = {item.key: self._mark(item, action, label) for item in items}
        able = [item for item in items if marks[item.key] is not None]
        if able:
            self._do(
                say_step(action, label, able), {k: mark for k, mark in marks.items() if mark is not None}
            )
        elif items:
            self._tell(phrase("A removed photo has to come back before it gets another label."))

    def keep_best(self) -> None:
        """Mark all but the best copy for removal: in the open group, else in every group of the list."""
        groups = self.shown_groups()
        kept: set[int] = set()
        losers: dict[int, Mark] = {}
        left = 0
        for group in groups:
            best = find_best(group, self.groups[group])
            # the best of one group may be the worse copy of another: never lose both
            if best is None or best.key in losers or self._is_leaving(best.key):
                left += 1
                continue
            kept.add(best.key)
            for item in self.groups[group]:
                if item.key not in kept and not item.removed and not self.mark_of(item.key).skipped:
                    losers[item.key] = Mark(Decision(item.key, "remove", why=_why(item, group)))
        self._do(say_kept(len(losers), len(groups) - left, left), losers)

    def build_preview(self) -> Preview:
        """Return what `apply` will change."""
        pairs = [(self._by_key[key], decision) for key, decision in self.pending.items()]
        return build_preview(sorted(pairs, key=lambda pair: pair[0].name))

    def apply(self) -> bool:
        """Store all pending choices as one step; on a failure they stay pending."""
        if not self.pending:
            self._tell(phrase("There is nothing to apply."))
            return False
        self.status = Status.BUSY
        decisions = list(self.pending.values())
        failed = phrase("The changes could not be stored; nothing was changed.")
        words = self._ask(lambda: self.store.apply(decisions), failed)
        if words is None:
            return False
        self._choices.settle()
        self.can_undo, self.can_redo = True, False
        if self.load():
            self._tell(words, Status.DONE)
        return True

    def undo(self) -> None:
        """Take the last step back: a choice, or what was applied."""
        step = self._choices.next_undo()
        if step is not None:
            self._choices.undo()
            self._arrive(phrase("Undone: {step}", step=step.words))
            return
        words = self._ask(lambda: self.store.undo() or "", phrase("This could not be undone."))
        if words:
            self._choices.undo()
            self._reload(words)
        elif words == "":
            self._choices.forget_stored()
            if self._choices.next_undo() is not None:
                self.undo()
            else:
                self.can_undo = False
                self._tell(phrase("There is nothing left to undo."))

    def redo(self) -> None:
        """Take the last undone step again."""
        step = self._choices.next_redo()
        if step is not None:
            self._choices.redo()
            self._arrive(phrase("Done again: {step}", step=step.words))
            return
        words: str | None = ""
        if self._choices.store_can_redo:
            words = self._ask(lambda: self.store.redo() or "", phrase("This could not be done again."))
        if words:
            self._choices.redo()
            self._reload(words)
        elif words == "":
            self.can_redo = False
            self._tell(phrase("There is nothing left to do again."))

    def _do(self, words: str, marks: Mapping[int, Mark]) -> None:
        if self._choices.do(words, marks):
            self._say(words)
            self.can_undo, self.can_redo = True, False
            self._redraw()
        else:
            self._tell(phrase("That changes nothing.") if marks else words)

    def _reload(self, words: str) -> None:
        if self.load():
            self._arrive(words)

    def _arrive(self, words: str) -> None:
        self._prune()
        self._say(words)
        self.can_undo = self.can_redo = True
        self._redraw()

    def _mark(self, item: ReviewItem, action: str, label: str | None) -> Mark | None:
        """Return what an action means for a photo; None where it means nothing."""
        if action in ("skip", "keep"):
            return Mark(skipped=action == "skip")
        if action not in ACTIONS or (action == "relabel" and (item.removed or label not in self.store.vocab)):
            return None
        if item.report and action == "restore":
            return None
        decision = Decision(item.key, action, label if action == "relabel" else None, _why(item))
        return Mark(decision) if _matters(item, decision) else Mark()

    def _is_leaving(self, key: int) -> bool:
        decision = self.pending.get(key)
        return decision is not None and decision.action == "remove"

    def _prune(self) -> None:
        """Drop choices that a reload has overtaken."""
        self._choices.drop(
            {
                key
                for key, decision in self.pending.items()
                if key not in self._by_key or not _matters(self._by_key[key], decision)
            }
        )


def _matters(item: ReviewItem, decision: Decision) -> bool:
    if item.report:
        return True
    if decision.action == "relabel":
        return not item.removed and decision.label != item.label
    return item.removed == (decision.action == "restore")


def _why(item: ReviewItem, group: GroupId | None = None) -> str:
    reasons = [r for r in item.reasons if group is None or (r.kind, r.group) == group]
    return max(reasons, key=lambda reason: reason.doubt).text if reasons else ""
