"""Politeness: so many requests to a host at once, and none while it asks to be left in peace."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ...catalog import Fetch
from .failures import FetchError

# The numbers here are chosen, not measured: a photo more is never worth a minute.
# Tries of one address.
_TRIES = 3
# So many addresses in a row that fail for a passing reason, and a host is left alone for this run: few where
# it never sent anything, more where it did.
_STRIKES_AT_FIRST, _STRIKES = 4, 16
# The longest pause that a run waits for.
_PATIENCE = 60.0
# Seconds before the next try, doubled each time: of a host that asks for patience, of a broken connection.
_PAUSE_AT_LIMIT, _PAUSE_AT_BREAK = 2.0, 0.1


@dataclass
class Job:
    """An address to fetch, and how often that was tried."""

    row: Fetch
    host: str
    tries: int = 0
    ready_at: float = 0.0


@dataclass
class _Host:
    running: int = 0
    ready_at: float = 0.0
    strikes: int = 0
    served: bool = False
    given_up: str = ""
    jobs: deque[Job] = field(default_factory=deque)


class HostQueue:
    """Jobs by their hosts, of which each gets `per_host` requests at once at most; used by one thread."""

    def __init__(self, per_host: int) -> None:
        self._per_host = per_host
        self._hosts: dict[str, _Host] = {}
        self._waiting: Counter[str] = Counter()
        self._lost: list[_Host] = []

    def add(self, row: Fetch) -> None:
        """Queue an address."""
        job = Job(row, _find_host(row.url))
        self._hosts.setdefault(job.host, _Host()).jobs.append(job)
        self._waiting[row.label] += 1

    def take(self, skip: set[str]) -> Job | None:
        """Return a job that may start now and is of no class in `skip`, of the first host that has one."""
        now = time.monotonic()
        for host in self._hosts.values():
            if host.running >= self._per_host or host.ready_at > now:
                continue
            job = next((j for j in host.jobs if j.ready_at <= now and j.row.label not in skip), None)
            if job is not None:
                break
        else:
            return None
        host.jobs.remove(job)
        self._waiting[job.row.label] -= 1
        host.running += 1
        job.tries += 1
        return job

    def done(self, job: Job) -> None:
        """Note that a host served a job."""
        host = self._hosts[job.host]
        host.running -= 1
        host.strikes, host.served = 0, True
        self._drop_idle(job.host)

    def failed(self, job: Job, error: FetchError) -> bool:
        """Note that a host did not; returns whether the job is queued again."""
        host = self._hosts[job.host]
        host.running -= 1
        if error.lasting:
            host.strikes = 0
            self._drop_idle(job.host)
            return False
        host.strikes += job.tries == 1
        limited = error.status in (429, 503)
        pause = _PAUSE_AT_LIMIT if limited else _PAUSE_AT_BREAK
        wait = error.retry_after or pause * 2 ** (job.tries - 1)
        if limited:
            host.ready_at = max(host.ready_at, time.monotonic() + min(wait, _PATIENCE))
        most = _STRIKES if host.served else _STRIKES_AT_FIRST
        if host.strikes >= most or (error.retry_after or 0) > _PATIENCE:
            host.given_up = error.reason
            self._lost.append(host)
        if host.given_up or job.tries >= _TRIES or not error.soon:
            return False
        job.ready_at = time.monotonic() + wait
        host.jobs.append(job)
        self._waiting[job.row.label] += 1
        return True

    def _drop_idle(self, name: str) -> None:
        """Forget a host that has nothing left; there may be as many as photos."""
        host = self._hosts[name]
        rests = host.given_up or host.strikes or host.ready_at > time.monotonic()
        if not (host.jobs or host.running or rests):
            del self._hosts[name]

    def given_up(self) -> Iterator[tuple[Job, str]]:
        """Yield and drop the jobs of hosts that are left alone for this run, with the host's last words."""
        for host in self._lost:
            while host.given_up and host.jobs:
                job = host.jobs.popleft()
                self._waiting[job.row.label] -= 1
                yield job, host.given_up

    def next_time(self, skip: set[str]) -> float | None:
        """Return when the next waiting job of a class not in `skip` may start; None if there is none."""
        times = [
            max(job.ready_at, host.ready_at)
            for host in self._hosts.values()
            for job in host.jobs
            if job.row.label not in skip
        ]
        return min(times, default=None)

    def waiting(self, label: str) -> int:
        """Return how many jobs of a class wait."""
        return self._waiting[label]


def _find_host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # the fetcher has the words for it
        return ""
