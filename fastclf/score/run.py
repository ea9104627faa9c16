"""Score every photo of a folder, a cloud's folder or a list into shards of Parquet."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..errors import PhotosError, ScoreError, UsageError
from ..model import ModelBundle
from ..photos import Progress
from ..system import make_folder, read_given_file, scratch_folder, write_atomic
from .carried import CarriedModel
from .dask_cluster import score_on_dask
from .extra import need
from .given_list import find_walk
from .photo_list import PhotoList
from .place import PhotoPlace, is_cloud
from .pool import Result, score_here
from .reduced import SAMPLE, find_least_side
from .shard import Counts, FailedShard, ShardPlan, ShardTask, describe_failure, read_counts
from .summary import ScoreSummary

_PLAN = "_plan.json"
SHARD_SIZE = 1000


@dataclass
class _Run:
    """One run: what is to be done, and what is there."""

    out: Path
    plan: ShardPlan
    names: PhotoList
    place: PhotoPlace
    model: CarriedModel
    part: tuple[int, int]
    progress: Progress | None
    counts: Counts = field(default_factory=Counts)
    shards: int = 0
    scored: int = 0
    failed: list[FailedShard] = field(default_factory=list)

    def find_tasks(self) -> Iterator[ShardTask]:
        """Yield this part's shards that are not there; those that are get counted."""
        first, step = self.part
        for number, names in self.names.cut(self.plan.size):
            if number % step != first - 1:
                continue
            there = read_counts(self.out / self.plan.name_file(number), self.plan, number)
            if there is None:
                yield ShardTask(number, names, self.place, self.plan, self.model)
            else:
                self._count(there)

    def take(self, result: Result) -> None:
        """Write a shard under its name, or note why there is none."""
        if isinstance(result, FailedShard):
            self.failed.append(result)
            return
        write_atomic(self.out / self.plan.name_file(result.number), result.data)
        self.scored += result.counts.photos
        self._count(result.counts)

    def _count(self, counts: Counts) -> None:
        self.counts.add(counts)
        self.shards += 1
        if self.progress:
            self.progress(self.counts.photos, self._count_own())

    def _count_own(self) -> int:
        """Return how many photos are this part's."""
        first, step = self.part
        own = range(first - 1, self.plan.shards, step)
        last = self.plan.shards - 1
        return len(own) * self.plan.size - (last in own) * (
            self.plan.shards * self.plan.size - self.plan.photos
        )


def score_photos(
    model: ModelBundle | str | Path,
    source: str | Path,
    out: str | Path,
    *,
    root: str | Path | None = None,
    shard_size: int = SHARD_SIZE,
    processes: int = 1,
    part: tuple[int, int] = (1, 1),
    dask: str | None = None,
    by_path: bool = False,
    tolerance: float = 0.0,
    progress: Progress | None = None,
    told: Callable[[str], object] | None = None,
) -> ScoreSummary:
    """Score every photo of a source into shards of Parquet; what is there already is not done again.

    Parameters
    ----------
    model
        The model.
    source
        A folder, an address of a cloud (``s3://bucket/photos``), or a list in CSV or Parquet.
    out
        A folder for the shards.
    root
        What a list's paths are relative to: a folder or an address; by default the list's own folder.
    shard_size
        Photos a shard.
    processes
        How many processes share the work on this machine; with 1, this one does it.
    part
        (K, N): every N-th shard from the K-th on, for N calls that share the work.
    dask
        The address of a Dask scheduler, whose workers do it then.
    by_path
        Whether those open the model by its path; else they are sent its bytes.
    tolerance
        How far a probability may move so that large JPEGs are decoded at a reduced size.
    progress
        Called with how many of the photos of this part are scored, and how many there are.
    told
        Called with a sentence for what could not be scored.

    Returns
    -------
    ScoreSummary
        What is in the shards that are there.

    Raises
    ------
    UsageError
        If the call is wrong, or `out` holds the scores of another model or list.
    PhotosError
        If there are no photos, or they cannot be listed.
    ScoreError
        If shards could not be scored; the same call does those that are missing.

    Examples
    --------
    >>> summary = score_photos("model", "photos/november", "scores")
    >>> summary.counts.photos, summary.counts.classes
    (24, {'black': 8, 'grizzly': 8, 'teddy': 8})
    >>> score_photos("model", "photos/november", "scores").scored
    0
    """
    started = time.monotonic()
    _check_call(shard_size, processes, part, tolerance)
    need("pyarrow.parquet")
    bundle = model if isinstance(model, ModelBundle) else ModelBundle.load(model)
    place, walk = _open_source(str(source), root)
    with scratch_folder("score") as scratch:
        names = PhotoList.write(walk(), Path(scratch))
        if not names.photos:
            raise PhotosError(
                "There are no photos in {source}. Name a folder, a cloud path or a list that has some.",
                source=source,
            )
        least_side = find_least_side(bundle, place, names.sample(SAMPLE), tolerance) if tolerance else None
        carried = CarriedModel.of(bundle, packed=dask is not None and not by_path)
        plan = ShardPlan(carried.sha256, names.photos, names.sha256, shard_size, least_side)
        run = _Run(Path(out), plan, names, place, carried, part, progress)
        _claim(run.out, plan)
        tasks = run.find_tasks()
        results = score_on_dask(tasks, dask, carried) if dask else score_here(tasks, processes)
        with closing(results):
            for result in results:
                run.take(result)
    return _finish(run, time.monotonic() - started, told)


