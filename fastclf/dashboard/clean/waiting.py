"""Choices that wait: kept as they are made, taken up after a reload, held against what others change."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from ...errors import Message
from ...system import start_thread, utc_now
from ..widgets import say_fault
from .review import Decision, ReviewItem, ReviewStore, Waiting

_FAULT = Message("The catalog cannot be written.")


class Basis(NamedTuple):
    """What a photo was when somebody decided about it, and when that was."""

    label: str
    removed: bool
    time: str


class WaitingChoices:
    """What the choices that wait rest on; `on_fault` is told, by a thread, why they cannot be kept, or ""."""

    def __init__(self, store: ReviewStore, on_fault: Callable[[str], None]) -> None:
        self._store, self._on_fault = store, on_fault
        self._bases: dict[int, Basis] = {}
        self._lock = threading.Lock()
        self._wanted: dict[int, Waiting] = {}
        self._stored: dict[int, Waiting] = {}
        self._thread: threading.Thread | None = None

    def note(self, items: Iterable[ReviewItem]) -> None:
        """Note that somebody decides about photos as they are now."""
        now = utc_now()
        self._bases.update({item.key: Basis(item.label, item.removed, now) for item in items})

    def find_conflicts(self, known: Mapping[int, ReviewItem], pending: Collection[int]) -> dict[int, Basis]:
        """Return {key: what it was} of the photos that somebody else changed after the choice."""
        found = {}
        for key in pending:
            basis, item = self._bases.get(key), known[key]
            if basis is not None and (basis.label, basis.removed) != (item.label, item.removed):
                found[key] = basis
        return found

    def read(self) -> list[Waiting]:
        """Return what an earlier session left waiting."""
        found = self._store.read_drafts()
        self._stored = {one.decision.key: one for one in found}
        self._bases = {one.decision.key: Basis(one.label, one.removed, one.time) for one in found}
        return found

    def keep(self, known: Mapping[int, ReviewItem], pending: Mapping[int, Decision]) -> None:
        """Have the choices that wait now kept, without waiting for that."""
        if not self._store.keeps_drafts:
            return
        with self._lock:
            self._wanted = {
                key: Waiting(decision, known[key].name, *self._bases[key])
                for key, decision in pending.items()
                if key in known and key in self._bases
            }
            if self._thread is None:
                self._thread = start_thread(self._work)

    def wait(self) -> None:
        """Wait until what waits is kept, or cannot be."""
        if (thread := self._thread) is not None:
            thread.join()

    def _work(self) -> None:
        while changes := self._find_changes():
            new, dropped = changes
            try:
                self._store.keep_drafts([*new.values()], dropped)
            except Exception as e:
                with self._lock:
                    self._thread = None
                self._on_fault(say_fault(e, _FAULT))
                return
            with self._lock:
                self._stored = {**{k: v for k, v in self._stored.items() if k not in dropped}, **new}
        self._on_fault("")

    def _find_changes(self) -> tuple[dict[int, Waiting], set[int]] | None:
        with self._lock:
            new = {key: one for key, one in self._wanted.items() if self._stored.get(key) != one}
            dropped = self._stored.keys() - self._wanted.keys()
            if new or dropped:
                return new, dropped
            self._thread = None
            return None


def say_time(time: str) -> str:
    """Return a time of the record as people here say it: "10:42", of another day with the day before it.

    Examples
    --------
    >>> say_time("2020-02-01T12:00:00+00:00")[:10]
    '2020-02-01'
    """
    when = datetime.fromisoformat(time).astimezone()
    today = when.date() == datetime.now().astimezone().date()
    return when.strftime("%H:%M" if today else "%Y-%m-%d %H:%M")
