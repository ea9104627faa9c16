"""One run of a collection: from a recipe to a folder of photos, as often as it takes."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from ..catalog import Catalog
from ..errors import CatalogError, MissingExtraError, PhotosError, SearchError
from ..photos import find_photo_files
from ..system import advise_install, find_write_error, make_folder
from .archives import check_encoding, download_archive, read_archive, read_source
from .gather import Gatherer
from .photo_store import PhotoStore
from .plan import SearchPlan, ServiceState
from .progress import ProgressBars
from .recipes import ClassPlan, CollectOptions, FileSource, Recipe
from .samples import SAMPLES
from .services import SearchService, UrlList, build_service
from .summary import CollectSummary, count_classes, write_sheets, write_table
from .unpack import Unpacker
from .web import AddressRule, Fetcher

_logger = logging.getLogger(__name__)
_OFFLINE = (
    "Check the network and try again; or get photos without a search: addresses from a file (`urls` of a "
    "class), a folder or a zip file ([folder] of a recipe). `fastclf demo` needs no network at all."
)
Notes = tuple[str, ...]


def collect_photos(
    recipe: Recipe,
    out: str | Path | None = None,
    *,
    services: Sequence[SearchService] | None = None,
    rule: AddressRule | None = None,
    say: Callable[[str], None] | None = None,
    bars: bool | None = None,
    **changes: object,
) -> CollectSummary:
    """Collect a recipe's photos; what an earlier run left is continued.

    Every address that was found ends in a row: stored, duplicate, refused with the reason, or not needed.

    Parameters
    ----------
    recipe
        From `load_recipe`.
    out
        The folder of photos; by default ``photos/NAME``.
    services
        Search services, the preferred first; by default those that the recipe names.
    rule
        What may be fetched.
    say
        Called with sentences on the way; by default they are logged.
    bars
        Whether to show progress bars; None shows them on a terminal and in a notebook.
    **changes
        Fields of `CollectOptions` that differ from the recipe's.

    Returns
    -------
    CollectSummary
        What became of every address or file, by class.

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

    Examples
    --------
    >>> from fastclf.collect import load_recipe
    >>> summary = collect_photos(load_recipe("mine.toml"), "photos/mine", bars=False)
    >>> summary.new, summary.classes["grizzly"].stored
    (24, 8)
    >>> summary.table.name
    'collected.csv'
    """
    recipe = replace(recipe, options=replace(recipe.options, **changes))  # type: ignore[arg-type]
    check_encoding(recipe.options.names_encoding)
    folder = Path(out) if out is not None else Path("photos") / recipe.name
    _check_folder(folder)
    if recipe.sample:
        return _write_sample(recipe, folder)

    def fill(run: _Run) -> Notes:
        return run.search(services) if recipe.classes else run.unpack()

    return _collect(recipe, folder, fill, rule, say or _logger.info, bars)


def collect_urls(
    folder: Path,
    found: Sequence[Mapping[str, str]],
    *,
    rule: AddressRule | None = None,
    bars: bool | None = None,
    **changes: object,
) -> CollectSummary:
    """Download addresses into one class folder; see `fastclf.collect.download_images`."""
    label = folder.name
    options = CollectOptions(sheets=False, **changes)  # type: ignore[arg-type]
    recipe = Recipe(folder.parent.name, label, classes=(ClassPlan(label),), options=options)
    return _collect(recipe, folder.parent, lambda run: run.fetch(label, found), rule, _logger.info, bars)


def _write_sample(recipe: Recipe, folder: Path) -> CollectSummary:
    started, before = time.monotonic(), 0
    with contextlib.suppress(PhotosError):
        before = len(find_photo_files(folder))
    SAMPLES[recipe.sample](folder)
    whole = "The sample comes whole; --max does not apply to it."
    with Catalog(folder) as catalog:
        return _finish(catalog, recipe, before, started, (whole,) if recipe.options.most is not None else ())


def _collect(
    recipe: Recipe,
    folder: Path,
    fill: Callable[[_Run], Notes],
    rule: AddressRule | None,
    tell: Callable[[str], None],
    bars: bool | None,
) -> CollectSummary:
    started = time.monotonic()
    _check_packages()
    _check_folder(folder)
    make_folder(folder)
    with Catalog(folder) as catalog, _locked(catalog):
        before = _look_around(catalog)
        run = _Run(catalog, recipe, rule, tell, bars)
        if recipe.options.again:
            catalog.fetches.reopen_all()
        catalog.fetches.reopen(run.classes())
        return _finish(catalog, recipe, before, started, fill(run))


def _check_folder(folder: Path) -> None:
    """Refuse, before anything is fetched, a place where no photos can be written."""
    if folder.exists() and not folder.is_dir():
        raise PhotosError(
            "{folder} is no folder. Name one with --out, or leave it out for photos/NAME.", folder=folder
        )
    if reason := find_write_error(folder):
        raise PhotosError(
            "No photos can be written to {folder} ({reason}). Name another folder with --out.",
            folder=folder,
            reason=reason,
        )


@dataclass(frozen=True)
class _Run:
    """What fills a folder: a search with its downloads, a list of addresses, or an archive."""

    catalog: Catalog
    recipe: Recipe
    rule: AddressRule | None
    tell: Callable[[str], None]
    bars: bool | None

    def search(self, services: Sequence[SearchService] | None) -> Notes:
        """Search and download until every class is full or nothing is left."""
        options, fetches = self.recipe.options, self.catalog.fetches
        wanted = {plan.label: self._wanted(plan) for plan in self.recipe.classes}
        for plan in self.recipe.classes:
            self._list_urls(plan)
        with Fetcher(self.rule) as fetcher:
            if services is None:
                services = [build_service(name, fetcher) for name in options.services]
            states = [ServiceState(service) for service in services]
            plans = [
                SearchPlan(plan.label, states, _build_queries(plan, options), fetches.searched(plan.label))
                for plan in self.recipe.classes
            ]
            missing = self._gather(fetcher, wanted, plans)
        lost = [f"{state.service.name}: {state.lost.rstrip('.')}" for state in states if state.lost]
        if lost and len(lost) == len(states) and missing == wanted:
            raise SearchError(
                "No search service could be used ({lost}). {advice}", lost="; ".join(lost), advice=_OFFLINE
            )
        return _describe_missing(missing, lost)

    def fetch(self, label: str, found: Sequence[Mapping[str, str]]) -> Notes:
        """Download all of a list."""
        self.catalog.fetches.add(label, found, self.classes())
        with Fetcher(self.rule) as fetcher:
            self._gather(fetcher, {label: None})
        return ()

    def unpack(self) -> Notes:
        """Take the photos out of the recipe's archive or folder."""
        recipe = self.recipe
        source = recipe.archive or recipe.folder
        if source is None:
            raise PhotosError("The recipe {name} says nothing of where photos come from.", name=recipe.name)
        self._check_apart(source)
        store = PhotoStore(self.catalog, {}, recipe.options.most, labels=())
        with Fetcher(self.rule) as fetcher, ProgressBars(self.tell, self.bars) as progress:
            side, encoding = recipe.options.largest_side, recipe.options.names_encoding
            unpacker = Unpacker(store, source, side, progress, self.catalog.adopt_splits)
            if recipe.archive:
                file = download_archive(fetcher, source, progress.say, progress.downloaded)
                unpacker.survey(lambda wanted: read_archive(file, wanted, encoding=encoding))
                unpacker.run(lambda wanted: read_archive(file, wanted, encoding=encoding))
            else:
                place, base = source.place, recipe.base
                if "://" not in place:  # what lies in a cloud is not fetched twice
                    unpacker.survey(lambda wanted: read_source(place, base, wanted, encoding=encoding))
                unpacker.run(lambda wanted: read_source(place, base, wanted, encoding=encoding))
        return tuple(_describe_passed_over(unpacker, source.place))

    def classes(self) -> set[str]:
        """Return the classes of the recipe and those that have photos: these may claim an address."""
        return {*(c.label for c in self.recipe.classes), *self.catalog.photos().vocab}

    def _gather(
        self, fetcher: Fetcher, wanted: Mapping[str, int | None], plans: Sequence[SearchPlan] = ()
    ) -> dict[str, int | None]:
        """Fill classes, None of which is without end; returns how many photos each lacks."""
        limits = {label: n for label, n in wanted.items() if n is not None}
        store = PhotoStore(self.catalog, limits, labels=list(wanted))
        with ProgressBars(self.tell, self.bars) as progress:
            progress.expect(limits)
            Gatherer(store, fetcher, list(wanted), plans, self.recipe.options, progress).run()
        return {label: store.missing(label) for label in wanted}

    def _wanted(self, plan: ClassPlan) -> int:
        options = self.recipe.options
        of_class = options.photos_per_class if plan.photos is None else plan.photos
        return of_class if options.most is None else options.most

    def _list_urls(self, plan: ClassPlan) -> None:
        if plan.urls:
            found = UrlList(Path(plan.urls), plan.label).search("", 1)
            self.catalog.fetches.add(plan.label, [asdict(one) for one in found], self.classes())

    def _check_apart(self, source: FileSource) -> None:
        """Refuse a folder that holds, or is, the one that is written to."""
        place, out = (self.recipe.base / source.place).resolve(), self.catalog.folder.resolve()
        if not self.recipe.archive and (place == out or place in out.parents or out in place.parents):
            raise PhotosError(
                "The photos would go to {out} and come from {place}; one of these lies in the other. "
                "Name another folder with --out.",
                out=out,
                place=place,
            )


