"""`collect`: from a recipe to a folder of photos, as often as it takes."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..catalog import Catalog
from ..errors import CatalogError, MissingExtraError, PhotosError, SearchError
from .found import SearchService
from .recipe import ClassPlan, CollectOptions, FileSource, Recipe
from .report import CollectReport, count_classes, write_sheets, write_table
from .samples import SAMPLES
from .web.addresses import AddressRule

if TYPE_CHECKING:
    from .plan import SearchPlan
    from .web.fetch import Fetcher

_logger = logging.getLogger(__name__)

_OFFLINE = (
    "Check the network and try again; or get photos without a search: addresses from a file (`urls` of a "
    "class), a folder or a zip file ([folder] of a recipe). `fastclf demo` needs no network at all."
)


@dataclass(frozen=True)
class CollectSettings:
    """How a run behaves, beside what the recipe says.

    Attributes
    ----------
    most
        The most photos of each class; None is the recipe's number.
    again
        Whether to fetch again what was refused, and what was stored and is gone.
    parallel, per_host
        Requests at once, and the most of them to one host.
    seconds
        The longest time for one photo.
    sheets
        Whether to draw contact sheets.
    """

    most: int | None = None
    again: bool = False
    parallel: int = 16
    per_host: int = 4
    seconds: float = 30.0
    sheets: bool = True


def collect(
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
        SAMPLES[recipe.sample](folder)
        with Catalog(folder) as catalog:
            return _finish(catalog, recipe, settings, 0, started, ())
    _check_packages()
    folder.mkdir(parents=True, exist_ok=True)
    with Catalog(folder) as catalog, _alone(catalog):
        _scan(catalog)
        catalog.fetches.reopen_all() if settings.again else catalog.fetches.reopen()
        before = len(catalog.photos().photos)
        run = _Run(catalog, recipe, settings, rule, tell, bars)
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
    from .web.fetch import Fetcher

    started = time.monotonic()
    _check_packages()
    folder.mkdir(parents=True, exist_ok=True)
    label, options = folder.name, CollectOptions(largest_side=largest_side)
    recipe = Recipe(folder.parent.name, label, classes=(ClassPlan(label),), options=options)
    settings = CollectSettings(parallel=parallel, per_host=per_host, seconds=seconds, sheets=False)
    with Catalog(folder.parent) as catalog, _alone(catalog):
        _scan(catalog)
        catalog.fetches.reopen()
        catalog.fetches.add(label, found)
        before = len(catalog.photos().photos)
        run = _Run(catalog, recipe, settings, rule, _logger.info, bars)
        with Fetcher(rule, stop=run.stop) as fetcher:
            run.gather(fetcher, {label: None})
        return _finish(catalog, recipe, settings, before, started, ())


class _Run:
    """One run of a collection."""

    def __init__(
        self,
        catalog: Catalog,
        recipe: Recipe,
        settings: CollectSettings,
        rule: AddressRule | None,
        tell: Callable[[str], None],
        bars: bool | None,
    ) -> None:
        self.catalog, self.recipe, self.settings = catalog, recipe, settings
        self.rule, self.tell, self.bars = rule, tell, bars
        self.stop = threading.Event()

    def search(self, services: Sequence[SearchService] | None) -> tuple[str, ...]:
        from .plan import SearchPlan, ServiceState
        from .services import build_service
        from .web.fetch import Fetcher

        recipe, options = self.recipe, self.recipe.options
        wanted = {plan.label: self._wanted(plan) for plan in recipe.classes}
        for plan in recipe.classes:
            self._list_urls(plan)
        with Fetcher(self.rule, stop=self.stop) as fetcher:
            asked = services or [build_service(name, fetcher) for name in options.services]
            states = [ServiceState(service) for service in asked]
            plans = [
                SearchPlan(
                    plan.label,
                    states,
                    _build_queries(plan, options.variations),
                    self.catalog.fetches.searched(plan.label),
                )
                for plan in recipe.classes
            ]
            missing = self.gather(fetcher, wanted, plans)
        lost = [f"{state.service.name}: {state.lost.rstrip('.')}" for state in states if state.lost]
        if lost and len(lost) == len(states) and missing == wanted:
            raise SearchError(f"No search service could be used ({'; '.join(lost)}). {_OFFLINE}")
        return _describe_missing(missing, lost)

    def gather(
        self, fetcher: Fetcher, wanted: Mapping[str, int | None], plans: Sequence[SearchPlan] = ()
    ) -> dict[str, int | None]:
        """Fill classes, None of which is without end; returns how many photos each lacks."""
        from .gather import Gatherer, Limits
        from .shelf import Shelf
        from .watch import Bars

        settings = self.settings
        limits = Limits(
            settings.parallel, settings.per_host, settings.seconds, self.recipe.options.largest_side
        )
        shelf = Shelf(self.catalog, {label: n for label, n in wanted.items() if n is not None})
        with Bars(self.tell, self.bars) as watcher:
            watcher.expect({label: n for label, n in wanted.items() if n is not None})
            Gatherer(
                self.catalog.fetches, shelf, fetcher, list(wanted), plans, limits, watcher, self.stop
            ).run()
        return {label: shelf.missing(label) for label in wanted}

    def unpack(self) -> tuple[str, ...]:
        from .archives import read_archive
        from .archives.download import download_archive
        from .archives.folders import read_source
        from .shelf import Shelf
        from .unpack import Unpacker
        from .watch import Bars
        from .web.fetch import Fetcher

        recipe = self.recipe
        source = recipe.archive or recipe.folder
        if source is None:
            raise PhotosError(f"The recipe {recipe.name} says nothing of where photos come from.")
        self._check_apart(source)
        shelf = Shelf(self.catalog, {}, self.settings.most)
        with Fetcher(self.rule, stop=self.stop) as fetcher, Bars(self.tell, self.bars) as watcher:
            unpacker = Unpacker(self.catalog.fetches, shelf, source, recipe.options.largest_side, watcher)
            if recipe.archive:
                file = download_archive(fetcher, source, watcher.say, watcher.downloaded)
                unpacker.run(lambda wanted: read_archive(file, wanted))
            else:
                unpacker.run(lambda wanted: read_source(source.place, recipe.base, wanted))
        over = unpacker.passed_over
        return (f"{over:,} other files of {source.place} were passed over.",) if over else ()

    def _check_apart(self, source: FileSource) -> None:
        """Refuse a folder that holds, or is, the one that is written to."""
        place, out = (self.recipe.base / source.place).resolve(), self.catalog.folder.resolve()
        if not self.recipe.archive and (place == out or place in out.parents):
            raise PhotosError(
                f"The photos would go to {out}, which lies in the folder {place} that they come from. Name "
                "another folder with --out, or the class folders' own parent as path."
            )

    def _wanted(self, plan: ClassPlan) -> int:
        if self.settings.most is not None:
            return self.settings.most
        return self.recipe.options.photos_per_class if plan.photos is None else plan.photos

    def _list_urls(self, plan: ClassPlan) -> None:
        from .services.url_list import UrlList

        if plan.urls:
            found = UrlList(Path(plan.urls), plan.label).search("", 1)
            self.catalog.fetches.add(plan.label, [asdict(one) for one in found])


def _check_packages() -> None:
    from importlib.util import find_spec

    for name in ("httpcore2", "filelock", "tqdm"):
        if find_spec(name) is None:
            raise MissingExtraError(
                f"Collecting needs the package {name}, which is not installed. Run "
                '`pip install "fastclf[search]"`.'
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
            f"Another process is collecting photos into {catalog.folder}. Wait for its end, or stop it."
        ) from None
    try:
        yield
    finally:
        lock.release()


def _scan(catalog: Catalog) -> None:
    """Look at what the folder holds; an empty one is fine here."""
    with contextlib.suppress(PhotosError):
        catalog.scan()


def _build_queries(plan: ClassPlan, variations: Sequence[str]) -> list[str]:
    queries = [variation.replace("{}", term) for variation in variations for term in plan.terms]
    return list(dict.fromkeys(queries))


def _describe_missing(missing: Mapping[str, int | None], lost: list[str]) -> tuple[str, ...]:
    short = [f"{n:,} of {label}" for label, n in missing.items() if n]
    if not short:
        return ()
    text = f"Fewer than were asked for: {', '.join(short)} are missing."
    if lost:
        return (f"{text} Left out of this run: {'; '.join(lost)}. The same command goes on later.",)
    return (f"{text} The searches have no more; add search words to the recipe.",)


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
    folder = catalog.folder.absolute()
    beside = catalog.folder.with_name(f"{folder.name}-report") if catalog.folder.name else folder
    return CollectReport(
        catalog.folder,
        counts,
        sum(count.photos for count in counts.values()) - before,
        time.monotonic() - started,
        notes,
        write_table(catalog, beside) if catalog.fetches.rows() else None,
        write_sheets(catalog, beside) if settings.sheets else {},
    )
