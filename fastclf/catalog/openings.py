"""When the sealed test set was opened, by what, and which photos were looked at."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ..system import utc_now
from .store import Store


def record_opening(store: Store, model: str, hashes: Iterable[str], facts: Mapping[str, Any]) -> None:
    """Record an opening.

    Parameters
    ----------
    store
        The catalog's database.
    model
        What opened it, in words.
    hashes
        sha256 of the photos that were looked at.
    facts
        JSON values: what was found.
    """
    with store.transaction():
        number = store.write(
            "INSERT INTO openings (time, model, facts) VALUES (?, ?, ?)",
            (utc_now(), model, json.dumps(dict(facts))),
        )
        store.write_many(
            "INSERT OR IGNORE INTO opened (opening, sha256) VALUES (?, ?)", [(number, sha) for sha in hashes]
        )


def read_openings(store: Store) -> list[dict[str, Any]]:
    """Return every opening: time, model, n and what was found."""
    return [opening for _, opening in _read(store)]


def find_openings(store: Store, hashes: Iterable[str]) -> list[dict[str, Any]]:
    """Return the openings in which one of these photos was looked at, marked as inherited."""
    wanted = set(hashes)
    rows = store.read("SELECT opening, sha256 FROM opened")
    numbers = {row["opening"] for row in rows if row["sha256"] in wanted}
    return [{**opening, "inherited": True} for number, opening in _read(store) if number in numbers]


def read_opened(store: Store) -> set[str]:
    """Return the sha256 of the photos that were looked at in any opening."""
    return {row["sha256"] for row in store.read("SELECT DISTINCT sha256 FROM opened")}


def _read(store: Store) -> list[tuple[int, dict[str, Any]]]:
    rows = store.read(
        "SELECT o.id, o.time, o.model, o.facts, COUNT(x.sha256) AS n FROM openings o"
        " LEFT JOIN opened x ON x.opening = o.id GROUP BY o.id ORDER BY o.id"
    )
    return [
        (r["id"], {"time": r["time"], "model": r["model"], "n": r["n"], **json.loads(r["facts"])})
        for r in rows
    ]
