"""Choices that wait to be applied, and the one way back: through them and through the store's steps."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ...errors import Message
from .review import SKIP, Decision, ReviewStore

Choices = Mapping[int, Decision | None]


@dataclass(frozen=True)
class Step:
    """One choice on one photo or on many, {key: decision} before and after; None where there is none."""

    words: str
    before: Choices
    after: Choices


class Moved(NamedTuple):
    """What undo or redo did in words, "" for nothing; whether the store did it, else for which photos."""

    words: str
    stored: bool = False
    keys: tuple[int, ...] = ()


class History:
    """Decisions with undo and redo; the steps that the store took stand among them as None."""

    def __init__(self, store: ReviewStore) -> None:
        self.choices: dict[int, Decision] = {}
        self._store = store
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

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back, a choice or a stored one."""
        return any(self._past) or self._store.count_steps()[0] > 0

    @property
    def can_redo(self) -> bool:
        """Whether there is an undone step to take again."""
        return bool(self._future) or (not any(self._past) and self._store.count_steps()[1] > 0)

    def do(self, words: str, choices: Choices) -> bool:
        """Take a step; return False where it would change nothing."""
        after = {key: new for key, new in choices.items() if new != self.choices.get(key)}
        if not after:
            return False
        self._past.append(Step(words, {key: self.choices.get(key) for key in after}, after))
        self._future.clear()
        self._set(after)
        return True

    def undo(self) -> Moved:
        """Take back the last step; whatever the store raises leaves all as it was."""
        step = self._past[-1] if self._past else None
        if step is None:
            words = self._store.undo()
            if words is None:
                # it has nothing left, so what was chosen before its steps comes next
                self._past = [step for step in self._past if step is not None]
                return self.undo() if self._past else Moved("")
        else:
            self._set(step.before)
            words = Message("Undone: {step}", step=step.words)
        self._future.append(self._past.pop() if self._past else None)
        return Moved(words, stored=step is None, keys=tuple(step.before) if step else ())

    def redo(self) -> Moved:
        """Take the last undone step again; a new choice ends what the store could do again."""
        step = self._future[-1] if self._future else None
        if step is None:
            words = None if not self._future and any(self._past) else self._store.redo()
            if words is None:
                return Moved("")
        else:
            self._set(step.after)
            words = Message("Done again: {step}", step=step.words)
        self._past.append(self._future.pop() if self._future else None)
        return Moved(words, stored=step is None, keys=tuple(step.after) if step else ())

    def settle(self, applied: Collection[int]) -> None:
        """Note that the store has taken what waited for these photos; the rest stays undoable."""
        kept = [step and _keep_rest(step, applied) for step in self._past]
        self._past = [step for step in kept if step is None or step.after]
        self._past.append(None)
        self._future.clear()
        self.drop(applied)

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


def _keep_rest(step: Step, applied: Collection[int]) -> Step:
    """Return what a step did beside the choices that were applied."""
    before, after = (
        {
            key: one if one and (one.action == SKIP or key not in applied) else None
            for key, one in side.items()
        }
        for side in (step.before, step.after)
    )
    keys = [key for key in after if before[key] != after[key]]
    return Step(step.words, {key: before[key] for key in keys}, {key: after[key] for key in keys})
