"""A shard: a slice of the sorted list, scored into one Parquet file that says what it is."""

from __future__ import annotations

import io
import json
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Self

from ..errors import Message
from ..photos import show_name
from ..system import open_given_file
from .carried import CarriedModel, open_scorer
from .extra import need
from .place import PhotoPlace
from .scorer import CLASS_PREFIX, Columns, Read

_NOTE = b"fastclf"
# What a shard's file may have, and so many reasons are counted one by one.
_MOST_BYTES, _MOST_REASONS = 2**33, 50
_OTHER = "other reasons"
_AHEAD = 4


@dataclass(frozen=True)
class ShardPlan:
    """What all shards of a folder have in common; one with another plan is another folder's.

    Attributes
    ----------
    model
        `hash_model` of the model.
    photos, list
        How many photos there are, and the hash of their names.
    size
        Photos a shard.
    least_side
        As `Scorer` takes it.
    """

    model: str
    photos: int
    list: str
    size: int
    least_side: int | None = None

    @property
    def shards(self) -> int:
        """How many there are."""
        return -(-self.photos // self.size)

    def name_file(self, number: int) -> str:
        """Return the name of a shard's file."""
        return f"part-{number:05d}-of-{self.shards:05d}.parquet"


@dataclass(frozen=True)
class ShardTask:
    """A shard to score; it may be pickled."""

    number: int
    names: Sequence[str]
    place: PhotoPlace
    plan: ShardPlan
    model: CarriedModel


@dataclass
class Counts:
    """What is counted of photos: without an answer by reason, of each class, unlike the training photos."""

    photos: int = 0
    unfamiliar: int = 0
    classes: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, columns: Columns) -> Self:
        """Count columns."""
        classes = Counter(label for label in columns["label"] if label is not None)
        errors = Counter(reason[:200] for reason in columns["error"] if reason is not None)
        return cls(
            photos=len(columns["label"]),
            unfamiliar=sum(map(bool, columns["unfamiliar"])),
            classes=dict(sorted(classes.items())),
            errors=_keep_most(errors),
        )

    def add(self, other: Counts) -> None:
        """Add those of other photos."""
        self.photos += other.photos
        self.unfamiliar += other.unfamiliar
        self.classes = dict(sorted((Counter(self.classes) + Counter(other.classes)).items()))
        self.errors = _keep_most(Counter(self.errors) + Counter(other.errors))


@dataclass(frozen=True)
class ScoredShard:
    """A shard's file as bytes, and what is counted of it."""

    number: int
    data: bytes = field(repr=False)
    counts: Counts


@dataclass(frozen=True)
class FailedShard:
    """A shard that could not be scored, and why."""

    number: int
    reason: str


def score_shard(task: ShardTask) -> ScoredShard:
    """Score a shard; the same list and model give the same bytes, wherever it is done.

    Raises
    ------
    ScoreError
        If the photos cannot be reached, which says nothing of a single one.
    """
    task.place.check()
    scorer = open_scorer(task.model, task.plan.least_side)
    columns = {"path": [show_name(name) for name in task.names]}
    columns |= scorer.score(_read_ahead(task.place, task.names))
    counts = Counts.of(columns)
    note = {**asdict(task.plan), "number": task.number, "counts": asdict(counts)}
    return ScoredShard(task.number, _write(columns, json.dumps(note, sort_keys=True)), counts)


def read_counts(file: Path, plan: ShardPlan, number: int) -> Counts | None:
    """Return what is counted of a shard that is there already; None where there is none of this plan."""
    arrow, parquet = need("pyarrow"), need("pyarrow.parquet")
    try:
        with open_given_file(file, _MOST_BYTES) as source:
            found = parquet.read_metadata(source)
        note = json.loads((found.metadata or {})[_NOTE])
        if {**note, "counts": None} != {**asdict(plan), "number": number, "counts": None}:
            return None
        counts = Counts(**note["counts"])
        return counts if counts.photos == found.num_rows else None
    except (OSError, arrow.ArrowException, ValueError, KeyError, TypeError):
        return None


def _read_ahead(place: PhotoPlace, names: Sequence[str]) -> Iterator[Read]:
    """Yield the photos in order, while the next ones are read."""
    left, waiting = iter(names), deque[Future[Read]]()
    with ThreadPoolExecutor(place.readers, thread_name_prefix="fastclf-read") as pool:
        try:
            while True:
                free = place.readers + _AHEAD - len(waiting)
                waiting.extend(pool.submit(place.read, name) for name in islice(left, free))
                if not waiting:
                    return
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _write(columns: Columns, note: str) -> bytes:
    arrow, parquet = need("pyarrow"), need("pyarrow.parquet")
    schema = arrow.schema(
        [(name, _find_type(arrow, name)) for name in columns], metadata={_NOTE: note.encode()}
    )
    buffer = io.BytesIO()
    parquet.write_table(arrow.table(columns, schema=schema), buffer, compression="zstd")
    return buffer.getvalue()


def _find_type(arrow: Any, name: str) -> Any:
    if name.startswith(CLASS_PREFIX) or name in ("probability", "score"):
        return arrow.float32()
    return {"set": arrow.list_(arrow.string()), "unfamiliar": arrow.bool_()}.get(name, arrow.string())


def _keep_most(errors: Counter[str]) -> dict[str, int]:
    """Return the commonest reasons, by name; the others together."""
    most = dict(sorted(errors.most_common(_MOST_REASONS), key=lambda pair: (pair[0] == _OTHER, pair[0])))
    if left := errors.total() - sum(most.values()):
        most[_OTHER] = most.get(_OTHER, 0) + left
    return most


def describe_failure(failure: FailedShard) -> Message:
    """Return a sentence about a shard that could not be scored."""
    return Message(
        "Shard {number:d} could not be scored: {reason}", number=failure.number, reason=failure.reason
    )
