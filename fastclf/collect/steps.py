"""The steps of one run: search and download, or unpack."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..catalog import Catalog
from ..errors import PhotosError, SearchError
from .found import SearchService
from .recipes import ClassPlan, FileSource, Recipe
from .web import AddressRule

if TYPE_CHECKING:
    from .plan import SearchPlan
    from .web import Fetcher

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


class CollectRun:
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
        """Search and download until every class is full or nothing is left; returns sentences."""
        from .plan import SearchPlan, ServiceState
        from .services import build_service
        from .web import Fetcher

        recipe, options = self.recipe, self.recipe.options
        wanted = {plan.label: self._wanted(plan) for plan in recipe.classes}
        for plan in recipe.classes:
            self._list_urls(plan)
        with Fetcher(self.rule, stop=self.stop) as fetcher:
            if services is None:
                services = [build_service(name, fetcher) for name in options.services]
            states = [ServiceState(service) for service in services]
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
            raise SearchError(
                "No search service could be used ({lost}). {advice}", lost="; ".join(lost), advice=_OFFLINE
            )
        return _describe_missing(missing, lost)

    def gather(
        self, fetcher: Fetcher, wanted: Mapping[str, int | None], plans: Sequence[SearchPlan] = ()
    ) -> dict[str, int | None]:
        """Fill classes, None of which is without end; returns how many photos each lacks."""
        from .gather import Gatherer, Limits
        from .photo_store import Shelf
        from .watch import Bars

        settings = self.settings
        limits = Limits(
            settings.parallel, settings.per_host, settings.seconds, self.recipe.options.largest_side
        )
        limits_of = {label: n for label, n in wanted.items() if n is not None}
        shelf = Shelf(self.catalog, limits_of, labels=list(wanted))
        with Bars(self.tell, self.bars) as watcher:
            watcher.expect(limits_of)
            Gatherer(
                self.catalog.fetches, shelf, fetcher, list(wanted), plans, limits, watcher, self.stop
            ).run()
        return {label: shelf.missing(label) for label in wanted}

    def unpack(self) -> tuple[str, ...]:
        """Take the photos out of the recipe's archive or folder; returns sentences."""
        from .archives import download_archive, read_archive, read_source
        from .photo_store import Shelf
        from .unpack import Unpacker
        from .watch import Bars
        from .web import Fetcher

        recipe = self.recipe
        source = recipe.archive or recipe.folder
        if source is None:
            raise PhotosError("The recipe {name} says nothing of where photos come from.", name=recipe.name)
        self._check_apart(source)
        shelf = Shelf(self.catalog, {}, self.settings.most, labels=())
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
        if not self.recipe.archive and (place == out or place in out.parents or out in place.parents):
            raise PhotosError(
                "The photos would go to {out} and come from {place}; one of these lies in the other. "
                "Name another folder with --out.",
                out=out,
                place=place,
            )

    def classes(self) -> set[str]:
        """Return the classes of the recipe and those that have photos: these may claim an address."""
        return {*(c.label for c in self.recipe.classes), *self.catalog.photos().vocab}

    def _wanted(self, plan: ClassPlan) -> int:
        if self.settings.most is not None:
            return self.settings.most
        return self.recipe.options.photos_per_class if plan.photos is None else plan.photos

    def _list_urls(self, plan: ClassPlan) -> None:
        from .services import UrlList

        if plan.urls:
            found = UrlList(Path(plan.urls), plan.label).search("", 1)
            self.catalog.fetches.add(plan.label, [asdict(one) for one in found], self.classes())


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
    return (f"{text} There are no more to be found; add search words or addresses to the recipe.",)
