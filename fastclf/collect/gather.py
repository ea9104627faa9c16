"""Searching and downloading at once: one thread decides, many fetch, every address ends in a row."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from ..catalog import REFUSED, STORED, WAITING, Fetch, Outcome
from ..errors import StoppedError
from ..photos import MAX_BYTES, count_pixels
from .photo_store import ENOUGH, PhotoStore
from .plan import Question, SearchPlan, ask
from .progress import ProgressBars
from .recipes import CollectOptions
from .services import Found
from .web import PHOTOS, Fetcher, FetchError, HostQueue, Job

_logger = logging.getLogger(__name__)

# What came is recorded in lots: so many, or so many seconds; a killed run fetches no more than these again.
_LOT, _LOT_SECONDS = 64, 0.5
# Longest wait for news before it is looked whether a rest is over.
_GLANCE = 0.1
# Photos of more pixels are decoded one at a time: each may take a gigabyte.
_LARGE = 16_000_000
# How much more is fetched than is missing: enough where one address in five is of no use, or two of a few.
_SPARE, _LEAST_SPARE = 1.3, 2


class Gatherer:
    """Fills the classes of one collection: fetches what waits in the ledger, and what its searches find.

    A class without a search plan has what waits; of classes that are not in `labels` nothing is fetched.
    """

    def __init__(
        self,
        store: PhotoStore,
        fetcher: Fetcher,
        labels: Sequence[str],
        plans: Sequence[SearchPlan],
        options: CollectOptions,
        progress: ProgressBars,
    ) -> None:
        self._ledger, self._store, self._fetcher = store.ledger, store, fetcher
        self._labels, self._plans = labels, plans
        self._rivals = {*labels, *store.labels()}
        self._options, self._progress = options, progress
        self._queue = HostQueue(options.per_host)
        self._done: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
        self._running: dict[Future[Outcome], Job] = {}
        self._questions: dict[Future[list[Found]], Question] = {}
        self._active: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._outcomes: list[Outcome] = []
        self._flushed = time.monotonic()
        self._known = 0
        self._cores = threading.BoundedSemaphore(os.cpu_count() or 1)
        self._large = threading.Lock()

    def run(self) -> None:
        """Fetch and search until every class is full or nothing is left to try."""
        self._queue_new()
        with ThreadPoolExecutor(self._options.parallel, thread_name_prefix="collect") as pool:
            try:
                while self._step(pool):
                    pass
            except BaseException:
                self._fetcher.stop.set()
                self._progress.say("Stopping ...")
                pool.shutdown(wait=True, cancel_futures=True)
                self._take_done(0)
                raise
            finally:
                self._flush()
        self._leave_rest()

    def _step(self, pool: ThreadPoolExecutor) -> bool:
        """Start what can be started and take in what is done; returns whether anything is left to do."""
        self._start_searches()
        self._start_fetches(pool)
        self._drop_given_up()
        if self._running or self._questions:
            self._take_done(_GLANCE)
            return True
        start = self._next_start()
        if start is None:
            return False
        self._flush()
        self._fetcher.stop.wait(min(max(start - time.monotonic(), 0.01), 1.0))
        return True

    def _start_searches(self) -> None:
        # classes take turns
        for plan in sorted(self._plans, key=lambda p: p.asked):
            being_asked = any(question.label == plan.label for question in self._questions.values())
            coming = self._active[plan.label] + self._queue.waiting(plan.label)
            if being_asked or self._is_covered(plan.label, coming):
                continue
            question = plan.next()
            if question is not None:
                question.state.busy = True
                plan.asked += 1
                answer = ask(question)
                self._questions[answer] = question
                answer.add_done_callback(self._done.put)

    def _is_covered(self, label: str, coming: int) -> bool:
        """Return whether what is coming fills a class, though some of it will fail."""
        missing = self._store.missing(label)
        return missing is not None and coming >= (missing * _SPARE + _LEAST_SPARE if missing else 0)

    def _start_fetches(self, pool: ThreadPoolExecutor) -> None:
        while len(self._running) < self._options.parallel:
            full = {label for label in self._labels if self._is_covered(label, self._active[label])}
            job = self._queue.take(full)
            if job is None:
                return
            self._active[job.row.label] += 1
            fetch = pool.submit(self._fetch, job.row)
            self._running[fetch] = job
            fetch.add_done_callback(self._done.put)

    def _fetch(self, row: Fetch) -> Outcome:
        """Fetch, judge and store one photo; runs in a thread of its own."""
        data = self._fetcher.get(row.url, max_bytes=MAX_BYTES, seconds=self._options.seconds, accept=PHOTOS)
        # many wait for the network at once; more at work than there are cores cost memory and time
        with self._cores, self._large if count_pixels(data) > _LARGE else contextlib.nullcontext():
            return self._store.keep(row, data, self._options.largest_side)

    def _take_done(self, seconds: float) -> None:
        with contextlib.suppress(queue.Empty):
            future = self._done.get(timeout=seconds)
            while True:
                if future in self._running:
                    self._take_photo(future, self._running.pop(future))
                else:
                    self._take_answer(future, self._questions.pop(future))
                future = self._done.get_nowait()
        if len(self._outcomes) >= _LOT or time.monotonic() - self._flushed > _LOT_SECONDS:
            self._flush()

    def _take_photo(self, future: Future[Outcome], job: Job) -> None:
        label = job.row.label
        self._active[label] -= 1
        if future.cancelled():
            return
        try:
            outcome = future.result()
            self._queue.done(job)
        except StoppedError:
            return
        except FetchError as e:
            if self._queue.failed(job, e):
                return
            outcome = Outcome(job.row.id, REFUSED, e.reason, lasting=e.lasting)
        self._note(label, outcome)

    def _note(self, label: str, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        self._refused[label] += outcome.status not in (STORED, WAITING)
        self._progress.counted(label, self._store.count(label), self._refused[label])

    def _take_answer(self, future: Future[list[Found]], question: Question) -> None:
        if future.cancelled():
            return
        state = question.state
        try:
            found = [asdict(one) for one in future.result()]
        except StoppedError:
            return
        except Exception as e:
            # a service rests on foreign code; whatever happens there, the others go on
            _logger.debug("%s gave no answer", state.service.name, exc_info=True)
            self._progress.say(state.failed(e))
            return
        state.answered()
        more = self._ledger.add_page(
            question.label, state.service.name, question.query, question.page, found, self._rivals
        )
        next(p for p in self._plans if p.label == question.label).note(question, more)
        self._queue_new()

    def _queue_new(self) -> None:
        """Queue what waits in the ledger and is not queued yet."""
        for row in self._ledger.rows(status=WAITING, after=self._known):
            self._known = row.id
            if row.label in self._labels:
                self._queue.add(row)

    def _drop_given_up(self) -> None:
        for job, reason in self._queue.given_up():
            self._note(job.row.label, Outcome(job.row.id, REFUSED, f"{reason}, like others of its host"))

    def _next_start(self) -> float | None:
        """Return when there will be something to start; None if never."""
        full = self._store.full()
        times = [self._queue.next_time(full)]
        times += [p.wait_until() for p in self._plans if p.label not in full]
        return min((t for t in times if t is not None), default=None)

    def _flush(self) -> None:
        outcomes, self._outcomes = self._outcomes, []
        self._flushed = time.monotonic()
        # this thread only waits; the others go on fetching and decoding meanwhile
        self._store.record(outcomes)

    def _leave_rest(self) -> None:
        """Say of what was found and not fetched that it was not needed."""
        rest = [r for r in self._ledger.rows(status=WAITING) if r.label in self._labels and not r.reason]
        self._store.record([Outcome(r.id, WAITING, ENOUGH) for r in rest])
