"""Photos without a label among the photos to review: ranked, and let into the set by a step of the catalog.

One that is given a class is copied into that one's folder, and the catalog holds the copy out of the set
until the step lets it in; one that is dismissed is turned away without a file. The file that waits stays
where it is: what no standing step decided waits again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import NoReturn

from ...backbone import Backbone, open_packaged
from ...catalog import (
    PREFIX,
    Catalog,
    Copy,
    Edit,
    EditRow,
    Held,
    Unlabelled,
    describe_arrival,
    find_digest,
    forget_hash,
    is_held_out,
    list_unlabelled,
    name_copy,
    read_hashed,
)
from ...check import has_packaged
from ...errors import (
    BundleError,
    FastclfError,
    Message,
    MissingExtraError,
    UsageError,
    WeightsError,
    count_message,
)
from ...head import Suggestion, rank_unlabelled
from ...model import ModelBundle
from ...photos import MAX_FOLDER_BYTES, Photo, Progress, decode_photo, encode_jpeg, make_thumbnail
from ...system import advise_install
from ..widgets import encode_large, say_share
from .added_files import Addition, hold_files
from .reports import describe_copy
from .review import NEW, Decision, Reason, ReviewItem

# below every report's key, and still a whole number in a browser
_FIRST_KEY = -(2**52)
# So many are chosen together; as many as in the benchmark, in which each round teaches the next one.
BATCH = 20
# So many are looked at before the first of them are shown, where many are new: some seconds on two cores.
_FIRST_LOOK = 100
# So many teach for each one that judges.
_TEACHING = 4
_HELD = "without a label; not taken yet"
_REPLACED = Message("was replaced meanwhile")
_DECIDED = Message("was decided elsewhere meanwhile")
_NOTHING = Unlabelled((), 0)


@dataclass(frozen=True)
class Joined:
    """The edits that decide about new photos, how many of them do what, and what had to be left out.

    `ask` raises a UsageError where somebody else has decided about one of them; it is to be called while
    nobody else can write to the catalog.
    """

    edits: tuple[Edit, ...]
    ask: Callable[[], None]
    taken: int = 0
    dismissed: int = 0
    left: tuple[tuple[str, str], ...] = ()  # (name, reason)


def is_new(key: int) -> bool:
    """Tell whether a key is that of a photo without a label."""
    return key <= _FIRST_KEY


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


class NewPhotos:
    """The photos of a folder that wait for a label; `folder` need not be there."""

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        self.folder = folder
        self._catalog = catalog
        self._waiting = _NOTHING
        self._photos: dict[int, Photo] = {}
        # {name: what the last ranking says of it}, in its order
        self._ranking: dict[str, Suggestion] = {}
        self._unread: dict[str, str] = {}
        self._copies: dict[str, Copy] = {}
        self._fault: str = ""

    def __len__(self) -> int:
        return len(self._photos)

    @property
    def remarks(self) -> list[str]:
        """What is to be said of them beside how many there are."""
        known = count_message(
            self._waiting.known, "1 other has a label already.", "{n} others have a label already."
        )
        unread = count_message(len(self._unread), "1 file cannot be read.", "{n} files cannot be read.")
        counted = [words for words in (known, unread) if words.fields["n"]]
        unranked = [Message("They are not ranked."), self._fault] if self._fault and len(self) else []
        return [*counted, *unranked]

    def read(self, progress: Progress | None = None) -> None:
        """Look which photos wait."""
        if not self.folder.is_dir():
            self._waiting, self._photos = _NOTHING, {}
            return
        self._waiting = list_unlabelled(self._catalog, self.folder, progress)
        self._photos = {_make_key(photo.sha256): photo for photo in self._waiting.photos}
        self._unread = {**self._unread, **dict(self._waiting.failures)}

    def load_items(self) -> list[ReviewItem]:
        """Return the photos that wait, as of now."""
        self.read()
        places = {name: place for place, name in enumerate(self._ranking)}
        last, n = len(places), len(places) + len(self._photos) + 1
        return [
            _build_item(
                key,
                photo,
                doubt=1 - places.get(photo.name, last + i) / n,
                reasons=self._find_reasons(photo),
                found=self._ranking.get(photo.name),
            )
            for i, (key, photo) in enumerate(self._photos.items())
        ]

    def _find_reasons(self, photo: Photo) -> list[Reason]:
        found, unread = self._ranking.get(photo.name), self._unread.get(photo.name)
        if unread is not None:
            return [Reason(NEW, unread, 0.0)]
        if found is None:
            return [Reason(NEW, Message("not looked at yet"), 0.0)]
        words = Message(
            "{label}, {share}, or {other}, {other_share}",
            label=found.guess,
            share=say_share(found.probability),
            other=found.other,
            other_share=say_share(found.other_probability),
        )
        copy = self._copies.get(photo.sha256)
        return [Reason(NEW, words, 0.0, found.guess), *([describe_copy(copy)] if copy else [])]

    def rank(self, body: Callable[[], Backbone], progress: Progress, show: Callable[[], None]) -> None:
        """Rank them by today's labels; where many were never looked at, some first, which `show` is told.

        Why they cannot be ranked is among the `remarks`.
        """
        self._fault = ""
        self.read()
        waiting = self._waiting
        if not waiting.photos:
            return
        try:
            network = body()
            for part in self._split(network, waiting):
                self._rank_part(network, part, progress)
                if part is not waiting:
                    show()
        except FastclfError as e:
            self._fault = e.message

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
            self._catalog, self.folder, part, BATCH, body=body, aside=judges.values(), progress=progress
        )
        ranked = (*found.photos, *found.rest)
        teaching = [one for one in ranked if one.file not in judges]
        judging = [one for one in ranked if one.file in judges]
        judging.sort(key=lambda one: judges[one.file])
        self._ranking = {one.file: one for one in _mix(teaching, judging)}
        self._unread = dict(found.failures)
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
        self._copies = {sha: copy for (sha, _), copy in zip(known, copies, strict=True) if copy is not None}

    def read_thumbnail(self, key: int) -> bytes | None:
        """Return a photo's JPEG, or None."""
        photo = self._photos.get(key)
        if photo is None:
            return None
        return encode_jpeg(make_thumbnail(decode_photo(photo.path, max_bytes=MAX_FOLDER_BYTES).image))

    def read_large(self, key: int) -> bytes | None:
        """Return a photo large, or None."""
        photo = self._photos.get(key)
        return None if photo is None else encode_large(photo.path)

    @contextlib.contextmanager
    def adopt(self, decisions: Sequence[Decision]) -> Iterator[Joined]:
        """Hold copies of photos and give the edits that decide about them; on a fault no copy stays.

        A photo that is no longer what was shown is left out. One that is dismissed is not read.

        Raises
        ------
        UsageError
            If that is so of all of them, or if somebody else decides about one meanwhile.
        """
        able, left = self._leave_out({d.key: d for d in decisions}.values())
        taken = [d for d in able if d.action == "relabel"]
        dismissed = [d for d in able if d.action == "remove"]
        numbers = self._register(able)
        additions = [self._describe_file(d) for d in taken]
        # a copy that was deleted by hand is written anew, and was let in before
        deleted = [h.name for h in self._find_held() if h.action and not h.is_there] if taken else []
        with hold_files(self._catalog, additions, _HELD, lambda: self._ask(taken, deleted)) as copies:
            edits = [Edit(numbers[d.key], "remove", None, d.why) for d in dismissed]
            for number, d in zip(copies, taken, strict=True):
                edits += [Edit(number, "relabel", d.label, d.why), Edit(number, "restore", None, d.why)]
            yield Joined(tuple(edits), lambda: self._ask(able), len(taken), len(dismissed), left)

    def _leave_out(
        self, decisions: Collection[Decision]
    ) -> tuple[list[Decision], tuple[tuple[str, str], ...]]:
        """Return the decisions that can be followed, and the (name, reason) of the others."""
        decided = self._find_decided() if decisions else set()
        left = {d.key: reason for d in decisions if (reason := self._find_change(d, decided))}
        able = [d for d in decisions if d.key not in left]
        names = tuple((self._name(key), reason) for key, reason in left.items())
        if names and not able:
            _refuse(*names[0])
        return able, names

    def _find_held(self) -> list[Held]:
        return [h for h in self._catalog.arrivals.find_held(PREFIX) if find_digest(h.name)]

    def _find_decided(self, aside: Collection[str] = ()) -> set[str]:
        """Return the digests of the photos that a step decided about; what `aside` names does not count."""
        held = self._find_held()
        return {find_digest(h.name) for h in held if h.action and h.is_there and h.name not in aside}

    def _ask(self, decisions: Sequence[Decision], aside: Collection[str] = ()) -> None:
        """Refuse what somebody else has decided about meanwhile."""
        decided = self._find_decided(aside) if decisions else set()
        for d in decisions:
            photo = self._photos[d.key]
            if photo.sha256[:16] in decided:
                _refuse(photo.name, _DECIDED)

    def _name(self, key: int) -> str:
        return self._photos[key].name if key in self._photos else str(key)

    def _find_change(self, decision: Decision, decided: Collection[str]) -> str:
        """Return what became of a photo since it was shown, or ""."""
        photo = self._photos.get(decision.key)
        if photo is None:
            return _REPLACED
        if photo.sha256[:16] in decided:
            return _DECIDED
        return self._find_fault(photo) if decision.action == "relabel" else ""

    def _find_fault(self, photo: Photo) -> str:
        try:
            photo.path.stat()
            data, sha256 = read_hashed(photo)
            if sha256 != photo.sha256:
                forget_hash(self._catalog, photo.path)
                return _REPLACED
            decode_photo(photo.path if data is None else data, photo.name, max_bytes=MAX_FOLDER_BYTES)
        except FileNotFoundError:
            return Message("was deleted meanwhile")
        except (FastclfError, OSError):
            return Message("cannot be read")
        return ""

    def _describe_file(self, decision: Decision) -> Addition:
        photo = self._photos[decision.key]

        def read() -> bytes:
            data, sha256 = read_hashed(photo)
            if data is None or sha256 != photo.sha256:
                _refuse(photo.name, _REPLACED)
            return data

        return Addition(decision.label, name_copy(photo.name, photo.sha256), read)

    def _register(self, decisions: Sequence[Decision]) -> dict[int, int]:
        """Return {key: the catalog's number} by which a photo can be turned away.

        Those that are taken get one, too: it says that their copies wait for a step, see `recover`.
        """
        names = {d.key: name_copy(p.name, p.sha256) for d in decisions if (p := self._photos[d.key])}
        hashes = {name: self._photos[key].sha256 for key, name in names.items()}
        numbers = self._catalog.arrivals.register(hashes) if hashes else {}
        return {key: numbers[name] for key, name in names.items()}

    def recover(self) -> None:
        """Mend what a kill between copies and their step left: they are held, and the photos wait again."""
        held = self._find_held()
        begun = {find_digest(h.name) for h in held if "/" not in h.name}
        begun -= {find_digest(h.name) for h in held if h.action}
        stray = {h.name for h in held if "/" in h.name and h.in_set and find_digest(h.name) in begun}
        if stray:
            # one whose bytes somebody changed is a photo of its own
            photos = [p for p in self._catalog.photos().photos if p.name in stray]
            same = [p.name for p in photos if p.sha256.startswith(find_digest(p.name))]
            self._catalog.arrivals.hold(same, _HELD)

    def read_actions(self) -> dict[str, str]:
        """Return {name: what standing steps say} of the copies, and of the photos that were turned away."""
        return {h.name: h.action for h in self._find_held()}

    def count_unlearned(self, learned: Collection[str]) -> int:
        """Return how many of the photos that were labelled here are not among contents (sha256)."""
        digests = {sha256[:16] for sha256 in learned}
        mine = {find_digest(h.name) for h in self._find_held() if h.in_set and h.action}
        return len(mine - digests)