def _check_call(shard_size: int, processes: int, part: tuple[int, int], tolerance: float) -> None:
    if shard_size < 1 or processes < 1:
        raise UsageError("A shard has 1 photo or more, and there is 1 process or more.")
    if not 1 <= part[0] <= part[1]:
        raise UsageError("--shard is {k}/{n}; write 1/8 to 8/8, for example.", k=part[0], n=part[1])
    if not 0 <= tolerance < 1:
        raise UsageError("The tolerance is {value}; it is a probability below 1.", value=tolerance)


def _open_source(source: str, root: str | Path | None) -> tuple[PhotoPlace, Callable[[], Iterator[str]]]:
    is_list = find_walk(source, "") is not None
    if root is not None and not is_list:
        raise UsageError("--root is for lists; {source} is none.", source=source)
    if not is_list and not is_cloud(source) and not Path(source).is_dir():
        raise UsageError(
            "{source} is no folder, no address of a cloud and no list that ends with .csv or .parquet.",
            source=source,
        )
    place = PhotoPlace.open(str(root or Path(source).absolute().parent) if is_list else source)
    return place, find_walk(source, place.root) or place.walk


def _claim(out: Path, plan: ShardPlan) -> None:
    """Make the folder one of this plan; refuse one that is another plan's."""
    make_folder(out)
    data, file = json.dumps(asdict(plan), indent=1).encode() + b"\n", out / _PLAN
    try:
        found = read_given_file(file, 2**16)
    except FileNotFoundError:
        if any(out.glob("part-*.parquet")):
            found = b""
        else:
            write_atomic(file, data)
            return
    if found != data:
        raise UsageError(
            "{out} holds scores of another model, list, --shard-size or --tolerance. Name another folder, or "
            "remove this one.",
            out=out,
        )


def _finish(run: _Run, seconds: float, told: Callable[[str], object] | None) -> ScoreSummary:
    """Write what all shards that are there hold together, whoever scored them."""
    whole, shards = run.counts, run.shards
    if run.part != (1, 1):
        whole, shards = Counts(), 0
        for number in range(run.plan.shards):
            there = read_counts(run.out / run.plan.name_file(number), run.plan, number)
            if there is not None:
                whole.add(there)
                shards += 1
    summary = ScoreSummary(run.plan, shards, whole, run.scored, seconds, run.names.repeated)
    summary.write(run.out)
    for failure in run.failed[:10] if told else []:
        told(describe_failure(failure))  # type: ignore[misc]
    if run.failed:
        raise ScoreError(
            "{n} of {total} shards could not be scored ({reason}). Run the same command again: it goes on.",
            n=len(run.failed),
            total=run.plan.shards,
            reason=run.failed[0].reason.rstrip("."),
        )
    return summary
