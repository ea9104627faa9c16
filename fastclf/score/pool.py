"""Shards scored by the cores of one machine: a process each, and one that dies is replaced."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice

from ..errors import FastclfError
from .shard import FailedShard, ScoredShard, ShardTask, score_shard

Result = ScoredShard | FailedShard

# A process that dies is replaced so often: the system may have ended it for its memory.
_MOST_DEATHS = 3


def score_here(tasks: Iterator[ShardTask], processes: int) -> Generator[Result, None, None]:
    """Score shards by so many processes, by this one alone if it is 1, and yield them as they are done."""
    if processes == 1:
        yield from map(_try, tasks)
        return
    deaths, waiting = 0, deque[ShardTask]()
    while True:
        before = set(multiprocessing.active_children())
        pool = ProcessPoolExecutor(
            processes, multiprocessing.get_context("spawn"), initializer=_end_with_parent
        )
        running: dict[Future[Result], ShardTask] = {}
        try:
            yield from _drain(pool, running, tasks, waiting, 2 * processes)
            return
        except BrokenProcessPool:
            deaths += 1
            waiting.extend(running.values())
            if deaths > _MOST_DEATHS:
                yield from (FailedShard(task.number, "a process was killed.") for task in waiting)
                waiting.clear()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            ours = set(multiprocessing.active_children()) - before
            for child in ours:
                child.terminate()
            for child in ours:
                child.join()


def _drain(
    pool: ProcessPoolExecutor, running: dict[Future[Result], ShardTask], tasks: Iterator[ShardTask],
    waiting: deque[ShardTask], most: int,
) -> Iterator[Result]:  # fmt: skip
    """Keep every process busy, with `most` tasks in memory."""
    while True:
        waiting.extend(islice(tasks, max(0, most - len(running) - len(waiting))))
        while waiting and len(running) < most:
            running[pool.submit(_try, waiting[0])] = waiting[0]
            waiting.popleft()
        if not running:
            return
        for done in wait(running, return_when=FIRST_COMPLETED).done:
            result = done.result()
            del running[done]
            yield result


def _try(task: ShardTask) -> Result:
    try:
        return score_shard(task)
    except FastclfError as e:
        return FailedShard(task.number, str(e))


def _end_with_parent() -> None:
    """Let a process end when the one that started it is gone, however that ended."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