def count_moved(
    rows: Sequence[EditRow], before: Mapping[str, str], after: Mapping[str, str]
) -> tuple[int, int]:
    """Return how many new photos a step's rows let in or out, and how many they turn away or give back.

    A row about a photo that another step let in does neither: its action is the same `before` and `after`.
    """
    moved = {row.path for row in rows if before.get(row.path, "") != after.get(row.path, "")}
    files = sum("/" in name for name in moved)
    return files, len(moved) - files


def _refuse(name: str, reason: str) -> NoReturn:
    raise UsageError("{name} {reason}. Reload the page; nothing was changed.", name=name, reason=reason)


def _mix(teaching: Sequence[Suggestion], judging: Sequence[Suggestion]) -> Iterator[Suggestion]:
    """Yield all, with one that judges after each four that teach."""
    rest = iter(judging)
    for i, one in enumerate(teaching, 1):
        yield one
        if i % _TEACHING == 0:
            yield from islice(rest, 1)
    yield from rest


def _make_key(sha256: str) -> int:
    return _FIRST_KEY - int(sha256[:12], 16)


def _build_item(
    key: int, photo: Photo, *, doubt: float, reasons: Sequence[Reason], found: Suggestion | None
) -> ReviewItem:
    first, *others = reasons
    return ReviewItem(
        key=key, fn=photo.path, name=photo.name, label="", outside=NEW,
        answer=found.guess if found else None, probability=found.probability if found else None,
        reasons=(replace(first, doubt=doubt), *others),
    )  # fmt: skip
