"""What a run found, as numbers, JSON and a table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..system import clean_text, write_atomic
from .shard import Counts, ShardPlan

SUMMARY = "_summary.json"
"""The file beside the shards that holds the numbers of all."""

_SHOWN = 12


@dataclass(frozen=True)
class ScoreSummary:
    """What is in the shards that are there.

    Attributes
    ----------
    plan
        What all shards have in common.
    shards
        How many are there; all of them are `plan.shards`.
    counts
        Of the photos in these.
    scored
        Photos that this run scored; the others were there.
    seconds
        That this run took.
    repeated
        Names that the list gave again.
    """

    plan: ShardPlan
    shards: int
    counts: Counts
    scored: int
    seconds: float
    repeated: int = 0

    @property
    def rate(self) -> float | None:
        """Photos a second in this run."""
        return self.scored / self.seconds if self.scored and self.seconds else None

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as JSON values."""
        counts, answered = self.counts, self.counts.photos - sum(self.counts.errors.values())
        return {
            "photos": counts.photos,
            "answered": answered,
            "shards": self.shards,
            "complete": self.shards == self.plan.shards,
            "classes": counts.classes,
            "errors": counts.errors,
            "unfamiliar": counts.unfamiliar,
            "unfamiliar_share": counts.unfamiliar / answered if answered else None,
            "repeated": self.repeated,
            "scored": self.scored,
            "seconds": round(self.seconds, 2),
            "rate": self.rate,
            "plan": asdict(self.plan),
        }

    def write(self, out: Path) -> None:
        """Write them beside the shards."""
        write_atomic(out / SUMMARY, json.dumps(self.to_dict(), indent=1).encode() + b"\n")

    def tell(self) -> Iterator[str]:
        """Say them, a line of a table each."""
        counts = self.counts
        rate = f", {self.scored:,} of them now, {self.rate:,.1f} a second" if self.rate else ""
        yield f"{counts.photos:,} photos are scored{rate}."
        answered = max(1, counts.photos - sum(counts.errors.values()))
        rows = sorted(counts.classes.items(), key=lambda pair: -pair[1])
        yield from _tell_rows("class", [(label, n, n / answered) for label, n in rows])
        yield from _tell_rows(
            "unlike the training photos", [("", counts.unfamiliar, counts.unfamiliar / answered)]
        )
        errors = sorted(counts.errors.items(), key=lambda pair: -pair[1])
        yield from _tell_rows("no answer: the photo", [(why, n, n / counts.photos) for why, n in errors])
        if self.shards < self.plan.shards:
            yield f"{self.plan.shards - self.shards:,} of {self.plan.shards:,} shards are not there yet."


def _tell_rows(what: str, rows: list[tuple[str, int, float]]) -> Iterator[str]:
    for name, n, share in rows[:_SHOWN]:
        yield f"  {n:>12,}  {share:>6.1%}  {what} {clean_text(name, 100)}".rstrip()
    if len(rows) > _SHOWN:
        left = rows[_SHOWN:]
        yield f"  {sum(n for _, n, _ in left):>12,}  {'':>6}  {what}: {len(left)} more"
