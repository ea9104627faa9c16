"""A visitor cannot fill the log."""

from __future__ import annotations

import logging

import pytest

from fastclf.server import log_limit
from fastclf.server.log_limit import LogLimit


def test_what_is_said_again_and_again_is_said_a_few_times_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(log_limit.time, "monotonic", lambda: now[0])
    limit, written = LogLimit(), []

    def log(line: int, text: str) -> None:
        record = logging.LogRecord("x", logging.ERROR, "file.py", line, "%s came", (text,), None)
        if limit.filter(record):
            written.append(record.getMessage())

    for n in range(1000):
        log(1, f"visitor {n}")
    log(2, "another")
    assert len(written) == log_limit._MOST + 1
    assert written[-3:-1] == [
        "visitor 8 came",
        "visitor 9 came (More of this kind is not written for a minute.)",
    ]
    now[0] = 61.0
    log(1, "a later one")
    assert written[-1] == "a later one came"