def _build_queries(plan: ClassPlan, options: CollectOptions) -> list[str]:
    queries = [variation.replace("{}", term) for variation in options.variations for term in plan.terms]
    return list(dict.fromkeys(queries))


def _describe_passed_over(unpacker: Unpacker, place: str) -> Iterator[str]:
    if over := unpacker.passed_over:
        words = (
            "1 other file of {place} was passed over."
            if over == 1
            else "{n:,} other files of {place} were passed over."
        )
        yield words.format(n=over, place=place)
    if flat := unpacker.flat:
        yield (
            f"{len(flat):,} photos of {place} lie in a folder named like a split without class folders, "
            f"{flat[0]} for example, so they were passed over."
        )


def _describe_missing(missing: Mapping[str, int | None], lost: list[str]) -> Notes:
    short = [f"{n:,} of {label}" for label, n in missing.items() if n]
    if not short:
        return ()
    text = f"Fewer than were asked for: {', '.join(short)} are missing."
    if lost:
        return (f"{text} Left out of this run: {'; '.join(lost)}. The same command goes on later.",)
    return (f"{text} There are no more to be found; add search words or addresses to the recipe.",)


def _check_packages() -> None:
    for name in ("filelock", "tqdm"):
        if find_spec(name) is None:
            raise MissingExtraError(
                "Collecting needs the package {name}, which is not installed. Run `{install}`.",
                install=advise_install("search"),
                name=name,
            )


