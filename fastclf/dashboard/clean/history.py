"""Choices that wait to be applied, and the way back through them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .review import SKIP, Decision

Choices = Mapping[int, Decision | None]


@dataclass(frozen=True)
class Step:
    """One choice on one photo or on many, {key: decision} before and after; None where there is none."""

    words: str
    before: Choices
    after: Choices


class History:
    """Decisions with undo and redo; the steps that the store took stand among them as None."""

    def __init__(self) -> None:
        self.choices: dict[int, Decision] = {}
        self._past: list[Step | None] = []
        self._future: list[Step | None] = []

    @property
    def pending(self) -> dict[int, Decision]:
        """{key: decision} of what waits to be applied."""
        return {key: decision for key, decision in self.choices.items() if decision.action != SKIP}

    @property
    def skipped(self) -> set[int]:
        """The photos that were looked at and are to stay as they are."""
        return {key for key, decision in self.choices.items() if decision.action == SKIP}

    def do(self, words: str, choices: Choices) -> bool:
        """Take a step; return False where it would change nothing."""
        after = {key: new for key, new in choices.items() if new != self.choices.get(key)}
        if not after:
            return False
        self._past.append(Step(words, {key: self.choices.get(key) for key in after}, after))
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
        """Note that the store has taken all that waited; what was skipped stays undoable."""
        kept = [step and _keep_skips(step) for step in self._past]
        self._past = [step for step in kept if step is None or step.after]
        self._past.append(None)
        self._future.clear()
        self.drop(self.pending)

    def forget_stored(self) -> None:
        """Drop the notes of steps of the store, which has nothing left to undo."""
        self._past = [step for step in self._past if step is not None]

    def drop(self, keys: Iterable[int]) -> None:
        """Forget the choices for photos for which they mean nothing any more."""
        for key in keys:
            self.choices.pop(key, None)

    def _set(self, choices: Choices) -> None:
        for key, decision in choices.items():
            if decision is None:
                self.choices.pop(key, None)
            else:
                self.choices[key] = decision


def _keep_skips(step: Step) -> Step:
    """Return what a step did beside the choices that were applied."""
    before, after = (
        {key: one if one and one.action == SKIP else None for key, one in side.items()}
        for side in (step.before, step.after)
    )
    keys = [key for key in after if before[key] != after[key]]
    return Step(step.words, {key: before[key] for key in keys}, {key: after[key] for key in keys})
