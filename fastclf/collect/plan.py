"""Which search comes next: services in turn, pages of each query, and patience with those that ask for it."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from ..errors import FastclfError
from .services import Found, LimitedError, SearchService, UnreachableError
from .web import start_call

# Seconds between two questions to one service; more than anybody who searches by hand would need.
_PAUSE = 1.5
# Seconds that a service rests which does not say how long, doubled each time, and the longest that a person
# is made to wait; chosen, not measured.
_FIRST_REST, _MOST_REST = 15.0, 120.0
# No service is asked further: what stands there has little to do with the words.
_MAX_PAGE = 20


@dataclass
class ServiceState:
    """How a search service behaves in this run: when it may be asked again, or why it is not ("lost")."""

    service: SearchService
    ready_at: float = 0.0
    rests: int = 0  # in a row
    lost: str = ""
    busy: bool = False

    def answered(self) -> None:
        """Note an answer."""
        self.busy, self.rests = False, 0
        self.ready_at = time.monotonic() + _PAUSE

    def limited(self, retry_after: float | None) -> float:
        """Note that it asks for fewer requests; returns for how many seconds, or 0 if it is given up."""
        self.rests += 1
        wait = retry_after if retry_after is not None else _FIRST_REST * 2 ** (self.rests - 1)
        if self.rests > 3 or wait > _MOST_REST:
            self.lost = f"asks to wait {wait:.0f} s" if wait > _MOST_REST else "refuses again and again"
            return 0.0
        self.ready_at = time.monotonic() + wait
        return wait

    def failed(self, error: Exception) -> str:
        """Note why it gave no answer, and return it as a sentence."""
        self.busy, name = False, self.service.name
        if isinstance(error, LimitedError):
            seconds = self.limited(error.retry_after)
            what = "left out of this run" if self.lost else f"waiting {math.ceil(seconds)} s"
            return f"{name} asks for fewer requests: {what}."
        if isinstance(error, UnreachableError):
            self.lost = error.reason
            return f"{name} {error.reason}; this run goes without it."
        self.lost = str(error) if isinstance(error, FastclfError) else f"failed ({type(error).__name__})"
        return f"{name} is not used in this run: {self.lost.rstrip('.')}."


@dataclass(frozen=True)
class Question:
    """One page of one search, for a class."""

    label: str
    state: ServiceState
    query: str
    page: int


@dataclass
class SearchPlan:
    """The searches of one class, the preferred services and the best words first.

    `done` is {(service, query): (last page read, results on it)}, from earlier runs too; `asked` counts the
    questions of this run.
    """

    label: str
    states: Sequence[ServiceState]
    queries: Sequence[str]
    done: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    asked: int = 0

    def next(self) -> Question | None:
        """Return what to ask now; None if all that is left has to wait, or nothing is left."""
        now = time.monotonic()
        for state in self.states:
            if not state.lost and not state.busy and state.ready_at <= now:
                question = self._next_of(state)
                if question is not None:
                    return question
        return None

    def wait_until(self) -> float | None:
        """Return when a service can be asked that has something left to ask; None if there is none."""
        times = [s.ready_at for s in self.states if not s.lost and self._next_of(s) is not None]
        return min(times, default=None)

    def note(self, question: Question, found: int) -> None:
        """Record that a page was read, and how many results on it count; 0 ends the search."""
        self.done[question.state.service.name, question.query] = question.page, found

    def _next_of(self, state: ServiceState) -> Question | None:
        """Return the lowest page that is not read of a query that still gives something new."""
        pages = []
        for rank, query in enumerate(self.queries):
            page, found = self.done.get((state.service.name, query), (0, 1))
            if found and page < _MAX_PAGE:
                pages.append((page + 1, rank, query))
        if not pages:
            return None
        page, _, query = min(pages)
        return Question(self.label, state, query, page)


def ask(question: Question) -> Future[list[Found]]:
    """Ask in a thread that nobody has to wait for: a foreign client does not hear of a stop."""
    service = question.state.service

    def search() -> list[Found]:
        try:
            return service.search(question.query, question.page)
        except (Exception, KeyboardInterrupt):
            raise
        except BaseException as e:  # noqa: BLE001 - a panic of compiled code is no Exception
            raise UnreachableError(service.name, f"broke down ({type(e).__name__})") from None

    return start_call(search)
