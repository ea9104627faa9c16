"""What a network says of the photos without a label: their order, two guesses each, and copies of the set."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

from ...backbone import Backbone, open_packaged
from ...catalog import Catalog, Copy, Unlabelled, describe_arrival, is_held_out, read_hashed
from ...check import has_packaged
from ...errors import BundleError, FastclfError, MissingExtraError, WeightsError
from ...head import Suggestion, rank_unlabelled
from ...model import ModelBundle
from ...photos import Photo, Progress
from ...system import advise_install

# So many are chosen together; as many as in the benchmark, in which each round teaches the next one.
BATCH = 20
# So many are looked at before the first of them are shown, where many are new: some seconds on two cores.
_FIRST_LOOK = 100
# So many teach for each one that judges.
_TEACHING = 4


def choose_body(model: Path) -> Backbone:
    """Return the network that the check sees photos with, whose features are at hand; else the model's body.

    Raises
    ------
    FastclfError
        If there is neither, or what fits a head is not installed.
    """
    if find_spec("scipy") is None or find_spec("threadpoolctl") is None:
        raise MissingExtraError(
            "Ranking new photos needs SciPy. Run `{install}` and reload the page.",
            install=advise_install("head"),
        )
    if has_packaged():
        with contextlib.suppress(WeightsError):
            return open_packaged()
    try:
        return Backbone.of_model(ModelBundle.load(model, verify=False))
    except BundleError:
        raise WeightsError(
            "There is no network to see the photos with. Run `{install}` and reload the page.",
            install=advise_install("head"),
        ) from None


class NewRanking:
    """What the last ranking found.

    Attributes
    ----------
    found
        {name: what it says of a photo}, in its order.
    unread
        {name: reason} of what could not be read.
    copies
        {sha256: the photo of the set that shows the same picture}, of those that come first.
    fault
        Why there was none, or "".
    """

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        self._catalog, self._folder = catalog, folder
        self.found: dict[str, Suggestion] = {}
        self.unread: dict[str, str] = {}
        self.copies: dict[str, Copy] = {}
        self.fault: str = ""

    def rank(
        self,
        waiting: Unlabelled,
        body: Callable[[], Backbone],
        progress: Progress,
        show: Callable[[], None],
    ) -> None:
        """Rank photos by today's labels; of many that nobody looked at some first, which `show` is told."""
        self.fault = ""
        if not waiting.photos:
            return
        try:
            network = body()
            for part in self._split(network, waiting):
                self._rank_part(network, part, progress)
                if part is not waiting:
                    show()
        except FastclfError as e:
            self.fault = e.message

    def _split(self, body: Backbone, waiting: Unlabelled) -> Iterator[Unlabelled]:
        """Yield those whose features are at hand with a few others, spread by their hashes; then all."""
        known = self._catalog.feature_cache(body.features_id).load()
        lacking = sorted(p.sha256 for p in waiting.photos if p.sha256 not in known)
        if len(lacking) > _FIRST_LOOK:
            later = set(lacking[_FIRST_LOOK:])
            yield replace(waiting, photos=tuple(p for p in waiting.photos if p.sha256 not in later))
        yield waiting

    def _rank_part(self, body: Backbone, part: Unlabelled, progress: Progress) -> None:
        judges = {p.name: p.sha256 for p in part.photos if is_held_out(p.sha256)}
        found = rank_unlabelled(
            self._catalog, self._folder, part, BATCH, body=body, aside=judges.values(), progress=progress
        )
        ranked = (*found.photos, *found.rest)
        teaching = [one for one in ranked if one.file not in judges]
        judging = [one for one in ranked if one.file in judges]
        judging.sort(key=lambda one: judges[one.file])
        self.found = {one.file: one for one in _mix(teaching, judging)}
        self.unread = dict(found.failures)
        first = {one.file for one in found.photos}
        self._find_copies([photo for photo in part.photos if photo.name in first])

    def _find_copies(self, photos: Sequence[Photo]) -> None:
        """Look which of some photos show the same picture as one of the set."""
        known = []
        for photo in photos:
            with contextlib.suppress(FastclfError):
                data, _ = read_hashed(photo)
                known.append((photo.sha256, describe_arrival(data or b"", photo.name)))
        copies = self._catalog.arrivals.find_copies([arrival for _, arrival in known])
        self.copies = {sha: copy for (sha, _), copy in zip(known, copies, strict=True) if copy is not None}


def _mix(teaching: Sequence[Suggestion], judging: Sequence[Suggestion]) -> Iterator[Suggestion]:
    """Yield all, with one that judges after each four that teach."""
    rest = iter(judging)
    for i, one in enumerate(teaching, 1):
        yield one
        if i % _TEACHING == 0:
            yield from islice(rest, 1)
    yield from rest
