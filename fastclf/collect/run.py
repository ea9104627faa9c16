"""`collect`: from a recipe to a folder of photos, as often as it takes."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..catalog import Catalog
from ..errors import CatalogError, MissingExtraError, PhotosError
from ..photos import find_photo_files
from .found import SearchService
from .outcome import CollectReport, count_classes, write_sheets, write_table
from .recipes import ClassPlan, CollectOptions, Recipe
from .samples import SAMPLES
from .steps import CollectRun, CollectSettings
from .web import AddressRule

_logger = logging.getLogger(__name__)


def collect_photos(
    recipe: Recipe,
    out: str | Path | None = None,
    settings: CollectSettings | None = None,
    *,
    services: Sequence[SearchService] | None = None,
    rule: AddressRule | None = None,
    say: Callable[[str], None] | None = None,
    bars: bool | None = None,
    **changes: object,
) -> CollectReport:
    """Collect a recipe's photos; what an earlier run left is continued.

    Every address that was found ends in a row: stored, duplicate, refused with the reason, or not needed.

    Parameters
    ----------
    recipe
        From `load_recipe`.
    out
        The folder of photos; by default ``photos/NAME``.
    settings
        How to behave; `changes` are fields of it given by name.
    services
        Search services, the preferred first; by default those that the recipe names.
    rule
        What may be fetched.
    say
        Called with sentences on the way; by default they are logged.
    bars
        Whether to show progress bars; None shows them on a terminal and in a notebook.

    Raises
    ------
    SearchError
        If no service could be reached and nothing was stored.
    ArchiveError, PhotosError
        If the archive or the folder cannot be used.
    CatalogError
        If another process collects into the same folder.
    MissingExtraError
        If the extra ``search`` is not installed.
    OSError
        If the folder cannot be written.
    """
    started = time.monotonic()
    settings = replace(settings or CollectSettings(), **changes)  # type: ignore[arg-type]
    folder = Path(out) if out is not None else Path("photos") / recipe.name
    tell = say or _logger.info
    if recipe.sample:
        before = _count_files(folder)
        SAMPLES[recipe.sample](folder)
        whole = () if settings.most is None else ("The sample comes whole; --max does not apply to it.",)
        with Catalog(folder) as catalog:
            return _finish(catalog, recipe, settings, before, started, whole)
    _check_packages()
    if folder.exists() and not folder.is_dir():
        raise PhotosError(
            "{folder} is no folder. Name one with --out, or leave it out for photos/NAME.", folder=folder
        )
    folder.mkdir(parents=True, exist_ok=True)
    with Catalog(folder) as catalog, _alone(catalog):
        before = _prepare(catalog)
        run = CollectRun(catalog, recipe, settings, rule, tell, bars)
        if settings.again:
            catalog.fetches.reopen_all()
        catalog.fetches.reopen(run.classes())
        notes = run.search(services) if recipe.classes else run.unpack()
        return _finish(catalog, recipe, settings, before, started, notes)


def collect_urls(
    folder: Path,
    found: Sequence[Mapping[str, str]],
    *,
    parallel: int,
    seconds: float,
    largest_side: int,
    per_host: int = 4,
    rule: AddressRule | None = None,
    bars: bool | None = None,
) -> CollectReport:
    """Download addresses into one class folder; see `fastclf.collect.download_images`."""
    from .web import Fetcher

    started = time.monotonic()
    _check_packages()
    folder.mkdir(parents=True, exist_ok=True)
    label, options = folder.name, CollectOptions(largest_side=largest_side)
    recipe = Recipe(folder.parent.name, label, classes=(ClassPlan(label),), options=options)
    settings = CollectSettings(parallel=parallel, per_host=per_host, seconds=seconds, sheets=False)
    with Catalog(folder.parent) as catalog, _alone(catalog):
        before = _prepare(catalog)
        run = CollectRun(catalog, recipe, settings, rule, _logger.info, bars)
        catalog.fetches.reopen(run.classes())
        catalog.fetches.add(label, found, run.classes())
        with Fetcher(rule, stop=run.stop) as fetcher:
            run.gather(fetcher, {label: None})
        return _finish(catalog, recipe, settings, before, started, ())


def _check_packages() -> None:
    from importlib.util import find_spec

    for name in ("httpcore2", "filelock", "tqdm"):
        if find_spec(name) is None:
            raise MissingExtraError(
                "Collecting needs the package {name}, which is not installed. Run "
                '`pip install "fastclf[search]"`.',
                name=name,
            )


@contextlib.contextmanager
def _alone(catalog: Catalog) -> Iterator[None]:
    """Keep a second run out of the folder."""
    from filelock import FileLock, Timeout

    lock = FileLock(catalog.private / "collect.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise CatalogError(
            "Another process is collecting photos into {folder}. Wait for its end, or stop it.",
            folder=catalog.folder,
        ) from None
    try:
        yield
    finally:
        lock.release()


def _prepare(catalog: Catalog) -> int:
    """Look at what the folder holds, and return how many photos that are."""
    _scan(catalog)
    photos = catalog.photos().photos
    if any(photo.given_split for photo in photos):
        raise PhotosError(
            "The photos of {folder} lie in folders named train and valid, and new ones would stand "
            "beside these. Collect into another folder, with --out.",
            folder=catalog.folder,
        )
    return len(photos)


def _count_files(folder: Path) -> int:
    try:
        return len(find_photo_files(folder))
    except PhotosError:
        return 0


def _scan(catalog: Catalog) -> None:
    """Look at what the folder holds; an empty one is fine here."""
    catalog.scan(empty_ok=True)


def _finish(
    catalog: Catalog,
    recipe: Recipe,
    settings: CollectSettings,
    before: int,
    started: float,
    notes: tuple[str, ...],
) -> CollectReport:
    """Take in what is there now, and say what it is."""
    _scan(catalog)
    counts = count_classes(catalog, [plan.label for plan in recipe.classes])
    gone = sum(count.gone for count in counts.values())
    if gone:
        notes = (
            *notes,
            f"{gone:,} photos that were stored once are no longer in {catalog.folder}, and were not fetched "
            "again; --again does that.",
        )
    new = sum(count.photos for count in counts.values()) - before
    report = CollectReport(catalog.folder, counts, new, time.monotonic() - started, notes)
    # "photos/bears" rather than a long path, but for "." and the like
    named = catalog.folder if catalog.folder.name not in ("", "..") else catalog.folder.resolve()
    beside = named.with_name(f"{named.name}-report")
    try:
        table = write_table(catalog, beside) if catalog.fetches.rows() else None
        return replace(report, table=table, sheets=write_sheets(catalog, beside) if settings.sheets else {})
    except OSError as e:  # the photos are there whatever becomes of the report
        return replace(report, notes=(*notes, f"The report in {beside} could not be written ({e.strerror})."))