@contextlib.contextmanager
def _locked(catalog: Catalog) -> Iterator[None]:
    """Keep a second run out of the folder."""
    from filelock import FileLock, Timeout

    try:
        lock = FileLock(catalog.private / "collect.lock").acquire(timeout=0)
    except Timeout:
        raise CatalogError(
            "Another process is collecting photos into {folder}. Wait for its end, or stop it.",
            folder=catalog.folder,
        ) from None
    with lock:
        yield


def _look_around(catalog: Catalog) -> int:
    """Take in what the folder holds, and return how many photos that are."""
    catalog.scan(empty_ok=True)
    photos = catalog.photos().photos
    if any(photo.given_split for photo in photos):
        raise PhotosError(
            "The photos of {folder} lie in folders named train and valid, and new ones would stand "
            "beside these. Collect into another folder, with --out.",
            folder=catalog.folder,
        )
    return len(photos)


def _finish(catalog: Catalog, recipe: Recipe, before: int, started: float, notes: Notes) -> CollectSummary:
    """Take in what is there now, and say what it is."""
    catalog.scan(empty_ok=True)
    counts = count_classes(catalog, [plan.label for plan in recipe.classes])
    gone = sum(count.gone for count in counts.values())
    if gone:
        notes = (
            *notes,
            f"{gone:,} photos that were stored once are no longer in {catalog.folder}, and were not fetched "
            "again; --again does that.",
        )
    new = sum(count.photos for count in counts.values()) - before
    summary = CollectSummary(
        folder=catalog.folder, classes=counts, new=new, seconds=time.monotonic() - started, notes=notes
    )
    # "photos/bears" rather than a long path, but for "." and the like
    named = catalog.folder if catalog.folder.name not in ("", "..") else catalog.folder.resolve()
    beside = named.with_name(f"{named.name}-report")
    try:
        table = write_table(catalog, beside) if catalog.fetches.rows() else None
        sheets = write_sheets(catalog, beside) if recipe.options.sheets else {}
    except OSError as e:  # the photos are there whatever becomes of the report
        return replace(
            summary, notes=(*notes, f"The report in {beside} could not be written ({e.strerror}).")
        )
    return replace(summary, table=table, sheets=sheets)
