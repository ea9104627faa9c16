"""What a server counts of its work, as numbers alone, and writes in the text format of Prometheus."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# where an answer is given: to a visitor of the page, or to a program
WAYS = ("page", "api")


class Counts:
    """Counters since the server started. They are used by the thread of the server's loop alone."""

    def __init__(self) -> None:
        self._answers: Counter[str] = Counter()
        self._unfamiliar: Counter[str] = Counter()
        self._unreadable: Counter[str] = Counter()
        self._reports: Counter[str] = Counter()
        self._refusals: Counter[str] = Counter()
        self._buckets = {way: [0] * (len(BUCKETS) + 1) for way in WAYS}
        self._seconds = dict.fromkeys(WAYS, 0.0)
        self.pages = 0

    def add_answer(self, way: str, seconds: float, *, unfamiliar: bool) -> None:
        """Count an answer and the seconds that it took."""
        self._answers[way] += 1
        self._unfamiliar[way] += unfamiliar
        self._buckets[way][bisect_left(BUCKETS, seconds)] += 1
        self._seconds[way] += seconds

    def add_unreadable(self, way: str) -> None:
        """Count a file that was no photo."""
        self._unreadable[way] += 1

    def add_report(self, way: str) -> None:
        """Count a report that went into the inbox."""
        self._reports[way] += 1

    def add_refusal(self, status: int) -> None:
        """Count an answer with a status of 400 or more."""
        self._refusals[str(status)] += 1

    def render(self, gauges: Mapping[str, tuple[str, float]]) -> str:
        """Return all of it; `gauges` are {name: (what it is, value now)}."""
        lines: list[str] = []
        for name, (words, value) in gauges.items():
            lines += _write(name, words, "gauge", [("", value)])
        lines += _write("fastclf_pages_total", "Pages that were opened.", "counter", [("", self.pages)])
        for name, words, found in (
            ("answers", "Answers that were given.", self._answers),
            ("unfamiliar", "Answers that called the photo unlike those of the training.", self._unfamiliar),
            ("unreadable", "Files that were no photo.", self._unreadable),
            ("reports", "Reports that went into the inbox.", self._reports),
        ):
            rows = [(f'{{way="{way}"}}', found[way]) for way in WAYS]
            lines += _write(f"fastclf_{name}_total", words, "counter", rows)
        rows = [(f'{{status="{status}"}}', n) for status, n in sorted(self._refusals.items())]
        lines += _write("fastclf_refusals_total", "Requests that were refused.", "counter", rows)
        return "\n".join([*lines, *self._write_seconds(), ""])

    def _write_seconds(self) -> Iterator[str]:
        name = "fastclf_answer_seconds"
        yield from _write(name, "Seconds from a photo's bytes to its answer.", "histogram", [])
        for way in WAYS:
            so_far = 0
            for top, n in zip((*map(str, BUCKETS), "+Inf"), self._buckets[way], strict=True):
                so_far += n
                yield f'{name}_bucket{{way="{way}",le="{top}"}} {so_far}'
            yield f'{name}_sum{{way="{way}"}} {self._seconds[way]:.6f}'
            yield f'{name}_count{{way="{way}"}} {so_far}'


def _write(name: str, words: str, kind: str, rows: Iterable[tuple[str, float]]) -> list[str]:
    head = [f"# HELP {name} {words}", f"# TYPE {name} {kind}"]
    return head + [f"{name}{labels} {value:g}" for labels, value in rows]
