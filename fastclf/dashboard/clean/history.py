"""Choices that wait to be applied, and the way back through them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .review import Decision


@dataclass(frozen=True)
class Mark:
    """What a person has said of one photo so far.

    Attributes
    ----------
    decision
        The choice that waits to be applied.
    skipped
        Whether it was looked at and is to stay as it is.
    """

    decision: Decision | None = None
    skipped: bool = False


@dataclass(frozen=True)
class Step:
    """One action on one photo or on many."""

    words: str
    before: Mapping[int, Mark]
    after: Mapping[int, Mark]


class Choices:
    """Marks on photos with undo and redo; steps that the store holds stand among them as None."""

    def __init__(self) -> None:
        self.pending: dict[int, Decision] = {}
        self.skipped: set[int] = set()
        self._past: list[Step | None] = []
        self._future: list[Step | None] = []

    def mark_of(self, key: int) -> Mark:
        """Return what was said of a photo."""
        return Mark(self.pending.get(key), key in self.skipped)

    def do(self, words: str, marks: Mapping[int, Mark]) -> bool:
        """Take a step; return False where it would change nothing."""
        after = {key: mark for key, mark in marks.items() if mark != self.mark_of(key)}
        if not after:
            return False
        before = {key: self.mark_of(key) for key in after}
        self._past.append(Step(words, before, after))
        self._future.clear()
        self._set(after)
        return True

    def next_undo(self) -> Step | None:
        """Return the step that undo would take back; None means: ask the store."""
        return self._past[-1] if self._past else None

    def next_redo(self) -> Step | None:
        """Return the step that redo would take again; None means: ask the store, if `store_can_redo`."""
        return self._future[-1] if self._future else None

    @property
    def store_can_redo(self) -> bool:
        """Whether a redo of the store comes next in time; a new choice ends that."""
        return self._future[-1] is None if self._future else not any(self._past)

    def undo(self) -> None:
        """Take back the last step; a step of the store only moves, the store itself does the rest."""
        step = self._past.pop() if self._past else None
        self._future.append(step)
        if step is not None:
            self._set(step.before)

    def redo(self) -> None:
        """Take the last undone step again."""
        step = self._future.pop() if self._future else None
        self._past.append(step)
        if step is not None:
            self._set(step.after)

    def settle(self) -> None:
        """Note that the store has taken all pending choices; what was skipped stays undoable."""
        kept = [(step, step and _keep_skips(step)) for step in self._past]
        self._past = [skips for step, skips in kept if step is None or skips is not None]
        self._past.append(None)
        self._future.clear()
        self.pending.clear()

    def forget_stored(self) -> None:
        """Drop the notes of steps of the store, which has nothing left to undo."""
        self._past = [step for step in self._past if step is not None]

    def drop(self, keys: set[int]) -> None:
        """Forget the pending choices of photos for which they mean nothing any more."""
        for key in keys:
            self.pending.pop(key, None)

    def _set(self, marks: Mapping[int, Mark]) -> None:
        for key, mark in marks.items():
            if mark.decision is None:
                self.pending.pop(key, None)
            else:
                self.pending[key] = mark.decision
            if mark.skipped:
                self.skipped.add(key)
            else:
                self.skipped.discard(key)


def _keep_skips(step: Step) -> Step | None:
    """Return what a step did beside the choices that were applied."""
    keys = [key for key in step.after if step.after[key].skipped != step.before[key].skipped]
    if not keys:
        return None
    before = {key: Mark(skipped=step.before[key].skipped) for key in keys}
    return Step(step.words, before, {key: Mark(skipped=step.after[key].skipped) for key in keys})
