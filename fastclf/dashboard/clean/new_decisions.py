"""Decisions about photos without a label: how a step lets them into the set, or turns them away.

One that is given a class is copied into that one's folder, and the catalog holds the copy out of the set
until the step lets it in; one that is dismissed is turned away without a file. The file that waits stays
where it is: what no standing step decided waits again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from ...catalog import Catalog, Edit, forget_hash, name_copy, read_hashed
from ...errors import FastclfError, Message, UsageError
from ...photos import MAX_FOLDER_BYTES, Photo, decode_photo
from .added_files import Addition, hold_files
from .new_copies import HELD, NewCopies
from .review import Decision

_REPLACED = Message("was replaced meanwhile")
_DECIDED = Message("was decided elsewhere meanwhile")


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


class NewDecisions:
    """Decisions about photos by their keys, as somebody sees them now."""

    def __init__(self, catalog: Catalog, copies: NewCopies, photos: Mapping[int, Photo]) -> None:
        self._catalog, self._copies, self._photos = catalog, copies, photos

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
        deleted = [h.name for h in self._copies.find_held() if h.action and not h.is_there] if taken else []
        with hold_files(self._catalog, additions, HELD, lambda: self._ask(taken, deleted)) as copies:
            edits = [Edit(numbers[d.key], "remove", None, d.why) for d in dismissed]
            for number, d in zip(copies, taken, strict=True):
                edits += [Edit(number, "relabel", d.label, d.why), Edit(number, "restore", None, d.why)]
            yield Joined(tuple(edits), lambda: self._ask(able), len(taken), len(dismissed), left)

    def _leave_out(
        self, decisions: Collection[Decision]
    ) -> tuple[list[Decision], tuple[tuple[str, str], ...]]:
        """Return the decisions that can be followed, and the (name, reason) of the others."""
        decided = self._copies.find_decided() if decisions else set()
        left = {d.key: reason for d in decisions if (reason := self._find_change(d, decided))}
        able = [d for d in decisions if d.key not in left]
        names = tuple((self._name(key), reason) for key, reason in left.items())
        if names and not able:
            _refuse(*names[0])
        return able, names

    def _ask(self, decisions: Sequence[Decision], aside: Collection[str] = ()) -> None:
        """Refuse what somebody else has decided about meanwhile."""
        decided = self._copies.find_decided(aside) if decisions else set()
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

        Those that are taken get one, too: it says that their copies wait for a step, see `NewCopies.recover`.
        """
        names = {d.key: name_copy(p.name, p.sha256) for d in decisions if (p := self._photos[d.key])}
        hashes = {name: self._photos[key].sha256 for key, name in names.items()}
        numbers = self._catalog.arrivals.register(hashes) if hashes else {}
        return {key: numbers[name] for key, name in names.items()}


def _refuse(name: str, reason: str) -> NoReturn:
    raise UsageError("{name} {reason}. Reload the page; nothing was changed.", name=name, reason=reason)
